// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "analysis/Uniformity.h"
#include "Names.h"
#include "analysis/Scope.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Analysis/PostDominators.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;

namespace hetckpt {

/// Threads of the scope ask together how long a strip is, and get the same answer.
static bool isPace(const CallBase &Call) {
  const Function *Callee = Call.getCalledFunction();
  return Callee && Callee->getName() == names::Pace;
}

/// Polls give all threads of the scope the same answer.
static bool isPoll(const CallBase &Call) {
  const Function *Callee = Call.getCalledFunction();
  return Callee && (Callee->getName() == names::PollBlock ||
                    Callee->getName() == names::PollWarp ||
                    Callee->getName() == names::PollEntry);
}

/// True for a shuffle by which all lanes of a warp read the same one.
static bool isBroadcast(const CallBase &Call) {
  if (!Call.getCalledFunction()->getName().starts_with("llvm.nvvm.shfl.sync.idx."))
    return false;
  auto *Lane = dyn_cast<ConstantInt>(Call.getArgOperand(2));
  auto *Clamp = dyn_cast<ConstantInt>(Call.getArgOperand(3));
  return Lane && Clamp && Clamp->getZExtValue() == 31;
}

Uniformity::Uniformity(Function &F, Scope S, LoopInfo &LI, DominatorTree &DT)
    : F(F), S(S), LI(LI), DT(DT) {
  for (Instruction &I : instructions(F)) {
    auto *Call = dyn_cast<CallBase>(&I);
    if (!Call)
      continue;
    if (isPoll(*Call)) {
      Syncs.insert(I.getParent());
      AnySync.insert(I.getParent());
      continue;
    }
    switch (classifyCall(*Call)) {
    case Op::BlockBarrier:
      Syncs.insert(I.getParent());
      AnySync.insert(I.getParent());
      break;
    case Op::WarpOp:
      (S == Scope::Warp && hasFullMask(*Call) ? Syncs : WarpOps)
          .insert(I.getParent());
      AnySync.insert(I.getParent());
      break;
    case Op::NamedBarrier:
      Named.insert(I.getParent());
      AnySync.insert(I.getParent());
      break;
    default:
      break;
    }
  }
  // A lone thread is uniform with itself.
  if (S != Scope::Thread)
    propagate();
  if (S == Scope::Block && !WarpOps.empty())
    Lanes = std::make_unique<Uniformity>(F, Scope::Warp, LI, DT);
}

bool Uniformity::isUniform(const Value *V) const { return !Divergent.count(V); }

bool Uniformity::isDivergentBranch(const BasicBlock *BB) const {
  return DivergentBranches.count(BB);
}

bool Uniformity::isSource(const Instruction &I) const {
  if (auto *Load = dyn_cast<LoadInst>(&I)) {
    // Memory that nobody writes during the kernel reads the same at any time.
    bool Constant = Load->getPointerAddressSpace() == 4 ||
                    Load->hasMetadata(LLVMContext::MD_invariant_load);
    if (auto *A = dyn_cast<Argument>(Load->getPointerOperand()->stripInBoundsOffsets()))
      Constant |= A->hasByValAttr() && A->onlyReadsMemory();
    return !Constant || Load->isVolatile();
  }
  if (isa<AtomicRMWInst>(I) || isa<AtomicCmpXchgInst>(I) || isa<AllocaInst>(I) ||
      isa<VAArgInst>(I))
    return true;
  auto *Call = dyn_cast<CallBase>(&I);
  if (!Call || isPoll(*Call) || isPace(*Call))
    return false;
  switch (classifyCall(*Call)) {
  case Op::ThreadId:
  case Op::LaneId:
    return true;
  case Op::BlockConst:
    return false;
  case Op::BlockBarrier:
    return false; // a reduction over the block
  case Op::WarpOp: {
    StringRef Name = Call->getCalledFunction()->getName();
    bool Agreed = Name.contains("vote.") || Name.contains("redux.") || isBroadcast(*Call);
    return !(S == Scope::Warp && Agreed && hasFullMask(*Call));
  }
  default:
    break;
  }
  // Arithmetic intrinsics follow their operands; anything else may do anything.
  return !Call->doesNotAccessMemory() || Call->isInlineAsm();
}

/// Blocks that a branch can reach before its ways meet again.
static void influence(const BasicBlock *From, const BasicBlock *Join,
                      DenseSet<const BasicBlock *> &Out) {
  SmallVector<const BasicBlock *, 16> Work(succ_begin(From), succ_end(From));
  while (!Work.empty()) {
    const BasicBlock *BB = Work.pop_back_val();
    if (!Out.insert(BB).second || BB == Join)
      continue;
    append_range(Work, successors(BB));
  }
}

/// True if no thread comes out of BB, nor ends there: it ends in a trap, or in what cannot be.
static bool isDeadEnd(const BasicBlock &BB) {
  return isa<UnreachableInst>(BB.getTerminator()) && none_of(BB, [](const Instruction &I) {
    auto *Call = dyn_cast<CallBase>(&I);
    return Call && (!Call->getCalledFunction() ||
                    Call->getCalledFunction()->getName() == "llvm.nvvm.exit");
  });
}

/// The ways by which threads go on behind BB.
static SmallSetVector<const BasicBlock *, 4> waysOn(const BasicBlock &BB) {
  SmallSetVector<const BasicBlock *, 4> Ways;
  for (const BasicBlock *Succ : successors(&BB))
    if (!isDeadEnd(*Succ))
      Ways.insert(Succ);
  return Ways;
}

bool Uniformity::isSynchronised(const Loop *L) const {
  // Every path from the header to a latch passes a synchronising block.
  SmallVector<const BasicBlock *, 8> Work{L->getHeader()};
  DenseSet<const BasicBlock *> Seen;
  while (!Work.empty()) {
    const BasicBlock *BB = Work.pop_back_val();
    if (isSync(BB) || !Seen.insert(BB).second)
      continue;
    for (const BasicBlock *Succ : successors(BB)) {
      if (Succ == L->getHeader())
        return false;
      if (L->contains(Succ))
        Work.push_back(Succ);
    }
  }
  return true;
}

void Uniformity::propagate() {
  PostDominatorTree PDT(F);
  bool Changed = true;
  auto Mark = [&](const Value *V) {
    if (Divergent.insert(V).second)
      Changed = true;
  };
  for (Instruction &I : instructions(F))
    if (isSource(I))
      Mark(&I);
  while (Changed) {
    Changed = false;
    for (Instruction &I : instructions(F)) {
      if (Divergent.count(&I))
        continue;
      auto *Call = dyn_cast<CallBase>(&I);
      if (Call && classifyCall(*Call) == Op::BlockBarrier)
        continue;
      if (Call && S == Scope::Warp && classifyCall(*Call) == Op::WarpOp)
        continue;
      for (const Use &U : I.operands())
        if (Divergent.count(U)) {
          Mark(&I);
          break;
        }
    }
    for (BasicBlock &BB : F) {
      Instruction *T = BB.getTerminator();
      if (T->getNumSuccessors() < 2 || DivergentBranches.count(&BB))
        continue;
      bool Diverges = false;
      if (auto *Br = dyn_cast<BranchInst>(T))
        Diverges = Divergent.count(Br->getCondition());
      else if (auto *Sw = dyn_cast<SwitchInst>(T))
        Diverges = Divergent.count(Sw->getCondition());
      else
        Diverges = true;
      if (!Diverges)
        continue;
      SmallSetVector<const BasicBlock *, 4> Ways = waysOn(BB);
      if (Ways.size() < 2)
        continue;
      // CUDA demands that all threads meet at each barrier, so a loop that passes
      // one in each iteration is left by all in the same iteration. That says all of a branch
      // that has one way out of the loop and one on inside.
      Loop *L = LI.getLoopFor(&BB);
      if (L && Ways.size() == 2 && L->contains(Ways[0]) != L->contains(Ways[1]) && isSynchronised(L))
        continue;
      DivergentBranches.insert(&BB);
      Changed = true;
      const BasicBlock *Join = Ways[0];
      for (const BasicBlock *Way : Ways)
        Join = Join ? PDT.findNearestCommonDominator(Join, Way) : nullptr;
      DenseSet<const BasicBlock *> Region;
      influence(&BB, Join, Region);
      for (const BasicBlock *In : Region)
        for (const PHINode &Phi : In->phis())
          Mark(&Phi);
      // Threads leave the loop after different numbers of iterations: what it
      // computed differs outside.
      for (; L && L->isLoopExiting(&BB); L = L->getParentLoop())
        for (BasicBlock *Inside : L->blocks())
          for (Instruction &I : *Inside)
            for (User *U : I.users())
              if (auto *UI = dyn_cast<Instruction>(U))
                if (!L->contains(UI))
                  Mark(UI);
    }
  }
}

/// True if what can be reached from From runs to the end of the kernel without
/// any synchronisation, polls to be included, and without coming to Target: threads that
/// go there just return, sooner or later, and nobody waits for them but by their return.
bool Uniformity::isQuiet(const BasicBlock *From, const BasicBlock *Target) const {
  SmallVector<const BasicBlock *, 8> Work{From};
  DenseSet<const BasicBlock *> Seen;
  while (!Work.empty()) {
    const BasicBlock *BB = Work.pop_back_val();
    if (BB == Target || AnySync.count(BB) || isMeeting(BB))
      return false;
    if (!Seen.insert(BB).second)
      continue;
    append_range(Work, successors(BB));
  }
  return true;
}

/// True if a lane that meets a warp operation behind T may wait there for one that stands
/// at B. That one must come to a warp operation as well, before it meets the whole scope,
/// and its way must have parted from the other's at T.
bool Uniformity::lanesWait(const BasicBlock *T, const BasicBlock *B) const {
  if (Lanes && !Lanes->isDivergentBranch(T))
    return false;
  SmallVector<const BasicBlock *, 8> Work(succ_begin(B), succ_end(B));
  DenseSet<const BasicBlock *> Seen;
  while (!Work.empty()) {
    const BasicBlock *BB = Work.pop_back_val();
    if (!Seen.insert(BB).second)
      continue;
    if (WarpOps.count(BB))
      return true;
    if (!isSync(BB))
      append_range(Work, successors(BB));
  }
  return false;
}

/// True if, after the divergent branch T, a thread can come to B while another
/// does not: the first would stand at B alone.
bool Uniformity::blocksTarget(const BasicBlock *T, const BasicBlock *B) const {
  // Threads in lockstep part where they leave it, not where they parted inside.
  SmallVector<const BasicBlock *, 8> Ways(successors(T));
  for (const auto &[Header, L] : Locksteps)
    if (L.Inside.count(T) && (B == L.Together || !L.Inside.count(B)))
      Ways.assign(L.Ways.begin(), L.Ways.end());
  // Ways from T to B that pass a synchronisation are none of T's business: all
  // threads meet there first. That goes for polls to be as well, whether they fire or
  // not: where one stands is a uniform point, or it will not stay.
  bool Reaches = false;
  {
    SmallVector<const BasicBlock *, 8> Work(Ways);
    DenseSet<const BasicBlock *> Seen;
    while (!Work.empty() && !Reaches) {
      const BasicBlock *BB = Work.pop_back_val();
      if (!Seen.insert(BB).second)
        continue;
      if (BB == B)
        Reaches = true;
      else if (!isMeeting(BB))
        append_range(Work, successors(BB));
    }
  }
  if (!Reaches)
    return false;

  const Loop *Common = LI.getLoopFor(B);
  while (Common && !Common->contains(T))
    Common = Common->getParentLoop();

  SmallVector<const BasicBlock *, 8> Work;
  DenseSet<const BasicBlock *> Seen;
  auto Follow = [&](auto &&Succs) {
    for (const BasicBlock *Succ : Succs)
      if (!isQuiet(Succ, B))
        Work.push_back(Succ);
  };
  Follow(Ways);
  while (!Work.empty()) {
    const BasicBlock *BB = Work.pop_back_val();
    if (BB == B || !Seen.insert(BB).second)
      continue;
    // A thread that waits here waits for those that stand at B.
    if (isMeeting(BB) || Named.count(BB) || (WarpOps.count(BB) && lanesWait(T, B)))
      return true;
    // Another round of a loop that holds both, or what follows the loop: this round
    // missed B. (What leads quietly to the end is not followed.)
    if (Common && (BB == Common->getHeader() || !Common->contains(BB)))
      return true;
    if (succ_empty(BB))
      return true;
    Follow(successors(BB));
  }
  return false;
}

bool Uniformity::isUniformPoint(const BasicBlock *BB) const {
  if (S == Scope::Thread)
    return true;
  for (const BasicBlock *T : DivergentBranches)
    if (blocksTarget(T, BB))
      return false;
  return true;
}

} // namespace hetckpt
