// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "Kernel.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

namespace hetckpt {

/// Turns F, a clone of the run variant before its park blocks were filled, into the
/// resume variant: adds the entry that restores frames and enters at safepoints.
/// Map: run variant to F. Clones of the safepoints in F, with their park blocks
/// still empty, are returned so that the caller can fill them.
llvm::SmallVector<Safepoint, 8> buildResume(Kernel &K, llvm::Function &F,
                                            llvm::Value *Launch,
                                            llvm::ValueToValueMapTy &Map);

} // namespace hetckpt
