// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "analysis/Polls.h"
#include "llvm/IR/IRBuilder.h"

namespace hetckpt {

/// At B, the bound of the strip that begins with Counter, in place of C.Bound.
llvm::Value *stripLimit(llvm::IRBuilder<> &B, const CountedLoop &C,
                        llvm::Value *Counter, uint64_t Stride);

/// Blocks that strip-mining made.
struct StripMined {
  llvm::BasicBlock *Strip;    ///< header of the outer loop; computes the bound
  llvm::BasicBlock *Boundary; ///< between two strips; ends in a branch to Strip
  llvm::Value *Iterations;    ///< i32, in Strip: iterations of the strip to come
};

/// Strip-mines L by stride iterations. Counted: as matched on L.
StripMined stripMine(llvm::Loop &L, const CountedLoop &Counted, uint64_t Stride);

} // namespace hetckpt
