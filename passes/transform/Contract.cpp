// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Left alone, each code generator fuses a * b + c where it likes: the original and
// the resume variant of one kernel could differ in the last bit, and two vendors
// would. So the choice is made here, as NVPTX's own combiner makes it:
//
//   %m = fmul contract %a, %b
//   %s = fadd contract %m, %c      -->   %s = call @llvm.fma(%a, %b, %c)
//
// also through fsub, fneg and llvm.fmuladd, whether or not %m has other uses.
//
// What else -ffast-math allows, the optimiser has made use of by now. The permission goes,
// or the clean-up of a variant would find a reciprocal or an order of its own; what
// tells native code to approximate (afn) stays.
// Gaps: vectors and half precision keep what they are in native code. Half precision in
// assembly is Assembly.cpp's.
#include "transform/Contract.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/Local.h"

using namespace llvm;

namespace hetckpt {

namespace {
/// A product that may be fused: Sign * A * B.
struct Product {
  Value *A = nullptr, *B = nullptr;
  bool Negated = false;
};
} // namespace

static std::optional<Product> matchProduct(Value *V) {
  Product P;
  if (auto *Neg = dyn_cast<UnaryOperator>(V);
      Neg && Neg->getOpcode() == Instruction::FNeg) {
    P.Negated = true;
    V = Neg->getOperand(0);
  }
  auto *Mul = dyn_cast<BinaryOperator>(V);
  if (!Mul || Mul->getOpcode() != Instruction::FMul || !Mul->hasAllowContract())
    return std::nullopt;
  P.A = Mul->getOperand(0);
  P.B = Mul->getOperand(1);
  return P;
}

static Value *fuse(IRBuilder<> &B, Product P, Value *C) {
  Value *A = P.Negated ? B.CreateFNeg(P.A) : P.A;
  return B.CreateIntrinsic(Intrinsic::fma, {C->getType()}, {A, P.B, C});
}

static Value *contract(Instruction &I) {
  IRBuilder<> B(&I);
  if (auto *II = dyn_cast<IntrinsicInst>(&I)) {
    if (II->getIntrinsicID() != Intrinsic::fmuladd)
      return nullptr;
    return B.CreateIntrinsic(Intrinsic::fma, {II->getType()},
                             {II->getArgOperand(0), II->getArgOperand(1),
                              II->getArgOperand(2)});
  }
  bool IsSub = I.getOpcode() == Instruction::FSub;
  if ((!IsSub && I.getOpcode() != Instruction::FAdd) || !I.hasAllowContract())
    return nullptr;
  Value *L = I.getOperand(0), *R = I.getOperand(1);
  auto PL = matchProduct(L), PR = matchProduct(R);
  if (PL && PR && !L->hasOneUse() && R->hasOneUse())
    PL = std::nullopt;
  if (PL)
    return fuse(B, *PL, IsSub ? B.CreateFNeg(R) : R);
  if (PR) {
    PR->Negated ^= IsSub;
    return fuse(B, *PR, L);
  }
  return nullptr;
}

void contractModule(Module &M) {
  for (Function &F : M) {
    SmallVector<WeakTrackingVH, 16> Dead;
    for (Instruction &I : make_early_inc_range(instructions(F)))
      if (Value *V = contract(I)) {
        V->takeName(&I);
        I.replaceAllUsesWith(V);
        Dead.push_back(&I);
      }
    RecursivelyDeleteTriviallyDeadInstructionsPermissive(Dead);
    for (Instruction &I : instructions(F))
      if (isa<FPMathOperator>(I)) {
        I.setHasAllowContract(false);
        I.setHasAllowReassoc(false);
        I.setHasAllowReciprocal(false);
        I.setHasNoSignedZeros(false);
      }
  }
}

void pinMultiplications(Module &M) {
  for (Function &F : M) {
    bool Flush = F.getFnAttribute("denormal-fp-math-f32")
                     .getValueAsString()
                     .starts_with("preserve-sign");
    for (Instruction &I : make_early_inc_range(instructions(F))) {
      if (I.getOpcode() != Instruction::FMul)
        continue;
      Type *Ty = I.getType();
      const char *Name = Ty->isDoubleTy() ? "llvm.nvvm.mul.rn.d"
                         : !Ty->isFloatTy() ? nullptr
                         : Flush            ? "llvm.nvvm.mul.rn.ftz.f"
                                            : "llvm.nvvm.mul.rn.f";
      if (!Name)
        continue;
      IRBuilder<> B(&I);
      FunctionCallee Callee = M.getOrInsertFunction(
          Name, FunctionType::get(Ty, {Ty, Ty}, false));
      Value *V = B.CreateCall(Callee, {I.getOperand(0), I.getOperand(1)});
      V->takeName(&I);
      I.replaceAllUsesWith(V);
      I.eraseFromParent();
    }
  }
}

} // namespace hetckpt
