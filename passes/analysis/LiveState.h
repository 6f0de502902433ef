// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a thread must carry over a safepoint: the values that are live there, less
// those that can be had again (constants, arguments, ids and arithmetic on them,
// address arithmetic on values that are carried anyway), and the private arrays
// that are still read.
#pragma once

#include "Kernel.h"

namespace hetckpt {

/// Fills Live, Remat and Private of every safepoint of K, numbers K.Objects, and
/// assigns slots. F is the run variant with its safepoints placed. Returns an empty
/// string, or why some live value cannot be carried.
std::string computeLiveState(Kernel &K, llvm::Function &F);

/// Instructions that compute V again from values for which Have is true, operands
/// first, V last. Returns false if V cannot be computed again cheaply.
bool rematerialise(llvm::Value *V,
                   llvm::function_ref<bool(const llvm::Value *)> Have,
                   llvm::SmallVectorImpl<llvm::Instruction *> &Order);

/// Names of logical block ids and grid sizes are available anywhere.
bool isFreelyAvailable(const llvm::Value *V);

/// The leaves of a type in order, with their index paths.
struct Leaf {
  llvm::Type *Ty;
  llvm::SmallVector<unsigned, 2> Path;
};
void flattenType(llvm::Type *Ty, llvm::SmallVectorImpl<Leaf> &Leaves);

} // namespace hetckpt
