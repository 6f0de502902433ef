// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loop strip mining at the end of the pipeline: the inner loop stays as it is but
// for its bound, so whatever the optimiser made of it is kept.
//
//   pre:                                pre:
//     br loop                             br strip
//   loop:                               strip:            ; one more loop around it
//     i = phi [a, pre], [i1, loop]        si = phi [a, pre], [i1, boundary]
//     ...                                 limit = min(n, si + stride)
//     i1 = i + 1                          br loop
//     br (i1 != n), loop, out           loop:
//   out:                                  i = phi [si, strip], [i1, loop]
//                                         ...
//                                         i1 = i + 1
//                                         br (i1 != limit), loop, check
//                                       check:
//                                         br (i1 != n), boundary, out
//                                       boundary:         ; the caller polls here
//                                         br strip
//                                       out:
//
// Where the header decides before the iteration (while (i < n && ...), whose other exits
// stay as they are), the check goes on with what the header began with:
//
//   loop:                                 loop:
//     i = phi [a, pre], [i1, latch]         i = phi [si, strip], [i1, latch]
//     br (i < n), body, out                 br (i < limit), body, check
//                                         check:
//                                           br (i < n), boundary, out
//                                         boundary: br strip     ; si = i
//
// Gaps: latch or header must decide by an integer counter with a loop-invariant step and a
// predicate ne, lt or gt; other loops poll by account.
#include "transform/StripMine.h"
#include "Names.h"
#include "Options.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/LoopUtils.h"

using namespace llvm;

namespace hetckpt {

namespace {
/// What the head of a strip computes.
struct StripHead {
  Value *Limit;      ///< the inner loop's bound
  Value *Longer;     ///< i1: the loop goes on after this strip
  Value *Iterations; ///< i32: iterations of this strip
};
} // namespace

/// With d = |step| and X1 the compared value at the end of the strip's first
/// iteration, the strip's last iteration ends with X1 + (stride-1)*step. That is the
/// bound if the loop would go on well beyond: if X1 itself does not end it and the
/// distance from X1 to the loop's own bound exceeds twice (stride-1)*d, for a rest that
/// is not worth a strip of its own is taken along. (A stride that was asked for is kept to
/// the iteration: once (stride-1)*d.) Distances are unsigned and exact: for lt and gt because X1 has not reached the bound, for ne because the
/// counter moves towards the bound, wrapping like the loop does.
///
/// Where the header decides, X1 is what it compares after one iteration. A strip must then
/// let one begin if the loop would: for lt and gt the counter must be on the near side of X1,
/// as it is unless it wraps; for ne it must not have arrived.
///
/// A step that is not constant (a grid-stride loop) is taken in 64 bits, where
/// twice (stride-1)*step cannot overflow for steps below 2^32; a step outside that range or
/// not positive leaves the strip as long as the loop.
static StripHead stripHead(IRBuilder<> &B, const CountedLoop &C, Value *Counter,
                           Value *Stride) {
  Type *Ty = Counter->getType();
  Type *I64 = B.getInt64Ty();
  bool Up = C.VariableStep || C.Step > 0;
  Value *Step = C.VariableStep ? C.VariableStep
                               : cast<Value>(ConstantInt::getSigned(Ty, C.Step));
  Value *X1 = C.ComparesNext || C.AtTop ? B.CreateAdd(Counter, Step, "first") : Counter;
  Value *Distance = Up ? B.CreateSub(C.Bound, X1, "distance")
                       : B.CreateSub(X1, C.Bound, "distance");
  Value *Longer, *End;
  const unsigned Doubled = PollStride ? 0 : 1;
  Value *Further = B.CreateSub(Stride, B.getInt32(1));
  if (C.VariableStep) {
    Value *Wide = B.CreateZExt(Distance, I64);
    Value *D = B.CreateSExt(Step, I64, "step");
    Value *Span = B.CreateMul(D, B.CreateZExt(Further, I64), "span");
    Value *Sane = B.CreateICmpULT(B.CreateSub(D, B.getInt64(1)),
                                  B.getInt64(0xffffffffu), "sane");
    Longer = B.CreateAnd(
        Sane, B.CreateICmpUGT(Wide, B.CreateShl(Span, Doubled)), "longer");
    End = B.CreateAdd(X1, B.CreateTrunc(Span, Ty));
  } else {
    uint64_t Size = C.Step < 0 ? -C.Step : C.Step;
    Value *Span = B.CreateMul(B.CreateZExtOrTrunc(Further, Ty), ConstantInt::get(Ty, Size));
    Longer = B.CreateICmpUGT(Distance, B.CreateShl(Span, Doubled), "longer");
    End = Up ? B.CreateAdd(X1, Span) : B.CreateSub(X1, Span);
  }
  Value *First = nullptr; // X1 does not end the loop
  if (C.Stay != CmpInst::ICMP_NE) {
    First = B.CreateICmp(C.Stay, X1, C.Bound);
    Longer = B.CreateAnd(First, Longer);
  }
  if (C.AtTop)
    Longer = B.CreateAnd(
        B.CreateICmp(C.Stay, Counter, C.Stay == CmpInst::ICMP_NE ? C.Bound : X1), Longer);
  StripHead R;
  R.Longer = Longer;
  R.Limit = B.CreateSelect(Longer, End, C.Bound, "limit");
  // For the account of a loop around it: all strips but the last are full. Of the
  // last the power of two at or below the step is good enough; a division is not free.
  Value *Left = First ? B.CreateSelect(First, Distance, ConstantInt::get(Ty, 0))
                      : Distance;
  if (C.VariableStep) {
    Value *Zeros = B.CreateBinaryIntrinsic(Intrinsic::ctlz, Step, B.getFalse());
    Value *Top = ConstantInt::get(Ty, Ty->getIntegerBitWidth() - 1);
    Left = B.CreateLShr(Left, B.CreateAnd(B.CreateSub(Top, Zeros), Top));
  } else if (uint64_t Size = C.Step < 0 ? -C.Step : C.Step; Size > 1) {
    Left = B.CreateLShr(Left, ConstantInt::get(Ty, Log2_64(Size)));
  }
  Left = B.CreateBinaryIntrinsic(
      Intrinsic::umin, Left, B.CreateZExtOrTrunc(B.CreateShl(Stride, 1), Ty));
  Left = B.CreateZExtOrTrunc(Left, B.getInt32Ty());
  R.Iterations = B.CreateSelect(Longer, Stride, Left, "iterations");
  return R;
}

Value *stripLimit(IRBuilder<> &B, const CountedLoop &C, Value *Counter, Value *Stride) {
  return stripHead(B, C, Counter, Stride).Limit;
}

BasicBlock *versionShortTrips(Loop &L, const CountedLoop &C, uint64_t Stride,
                              DominatorTree &DT, LoopInfo &LI, Value *&Iterations) {
  BasicBlock *Pre = L.getLoopPreheader(), *Header = L.getHeader();
  Function *F = Header->getParent();
  LLVMContext &Ctx = F->getContext();
  // What leaves the loop, or a loop inside it, leaves through phis.
  formLCSSARecursively(L, DT, &LI, nullptr);

  ValueToValueMapTy Map;
  SmallVector<BasicBlock *, 16> Copies;
  for (BasicBlock *BB : L.blocks()) {
    BasicBlock *Copy = CloneBasicBlock(BB, Map, ".short", F);
    Map[BB] = Copy;
    Copies.push_back(Copy);
  }
  auto *Short = BasicBlock::Create(Ctx, "short.trip", F, Header);
  auto *Long = BasicBlock::Create(Ctx, "long.trip", F, Header);
  Map[Pre] = Short;
  remapInstructionsInBlocks(Copies, Map);
  for (BasicBlock *Exit : [&] {
         SmallVector<BasicBlock *, 4> Exits;
         L.getUniqueExitBlocks(Exits);
         return Exits;
       }())
    for (PHINode &Phi : Exit->phis())
      for (unsigned I = 0, E = Phi.getNumIncomingValues(); I < E; ++I) {
        BasicBlock *From = Phi.getIncomingBlock(I);
        if (!L.contains(From))
          continue;
        Value *V = Phi.getIncomingValue(I);
        Value *Mapped = Map.lookup(V);
        Phi.addIncoming(Mapped ? Mapped : V, cast<BasicBlock>(Map[From]));
      }

  Instruction *Old = Pre->getTerminator();
  IRBuilder<> B(Old);
  B.SetCurrentDebugLocation(L.getStartLoc());
  StripHead Head = stripHead(B, C, C.Start, B.getInt32(Stride));
  Iterations = Head.Iterations;
  if (auto *I = dyn_cast<Instruction>(Head.Limit); I && I->use_empty())
    I->eraseFromParent();
  B.CreateCondBr(Head.Longer, Long, Short);
  Old->eraseFromParent();
  BranchInst::Create(cast<BasicBlock>(Map[Header]), Short)
      ->setDebugLoc(L.getStartLoc());
  BranchInst::Create(Header, Long)->setDebugLoc(L.getStartLoc());
  Header->replacePhiUsesWith(Pre, Long);
  return Short;
}

StripMined stripMine(Loop &L, const CountedLoop &C, const Stride &By) {
  BasicBlock *Pre = L.getLoopPreheader(), *Header = L.getHeader(),
             *Latch = L.getLoopLatch();
  Function *F = Header->getParent();
  LLVMContext &Ctx = F->getContext();
  BasicBlock *Test = C.Exit->getParent();
  unsigned OutIndex = L.contains(C.Exit->getSuccessor(0)) ? 1 : 0;
  BasicBlock *Out = C.Exit->getSuccessor(OutIndex);

  StripMined R;
  R.Strip = BasicBlock::Create(Ctx, "strip", F, Header);
  BasicBlock *Check = BasicBlock::Create(Ctx, "strip.check", F, Out);
  R.Boundary = BasicBlock::Create(Ctx, "strip.boundary", F, Out);

  // The outer loop carries what the inner one carries.
  IRBuilder<> B(R.Strip);
  B.SetCurrentDebugLocation(L.getStartLoc());
  Value *Counter = nullptr;
  for (PHINode &Phi : Header->phis()) {
    PHINode *Outer = B.CreatePHI(Phi.getType(), 2, Phi.getName() + ".strip");
    Outer->addIncoming(Phi.getIncomingValueForBlock(Pre), Pre);
    Outer->addIncoming(C.AtTop ? &Phi : Phi.getIncomingValueForBlock(Latch), R.Boundary);
    Phi.setIncomingValue(Phi.getBasicBlockIndex(Pre), Outer);
    Phi.replaceIncomingBlockWith(Pre, R.Strip);
    if (&Phi == C.Counter)
      Counter = Outer;
  }
  StripHead Head = stripHead(B, C, Counter, By.at(B));
  R.Iterations = Head.Iterations;
  // A strip that has one iteration in any case, and ends when the counter has passed the limit, may
  // end anywhere before the bound: by the limit of any other thread that has the same one.
  if (auto *Limit = dyn_cast<SelectInst>(Head.Limit); Limit && !C.AtTop && C.Stay != CmpInst::ICMP_NE)
    Limit->setMetadata(names::AnyLimit, MDNode::get(Ctx, {}));
  B.CreateBr(Header);
  Pre->getTerminator()->replaceSuccessorWith(Header, R.Strip);

  // The inner loop leaves at the limit; the check asks the original question.
  IRBuilder<> E(C.Exit);
  Value *Inner = OutIndex == 1
                     ? E.CreateICmp(C.Stay, C.Compared, Head.Limit, "instrip")
                     : E.CreateICmp(CmpInst::getInversePredicate(C.Stay),
                                    C.Compared, Head.Limit, "stripend");
  C.Exit->setCondition(Inner);
  C.Exit->setSuccessor(OutIndex, Check);
  // Phis of Out must not see Test twice: it reached Out by this edge only.
  Out->replacePhiUsesWith(Test, Check);

  B.SetInsertPoint(Check);
  B.SetCurrentDebugLocation(C.Exit->getDebugLoc());
  Value *GoesOn = B.CreateICmp(C.Stay, C.Compared, C.Bound, "goes.on");
  B.CreateCondBr(GoesOn, R.Boundary, Out);
  B.SetInsertPoint(R.Boundary);
  B.CreateBr(R.Strip);
  if (C.Compare->use_empty())
    C.Compare->eraseFromParent();
  // A loop of known length invites the assembler to unroll it. A large body, which the
  // optimiser has unrolled before, then runs out of registers and waits for each load.
  constexpr unsigned Large = 16;
  unsigned Size = 0;
  for (BasicBlock *BB : L.blocks())
    Size += BB->size();
  if (Size > Large && !findOptionMDForLoop(&L, "llvm.loop.unroll.disable")) {
    addStringMetadataToLoop(&L, names::Strip.data());
    L.setLoopAlreadyUnrolled();
  }
  return R;
}

} // namespace hetckpt
