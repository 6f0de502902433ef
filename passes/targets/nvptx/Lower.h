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

/// Sorts the uses of values in the run and resume variants as a reader of the module would find them,
/// the last one first. Loop strength reduction goes through users in the order of these lists and
/// decides by it, so that code would depend on the order in which the pass happened to write uses:
/// for matmul wide it computed each address anew in one order, by addition in the other (1.05 and 1.016
/// of the original's time on an H200).
void orderUses(llvm::Module &M);

/// Replaces the vocabulary that the pass itself put into a native NVPTX module by
/// NVVM intrinsics.
void lowerForNvptx(llvm::Module &M);

} // namespace hetckpt
