// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "analysis/Polls.h"
#include "llvm/IR/IRBuilder.h"
#include <functional>

namespace hetckpt {

/// Iterations of a strip: a constant, or what Ask makes where a strip begins, an i32 from 1 to
/// maxStride.
struct Stride {
  uint64_t Planned;
  std::function<llvm::Value *(llvm::IRBuilder<> &)> Ask;

  llvm::Value *at(llvm::IRBuilder<> &B) const {
    return Ask ? Ask(B) : B.getInt32(Planned);
  }
};

/// At B, the bound of the strip of Stride iterations (i32) that begins with Counter, in
/// place of C.Bound.
llvm::Value *stripLimit(llvm::IRBuilder<> &B, const CountedLoop &C,
                        llvm::Value *Counter, llvm::Value *Stride);

/// Puts a plain copy of L beside it and lets short trips (at most twice Stride
/// iterations) take the copy: loops inside others often end soon, and then run exactly
/// as they were. L keeps the long trips. All threads of the scope must agree on the
/// trip count. Returns the copy's preheader; Iterations: i32, computed there.
llvm::BasicBlock *versionShortTrips(llvm::Loop &L, const CountedLoop &Counted,
                                    uint64_t Stride, llvm::DominatorTree &DT,
                                    llvm::LoopInfo &LI, llvm::Value *&Iterations);

/// Blocks that strip-mining made.
struct StripMined {
  llvm::BasicBlock *Strip;    ///< header of the outer loop; computes the bound
  llvm::BasicBlock *Boundary; ///< between two strips; ends in a branch to Strip
  llvm::Value *Iterations;    ///< i32, in Strip: iterations of the strip to come
};

/// Strip-mines L. Counted: as matched on L.
StripMined stripMine(llvm::Loop &L, const CountedLoop &Counted, const Stride &By);

} // namespace hetckpt
