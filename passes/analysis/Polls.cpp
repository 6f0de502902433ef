// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "analysis/Polls.h"
#include "Options.h"
#include "analysis/Scope.h"
#include "analysis/Waits.h"
#include "transform/DeviceHeap.h"
#include "llvm/Analysis/BlockFrequencyInfo.h"
#include "llvm/Analysis/BranchProbabilityInfo.h"
#include "llvm/Analysis/CFG.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;

namespace hetckpt {

const char *pollKindName(PollKind K) {
  switch (K) {
  case PollKind::Strip:
    return "strip";
  case PollKind::Lockstep:
    return "lockstep";
  case PollKind::Timed:
    return "timed";
  case PollKind::Fuel:
    return "fuel";
  case PollKind::Wait:
    return "wait";
  }
  return "";
}

// Estimated nanoseconds a thread spends on an instruction on a full GPU: of 64 warps on a
// multiprocessor each gets to issue every sixteenth cycle, and to read shared memory
// every sixty-fourth, but kernels that read much of it seldom have more than half as many warps; 270000
// threads share 4.8 TB/s, so four bytes take 220 ns. They
// need to be right within a small factor only: too low a stride costs a poll every few
// microseconds, too high a one latency.
static uint64_t instructionCost(const Instruction &I) {
  constexpr uint64_t Issue = 8, Shared = 20, Global = 200, Atomic = 300,
                     Slow = 60, Sync = 100;
  if (isa<PHINode>(I) || I.isDebugOrPseudoInst() || I.isLifetimeStartOrEnd() ||
      isa<GetElementPtrInst>(I) || isa<CastInst>(I) || isa<FreezeInst>(I))
    return 1;
  if (auto *L = dyn_cast<LoadInst>(&I)) {
    unsigned AS = L->getPointerAddressSpace();
    return AS == 3 || AS == 4 || AS == 5 ? Shared : Global;
  }
  if (isa<StoreInst>(I))
    return Shared;
  if (I.isAtomic())
    return Atomic;
  switch (I.getOpcode()) {
  case Instruction::FDiv:
  case Instruction::FRem:
  case Instruction::UDiv:
  case Instruction::SDiv:
  case Instruction::URem:
  case Instruction::SRem:
    return Slow;
  default:
    break;
  }
  if (auto *Call = dyn_cast<CallBase>(&I)) {
    switch (classifyCall(*Call)) {
    case Op::BlockBarrier:
    case Op::NamedBarrier:
      return Sync;
    case Op::WarpOp:
      return 2 * Issue;
    default:
      break;
    }
    if (auto *II = dyn_cast<IntrinsicInst>(Call))
      if (II->isAssumeLikeIntrinsic())
        return 0;
    // A few atomic operations and fences.
    if (const Function *Callee = Call->getCalledFunction();
        Callee && Callee->getName().starts_with(names::HeapPrefix))
      return 4 * Atomic;
    // Loads with an order, as libraries write them.
    if (Call->isInlineAsm() && Call->mayReadOrWriteMemory())
      return Global;
    return 2 * Issue;
  }
  return Issue;
}

static uint64_t blockCost(const BasicBlock &BB) {
  uint64_t Sum = 0;
  for (const Instruction &I : BB)
    Sum += instructionCost(I);
  return Sum;
}

/// Whether passing the header once more before the loop is left or goes on changes nothing.
static bool canPassTwice(const BasicBlock &Header) {
  return none_of(Header, [](const Instruction &I) {
    if (I.mayHaveSideEffects() || I.isVolatile() || I.isAtomic())
      return true;
    auto *Call = dyn_cast<CallBase>(&I);
    return Call && Call->isConvergent();
  });
}

/// Matches the exit by which Test leaves L; the counter is left to be found.
static std::optional<CountedLoop> matchCountedExit(const Loop &L, BasicBlock *Test) {
  CountedLoop C;
  C.AtTop = Test != L.getLoopLatch();
  C.Exit = dyn_cast<BranchInst>(Test->getTerminator());
  if (!C.Exit || !C.Exit->isConditional() || !L.isLoopExiting(Test))
    return std::nullopt;
  C.Compare = dyn_cast<ICmpInst>(C.Exit->getCondition());
  if (!C.Compare || !C.Compare->getOperand(0)->getType()->isIntegerTy())
    return std::nullopt;
  C.Stay = C.Compare->getPredicate();
  if (!L.contains(C.Exit->getSuccessor(0)))
    C.Stay = CmpInst::getInversePredicate(C.Stay);
  C.Compared = C.Compare->getOperand(0);
  C.Bound = C.Compare->getOperand(1);
  if (L.isLoopInvariant(C.Compared)) {
    std::swap(C.Compared, C.Bound);
    C.Stay = CmpInst::getSwappedPredicate(C.Stay);
  }
  if (!L.isLoopInvariant(C.Bound) || L.isLoopInvariant(C.Compared))
    return std::nullopt;
  return C;
}

/// What the counter's step adds on the way back to the header. Where the latch goes back if a
/// condition holds, the optimiser likes to write i + 1 as i + condition.
static Value *stepTaken(Value *By, const BasicBlock &Latch, const BasicBlock &Header) {
  auto *Ext = dyn_cast<CastInst>(By);
  auto *Br = dyn_cast<BranchInst>(Latch.getTerminator());
  if (!Ext || !Ext->getOperand(0)->getType()->isIntegerTy(1) || !Br ||
      !Br->isConditional() || Br->getCondition() != Ext->getOperand(0) ||
      Br->getSuccessor(0) != &Header || Br->getSuccessor(1) == &Header)
    return By;
  return isa<ZExtInst>(Ext)   ? ConstantInt::get(By->getType(), 1)
         : isa<SExtInst>(Ext) ? ConstantInt::getAllOnesValue(By->getType())
                              : By;
}

uint64_t maxStride(const CountedLoop &C) {
  unsigned Bits = C.Counter->getType()->getIntegerBitWidth();
  uint64_t Largest = Bits >= 32 ? (1u << 29) : (1u << (Bits / 2));
  uint64_t Step = C.Step < 0 ? -C.Step : C.Step;
  return std::max<uint64_t>(Largest / std::max<uint64_t>(Step, 1), 1);
}

/// Finds what counts in C, and how it steps.
static std::optional<CountedLoop> matchCounter(const Loop &L, CountedLoop C) {
  BasicBlock *Latch = L.getLoopLatch();
  BasicBlock *Header = L.getHeader();
  for (PHINode &Phi : Header->phis()) {
    Value *Next = Phi.getIncomingValueForBlock(Latch);
    if (C.Compared != &Phi && C.Compared != Next)
      continue;
    auto *Add = dyn_cast<BinaryOperator>(Next);
    if (!Add || (Add->getOpcode() != Instruction::Add &&
                 Add->getOpcode() != Instruction::Sub))
      continue;
    Value *By = Add->getOperand(1);
    if (By == &Phi && Add->isCommutative())
      By = Add->getOperand(0);
    else if (Add->getOperand(0) != &Phi)
      continue;
    By = stepTaken(By, *Latch, *Header);
    if (auto *Step = dyn_cast<ConstantInt>(By); Step && Step->getBitWidth() <= 64) {
      C.Step = Step->getSExtValue();
      if (Add->getOpcode() == Instruction::Sub)
        C.Step = -C.Step;
      if (C.Step == 0 || C.Step > (1 << 20) || C.Step < -(1 << 20))
        continue;
    } else if (L.isLoopInvariant(By) && Add->getOpcode() == Instruction::Add &&
               By->getType()->getIntegerBitWidth() <= 64) {
      C.VariableStep = By; // a grid-stride loop
    } else {
      continue;
    }
    C.Counter = &Phi;
    C.Start = Phi.getIncomingValueForBlock(L.getLoopPreheader());
    C.ComparesNext = C.Compared != &Phi;
    break;
  }
  if (!C.Counter)
    return std::nullopt;
  if (C.VariableStep)
    return C.Stay == CmpInst::ICMP_SLT || C.Stay == CmpInst::ICMP_ULT
               ? std::optional(C)
               : std::nullopt;
  switch (C.Stay) {
  case CmpInst::ICMP_NE:
    return C;
  case CmpInst::ICMP_SLT:
  case CmpInst::ICMP_ULT:
    return C.Step > 0 ? std::optional(C) : std::nullopt;
  case CmpInst::ICMP_SGT:
  case CmpInst::ICMP_UGT:
    return C.Step < 0 ? std::optional(C) : std::nullopt;
  default:
    return std::nullopt;
  }
}

std::optional<CountedLoop> matchCountedLoop(const Loop &L) {
  BasicBlock *Latch = L.getLoopLatch();
  BasicBlock *Header = L.getHeader();
  if (!Latch || !L.getLoopPreheader())
    return std::nullopt;
  std::optional<CountedLoop> AtLatch = matchCountedExit(L, Latch);
  if (AtLatch)
    AtLatch = matchCounter(L, *AtLatch);
  if (AtLatch || Header == Latch || !canPassTwice(*Header))
    return AtLatch;
  std::optional<CountedLoop> AtTop = matchCountedExit(L, Header);
  if (AtTop)
    AtTop = matchCounter(L, *AtTop);
  return AtTop;
}

std::optional<LockstepRegion> findLockstepRegion(const Loop &L, LoopInfo &LI,
                                                 DominatorTree &DT,
                                                 const Uniformity &U) {
  BasicBlock *Pre = L.getLoopPreheader(), *Exit = L.getUniqueExitBlock();
  const Loop *Parent = L.getParentLoop();
  if (!Pre || !Exit || L.getExitingBlock() != L.getLoopLatch() ||
      !L.hasDedicatedExits())
    return std::nullopt;
  BasicBlock *Together = Pre;
  while (!U.isUniformPoint(Together)) {
    auto *Up = DT.getNode(Together)->getIDom();
    if (!Up || LI.getLoopFor(Up->getBlock()) != Parent)
      return std::nullopt;
    Together = Up->getBlock();
  }
  LockstepRegion R;
  R.Together = Together;
  SmallPtrSet<BasicBlock *, 8> Seen;
  SmallVector<BasicBlock *, 8> Work{Pre};
  while (!Work.empty()) {
    BasicBlock *BB = Work.pop_back_val();
    if (!Seen.insert(BB).second)
      continue;
    R.Blocks.push_back(BB);
    if (LI.getLoopFor(BB) != Parent || (BB != Together && U.synchronises(BB)))
      return std::nullopt;
    if (BB != Together)
      append_range(Work, predecessors(BB));
  }
  for (BasicBlock *BB : R.Blocks)
    for (BasicBlock *Succ : successors(BB)) {
      if (Seen.count(Succ) || Succ == L.getHeader())
        continue;
      if (Parent && Succ == Parent->getHeader())
        return std::nullopt;
      R.Bypass.push_back({BB, Succ});
    }
  // Those that do not enter the loop must come to what follows it straight away: a loop
  // of their own might poll, and then two groups of one scope wait for each other.
  auto Reach = [&](BasicBlock *From, SmallPtrSetImpl<BasicBlock *> &Out,
                   function_ref<bool(BasicBlock *)> Visit) {
    SmallVector<BasicBlock *, 8> Next{From};
    while (!Next.empty()) {
      BasicBlock *BB = Next.pop_back_val();
      if ((Parent && BB == Parent->getHeader()) || Out.count(BB))
        continue;
      if (!Visit(BB))
        return false;
      Out.insert(BB);
      append_range(Next, successors(BB));
    }
    return true;
  };
  SmallPtrSet<BasicBlock *, 16> Behind;
  Reach(Exit, Behind, [](BasicBlock *) { return true; });
  for (auto [From, To] : R.Bypass)
    if (!Reach(To, Behind, [&](BasicBlock *BB) {
          return LI.getLoopFor(BB) == Parent && !U.synchronises(BB);
        }))
      return std::nullopt;
  return R;
}

/// Whether iterations change memory of the device atomically.
static bool changesSharedWords(const Loop &L) {
  return any_of(L.blocks(), [](const BasicBlock *BB) {
    return any_of(*BB, [](const Instruction &I) {
      auto *RMW = dyn_cast<AtomicRMWInst>(&I);
      auto *Swap = dyn_cast<AtomicCmpXchgInst>(&I);
      return (RMW && RMW->getPointerAddressSpace() != 3) ||
             (Swap && Swap->getPointerOperand()->getType()->getPointerAddressSpace() != 3);
    });
  });
}

namespace {

/// Iterations that a loop of unknown length is taken to have: where it does not poll, and
/// where it does.
constexpr uint64_t GuessedTrip = 64, LikelyTrip = 16;

class Planner {
public:
  Planner(Scope S, LoopInfo &LI, DominatorTree &DT, ScalarEvolution &SE,
          const Uniformity &U, const BlockFrequencyInfo &BFI, PollPlan &Plan)
      : S(S), LI(LI), DT(DT), SE(SE), U(U), BFI(BFI), Plan(Plan) {}

  struct Cost {
    bool Known;     ///< the loop polls nowhere and always takes Nanoseconds
    uint64_t Nanoseconds;
    uint64_t Likely; ///< what it takes even if it polls
  };

  Cost visit(Loop *L);

private:
  void miss(Loop *L, std::string Reason) {
    Plan.Missed.push_back({L->getHeader(), L->getStartLoc(), std::move(Reason)});
  }

  Scope S;
  LoopInfo &LI;
  DominatorTree &DT;
  ScalarEvolution &SE;
  const Uniformity &U;
  const BlockFrequencyInfo &BFI;
  PollPlan &Plan;
};

Planner::Cost Planner::visit(Loop *L) {
  const uint64_t Interval = uint64_t(PollInterval) * 1000;
  uint64_t Iteration = 0, Polling = 0;
  bool AllKnown = true;
  for (Loop *Child : *L) {
    Cost C = visit(Child);
    Iteration += C.Nanoseconds;
    Polling += C.Known ? 0 : C.Likely;
    AllKnown &= C.Known;
  }
  // Blocks that only some iterations pass count by how often they do.
  uint64_t PerIteration = std::max<uint64_t>(
      BFI.getBlockFreq(L->getHeader()).getFrequency(), 1);
  for (BasicBlock *BB : L->blocks())
    if (LI.getLoopFor(BB) == L)
      Iteration += uint64_t(blockCost(*BB) *
                            std::min(1.0, double(BFI.getBlockFreq(BB).getFrequency()) /
                                              double(PerIteration)));
  Iteration = std::max<uint64_t>(Iteration, 1);

  BasicBlock *Latch = L->getLoopLatch();
  bool Shape = Latch && L->getLoopPreheader();
  bool Uniform = Shape && U.isUniformPoint(Latch);

  LoopPlan P;
  P.Header = L->getHeader();
  P.CostPerIteration = Iteration;
  P.LikelyCost = Iteration + Polling;
  P.Loc = L->getStartLoc();
  P.Depth = L->getLoopDepth();

  if (isWaitLoop(*L)) {
    Plan.Waits = true;
    if (!Uniform) {
      Plan.WaitsApart = true;
      miss(L, std::string("waits on memory where the ") + scopeName(S) +
                  "'s threads are apart");
      return {true, Iteration, Iteration};
    }
    P.Kind = PollKind::Wait;
    Plan.Loops.push_back(P);
    return {false, Iteration, Iteration};
  }

  uint64_t Trip = SE.getSmallConstantTripCount(L);
  if (!Trip)
    Trip = SE.getSmallConstantMaxTripCount(L); // the rest of an unrolled loop
  if (!PollStride && AllKnown && Trip && Trip * Iteration <= Interval / 2)
    return {true, Trip * Iteration, Trip * Iteration};

  auto Counted = Shape ? matchCountedLoop(*L) : std::nullopt;
  bool CanLockstep = !Uniform && AllKnown && Counted && S != Scope::Thread &&
                     findLockstepRegion(*L, LI, DT, U);
  if (!Uniform && !CanLockstep) {
    if (!Trip || Trip * Iteration > Interval / 2)
      miss(L, Shape ? std::string("the threads of the ") + scopeName(S) +
                          " are not together in it"
                    : "its shape is not a natural loop with one latch");
    uint64_t All = (Trip ? Trip : GuessedTrip) * Iteration;
    return {AllKnown, All, All};
  }

  if (Counted)
    P.UniformTrip = S == Scope::Thread || CanLockstep ||
                    (U.isUniform(Counted->Bound) && U.isUniform(Counted->Start) &&
                     (!Counted->VariableStep || U.isUniform(Counted->VariableStep)));
  if (AllKnown && Counted) {
    P.Kind = CanLockstep ? PollKind::Lockstep : PollKind::Strip;
    P.Stride = PollStride ? unsigned(PollStride)
                          : std::max<uint64_t>(Interval / Iteration, 1);
    P.Contends = changesSharedWords(*L);
    P.Stride = std::clamp<uint64_t>(P.Stride, 1, maxStride(*Counted));
  } else {
    P.Kind = S == Scope::Thread ? PollKind::Timed : PollKind::Fuel;
  }
  Plan.Loops.push_back(P);
  return {false, 10, std::min(LikelyTrip * P.LikelyCost, Interval)};
}

} // namespace

/// Threads that leave a loop for good may do so one by one only as long as nothing behind
/// the loop needs all of them. A poll does. So of two loops in a row that threads leave one
/// by one the first is led in lockstep, or does not poll. A loop that waits must poll, so
/// there it is the others that do not. The same goes for loops on two ways of which some
/// threads take one and some the other.
static void settle(PollPlan &Plan, Scope S, LoopInfo &LI, DominatorTree &DT,
                   Uniformity &U) {
  auto LatchOf = [&](const LoopPlan &P) {
    return LI.getLoopFor(P.Header)->getLoopLatch();
  };
  DenseMap<const BasicBlock *, BasicBlock *> Together; // by header, of loops in lockstep
  auto Lead = [&](LoopPlan &P) {
    Loop *L = LI.getLoopFor(P.Header);
    auto R = findLockstepRegion(*L, LI, DT, U);
    if (!R)
      return false;
    Uniformity::Lockstep Led{R->Together, {}, {L->getUniqueExitBlock()}};
    Led.Inside.insert(R->Blocks.begin(), R->Blocks.end());
    Led.Inside.insert(L->block_begin(), L->block_end());
    for (auto [From, To] : R->Bypass)
      Led.Ways.push_back(To);
    U.removePoll(L->getLoopLatch());
    U.addLockstep(P.Header, std::move(Led));
    Together[P.Header] = R->Together;
    P.Kind = PollKind::Lockstep;
    P.UniformTrip = true;
    return true;
  };
  auto Drop = [&](unsigned Index) {
    LoopPlan &P = Plan.Loops[Index];
    Plan.Missed.push_back({P.Header, P.Loc,
                           std::string("the threads of the ") + scopeName(S) +
                               " are not together in it when another loop polls"});
    U.removePoll(LatchOf(P));
    U.removeLockstep(P.Header);
    Plan.Loops.erase(Plan.Loops.begin() + Index);
  };
  auto Leads = [&](unsigned A, unsigned B) {
    return isPotentiallyReachable(Plan.Loops[A].Header, Plan.Loops[B].Header, nullptr,
                                  &DT, &LI);
  };
  for (LoopPlan &P : Plan.Loops)
    if (P.Kind != PollKind::Lockstep || !Lead(P))
      U.addPoll(LatchOf(P));
  for (;;) {
    SmallVector<unsigned, 8> Apart;
    for (auto [I, P] : enumerate(Plan.Loops))
      if (!U.isUniformPoint(Together.count(P.Header) ? Together[P.Header] : LatchOf(P)))
        Apart.push_back(I);
    if (Apart.empty())
      return;
    // The first of them makes the others what they are.
    auto First = find_if(Apart, [&](unsigned A) {
      return none_of(Apart, [&](unsigned B) { return B != A && Leads(B, A); });
    });
    if (First != Apart.end())
      std::swap(*First, Apart.front());
    if (any_of(Apart, [&](unsigned I) {
          return Plan.Loops[I].Kind == PollKind::Strip && Lead(Plan.Loops[I]);
        }))
      continue;
    unsigned Out = Apart.front();
    for (unsigned I : Apart)
      if (Plan.Loops[Out].Kind == PollKind::Wait)
        Out = I;
    if (Plan.Loops[Out].Kind == PollKind::Wait) {
      unsigned Other = 0;
      while (Other < Plan.Loops.size() &&
             (Plan.Loops[Other].Kind == PollKind::Wait || !Leads(Out, Other)))
        ++Other;
      if (Other < Plan.Loops.size())
        Out = Other;
      else
        Plan.WaitsApart = true;
    }
    Drop(Out);
  }
}

PollPlan planPolls(Function &F, Scope S, LoopInfo &LI, DominatorTree &DT,
                   ScalarEvolution &SE, Uniformity &U) {
  PollPlan Plan;
  BranchProbabilityInfo BPI(F, LI);
  BlockFrequencyInfo BFI(F, BPI, LI);
  Planner Walk(S, LI, DT, SE, U, BFI, Plan);
  for (Loop *L : LI)
    Walk.visit(L);
  if (S != Scope::Thread)
    settle(Plan, S, LI, DT, U);
  if (Plan.WaitsApart)
    Plan.Loops.clear();
  DenseMap<const BasicBlock *, LoopPlan *> ByHeader;
  for (LoopPlan &P : Plan.Loops)
    ByHeader[P.Header] = &P;
  for (LoopPlan &P : Plan.Loops) {
    Plan.UsesFuel |= P.Kind == PollKind::Fuel;
    for (Loop *Up = LI.getLoopFor(P.Header)->getParentLoop(); Up;
         Up = Up->getParentLoop())
      if (auto *Outer = ByHeader.lookup(Up->getHeader()))
        P.PaysFuel |= Outer->Kind == PollKind::Fuel;
    // A stride that is asked for is kept. Loops in others keep the plan: they may be entered often
    // and end soon, and the outer one polls too. So do accounts, which are kept in estimates. Threads
    // that must agree have to vote on what the clock says, which is worth it only where the plan may be
    // quite wrong: of ordinary loops the pauses became no shorter, and matmul wide took 1.13 of the
    // original's time in place of 1.05, matmul 1.04 in place of 1.02 (H200).
    P.Paced = P.Depth == 1 && !P.PaysFuel && !PollStride && PollInterval &&
              (P.Kind == PollKind::Strip || P.Kind == PollKind::Lockstep) &&
              (S == Scope::Thread || P.Contends);
    // Where all threads change one word each waits for all others, a hundred times as long as where
    // each has a word of its own. The first strip is short.
    if (P.Paced && P.Contends)
      P.Stride = std::min<uint64_t>(P.Stride, 4);
  }
  return Plan;
}

} // namespace hetckpt
