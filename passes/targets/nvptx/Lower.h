// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "image/Variables.h"

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Lets the run and resume variants reach the module's __device__ variables in the
/// block that the launch record names instead of where the driver put the module's
/// own: only the former has the same address on every device. Offsets are those of
/// layOutVariables. __constant__ variables keep their constant bank.
void redirectVariables(llvm::Module &M, const VariableBlock &Variables);

/// Leaves of the debug information of optimised code what clang itself leaves there:
/// lines. Descriptions of variables served the state map; in PTX they would ask the
/// assembler for unoptimised code.
void reduceDebugInfo(llvm::Module &M);

/// Replaces the vocabulary that the pass itself put into a native NVPTX module by
/// NVVM intrinsics.
void lowerForNvptx(llvm::Module &M);

} // namespace hetckpt
