// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop whose trip count differs between threads, in a kernel that pauses by warps or
// blocks: a sum over a grid-stride loop before a reduction, say. Its latch is no point
// where the scope is together, so it cannot poll there. But all threads come to the
// loop together and go on together, so they can be led through its strips together:
// those that are through wait at the end of each strip for the others.
//
//   G:     br (start < n), pre, join     G:     active = entered = start < n
//   pre:   br loop                       strip: br active, head, meet
//   loop:  ...                           head:  limit = min(n, i + stride)
//          br (i1 < n), loop, exit       loop:  ...; br (i1 < limit), loop, check
//   exit:  br join                       check: active = i1 < n
//                                        meet:  br any(active), boundary, leave
//                                        boundary: (poll) br strip
//                                        leave: br entered, exit, join
//
// The guard may be more than one branch (the optimiser puts a check for its unrolled
// loop there): the region B is every block between G, the last point before the loop
// where the scope is together, and the loop; each edge that leaves B without entering
// the loop becomes a way to "strip" that remembers where it led.
//
// Values that cross are demoted to stack slots before the edges are changed and promoted
// afterwards. Threads that never entered find undefined values in slots that only the
// code behind "entered" reads.
#include "transform/Lockstep.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"
#include "transform/Frame.h"

using namespace llvm;

namespace hetckpt {

namespace {

class Lockstep {
public:
  Lockstep(Loop &L, const CountedLoop &C, const Stride &By, Scope S,
           const LockstepRegion &From, DominatorTree &DT)
      : L(L), C(C), By(By), S(S), From(From), DT(DT),
        F(*L.getHeader()->getParent()), Ctx(F.getContext()) {}
  StripMined run();

private:
  AllocaInst *slot(Type *Ty, const Twine &Name) {
    auto *A = new AllocaInst(Ty, 0, Name, F.getEntryBlock().begin());
    Slots.push_back(A);
    return A;
  }
  void demote();
  void demotePhis(BasicBlock &BB);

  Loop &L;
  const CountedLoop &C;
  const Stride &By;
  Scope S;
  const LockstepRegion &From;
  DominatorTree &DT;
  Function &F;
  LLVMContext &Ctx;
  /// V where B stands: from its slot if it was demoted.
  Value *value(IRBuilder<> &B, Value *V) {
    AllocaInst *A = V ? Home.lookup(V) : nullptr;
    return A ? cast<Value>(B.CreateLoad(A->getAllocatedType(), A)) : V;
  }
  SmallVector<AllocaInst *, 16> Slots;
  DenseMap<Value *, AllocaInst *> Home;
  AllocaInst *CounterSlot = nullptr;
};

} // namespace

void Lockstep::demotePhis(BasicBlock &BB) {
  SmallVector<PHINode *, 8> Phis;
  for (PHINode &Phi : BB.phis())
    Phis.push_back(&Phi);
  for (PHINode *Phi : Phis) {
    bool IsCounter = Phi == C.Counter;
    AllocaInst *A = DemotePHIToStack(Phi, F.getEntryBlock().begin());
    if (A)
      Slots.push_back(A);
    if (IsCounter)
      CounterSlot = A;
  }
}

void Lockstep::demote() {
  auto Escapes = [](Instruction &I) {
    for (User *U : I.users())
      if (cast<Instruction>(U)->getParent() != I.getParent() || isa<PHINode>(U))
        return true;
    return false;
  };
  SmallVector<Instruction *, 32> Work;
  auto Collect = [&](BasicBlock *BB, bool Inside) {
    for (Instruction &I : *BB) {
      if (isa<AllocaInst>(I) || I.getType()->isVoidTy() || I.getType()->isTokenTy())
        continue;
      // Within the loop only what leaves it; the loop itself stays as it is.
      bool Crosses = Inside ? any_of(I.users(), [&](User *U) {
        return !L.contains(cast<Instruction>(U));
      }) : Escapes(I);
      if (Crosses)
        Work.push_back(&I);
    }
  };
  for (BasicBlock *BB : From.Blocks)
    Collect(BB, false);
  for (BasicBlock *BB : L.blocks())
    Collect(BB, true);
  for (Instruction *I : Work)
    if (AllocaInst *A = DemoteRegToStack(*I, false, F.getEntryBlock().begin())) {
      Slots.push_back(A);
      Home[I] = A;
    }
  demotePhis(*L.getHeader());
  demotePhis(*L.getUniqueExitBlock());
  for (auto [A, M] : From.Bypass)
    demotePhis(*M);
}

StripMined Lockstep::run() {
  BasicBlock *Pre = L.getLoopPreheader(), *Header = L.getHeader(),
             *Exit = L.getUniqueExitBlock();
  DebugLoc Loc = L.getStartLoc();
  unsigned OutIndex = C.Exit->getSuccessor(0) == Header ? 1 : 0;
  unsigned BoundIndex = C.Compare->getOperand(0) == C.Bound ? 0 : 1;
  demote();

  Type *I1 = Type::getInt1Ty(Ctx), *I32 = Type::getInt32Ty(Ctx);
  AllocaInst *Active = slot(I1, "active"), *Way = slot(I32, "way");
  StripMined R;
  R.Strip = BasicBlock::Create(Ctx, "lockstep", &F, Header);
  auto *Head = BasicBlock::Create(Ctx, "lockstep.head", &F, Header);
  auto *Check = BasicBlock::Create(Ctx, "lockstep.check", &F, Exit);
  auto *Meet = BasicBlock::Create(Ctx, "lockstep.meet", &F, Exit);
  R.Boundary = BasicBlock::Create(Ctx, "lockstep.boundary", &F, Exit);
  auto *Leave = BasicBlock::Create(Ctx, "lockstep.leave", &F, Exit);

  // Ways into the strips: through the preheader, or past the loop.
  {
    IRBuilder<> B(Pre->getTerminator());
    B.CreateStore(B.getTrue(), Active);
    B.CreateStore(B.getInt32(0), Way);
    Pre->getTerminator()->replaceSuccessorWith(Header, R.Strip);
  }
  for (auto [Number, Edge] : enumerate(From.Bypass)) {
    auto [A, M] = Edge;
    auto *Past = BasicBlock::Create(Ctx, "lockstep.past", &F, R.Strip);
    IRBuilder<> B(Past);
    B.SetCurrentDebugLocation(Loc);
    B.CreateStore(B.getFalse(), Active);
    B.CreateStore(B.getInt32(Number + 1), Way);
    B.CreateBr(R.Strip);
    A->getTerminator()->replaceSuccessorWith(M, Past);
  }

  IRBuilder<> B(R.Strip);
  B.SetCurrentDebugLocation(Loc);
  R.Iterations = By.at(B); // threads that are through ask with the others
  B.CreateCondBr(B.CreateLoad(I1, Active), Head, Meet);

  B.SetInsertPoint(Head);
  Value *Counter = B.CreateLoad(CounterSlot->getAllocatedType(), CounterSlot);
  CountedLoop Here = C;
  Here.Bound = value(B, C.Bound);
  Here.VariableStep = value(B, C.VariableStep);
  Value *Limit = stripLimit(B, Here, Counter, R.Iterations);
  B.CreateBr(Header);

  IRBuilder<> E(C.Exit);
  bool StaysFirst = C.Exit->getSuccessor(0) == Header;
  Value *Compared = C.Compare->getOperand(1 - BoundIndex);
  C.Exit->setCondition(
      E.CreateICmp(StaysFirst ? C.Stay : CmpInst::getInversePredicate(C.Stay),
                   Compared, Limit, "instrip"));
  C.Exit->setSuccessor(OutIndex, Check);

  B.SetInsertPoint(Check);
  B.CreateStore(B.CreateICmp(C.Stay, Compared, value(B, C.Bound), "goes.on"), Active);
  B.CreateBr(Meet);

  B.SetInsertPoint(Meet);
  Value *Mine = B.CreateLoad(I1, Active);
  CallInst *Any =
      S == Scope::Block
          ? callNamed(B, "llvm.nvvm.barrier.cta.red.or.aligned.all", I1,
                      {B.getInt32(0), Mine})
          : callNamed(B, "llvm.nvvm.vote.any.sync", I1, {B.getInt32(~0u), Mine});
  Any->setConvergent();
  B.CreateCondBr(Any, R.Boundary, Leave);
  B.SetInsertPoint(R.Boundary);
  B.CreateBr(R.Strip);
  B.SetInsertPoint(Leave);
  if (From.Bypass.empty()) {
    B.CreateBr(Exit);
  } else {
    SwitchInst *Switch = B.CreateSwitch(B.CreateLoad(I32, Way), Exit);
    for (auto [Number, Edge] : enumerate(From.Bypass))
      Switch->addCase(B.getInt32(Number + 1), Edge.second);
  }
  if (C.Compare->use_empty())
    C.Compare->eraseFromParent();

  DT.recalculate(F);
  SmallVector<AllocaInst *, 16> Promotable;
  for (AllocaInst *A : Slots)
    if (isAllocaPromotable(A))
      Promotable.push_back(A);
  PromoteMemToReg(Promotable, DT);
  return R;
}

StripMined lockstepStripMine(Loop &L, const CountedLoop &Counted, const Stride &By,
                             Scope S, const LockstepRegion &From, DominatorTree &DT) {
  return Lockstep(L, Counted, By, S, From, DT).run();
}

} // namespace hetckpt
