// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where a kernel polls: which loops, in which way, how often.
//
// A poll in a tight loop costs many times the loop, so a counted loop whose body
// has a known cost is strip-mined: an inner loop identical to the original, and a
// poll in an outer one that runs every stride iterations. Loops that are not counted,
// and loops around loops of unknown length, cannot know what an iteration takes. A thread
// that may pause alone asks the clock at each back edge whether a poll is due. Threads
// that must answer alike cannot: each would read another time. They keep an account
// ("fuel", in estimated nanoseconds) instead: inner loops pay for their iterations once,
// when they are entered, and the outer one polls when the account is empty. Loops that
// end before the interval has passed get nothing.
#pragma once

#include "Kernel.h"
#include "analysis/Uniformity.h"
#include "llvm/Analysis/ScalarEvolution.h"

namespace hetckpt {

enum class PollKind {
  Strip, ///< strip-mined: poll after Stride iterations
  Lockstep, ///< strip-mined, with all threads of the scope in the same strip
  Timed, ///< at the back edge, when the clock says so
  Fuel,  ///< at the back edge, when the account is empty
  Wait   ///< at each back edge: the loop waits on memory
};

const char *pollKindName(PollKind K);

struct LoopPlan {
  llvm::BasicBlock *Header = nullptr;
  PollKind Kind = PollKind::Fuel;
  uint64_t Stride = 0;          ///< iterations; Strip and Lockstep
  uint64_t CostPerIteration = 0; ///< estimated nanoseconds, without loops in it that poll
  uint64_t LikelyCost = 0;      ///< with them, if they go round a few times
  bool PaysFuel = false;        ///< a loop around it keeps an account
  bool Contends = false;        ///< what its iterations take depends on who else changes memory
  bool Paced = false;           ///< the clock may correct its strips
  bool UniformTrip = true;      ///< its trip count is the same in all the scope
  llvm::DebugLoc Loc;
  unsigned Depth = 1;
};

/// A loop that may run long but cannot poll.
struct MissedLoop {
  llvm::BasicBlock *Header;
  llvm::DebugLoc Loc;
  std::string Reason;
};

struct PollPlan {
  llvm::SmallVector<LoopPlan, 8> Loops; ///< inner loops before outer ones
  llvm::SmallVector<MissedLoop, 4> Missed;
  bool UsesFuel = false;
  bool Waits = false;
  /// A wait lies where the scope is not uniform: the kernel must not park.
  bool WaitsApart = false;
};

/// F: a kernel with all calls inlined and loops in simplified form. U learns of the polls.
PollPlan planPolls(llvm::Function &F, Scope S, llvm::LoopInfo &LI,
                   llvm::DominatorTree &DT, llvm::ScalarEvolution &SE, Uniformity &U);

/// A loop that its latch, or else its header, leaves by comparing its counter with a bound. It
/// may have other exits.
struct CountedLoop {
  llvm::PHINode *Counter = nullptr; ///< in the header
  llvm::Value *Start = nullptr;
  llvm::Value *Compared = nullptr;  ///< the counter, or its next value
  llvm::Value *Bound = nullptr;     ///< loop-invariant
  llvm::ICmpInst *Compare = nullptr;
  llvm::BranchInst *Exit = nullptr;
  int64_t Step = 0;                 ///< constant step, or 0
  llvm::Value *VariableStep = nullptr; ///< else: loop-invariant, taken as positive
  /// The loop goes on while (Compared Stay Bound).
  llvm::CmpInst::Predicate Stay = llvm::CmpInst::BAD_ICMP_PREDICATE;
  bool ComparesNext = false; ///< Compared is the counter after its step
  bool AtTop = false; ///< the header decides, before the iteration, and can be passed twice
};

std::optional<CountedLoop> matchCountedLoop(const llvm::Loop &L);

/// Iterations of the longest strip: its end is computed in the counter's type, far from the
/// bounds of which it must stay.
uint64_t maxStride(const CountedLoop &C);

/// What lies between the last point before a loop where the scope is together and the
/// loop.
struct LockstepRegion {
  llvm::BasicBlock *Together = nullptr; ///< that point
  llvm::SmallVector<llvm::BasicBlock *, 4> Blocks; ///< with that point and the preheader
  /// Edges that leave it without entering the loop.
  llvm::SmallVector<std::pair<llvm::BasicBlock *, llvm::BasicBlock *>, 4> Bypass;
};

/// The region before L, if L leaves at its latch only and nothing in the way stops all
/// threads from being led through it together.
std::optional<LockstepRegion> findLockstepRegion(const llvm::Loop &L,
                                                 llvm::LoopInfo &LI,
                                                 llvm::DominatorTree &DT,
                                                 const Uniformity &U);

} // namespace hetckpt
