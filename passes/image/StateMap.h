// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "Kernel.h"
#include "image/Variables.h"
#include <string>
#include <vector>

namespace hetckpt {

/// The module's state map (docs/portable-image.md) as JSON text.
std::string writeStateMap(const llvm::Module &M, const std::vector<Kernel> &Kernels,
                          const VariableBlock &Variables);

} // namespace hetckpt
