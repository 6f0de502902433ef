// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The same bits as on a GPU.
//
//   - Fast-math flags go: each target would use them differently.
//   - fmuladd is fused on every GPU, so it becomes fma.
//   - Functions compiled to flush single-precision denormals do so here operation by
//     operation; the processor's mode would flush double precision too.
//   - Conversions to integers saturate, and NaN becomes what PTX says.
//   - Integer division by zero, and of the smallest number by -1, traps on x86-64.
//     Here it gives what GPUs give: all ones, the dividend as remainder, and the
//     smallest number again.
//   - Signed integers that are data wrap round (Wrap.cpp).
//   - Shifts by the width of a type or more give 0, or copies of the sign, as in PTX; on x86-64
//     they would be shifts by less.
//   - Half-precision fma would round twice through single precision.
#include "Cpu.h"

#include "llvm/ADT/FloatingPointMode.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Support/KnownBits.h"

using namespace llvm;

namespace hetckpt::cpu {
namespace {

bool isSingle(Type *T) { return T->getScalarType()->isFloatTy(); }

Value *flush(IRBuilder<> &B, Value *V) {
  if (!isSingle(V->getType()))
    return V;
  Value *Sub = B.createIsFPClass(V, fcSubnormal);
  Value *Zero = B.CreateBinaryIntrinsic(Intrinsic::copysign, Constant::getNullValue(V->getType()), V);
  return B.CreateSelect(Sub, Zero, V);
}

bool flushes(const llvm::Function &F) {
  for (const char *Name : {"denormal-fp-math-f32", "denormal-fp-math"}) {
    StringRef Mode = F.getFnAttribute(Name).getValueAsString();
    if (!Mode.empty())
      return Mode.starts_with("preserve-sign");
  }
  return false;
}

/// Operations whose single-precision operands and result PTX's .ftz flushes.
bool isFlushed(const Instruction &I) {
  switch (I.getOpcode()) {
  case Instruction::FAdd:
  case Instruction::FSub:
  case Instruction::FMul:
  case Instruction::FDiv:
  case Instruction::FRem:
  case Instruction::FCmp:
  case Instruction::FPExt:
  case Instruction::FPTrunc:
    return true;
  default:
    break;
  }
  auto *II = dyn_cast<IntrinsicInst>(&I);
  if (!II)
    return false;
  switch (II->getIntrinsicID()) {
  case Intrinsic::fma:
  case Intrinsic::sqrt:
  case Intrinsic::minnum:
  case Intrinsic::maxnum:
  case Intrinsic::minimum:
  case Intrinsic::maximum:
  case Intrinsic::floor:
  case Intrinsic::ceil:
  case Intrinsic::trunc:
  case Intrinsic::rint:
  case Intrinsic::nearbyint:
  case Intrinsic::roundeven:
  case Intrinsic::round:
  case Intrinsic::canonicalize:
    return true;
  default:
    return false;
  }
}

void flushAround(Instruction &I) {
  IRBuilder<> B(&I);
  for (Use &U : I.operands())
    if (U->getType()->isFPOrFPVectorTy())
      U.set(flush(B, U.get()));
  if (!isSingle(I.getType()))
    return;
  B.SetInsertPoint(I.getNextNode());
  SmallVector<Use *, 8> Uses;
  for (Use &U : I.uses())
    Uses.push_back(&U);
  Value *R = flush(B, &I);
  for (Use *U : Uses)
    U->set(R);
}

void guardDivision(BinaryOperator &I) {
  Value *A = I.getOperand(0), *D = I.getOperand(1);
  bool Signed = I.getOpcode() == Instruction::SDiv || I.getOpcode() == Instruction::SRem;
  bool Quotient = I.getOpcode() == Instruction::SDiv || I.getOpcode() == Instruction::UDiv;
  if (auto *C = dyn_cast<Constant>(D)) {
    auto *N = dyn_cast<ConstantInt>(C->getType()->isVectorTy() ? C->getSplatValue() : C);
    if (N && !N->isZero() && !(Signed && N->isMinusOne()))
      return;
  }
  Type *T = I.getType();
  IRBuilder<> B(&I);
  Value *Zero = B.CreateICmpEQ(D, Constant::getNullValue(T));
  Value *Bad = Zero, *MinusOne = nullptr;
  if (Signed) {
    MinusOne = B.CreateICmpEQ(D, Constant::getAllOnesValue(T));
    Bad = B.CreateOr(Zero, MinusOne);
  }
  Value *Safe = B.CreateSelect(Bad, ConstantInt::get(T, 1), D);
  auto *New = cast<BinaryOperator>(I.clone());
  New->setOperand(1, Safe);
  New->insertBefore(I.getIterator());
  if (isa<PossiblyExactOperator>(New))
    New->setIsExact(false);
  Value *R = New;
  if (MinusOne)
    R = B.CreateSelect(MinusOne, Quotient ? B.CreateNeg(A) : Constant::getNullValue(T), R);
  R = B.CreateSelect(Zero, Quotient ? Constant::getAllOnesValue(T) : A, R);
  I.replaceAllUsesWith(R);
  I.eraseFromParent();
}

/// PTX takes the lower 32 bits of what it is to shift by, and stops at the width.
void guardShift(BinaryOperator &I) {
  Type *T = I.getType();
  unsigned Bits = T->getScalarSizeInBits();
  Value *By = I.getOperand(1);
  if (Bits > 64 || isa<Constant>(By) ||
      computeKnownBits(By, I.getDataLayout()).getMaxValue().ult(Bits))
    return;
  IRBuilder<> B(&I);
  if (Bits == 64)
    By = B.CreateAnd(By, ConstantInt::get(T, 0xffffffff));
  if (I.getOpcode() == Instruction::AShr) {
    I.setOperand(1, B.CreateBinaryIntrinsic(Intrinsic::umin, By, ConstantInt::get(T, Bits - 1)));
    return;
  }
  I.setOperand(1, By);
  B.SetInsertPoint(I.getNextNode());
  Value *Less = B.CreateICmpULT(By, ConstantInt::get(T, Bits));
  auto *R = cast<Instruction>(B.CreateSelect(Less, &I, Constant::getNullValue(T)));
  I.replaceUsesWithIf(R, [R](Use &U) { return U.getUser() != R; });
}

void saturateConversion(CastInst &I) {
  IRBuilder<> B(&I);
  Value *V = I.getOperand(0);
  Type *T = I.getType();
  bool Signed = I.getOpcode() == Instruction::FPToSI;
  unsigned Bits = T->getScalarSizeInBits();
  if (Bits > 64)
    return;
  unsigned Wide = Bits <= 16 ? 16 : Bits <= 32 ? 32 : 64;
  Type *WideT = T->getWithNewBitWidth(Wide);
  Value *R = B.CreateIntrinsic(Signed ? Intrinsic::fptosi_sat : Intrinsic::fptoui_sat,
                               {WideT, V->getType()}, {V});
  if (Wide == 64 || V->getType()->getScalarType()->isDoubleTy()) {
    // NaN gives the highest bit alone there, 0 elsewhere.
    Value *NaN = B.CreateFCmpUNO(V, V);
    R = B.CreateSelect(NaN, ConstantInt::get(WideT, APInt::getSignMask(Wide)), R);
  }
  R = B.CreateZExtOrTrunc(R, T);
  I.replaceAllUsesWith(R);
  I.eraseFromParent();
}

/// x*y is exact in double precision; the sum is rounded to odd there, and then once
/// to the narrow type.
void widenFma(IntrinsicInst &I) {
  IRBuilder<> B(&I);
  Type *T = I.getType();
  Type *D = T->isVectorTy() ? VectorType::get(B.getDoubleTy(), cast<VectorType>(T)->getElementCount())
                            : B.getDoubleTy();
  Type *L = D->getWithNewType(B.getInt64Ty());
  Value *P = B.CreateFMul(B.CreateFPExt(I.getArgOperand(0), D), B.CreateFPExt(I.getArgOperand(1), D));
  Value *C = B.CreateFPExt(I.getArgOperand(2), D);
  Value *S = B.CreateFAdd(P, C);
  Value *BB = B.CreateFSub(S, P);
  Value *Err = B.CreateFAdd(B.CreateFSub(P, B.CreateFSub(S, BB)), B.CreateFSub(C, BB));
  Value *Bits = B.CreateBitCast(S, L);
  // Inexact and even: one step towards the exact sum is odd.
  Value *Inexact = B.CreateFCmpONE(Err, Constant::getNullValue(D));
  Value *Even = B.CreateICmpEQ(B.CreateAnd(Bits, ConstantInt::get(L, 1)), Constant::getNullValue(L));
  Value *Finite = B.CreateFCmpOEQ(B.CreateFSub(S, S), Constant::getNullValue(D));
  Value *Away = B.CreateICmpEQ(B.CreateFCmpOGT(Err, Constant::getNullValue(D)),
                               B.CreateFCmpOGT(S, Constant::getNullValue(D)));
  Value *Step = B.CreateSelect(Away, ConstantInt::get(L, 1), Constant::getAllOnesValue(L));
  Value *Odd = B.CreateBitCast(B.CreateAdd(Bits, Step), D);
  Value *R = B.CreateSelect(B.CreateAnd(B.CreateAnd(Inexact, Even), Finite), Odd, S);
  R = B.CreateFPTrunc(R, T);
  I.replaceAllUsesWith(R);
  I.eraseFromParent();
}

} // namespace

void lowerArithmetic(Module &M) {
  for (llvm::Function &F : M) {
    bool Ftz = flushes(F);
    letDataWrap(F);
    SmallVector<Instruction *, 64> Work;
    for (Instruction &I : instructions(F))
      Work.push_back(&I);
    for (Instruction *I : Work) {
      if (isa<FPMathOperator>(I)) {
        I->copyFastMathFlags(FastMathFlags());
        I->setMetadata(LLVMContext::MD_fpmath, nullptr);
      }
      if (auto *II = dyn_cast<IntrinsicInst>(I)) {
        if (II->getIntrinsicID() == Intrinsic::fmuladd)
          II->setCalledFunction(Intrinsic::getOrInsertDeclaration(&M, Intrinsic::fma, II->getType()));
        Type *S = II->getType()->getScalarType();
        if (II->getIntrinsicID() == Intrinsic::fma && (S->isHalfTy() || S->isBFloatTy())) {
          widenFma(*II);
          continue;
        }
      }
      if (Ftz && isFlushed(*I))
        flushAround(*I);
      if (auto *Bin = dyn_cast<BinaryOperator>(I); Bin && Bin->isIntDivRem())
        guardDivision(*Bin);
      else if (I->isShift())
        guardShift(*cast<BinaryOperator>(I));
      else if (isa<FPToSIInst>(I) || isa<FPToUIInst>(I))
        saturateConversion(*cast<CastInst>(I));
    }
    F.removeFnAttr("denormal-fp-math-f32");
    F.removeFnAttr("denormal-fp-math");
  }
}

} // namespace hetckpt::cpu
