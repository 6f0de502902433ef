// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "Kernel.h"
#include "analysis/Polls.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

namespace hetckpt {

/// A clone of F named Name with one more parameter: the launch record by value.
llvm::Function *cloneWithLaunch(llvm::Function &F, const llvm::Twine &Name,
                                llvm::ValueToValueMapTy &Map);

/// Builds K.Run and, if it polls, K.Resume. On failure (K.Reason set) neither is
/// left. K's shared memory must have been gathered.
void buildVariants(Kernel &K);

/// The plan for a function that is already in normal form.
PollPlan planFunction(llvm::Function &F, Scope S);

} // namespace hetckpt
