// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which values and points are the same for all threads of a pause scope.
//
// LLVM's uniformity analysis answers another question: it means uniform over a
// warp at one instant. A value loaded from memory is uniform to it, yet two warps
// of a block may load it at different times and see different values. Here a value
// is uniform only if it follows from arguments, constants, block ids and counters
// of loops that are uniform themselves.
//
// A block of code is a *uniform point* if, whenever one thread of the scope stands
// there, every other thread of the scope that has not returned will come to stand
// there too, the same number of times, without needing anything from the first.
#pragma once

#include "Kernel.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include <memory>

namespace hetckpt {

class Uniformity {
public:
  Uniformity(llvm::Function &F, Scope S, llvm::LoopInfo &LI,
             llvm::DominatorTree &DT);

  bool isUniform(const llvm::Value *V) const;
  /// True if threads of the scope can take different ways at BB's terminator.
  bool isDivergentBranch(const llvm::BasicBlock *BB) const;
  bool isUniformPoint(const llvm::BasicBlock *BB) const;
  /// True if every iteration of L passes a synchronisation of the whole scope,
  /// so that all threads are in the same iteration.
  bool isSynchronised(const llvm::Loop *L) const;

  /// Says that there is to be a poll behind BB: threads of the scope wait there for all
  /// that have not returned.
  void addPoll(const llvm::BasicBlock *BB) { Polls.insert(BB); }
  void removePoll(const llvm::BasicBlock *BB) { Polls.erase(BB); }
  /// A loop that is to be led in lockstep: all threads that come to Together go on with
  /// each other until they have left Inside, that loop and what lies before it, by Ways.
  struct Lockstep {
    const llvm::BasicBlock *Together;
    llvm::DenseSet<const llvm::BasicBlock *> Inside;
    llvm::SmallVector<const llvm::BasicBlock *, 4> Ways;
  };
  void addLockstep(const llvm::BasicBlock *Header, Lockstep L) {
    Locksteps[Header] = std::move(L);
  }
  void removeLockstep(const llvm::BasicBlock *Header) { Locksteps.erase(Header); }

  /// True if BB holds a barrier or warp operation of any kind.
  bool synchronises(const llvm::BasicBlock *BB) const { return AnySync.count(BB); }

private:
  bool isSync(const llvm::BasicBlock *BB) const { return Syncs.count(BB); }
  /// True if threads of the scope wait at BB for all that have not returned, or will.
  bool isMeeting(const llvm::BasicBlock *BB) const {
    return isSync(BB) || Polls.count(BB) ||
           llvm::any_of(Locksteps, [&](const auto &L) { return L.second.Together == BB; });
  }
  bool isSource(const llvm::Instruction &I) const;
  void propagate();
  void markBranch(const llvm::BasicBlock *BB);
  bool isQuiet(const llvm::BasicBlock *From, const llvm::BasicBlock *Target) const;
  bool lanesWait(const llvm::BasicBlock *T, const llvm::BasicBlock *B) const;
  bool blocksTarget(const llvm::BasicBlock *T, const llvm::BasicBlock *B) const;

  llvm::Function &F;
  Scope S;
  llvm::LoopInfo &LI;
  llvm::DominatorTree &DT;
  llvm::DenseSet<const llvm::BasicBlock *> Syncs;   ///< synchronise the scope
  llvm::DenseSet<const llvm::BasicBlock *> WarpOps; ///< that do not synchronise the scope
  llvm::DenseSet<const llvm::BasicBlock *> Named;   ///< counted barriers
  llvm::DenseSet<const llvm::BasicBlock *> Polls;   ///< that are to come
  llvm::DenseMap<const llvm::BasicBlock *, Lockstep> Locksteps; ///< by header
  llvm::DenseSet<const llvm::BasicBlock *> AnySync; ///< any barrier or warp op
  llvm::DenseSet<const llvm::Value *> Divergent;
  llvm::DenseSet<const llvm::BasicBlock *> DivergentBranches;
  std::unique_ptr<Uniformity> Lanes; ///< the same for a warp; block scope only
};

} // namespace hetckpt
