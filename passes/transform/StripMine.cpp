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
// Gaps: the latch must decide by an integer counter with a constant step and a
// predicate ne, lt or gt; other loops poll by account.
#include "transform/StripMine.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"

using namespace llvm;

namespace hetckpt {

/// The bound of a strip, and whether it is the loop's own.
///
/// With d = |step| and X1 the compared value at the end of the strip's first
/// iteration, the strip's last iteration ends with X1 + (stride-1)*step. That is
/// the bound if the loop would go on there, that is if X1 itself does not end it and
/// the distance from X1 to the bound exceeds (stride-1)*d. Distances are unsigned and
/// exact: for lt and gt because X1 has not reached the bound, for ne because the
/// counter moves towards the bound, wrapping like the loop does.
static Value *stripBound(IRBuilder<> &B, const CountedLoop &C, Value *Counter,
                         uint64_t Stride, Value *&IsLast) {
  Type *Ty = Counter->getType();
  uint64_t D = C.Step < 0 ? -C.Step : C.Step;
  Value *Span = ConstantInt::get(Ty, (Stride - 1) * D);
  Value *X1 = Counter;
  if (C.ComparesNext)
    X1 = B.CreateAdd(Counter, ConstantInt::getSigned(Ty, C.Step), "first");
  Value *Distance = C.Step > 0 ? B.CreateSub(C.Bound, X1, "distance")
                               : B.CreateSub(X1, C.Bound, "distance");
  Value *Longer = B.CreateICmpUGT(Distance, Span, "longer");
  if (C.Stay != CmpInst::ICMP_NE)
    Longer = B.CreateAnd(B.CreateICmp(C.Stay, X1, C.Bound), Longer);
  Value *End = C.Step > 0 ? B.CreateAdd(X1, Span) : B.CreateSub(X1, Span);
  IsLast = B.CreateNot(Longer);
  return B.CreateSelect(Longer, End, C.Bound, "limit");
}

StripMined stripMine(Loop &L, const CountedLoop &C, uint64_t Stride) {
  BasicBlock *Pre = L.getLoopPreheader(), *Header = L.getHeader(),
             *Latch = L.getLoopLatch();
  Function *F = Header->getParent();
  LLVMContext &Ctx = F->getContext();
  unsigned OutIndex = C.Exit->getSuccessor(0) == Header ? 1 : 0;
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
    Outer->addIncoming(Phi.getIncomingValueForBlock(Latch), R.Boundary);
    Phi.setIncomingValue(Phi.getBasicBlockIndex(Pre), Outer);
    Phi.replaceIncomingBlockWith(Pre, R.Strip);
    if (&Phi == C.Counter)
      Counter = Outer;
  }
  Value *IsLast = nullptr;
  Value *Limit = stripBound(B, C, Counter, Stride, IsLast);
  // How many iterations the strip has, for the account of a loop around it: all
  // but the last strip are full.
  {
    Type *Ty = Counter->getType();
    uint64_t D = C.Step < 0 ? -C.Step : C.Step;
    Value *X1 = C.ComparesNext
                    ? B.CreateAdd(Counter, ConstantInt::getSigned(Ty, C.Step))
                    : Counter;
    Value *Left = C.Step > 0 ? B.CreateSub(C.Bound, X1) : B.CreateSub(X1, C.Bound);
    Value *Some = C.Stay == CmpInst::ICMP_NE
                      ? ConstantInt::getTrue(Ctx)
                      : B.CreateICmp(C.Stay, X1, C.Bound);
    Left = B.CreateSelect(Some, Left, ConstantInt::get(Ty, 0));
    if (D > 1)
      Left = B.CreateUDiv(Left, ConstantInt::get(Ty, D));
    Value *Last = B.CreateZExtOrTrunc(Left, B.getInt32Ty());
    R.Iterations = B.CreateSelect(IsLast, Last, B.getInt32(Stride), "iterations");
  }
  B.CreateBr(Header);
  Pre->getTerminator()->replaceSuccessorWith(Header, R.Strip);

  // The inner loop leaves at the limit; the check asks the original question.
  IRBuilder<> E(C.Exit);
  Value *Inner = C.Exit->getSuccessor(0) == Header
                     ? E.CreateICmp(C.Stay, C.Compared, Limit, "instrip")
                     : E.CreateICmp(CmpInst::getInversePredicate(C.Stay),
                                    C.Compared, Limit, "stripend");
  C.Exit->setCondition(Inner);
  C.Exit->setSuccessor(OutIndex, Check);
  // Phis of Out must not see Latch twice: Latch reached it by this edge only.
  Out->replacePhiUsesWith(Latch, Check);

  B.SetInsertPoint(Check);
  B.SetCurrentDebugLocation(C.Exit->getDebugLoc());
  Value *GoesOn = B.CreateICmp(C.Stay, C.Compared, C.Bound, "goes.on");
  B.CreateCondBr(GoesOn, R.Boundary, Out);
  B.SetInsertPoint(R.Boundary);
  B.CreateBr(R.Strip);
  if (C.Compare->use_empty())
    C.Compare->eraseFromParent();
  return R;
}

} // namespace hetckpt
