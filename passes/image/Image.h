// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "Kernel.h"
#include "image/Variables.h"
#include <vector>

namespace hetckpt {

/// Makes the portable image of M (a raised copy, the state map, the variables'
/// contents) and embeds it in M as the constant __hetckpt_image.
void embedImage(llvm::Module &M, const std::vector<Kernel> &Kernels,
                const VariableBlock &Variables);

} // namespace hetckpt
