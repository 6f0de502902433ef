// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns a poll plan into code. All kinds end in the same safepoint:
//
//   poll:  %p = call i32 @__hetckpt_poll_SCOPE(ptr %launch)
//          br (%p != 0), park, cont       ; weighted: park is cold
//   park:  unreachable                    ; Frame.cpp stores the frame and returns
//   cont:  br header                      ; resuming enters here
//
// The account of loops by fuel is a local variable that mem2reg turns into a
// register; it lives across inner loops but is touched at their entry only.
#include "transform/PlacePolls.h"
#include "Names.h"
#include "Options.h"
#include "analysis/Waits.h"
#include "transform/Frame.h"
#include "transform/Lockstep.h"
#include "transform/SharedPointers.h"
#include "transform/StripMine.h"
#include "llvm/Analysis/AssumptionCache.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/LoopUtils.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"
#include "llvm/Transforms/Utils/UnrollLoop.h"

using namespace llvm;

namespace hetckpt {

namespace {

class Placer {
public:
  Placer(Kernel &K, Function &F, Value *Launch) : K(K), F(F), Launch(Launch) {
    Module *M = F.getParent();
    Type *I32 = Type::getInt32Ty(F.getContext());
    StringRef Name = *K.PauseScope == Scope::Thread ? names::PollThread
                     : *K.PauseScope == Scope::Warp ? names::PollWarp
                                                    : names::PollBlock;
    Poll = M->getOrInsertFunction(Name, I32, Launch->getType());
    if (auto *P = dyn_cast<Function>(Poll.getCallee()))
      if (*K.PauseScope != Scope::Thread)
        P->setConvergent();
  }

  /// Splits the edge From -> To with a safepoint, whose poll corrects the pace of Site.
  BasicBlock *addSafepoint(BasicBlock *From, BasicBlock *To, const LoopPlan &P,
                           StringRef Kind, unsigned Site = NoSite);
  Value *pace(IRBuilder<> &B, unsigned Site, uint64_t Planned, uint64_t Most);
  void addTimedPoll(BasicBlock *Latch, BasicBlock *Header, const LoopPlan &P);
  void addFuelPoll(BasicBlock *Latch, BasicBlock *Header, const LoopPlan &P);
  void addWaitPoll(Loop &L, const LoopPlan &P, const PollPlan &Plan);
  void pay(IRBuilder<> &B, Value *Nanoseconds);
  void refill(IRBuilder<> &B);
  void refill();

  AllocaInst *Fuel = nullptr;
  SmallVector<AllocaInst *, 4> Counters; ///< become registers when all polls are placed
  unsigned Sites = 0; ///< of pace, so far

  static constexpr unsigned NoSite = ~0u;

private:
  BasicBlock *addGuard(BasicBlock *Latch, BasicBlock *Header, const LoopPlan &P,
                       StringRef Name, function_ref<Value *(IRBuilder<> &)> Guard);

  Kernel &K;
  Function &F;
  Value *Launch;
  FunctionCallee Poll;
};

} // namespace

static int32_t fullTank() {
  return int32_t(std::min<uint64_t>(uint64_t(PollInterval) * 1000, 1u << 30));
}

/// Gives the edge From -> To a block of its own that ends in a branch to To.
static BasicBlock *splitEdgeRaw(BasicBlock *From, BasicBlock *To,
                                const Twine &Name) {
  auto *Mid = BasicBlock::Create(From->getContext(), Name, From->getParent(), To);
  BranchInst::Create(To, Mid);
  From->getTerminator()->replaceSuccessorWith(To, Mid);
  To->replacePhiUsesWith(From, Mid);
  return Mid;
}

BasicBlock *Placer::addSafepoint(BasicBlock *From, BasicBlock *To,
                                 const LoopPlan &P, StringRef Kind, unsigned Site) {
  Safepoint SP;
  SP.Id = K.Safepoints.size() + 1;
  SP.Kind = Kind.str();
  SP.Loc = P.Loc;
  std::string Tail = std::to_string(SP.Id);
  SP.Cont = splitEdgeRaw(From, To, "cont." + Tail);
  SP.Cont->getTerminator()->setDebugLoc(P.Loc); // variants find theirs here
  BasicBlock *At = splitEdgeRaw(From, SP.Cont, "poll." + Tail);
  SP.Park = BasicBlock::Create(F.getContext(), "park." + Tail, &F);
  new UnreachableInst(F.getContext(), SP.Park);

  At->getTerminator()->eraseFromParent();
  IRBuilder<> B(At);
  B.SetCurrentDebugLocation(P.Loc);
  CallInst *Flag = B.CreateCall(Poll, {Launch}, "poll");
  if (P.Stride)
    Flag->setMetadata(names::PollAhead, MDNode::get(F.getContext(), {}));
  if (Site != NoSite)
    Flag->setMetadata(names::Paced, MDNode::get(F.getContext(), ConstantAsMetadata::get(
                                                                    B.getInt32(Site))));
  if (*K.PauseScope != Scope::Thread)
    Flag->setConvergent();
  Value *Must = B.CreateICmpNE(Flag, B.getInt32(0));
  B.CreateCondBr(Must, SP.Park, SP.Cont,
                 MDBuilder(F.getContext()).createUnlikelyBranchWeights());
  K.Safepoints.push_back(std::move(SP));
  return At;
}

void Placer::pay(IRBuilder<> &B, Value *Nanoseconds) {
  Value *Left = B.CreateLoad(B.getInt32Ty(), Fuel);
  B.CreateStore(B.CreateSub(Left, Nanoseconds), Fuel);
}

/// Iterations until the next poll, by a target that measures how long the strip before took.
Value *Placer::pace(IRBuilder<> &B, unsigned Site, uint64_t Planned, uint64_t Most) {
  CallInst *Pace = callNamed(B, names::Pace, B.getInt32Ty(),
                             {B.getInt32(Site), B.getInt32(Planned), B.getInt32(Most)});
  Pace->getCalledFunction()->setOnlyAccessesInaccessibleMemory();
  Pace->getCalledFunction()->setDoesNotThrow();
  Pace->getCalledFunction()->setWillReturn();
  return Pace;
}

/// Behind the last safepoint, where those that resume come by as well.
void Placer::refill() {
  IRBuilder<> B(K.Safepoints.back().Cont->getTerminator());
  refill(B);
}

void Placer::refill(IRBuilder<> &B) {
  B.CreateStore(B.getInt32(fullTank()), Fuel);
}

/// Gives Latch -> Header a second way, through the block that is returned, which is taken
/// when Guard says so.
BasicBlock *Placer::addGuard(BasicBlock *Latch, BasicBlock *Header, const LoopPlan &P,
                             StringRef Name, function_ref<Value *(IRBuilder<> &)> Guard) {
  BasicBlock *Check = splitEdgeRaw(Latch, Header, Name);
  BasicBlock *Back = splitEdgeRaw(Check, Header, Name + ".out");
  Check->getTerminator()->eraseFromParent();
  IRBuilder<> B(Check);
  B.SetCurrentDebugLocation(P.Loc);
  B.CreateCondBr(Guard(B), Back, Header,
                 MDBuilder(F.getContext()).createUnlikelyBranchWeights());
  // Header is now reached from Check and Back with the same values.
  for (PHINode &Phi : Header->phis())
    Phi.addIncoming(Phi.getIncomingValueForBlock(Back), Check);
  return Back;
}

/// Asking the clock keeps nothing in a register from one iteration to the next, and all
/// threads of a warp that are together read the same time, so they stay together.
void Placer::addTimedPoll(BasicBlock *Latch, BasicBlock *Header, const LoopPlan &P) {
  if (PollStride || !PollInterval) {
    addSafepoint(Latch, Header, P, "loop");
    return;
  }
  BasicBlock *Back = addGuard(Latch, Header, P, "due", [&](IRBuilder<> &B) {
    Value *Cost = B.getInt32(std::min<uint64_t>(P.LikelyCost, 1u << 28));
    CallInst *Due = callNamed(B, names::Due, B.getInt1Ty(), {Cost});
    Due->getCalledFunction()->setOnlyAccessesInaccessibleMemory();
    Due->getCalledFunction()->setDoesNotThrow();
    Due->getCalledFunction()->setWillReturn();
    return Due;
  });
  addSafepoint(Back, Header, P, "loop");
}

/// What a latch that may leave the loop computes for the next iteration stays where it is.
/// As long as the latch branches to the header it cannot sink below the branch; once there
/// is code in between it would, and wait for the condition that it was computed beside.
static void keepTogether(Loop &L) {
  BasicBlock *Latch = L.getLoopLatch();
  if (!Latch || !L.isLoopExiting(Latch))
    return;
  SmallSetVector<Value *, 8> Next;
  for (PHINode &Phi : L.getHeader()->phis())
    if (auto *I = dyn_cast<Instruction>(Phi.getIncomingValueForBlock(Latch));
        I && I->getParent() == Latch && !isa<PHINode>(I))
      Next.insert(I);
  IRBuilder<> B(Latch->getTerminator());
  for (Value *V : Next)
    B.CreateIntrinsic(Intrinsic::fake_use, {}, {V});
}

/// Several iterations of a short loop go by for each time that the clock is asked: reading
/// it takes as long as a handful of instructions. Returns how many.
static unsigned unrollTimed(Function &F, Loop *L, LoopInfo &LI, DominatorTree &DT) {
  constexpr unsigned MostInstructions = 40, Count = 4;
  unsigned Size = 0;
  for (BasicBlock *BB : L->blocks())
    Size += BB->size();
  if (!L->isInnermost() || Size > MostInstructions || PollStride || !PollInterval)
    return 1;
  TargetLibraryInfoImpl TLII(F.getParent()->getTargetTriple());
  TargetLibraryInfo TLI(TLII);
  AssumptionCache AC(F);
  ScalarEvolution SE(F, TLI, AC, DT, LI);
  TargetTransformInfo TTI(F.getDataLayout());
  OptimizationRemarkEmitter ORE(&F);
  formLCSSA(*L, DT, &LI, &SE);
  keepTogether(*L);
  UnrollLoopOptions Options = {};
  Options.Count = Count;
  Options.Force = true;
  LoopUnrollResult Done =
      UnrollLoop(L, Options, &LI, &SE, &DT, &AC, &TTI, &ORE, /*PreserveLCSSA=*/true);
  return Done == LoopUnrollResult::Unmodified ? 1 : Count;
}

void Placer::addFuelPoll(BasicBlock *Latch, BasicBlock *Header,
                         const LoopPlan &P) {
  BasicBlock *Back = addGuard(Latch, Header, P, "fuel", [&](IRBuilder<> &B) {
    pay(B, B.getInt32(std::min<uint64_t>(P.CostPerIteration, 1u << 28)));
    Value *Left = B.CreateLoad(B.getInt32Ty(), Fuel);
    return B.CreateICmpSLE(Left, B.getInt32(0), "empty");
  });
  addSafepoint(Back, Header, P, "loop");
  refill();
}

/// A round of the loop may take any time: there is a call in it that sleeps, or of which nobody knows what
/// it does, or a loop that is not itself a wait. (A wait asks within so many rounds of its own, which are
/// counted on from one time that it is entered to the next.)
static bool mayTakeLong(const Loop &L, const PollPlan &Plan) {
  for (const Loop *Inner : L.getLoopsInPreorder())
    if (Inner != &L && none_of(Plan.Loops, [&](const LoopPlan &P) {
          return P.Header == Inner->getHeader() && P.Kind == PollKind::Wait;
        }))
      return true;
  return any_of(L.blocks(), [](const BasicBlock *BB) {
    return any_of(*BB, [](const Instruction &I) {
      auto *Call = dyn_cast<CallBase>(&I);
      return Call && (!Call->getCalledFunction() ||
                      Call->getCalledFunction()->getName().contains("sleep"));
    });
  });
}

/// A block that waits asks for the flag by a barrier, and for as long does not see that it need wait no
/// more: where threads of many blocks meet, that was a tenth of the time. So it asks every few times, a
/// power of two that takes half a poll interval at most.
void Placer::addWaitPoll(Loop &L, const LoopPlan &P, const PollPlan &Plan) {
  constexpr uint64_t Most = 32;
  uint64_t Half = uint64_t(PollInterval) * 1000 / 2;
  uint64_t Rounds = std::min(bit_floor(Half / std::max<uint64_t>(P.CostPerIteration, 1)), Most);
  BasicBlock *Latch = L.getLoopLatch();
  if (*K.PauseScope != Scope::Block || PollStride || Rounds < 2 || mayTakeLong(L, Plan)) {
    addSafepoint(Latch, P.Header, P, "wait");
    return;
  }
  IRBuilder<> Entry(&*F.getEntryBlock().getFirstNonPHIOrDbgOrAlloca());
  AllocaInst *Round = Entry.CreateAlloca(Entry.getInt32Ty(), nullptr, "round");
  Entry.CreateStore(Entry.getInt32(0), Round);
  BasicBlock *Back = addGuard(Latch, P.Header, P, "ask", [&](IRBuilder<> &B) {
    Value *Next = B.CreateAdd(B.CreateLoad(B.getInt32Ty(), Round), B.getInt32(1));
    B.CreateStore(Next, Round);
    return B.CreateICmpEQ(B.CreateAnd(Next, B.getInt32(Rounds - 1)), B.getInt32(0));
  });
  addSafepoint(Back, P.Header, P, "wait");
  Counters.push_back(Round);
}

void placePolls(Kernel &K, Function &F, Value *Launch, const PollPlan &Plan) {
  DominatorTree DT(F);
  Placer Place(K, F, Launch);
  if (Plan.UsesFuel) {
    IRBuilder<> B(&*F.getEntryBlock().getFirstNonPHIOrDbgOrAlloca());
    Place.Fuel = B.CreateAlloca(B.getInt32Ty(), nullptr, "fuel");
    Place.Counters.push_back(Place.Fuel);
    Place.refill(B);
  }
  // Inner loops come first. Each step changes edges, so loops are found anew.
  for (const LoopPlan &P : Plan.Loops) {
    DT.recalculate(F);
    LoopInfo LI(DT);
    Loop *L = LI.getLoopFor(P.Header);
    switch (P.Kind) {
    case PollKind::Strip:
    case PollKind::Lockstep: {
      std::optional<CountedLoop> Counted = matchCountedLoop(*L);
      if (!Counted)
        continue;
      StripMined R;
      Stride By{P.Stride, nullptr};
      unsigned Site = Placer::NoSite;
      if (P.Paced) {
        Site = Place.Sites++;
        By.Ask = [&, Site, Most = maxStride(*Counted)](IRBuilder<> &B) {
          return Place.pace(B, Site, P.Stride, Most);
        };
      }
      if (P.Kind == PollKind::Lockstep) {
        Uniformity U(F, *K.PauseScope, LI, DT);
        auto Region = findLockstepRegion(*L, LI, DT, U);
        if (!Region)
          continue;
        R = lockstepStripMine(*L, *Counted, By, *K.PauseScope, *Region, DT);
      } else {
        if (P.PaysFuel && P.UniformTrip) {
          // Inside another loop most trips are short: they pay and run as they were.
          Value *Iterations = nullptr;
          BasicBlock *Short =
              versionShortTrips(*L, *Counted, P.Stride, DT, LI, Iterations);
          IRBuilder<> B(Short->getTerminator());
          uint64_t Cost = std::min<uint64_t>(P.CostPerIteration, 1u << 20);
          Place.pay(B, B.CreateMul(Iterations, B.getInt32(Cost)));
          DT.recalculate(F);
          LoopInfo Again(DT);
          R = stripMine(*Again.getLoopFor(P.Header), *Counted, By);
        } else {
          R = stripMine(*L, *Counted, By);
        }
      }
      if (P.PaysFuel) {
        IRBuilder<> B(R.Strip->getTerminator());
        uint64_t Cost = std::min<uint64_t>(P.CostPerIteration, 1u << 20);
        uint64_t Most = std::min<uint64_t>(Cost * P.Stride, 1u << 29);
        Value *Price = P.UniformTrip
                           ? B.CreateMul(R.Iterations, B.getInt32(Cost))
                           : cast<Value>(B.getInt32(Most / 2));
        Place.pay(B, Price);
      } else if (auto *I = dyn_cast<Instruction>(R.Iterations)) {
        RecursivelyDeleteTriviallyDeadInstructions(I);
      }
      Place.addSafepoint(R.Boundary, R.Strip, P, "loop", Site);
      if (P.PaysFuel)
        Place.refill();
      break;
    }
    case PollKind::Timed: {
      LoopPlan Unrolled = P;
      Unrolled.LikelyCost *= unrollTimed(F, L, LI, DT);
      Place.addTimedPoll(L->getLoopLatch(), P.Header, Unrolled);
      break;
    }
    case PollKind::Fuel:
      Place.addFuelPoll(L->getLoopLatch(), P.Header, P);
      break;
    case PollKind::Wait:
      Place.addWaitPoll(*L, P, Plan);
      break;
    }
  }
  if (!Place.Counters.empty()) {
    DT.recalculate(F);
    PromoteMemToReg(Place.Counters, DT);
  }
  // Addresses that cross a loop in lockstep have become phis.
  indexSharedPointers(F);
}

bool markWaits(Function &F) {
  DominatorTree DT(F);
  LoopInfo LI(DT);
  bool Any = false;
  for (Loop *L : LI.getLoopsInPreorder()) {
    bool Marked = any_of(L->blocks(), [&](const BasicBlock *BB) {
      return LI.getLoopFor(BB) == L && any_of(*BB, [](const Instruction &I) {
               auto *Call = dyn_cast<CallBase>(&I);
               return Call && Call->getCalledFunction() &&
                      Call->getCalledFunction()->getName() == names::Spin;
             });
    });
    if (Marked || !(F.hasOptNone() ? mayBeWaitLoop(*L) : isWaitLoop(*L)))
      continue;
    FunctionCallee Spin = F.getParent()->getOrInsertFunction(
        names::Spin, Type::getVoidTy(F.getContext()));
    SmallVector<BasicBlock *, 2> Latches;
    L->getLoopLatches(Latches);
    for (BasicBlock *Latch : Latches)
      CallInst::Create(Spin, "", Latch->getTerminator()->getIterator())
          ->setDebugLoc(L->getStartLoc());
    Any = true;
  }
  return Any;
}

} // namespace hetckpt
