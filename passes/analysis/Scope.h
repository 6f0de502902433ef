// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What calls mean to the pass, and the pause scope of a kernel that follows.
#pragma once

#include "Kernel.h"

namespace llvm {
class CallBase;
class Function;
} // namespace llvm

namespace hetckpt {

/// What a call does, as far as pausing is concerned.
enum class Op {
  None,         ///< nothing of interest
  BlockBarrier, ///< every thread of the block that has not returned takes part
  NamedBarrier, ///< a counted barrier, or one that only arrives
  WarpOp,       ///< shuffle, vote, match, reduction, warp barrier
  ThreadId,     ///< differs between the threads of a block
  LaneId,       ///< differs between the threads of a warp, or depends on it
  BlockConst,   ///< the same for all threads of a block
  AsyncCopy,    ///< asynchronous copy into shared memory and its groups
  Barred        ///< cannot be carried to another machine: see reasonBarred
};

Op classifyCall(const llvm::CallBase &Call);

/// Why a kernel with this call cannot pause; empty unless Op::Barred.
std::string reasonBarred(const llvm::CallBase &Call);

/// True for a warp operation whose mask names all 32 lanes.
bool hasFullMask(const llvm::CallBase &Call);

struct ScopeResult {
  std::optional<Scope> PauseScope;
  std::string Reason; ///< set if there is no scope
};

/// The scope of a function in which all calls have been inlined.
ScopeResult computeScope(llvm::Function &F);

} // namespace hetckpt
