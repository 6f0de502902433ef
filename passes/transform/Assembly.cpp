// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inline assembly that matters to more than the portable image.
//
//   shfl.sync.MODE.b32   ->   @llvm.nvvm.shfl.sync.MODE.i32    analyses look for those; so
//                                                              for other operations of warps
//                                                              and blocks, and for copies
//                                                              into shared memory
//
//   %m = mul.f16x2 a, b  ->   %m = mul.rn.f16x2 a, b           Contract.cpp for assembly:
//   %s = add.f16x2 m, c       %s = fma.rn.f16x2 a, b, c        what does not say that it
//                                                              rounds, the assembler may
//                                                              fuse or not
//
// CUDA's headers of half precision are made of the second, one instruction a function, CUB's
// warp reductions of the first.
#include "transform/Assembly.h"
#include "image/InlineAsm.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/ValueHandle.h"
#include "llvm/Transforms/Utils/Local.h"

using namespace llvm;

namespace hetckpt {

/// The opcode of assembly that is one instruction, "OPCODE $0,$1,..." with each operand
/// once and in this order, all in registers; else nothing.
static std::string onlyOpcode(const Value *V) {
  auto *Call = dyn_cast<CallInst>(V);
  auto *Asm = Call ? dyn_cast<InlineAsm>(Call->getCalledOperand()) : nullptr;
  if (!Asm || Call->getType()->isVoidTy() || Call->getType()->isStructTy())
    return "";
  StringRef Text = StringRef(Asm->getAsmString()).trim("{}; \t\r\n");
  size_t End = Text.find_first_of(" \t");
  std::string Opcode = Text.take_front(End).str(), Operands = "$0";
  for (unsigned I = 0; I < Call->arg_size(); ++I)
    Operands += ",$" + std::to_string(I + 1);
  std::string Given;
  for (char C : Text.drop_front(Opcode.size()))
    if (!isSpace(C))
      Given += C;
  for (const InlineAsm::ConstraintInfo &C : Asm->ParseConstraints())
    if (C.Type == InlineAsm::isClobber || C.isIndirect || C.Codes.size() != 1 ||
        !is_contained({"r", "h"}, C.Codes[0]))
      return "";
  return Given == Operands ? Opcode : "";
}

/// Replaces the snippets that have a form that others see through.
static void adopt(Function &F) {
  SmallVector<WeakVH, 8> Calls;
  for (Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<CallInst>(&I); Call && Call->isInlineAsm())
      Calls.push_back(Call);
  for (Value *Found : Calls) {
    auto *Call = cast_or_null<CallInst>(Found);
    if (!Call)
      continue;
    // A value that nobody wants: optimisers leave it, for a snippet might not return.
    bool Unused =
        Call->use_empty() && !cast<InlineAsm>(Call->getCalledOperand())->hasSideEffects();
    if (!Unused && !canRaiseInlineAsm(*Call, RaiseAsm::Adopted))
      continue;
    if (Value *V = Unused ? nullptr : raiseInlineAsm(*Call, RaiseAsm::Adopted)) {
      V->takeName(Call);
      Call->replaceAllUsesWith(V);
    }
    // Numbers of addresses, of which the form needs none.
    SmallVector<WeakTrackingVH, 4> Given(Call->args());
    Call->eraseFromParent();
    RecursivelyDeleteTriviallyDeadInstructionsPermissive(Given);
  }
}

static CallInst *assemble(IRBuilder<> &B, StringRef Opcode, ArrayRef<Value *> In) {
  Type *Ty = In[0]->getType();
  SmallVector<Type *, 3> Types(In.size(), Ty);
  std::string Text = "{" + Opcode.str() + " $0", Constraints = Ty->isIntegerTy(16) ? "=h" : "=r";
  for (unsigned I = 0; I < In.size(); ++I) {
    Text += ",$" + std::to_string(I + 1);
    Constraints += Ty->isIntegerTy(16) ? ",h" : ",r";
  }
  return B.CreateCall(InlineAsm::get(FunctionType::get(Ty, Types, false), Text + ";}",
                                     Constraints, /*hasSideEffects=*/false),
                      In);
}

/// A sum of half precision, with a product that may be fused into it: one instruction. The
/// signs of operands are bits.
static Value *fuse(CallInst &Sum, StringRef Opcode) {
  auto [Op, Suffix] = Opcode.split('.');
  if ((Op != "add" && Op != "sub") || Sum.arg_size() != 2)
    return nullptr;
  std::string Product = ("mul." + Suffix).str();
  Value *L = Sum.getArgOperand(0), *R = Sum.getArgOperand(1);
  bool InL = onlyOpcode(L) == Product, InR = onlyOpcode(R) == Product;
  if (!InL && !InR)
    return nullptr;
  if (InL && InR && !L->hasOneUse() && R->hasOneUse())
    InL = false;
  IRBuilder<> B(&Sum);
  auto Negated = [&](Value *V) {
    unsigned Bits = V->getType()->getIntegerBitWidth();
    return B.CreateXor(V, ConstantInt::get(V->getType(), APInt::getSplat(Bits, APInt(16, 0x8000))));
  };
  auto *Mul = cast<CallInst>(InL ? L : R);
  Value *A = Mul->getArgOperand(0), *C = InL ? R : L;
  if (Op == "sub")
    (InL ? C : A) = Negated(InL ? C : A);
  return assemble(B, ("fma.rn." + Suffix).str(), {A, Mul->getArgOperand(1), C});
}

void adoptAssembly(Module &M) {
  constexpr StringLiteral Halves[] = {"f16", "f16x2", "bf16", "bf16x2"};
  for (Function &F : M) {
    adopt(F);
    SmallVector<std::pair<CallInst *, std::string>, 16> Found, Products;
    for (Instruction &I : instructions(F))
      if (std::string Opcode = onlyOpcode(&I); !Opcode.empty())
        Found.push_back({cast<CallInst>(&I), Opcode});
    for (auto &[Call, Opcode] : Found) {
      StringRef Op = Opcode, Suffix = Op.rsplit('.').second;
      Value *New = nullptr;
      if (is_contained(Halves, Suffix)) {
        if (Op.starts_with("mul.") && !Op.contains(".rn."))
          Products.push_back({Call, Opcode});
        else if (Op.count('.') == 1)
          New = fuse(*Call, Op);
      }
      if (!New)
        continue;
      New->takeName(Call);
      Call->replaceAllUsesWith(New);
      Call->eraseFromParent();
    }
    for (auto &[Call, Opcode] : Products) {
      if (!Call->use_empty()) {
        IRBuilder<> B(Call);
        SmallVector<Value *, 2> In(Call->args());
        Value *New = assemble(B, "mul.rn." + Opcode.substr(strlen("mul.")), In);
        New->takeName(Call);
        Call->replaceAllUsesWith(New);
      }
      Call->eraseFromParent();
    }
  }
}

} // namespace hetckpt
