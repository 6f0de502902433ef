// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "image/InlineAsm.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"
#include <optional>

using namespace llvm;

namespace hetckpt {

namespace {

struct Statement {
  StringRef Opcode;
  SmallVector<StringRef, 5> Operands;
};

/// Statements of a snippet; empty optional if it has labels, predicates or
/// declarations.
std::optional<SmallVector<Statement, 8>> parse(StringRef Text) {
  SmallVector<Statement, 8> Out;
  SmallVector<StringRef, 8> Parts;
  SplitString(Text, Parts, ";\n\r");
  for (StringRef Part : Parts) {
    Part = Part.trim(" \t{}");
    if (Part.empty() || Part.starts_with("//"))
      continue;
    Statement S;
    auto [Op, Rest] = Part.split(Part.contains('\t') && !Part.contains(' ') ? '\t' : ' ');
    S.Opcode = Op.trim();
    if (S.Opcode.starts_with("@") || S.Opcode.starts_with(".") ||
        S.Opcode.ends_with(":"))
      return std::nullopt;
    SmallVector<StringRef, 5> Operands;
    Rest.split(Operands, ',', -1, false);
    for (StringRef O : Operands)
      S.Operands.push_back(O.trim());
    Out.push_back(S);
  }
  return Out;
}

/// Runs a snippet, building IR; with no builder it only checks that it could.
class Raiser {
public:
  Raiser(const CallBase &Call, IRBuilder<> *B) : Call(Call), B(B) {}

  bool run();
  Value *result();

private:
  bool bind();
  bool step(const Statement &S);
  Value *operand(StringRef Text, Type *Ty);
  bool define(StringRef Name, Value *V);
  Type *typeOf(StringRef Suffix);
  Value *special(StringRef Name, Type *Ty);

  const CallBase &Call;
  IRBuilder<> *B;
  StringMap<Value *> Values; ///< $N or a register name
  SmallVector<Type *, 4> Results;
  Value *Carry = nullptr;
};

} // namespace

bool Raiser::bind() {
  auto *Asm = cast<InlineAsm>(Call.getCalledOperand());
  unsigned Number = 0, Argument = 0;
  Type *Ty = Call.getType();
  if (auto *S = dyn_cast<StructType>(Ty))
    append_range(Results, S->elements());
  else if (!Ty->isVoidTy())
    Results.push_back(Ty);
  for (const InlineAsm::ConstraintInfo &C : Asm->ParseConstraints()) {
    if (C.Type == InlineAsm::isClobber)
      continue;
    std::string Name = "$" + std::to_string(Number++);
    if (C.isIndirect || C.Type == InlineAsm::isLabel)
      return false;
    if (C.Type == InlineAsm::isOutput) {
      Values[Name] = nullptr;
      continue;
    }
    Value *V = Call.getArgOperand(Argument++);
    Values[Name] = V;
    // "+r" operands are an output tied to an input.
    if (!C.Codes.empty() && isDigit(C.Codes[0][0]))
      Values["$" + C.Codes[0]] = V;
  }
  return true;
}

Type *Raiser::typeOf(StringRef Suffix) {
  LLVMContext &C = Call.getContext();
  if (Suffix == "u32" || Suffix == "s32" || Suffix == "b32")
    return Type::getInt32Ty(C);
  if (Suffix == "u64" || Suffix == "s64" || Suffix == "b64")
    return Type::getInt64Ty(C);
  if (Suffix == "u16" || Suffix == "s16" || Suffix == "b16")
    return Type::getInt16Ty(C);
  return nullptr;
}

Value *Raiser::special(StringRef Name, Type *Ty) {
  static const char *const Known[] = {"laneid",      "lanemask_eq", "lanemask_lt",
                                      "lanemask_le", "lanemask_gt", "lanemask_ge",
                                      "warpid",      "clock",       "clock64",
                                      "globaltimer", "dynamic_smem_size"};
  if (!is_contained(Known, Name))
    return nullptr;
  if (!B)
    return Constant::getNullValue(Ty);
  Module *M = B->GetInsertBlock()->getModule();
  Type *Native = Name == "clock64" || Name == "globaltimer" ? B->getInt64Ty()
                                                            : B->getInt32Ty();
  Value *V = B->CreateCall(
      M->getOrInsertFunction(("__hetckpt_" + Name).str(), Native));
  return B->CreateZExtOrTrunc(V, Ty);
}

Value *Raiser::operand(StringRef Text, Type *Ty) {
  // In an asm string, $$ is an escaped $, and %% never occurs.
  if (Text.consume_front("%"))
    return special(Text, Ty);
  if (auto It = Values.find(Text); It != Values.end()) {
    Value *V = It->second;
    if (!V)
      return nullptr;
    if (!B)
      return Constant::getNullValue(Ty);
    if (V->getType() != Ty) {
      if (V->getType()->getPrimitiveSizeInBits() != Ty->getPrimitiveSizeInBits() ||
          V->getType()->isPointerTy())
        return nullptr;
      V = B->CreateBitCast(V, Ty);
    }
    return V;
  }
  APInt N(Ty->getIntegerBitWidth(), 0);
  bool Negative = Text.consume_front("-");
  uint64_t Bits;
  if (Text.getAsInteger(0, Bits))
    return nullptr;
  N = APInt(64, Negative ? -Bits : Bits).trunc(Ty->getIntegerBitWidth());
  return ConstantInt::get(Ty, N);
}

bool Raiser::define(StringRef Name, Value *V) {
  if (!V)
    return false;
  Values[Name] = V;
  return true;
}

bool Raiser::step(const Statement &S) {
  SmallVector<StringRef, 5> Parts;
  S.Opcode.split(Parts, '.');
  StringRef Op = Parts[0];
  if (Op == "membar" || Op == "fence") {
    if (B) {
      StringRef Level = Parts.size() > 1 ? Parts.back() : "gl";
      const char *Name = Level == "cta"                      ? "__hetckpt_fence_block"
                         : Level == "sys" ? "__hetckpt_fence_system"
                                          : "__hetckpt_fence_device";
      Module *M = B->GetInsertBlock()->getModule();
      B->CreateCall(M->getOrInsertFunction(Name, B->getVoidTy()));
    }
    return S.Operands.empty();
  }
  if (Parts.size() < 2)
    return false;
  Type *Ty = typeOf(Parts.back());
  if (!Ty || S.Operands.empty())
    return false;
  bool Signed = Parts.back().starts_with("s");
  auto Has = [&](StringRef P) { return is_contained(ArrayRef(Parts).drop_front(), P); };
  SmallVector<Value *, 4> In;
  for (StringRef O : ArrayRef(S.Operands).drop_front()) {
    Value *V = operand(O, Ty);
    if (!V)
      return false;
    In.push_back(V);
  }
  auto Need = [&](unsigned N) { return In.size() == N; };
  if (!B) {
    // The same decisions as below, without building anything.
    unsigned N = StringSwitch<unsigned>(Op)
                     .Cases({"mov", "brev", "popc", "clz", "not", "neg", "abs"}, 1)
                     .Cases({"add", "sub", "addc", "subc", "mul", "and", "or", "xor",
                             "shl", "shr", "min", "max"}, 2)
                     .Cases({"mad", "madc", "bfe"}, 3)
                     .Default(0);
    if (!N || !Need(N))
      return false;
    if ((Op == "mul" || Op == "mad" || Op == "madc") && !Has("lo") && !Has("hi"))
      return false;
    return define(S.Operands[0], Constant::getNullValue(Ty));
  }

  unsigned Bits = Ty->getIntegerBitWidth();
  auto Wide = [&](Value *V) {
    Type *W = B->getIntNTy(2 * Bits);
    return Signed ? B->CreateSExt(V, W) : B->CreateZExt(V, W);
  };
  auto Product = [&]() -> Value * {
    if (Has("hi"))
      return B->CreateTrunc(B->CreateLShr(B->CreateMul(Wide(In[0]), Wide(In[1])), Bits),
                            Ty);
    return B->CreateMul(In[0], In[1]);
  };
  auto CarryIn = [&]() -> Value * {
    return Carry ? B->CreateZExt(Carry, Ty) : ConstantInt::get(Ty, 0);
  };
  auto Add = [&](Value *L, Value *R, bool In) -> Value * {
    Value *Sum = B->CreateAdd(L, R);
    Value *Out = B->CreateICmpULT(Sum, L);
    if (In) {
      Value *C = CarryIn();
      Value *Again = B->CreateAdd(Sum, C);
      Out = B->CreateOr(Out, B->CreateICmpULT(Again, Sum));
      Sum = Again;
    }
    if (Has("cc"))
      Carry = Out;
    return Sum;
  };
  auto Sub = [&](Value *L, Value *R, bool In) -> Value * {
    Value *Difference = B->CreateSub(L, R);
    Value *Out = B->CreateICmpULT(L, R);
    if (In) {
      Value *C = CarryIn();
      Value *Again = B->CreateSub(Difference, C);
      Out = B->CreateOr(Out, B->CreateICmpULT(Difference, C));
      Difference = Again;
    }
    if (Has("cc"))
      Carry = Out;
    return Difference;
  };
  // PTX clamps shift amounts at the width.
  auto Shift = [&](bool Left) -> Value * {
    Value *Big = B->CreateICmpUGE(In[1], ConstantInt::get(Ty, Bits));
    Value *Amount = B->CreateSelect(Big, ConstantInt::get(Ty, Bits - 1), In[1]);
    if (Left)
      return B->CreateSelect(Big, ConstantInt::get(Ty, 0), B->CreateShl(In[0], Amount));
    if (Signed)
      return B->CreateAShr(In[0], Amount);
    return B->CreateSelect(Big, ConstantInt::get(Ty, 0), B->CreateLShr(In[0], Amount));
  };

  Value *V = nullptr;
  if (Op == "mov")
    V = In[0];
  else if (Op == "add" || Op == "addc")
    V = Add(In[0], In[1], Op == "addc");
  else if (Op == "sub" || Op == "subc")
    V = Sub(In[0], In[1], Op == "subc");
  else if (Op == "mul")
    V = Product();
  else if (Op == "mad" || Op == "madc")
    V = Add(Product(), In[2], Op == "madc");
  else if (Op == "and")
    V = B->CreateAnd(In[0], In[1]);
  else if (Op == "or")
    V = B->CreateOr(In[0], In[1]);
  else if (Op == "xor")
    V = B->CreateXor(In[0], In[1]);
  else if (Op == "not")
    V = B->CreateNot(In[0]);
  else if (Op == "neg")
    V = B->CreateNeg(In[0]);
  else if (Op == "abs")
    V = B->CreateBinaryIntrinsic(Intrinsic::abs, In[0], B->getFalse());
  else if (Op == "shl" || Op == "shr")
    V = Shift(Op == "shl");
  else if (Op == "min" || Op == "max")
    V = B->CreateBinaryIntrinsic(Op == "min" ? (Signed ? Intrinsic::smin : Intrinsic::umin)
                                             : (Signed ? Intrinsic::smax : Intrinsic::umax),
                                 In[0], In[1]);
  else if (Op == "brev")
    V = B->CreateUnaryIntrinsic(Intrinsic::bitreverse, In[0]);
  else if (Op == "popc")
    V = B->CreateUnaryIntrinsic(Intrinsic::ctpop, In[0]);
  else if (Op == "clz")
    V = B->CreateBinaryIntrinsic(Intrinsic::ctlz, In[0], B->getFalse());
  else if (Op == "bfe") {
    Module *M = B->GetInsertBlock()->getModule();
    std::string Name = ("__hetckpt_nvvm_bfe_" + Parts.back()).str();
    V = B->CreateCall(M->getOrInsertFunction(Name, Ty, Ty, Ty, Ty), {In[0], In[1], In[2]});
  }
  return define(S.Operands[0], V);
}

bool Raiser::run() {
  auto *Asm = dyn_cast<InlineAsm>(Call.getCalledOperand());
  if (!Asm || !bind())
    return false;
  auto Statements = parse(Asm->getAsmString());
  if (!Statements)
    return false;
  for (const Statement &S : *Statements)
    if (!step(S))
      return false;
  for (unsigned I = 0; I < Results.size(); ++I)
    if (!Values.lookup("$" + std::to_string(I)))
      return false;
  return true;
}

Value *Raiser::result() {
  auto Get = [&](unsigned I) {
    Value *V = Values.lookup("$" + std::to_string(I));
    return V->getType() == Results[I] ? V : B->CreateBitCast(V, Results[I]);
  };
  if (Results.empty())
    return nullptr;
  if (!isa<StructType>(Call.getType()))
    return Get(0);
  Value *Whole = PoisonValue::get(Call.getType());
  for (unsigned I = 0; I < Results.size(); ++I)
    Whole = B->CreateInsertValue(Whole, Get(I), I);
  return Whole;
}

bool canRaiseInlineAsm(const CallBase &Call) { return Raiser(Call, nullptr).run(); }

Value *raiseInlineAsm(CallBase &Call) {
  IRBuilder<> B(&Call);
  Raiser R(Call, &B);
  if (!R.run())
    return nullptr;
  return R.result();
}

} // namespace hetckpt
