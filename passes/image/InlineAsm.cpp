// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "image/AsmRaiser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"
#include <optional>

using namespace llvm;

namespace hetckpt {

namespace {

/// Operands between commas; one in braces is one operand.
void splitOperands(StringRef Text, SmallVectorImpl<StringRef> &Out) {
  while (!(Text = Text.ltrim()).empty()) {
    size_t End = Text.find(',', Text.starts_with("{") ? Text.find('}') : 0);
    Out.push_back(Text.take_front(End).trim());
    Text = End == StringRef::npos ? "" : Text.drop_front(End + 1);
  }
}

/// Statements of a snippet; empty optional if it has labels or declarations other than those
/// of registers.
std::optional<SmallVector<Statement, 8>> parse(StringRef Text) {
  SmallVector<Statement, 8> Out;
  SmallVector<StringRef, 8> Parts;
  // Registers by the block that declares them. One that hides another would be taken for
  // it here.
  SmallVector<StringSet<>, 3> Blocks(1);
  SplitString(Text, Parts, ";\n\r");
  for (StringRef Part : Parts) {
    for (Part = Part.trim(); Part.starts_with("{") || Part.starts_with("}");
         Part = Part.drop_front().ltrim()) {
      if (Part.starts_with("{"))
        Blocks.emplace_back();
      else if (Blocks.size() > 1)
        Blocks.pop_back();
      else
        return std::nullopt;
    }
    if (Part.ends_with("}") && !Part.contains('{'))
      Part = Part.rtrim("} \t");
    if (Part.empty() || Part.starts_with("//"))
      continue;
    Statement S;
    if (Part.consume_front("@")) {
      S.Unless = Part.consume_front("!");
      S.Guard = Part.take_front(Part.find_first_of(" \t"));
      Part = Part.drop_front(S.Guard.size()).ltrim();
    }
    size_t End = Part.find_first_of(" \t");
    S.Opcode = Part.take_front(End);
    splitOperands(Part.drop_front(S.Opcode.size()), S.Operands);
    if (S.Opcode == ".reg" && !S.Operands.empty()) {
      // ".reg .u32 a, b" as well as ".reg.u32 a, b".
      S.Operands[0] = S.Operands[0].split(' ').second.trim();
      S.Opcode = ".reg.";
    }
    if (S.Opcode.starts_with(".reg.")) {
      if (any_of(S.Operands, [](StringRef N) { return N.empty() || N.contains('<'); }))
        return std::nullopt;
      for (StringRef Name : S.Operands) {
        if (any_of(Blocks, [&](const StringSet<> &B) { return B.contains(Name); }))
          return std::nullopt;
        Blocks.back().insert(Name);
      }
      continue;
    }
    if (S.Opcode.starts_with(".") || S.Opcode.ends_with(":"))
      return std::nullopt;
    Out.push_back(S);
  }
  return Out;
}

/// What an instruction of PTX looks like here.
struct Shape {
  unsigned Inputs;
  /// Inputs from this one on have 32 bits whatever the instruction's type: amounts of
  /// shifts, positions of bit fields.
  unsigned Counts = 9;
  bool CountResult = false; ///< the result has 32 bits whatever the type
  bool Adds = false;        ///< may set, or take, the carry
  bool Halves = false;      ///< says which half of a product
};

std::optional<Shape> shapeOf(StringRef Op) {
  return StringSwitch<std::optional<Shape>>(Op)
      .Cases({"mov", "brev", "not", "neg", "abs"}, Shape{1})
      .Cases({"popc", "clz"}, Shape{1, 9, true})
      .Cases({"add", "sub", "addc", "subc"}, Shape{2, 9, false, true})
      .Case("mul", Shape{2, 9, false, false, true})
      .Cases({"and", "or", "xor", "min", "max"}, Shape{2})
      .Cases({"shl", "shr"}, Shape{2, 1})
      .Cases({"mad", "madc"}, Shape{3, 9, false, true, true})
      .Case("bfe", Shape{3, 1})
      .Case("shf", Shape{3, 2})
      .Default(std::nullopt);
}

} // namespace

bool sameBits(Type *From, Type *To) {
  return From == To || (From->getPrimitiveSizeInBits() == To->getPrimitiveSizeInBits() &&
                        !From->isPtrOrPtrVectorTy() && !To->isPtrOrPtrVectorTy());
}

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
  if (Suffix == "pred")
    return Type::getInt1Ty(C);
  if (Suffix == "u32" || Suffix == "s32" || Suffix == "b32")
    return Type::getInt32Ty(C);
  if (Suffix == "u64" || Suffix == "s64" || Suffix == "b64")
    return Type::getInt64Ty(C);
  if (Suffix == "u16" || Suffix == "s16" || Suffix == "b16")
    return Type::getInt16Ty(C);
  if (Suffix == "u8" || Suffix == "s8" || Suffix == "b8")
    return Type::getInt8Ty(C);
  if (Suffix == "f32")
    return Type::getFloatTy(C);
  if (Suffix == "f64")
    return Type::getDoubleTy(C);
  if (Suffix == "f16")
    return Type::getHalfTy(C);
  if (Suffix == "bf16")
    return Type::getBFloatTy(C);
  if (Suffix == "f16x2")
    return FixedVectorType::get(Type::getHalfTy(C), 2);
  if (Suffix == "bf16x2")
    return FixedVectorType::get(Type::getBFloatTy(C), 2);
  return nullptr;
}

Value *Raiser::special(StringRef Name, Type *Ty) {
  static const char *const Known[] = {"laneid",      "lanemask_eq", "lanemask_lt",
                                      "lanemask_le", "lanemask_gt", "lanemask_ge",
                                      "warpid",      "clock",       "clock64",
                                      "globaltimer", "dynamic_smem_size"};
  // Which thread and block this is: blocks of a variant have other numbers than the
  // hardware's, so these are adopted before there are variants.
  bool Id = is_contained({"tid.x", "tid.y", "tid.z", "ntid.x", "ntid.y", "ntid.z", "ctaid.x",
                          "ctaid.y", "ctaid.z", "nctaid.x", "nctaid.y", "nctaid.z"},
                         Name);
  if (Form == RaiseAsm::Native || !(is_contained(Known, Name) || (Id && Form == RaiseAsm::Adopted)))
    return nullptr;
  Matters |= Id;
  if (!B)
    return Constant::getNullValue(Ty);
  Module *M = B->GetInsertBlock()->getModule();
  Type *Native = Name == "clock64" || Name == "globaltimer" ? B->getInt64Ty()
                                                            : B->getInt32Ty();
  if (Form == RaiseAsm::Adopted) {
    std::string Register = Name.str();
    if (Name.starts_with("lanemask_"))
      Register.replace(strlen("lanemask"), 1, ".");
    return B->CreateZExtOrTrunc(intrinsic("read.ptx.sreg." + Register, Native, {}), Ty);
  }
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
    if (!V || !sameBits(V->getType(), Ty))
      return nullptr;
    if (!B)
      return Constant::getNullValue(Ty);
    return V->getType() == Ty ? V : B->CreateBitCast(V, Ty);
  }
  if (Text.consume_front("{")) {
    // Two halves, the lower one first.
    auto [Low, High] = Text.drop_back().split(',');
    unsigned Bits = Ty->getPrimitiveSizeInBits() / 2;
    Type *Part = Type::getIntNTy(Call.getContext(), Bits);
    Value *L = Ty->isIntegerTy() ? operand(Low.trim(), Part) : nullptr;
    Value *H = L ? operand(High.trim(), Part) : nullptr;
    if (!H || !B)
      return H ? Constant::getNullValue(Ty) : nullptr;
    return B->CreateOr(B->CreateZExt(L, Ty), B->CreateShl(B->CreateZExt(H, Ty), Bits));
  }
  if (!Ty->isIntegerTy())
    return nullptr;
  if (Text == "WARP_SZ")
    return ConstantInt::get(Ty, 32);
  Text.consume_back("U");
  APInt N(Ty->getIntegerBitWidth(), 0);
  bool Negative = Text.consume_front("-");
  uint64_t Bits;
  if (Text.getAsInteger(0, Bits))
    return nullptr;
  N = APInt(64, Negative ? -Bits : Bits).trunc(Ty->getIntegerBitWidth());
  return ConstantInt::get(Ty, N);
}

std::optional<uint64_t> Raiser::constant(StringRef Text) {
  uint64_t N;
  if (auto It = Values.find(Text); It != Values.end())
    if (auto *C = dyn_cast_or_null<ConstantInt>(It->second))
      return C->getZExtValue();
  if (Text.getAsInteger(0, N))
    return std::nullopt;
  return N;
}

Value *Raiser::low(StringRef Text, Type *Ty) {
  Value *V = Values.lookup(Text);
  if (!V || !V->getType()->isIntegerTy() || !Ty->isIntegerTy() ||
      V->getType()->getIntegerBitWidth() <= Ty->getIntegerBitWidth())
    return operand(Text, Ty);
  return B ? B->CreateTrunc(V, Ty) : Constant::getNullValue(Ty);
}

Value *Raiser::predicate(StringRef Text) {
  bool Not = Text.consume_front("!");
  Value *V = operand(Text.trim(), Type::getInt1Ty(Call.getContext()));
  return V && Not && B ? B->CreateNot(V) : V;
}

bool Raiser::define(StringRef Name, Value *V) {
  if (!V)
    return false;
  if (Name.consume_front("{")) {
    auto [Low, High] = Name.drop_back().split(',');
    Type *Ty = V->getType();
    if (!Ty->isIntegerTy())
      return false;
    unsigned Bits = Ty->getIntegerBitWidth() / 2;
    Type *Part = Type::getIntNTy(Call.getContext(), Bits);
    Values[Low.trim()] = B ? B->CreateTrunc(V, Part) : Constant::getNullValue(Part);
    Values[High.trim()] =
        B ? B->CreateTrunc(B->CreateLShr(V, Bits), Part) : Constant::getNullValue(Part);
    return true;
  }
  Values[Name] = V;
  return true;
}

bool Raiser::define(StringRef Name, Type *Ty, function_ref<Value *()> Make) {
  return define(Name, B ? Make() : Constant::getNullValue(Ty));
}

bool Raiser::defineLow(StringRef Name, Value *V, bool Signed) {
  unsigned N;
  StringRef Digits = Name;
  if (Digits.consume_front("$") && !Digits.getAsInteger(10, N) && N < Results.size() &&
      Results[N]->isIntegerTy() &&
      Results[N]->getIntegerBitWidth() > V->getType()->getIntegerBitWidth())
    return define(Name, Results[N], [&] { return B->CreateIntCast(V, Results[N], Signed); });
  return define(Name, V);
}

/// membar.LEVEL, fence[.ORDER].SCOPE. Fences between proxies and those of barrier objects
/// have no neutral form.
bool Raiser::fence(ArrayRef<StringRef> Parts) {
  StringRef Level = Parts.back();
  if (Parts[0] == "membar" ? Parts.size() != 2
                           : Parts.size() != 2 && Parts.size() != 3)
    return false;
  if (Parts.size() == 3 && Parts[1] != "sc" && Parts[1] != "acq_rel" &&
      Parts[1] != "acquire" && Parts[1] != "release")
    return false;
  if (Form == RaiseAsm::Native)
    return false;
  bool Adopted = Form == RaiseAsm::Adopted;
  const char *Name =
      StringSwitch<const char *>(Level)
          .Case("cta", Adopted ? "llvm.nvvm.membar.cta" : "__hetckpt_fence_block")
          .Cases({"gl", "gpu", "cluster"},
                 Adopted ? "llvm.nvvm.membar.gl" : "__hetckpt_fence_device")
          .Case("sys", Adopted ? "llvm.nvvm.membar.sys" : "__hetckpt_fence_system")
          .Default(nullptr);
  if (!Name)
    return false;
  Acts = true;
  if (B) {
    Module *M = B->GetInsertBlock()->getModule();
    B->CreateCall(M->getOrInsertFunction(Name, B->getVoidTy()));
  }
  return true;
}

/// mov.b64 between a register and the two halves of one, low half first.
bool Raiser::pair(const Statement &S) {
  LLVMContext &C = Call.getContext();
  Type *I32 = Type::getInt32Ty(C), *I64 = Type::getInt64Ty(C);
  if (S.Opcode != "mov.b64" || S.Operands.size() != 2)
    return false;
  StringRef To = S.Operands[0], From = S.Operands[1];
  bool Splits = To.consume_front("{");
  if (Splits == From.consume_front("{") || !(Splits ? To : From).consume_back("}"))
    return false;
  auto [Low, High] = (Splits ? To : From).split(',');
  Low = Low.trim(), High = High.trim();
  if (Splits) {
    Value *V = operand(From, I64);
    if (!V)
      return false;
    if (!B)
      return define(Low, Constant::getNullValue(I32)) &&
             define(High, Constant::getNullValue(I32));
    return define(Low, B->CreateTrunc(V, I32)) &&
           define(High, B->CreateTrunc(B->CreateLShr(V, 32), I32));
  }
  Value *L = operand(Low, I32), *H = operand(High, I32);
  if (!L || !H)
    return false;
  return define(To, B ? B->CreateOr(B->CreateShl(B->CreateZExt(H, I64), 32),
                                    B->CreateZExt(L, I64))
                      : Constant::getNullValue(I64));
}

/// By how much a word can be shifted left before its highest bit falls out.
bool Raiser::highestBit(const Statement &S) {
  Type *Ty = Type::getInt32Ty(Call.getContext());
  Value *V = S.Operands.size() == 2 ? operand(S.Operands[1], Ty) : nullptr;
  return V && define(S.Operands[0], Ty, [&] {
    return B->CreateSelect(B->CreateIsNull(V), ConstantInt::getAllOnesValue(Ty),
                           B->CreateBinaryIntrinsic(Intrinsic::ctlz, V, B->getFalse()));
  });
}

/// @p OP: computed in any case, and taken if p. So OP must do nothing but compute.
bool Raiser::guarded(const Statement &S) {
  if (S.Operands.empty())
    return false;
  bool Before = Acts;
  StringRef To = S.Operands[0];
  Value *Old = Values.lookup(To), *OldCarry = Carry;
  Value *Guard = operand(S.Guard, Type::getInt1Ty(Call.getContext()));
  Acts = false;
  if (To.starts_with("{") || To.starts_with("[") || To.contains('|') || !Guard || !step(S) ||
      Acts || Carry != OldCarry)
    return false;
  Acts = Before;
  Value *New = Values.lookup(To);
  if (Old && New && !sameBits(Old->getType(), New->getType()))
    return false;
  if (!Old || !New || !B)
    return New != nullptr;
  if (Old->getType() != New->getType())
    Old = B->CreateBitCast(Old, New->getType());
  Values[To] = S.Unless ? B->CreateSelect(Guard, Old, New) : B->CreateSelect(Guard, New, Old);
  return true;
}

bool Raiser::step(const Statement &S) {
  if (Form != RaiseAsm::Native) {
    if (S.Opcode == "mov.b64" &&
        any_of(S.Operands, [](StringRef O) { return O.starts_with("{"); }))
      return pair(S);
    if (S.Opcode == "bfind.shiftamt.u32")
      return highestBit(S);
  }
  SmallVector<StringRef, 5> Parts;
  S.Opcode.split(Parts, '.');
  StringRef Op = Parts[0];
  if (is_contained({"ld", "st", "atom", "red"}, Op))
    return memory(S, Parts);
  if (S.Opcode.starts_with("cp.async."))
    return copyAsync(S, ArrayRef(Parts).drop_front());
  // Hints, and the order of a grid after one that the runtime has waited for.
  if ((Op == "prefetch" || Op == "prefetchu" || Op == "griddepcontrol") && Form != RaiseAsm::Native) {
    Acts = true;
    return true;
  }
  if (is_contained({"shfl", "vote", "match", "redux", "activemask", "bar", "barrier", "nanosleep",
                    "exit", "trap"},
                   Op))
    return threads(S, Parts);
  if (Op == "membar" || Op == "fence")
    return S.Operands.empty() && fence(Parts);
  if (Op == "set" || Op == "setp")
    return compare(S, Parts);
  if (Op == "selp")
    return select(S, Parts);
  if (is_contained({"lop3", "prmt", "bfi", "bmsk"}, Op))
    return bits(S, Parts);
  if ((Op == "mul" || Op == "mad") && is_contained(Parts, "wide"))
    return wideProduct(S, Parts);
  if (Op == "dp4a" || Op == "dp2a")
    return dotProduct(S, Parts);
  if (Op.starts_with("v") && (Op.ends_with("2") || Op.ends_with("4")))
    return lanes(S, Parts);
  Type *Last = typeOf(Parts.back());
  if (Op == "cvt" || (Last && Last->isFPOrFPVectorTy()))
    return floating(S, Parts);
  if (Op == "bfe" && Form != RaiseAsm::Neutral)
    return false;
  std::optional<Shape> Is = shapeOf(Op);
  if (!Is || Parts.size() < 2 || S.Operands.size() != Is->Inputs + 1)
    return false;
  Type *Ty = typeOf(Parts.back());
  if (!Ty)
    return false;
  // Whatever else an instruction says changes what it computes (.sat, .relu, .wide).
  auto Modifiers = ArrayRef(Parts).drop_front().drop_back();
  bool Carries = is_contained(Modifiers, "cc"), Half = false;
  if (Op == "shf") {
    if (Modifiers.size() != 2 || Parts.back() != "b32" ||
        (Modifiers[0] != "l" && Modifiers[0] != "r") ||
        (Modifiers[1] != "wrap" && Modifiers[1] != "clamp"))
      return false;
    Modifiers = {};
  }
  for (StringRef M : Modifiers) {
    bool IsHalf = M == "lo" || M == "hi";
    if ((M == "cc" && Is->Adds) || (IsHalf && Is->Halves && !Half))
      Half |= IsHalf;
    else
      return false;
  }
  if (Half != Is->Halves)
    return false;
  // A carry from another snippet: nothing says that it is still there.
  if (Op.ends_with("c") && Is->Adds && !Carry)
    return false;

  Type *I32 = Type::getInt32Ty(Call.getContext());
  SmallVector<Value *, 4> In;
  for (auto [Index, O] : enumerate(ArrayRef(S.Operands).drop_front())) {
    Value *V = operand(O, Index >= Is->Counts ? I32 : Ty);
    if (!V)
      return false;
    In.push_back(V);
  }
  Type *Result = Is->CountResult ? I32 : Ty;
  if (B)
    return define(S.Operands[0], build(Op, ArrayRef(Parts).drop_front().drop_back(),
                                       Parts.back(), Ty, In));
  if (Carries)
    Carry = ConstantInt::getFalse(Call.getContext());
  return define(S.Operands[0], Constant::getNullValue(Result));
}

Value *Raiser::build(StringRef Op, ArrayRef<StringRef> Modifiers, StringRef Suffix,
                     Type *Ty, ArrayRef<Value *> In) {
  bool Signed = Suffix.starts_with("s");
  auto Has = [&](StringRef P) { return is_contained(Modifiers, P); };
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
  auto CarryIn = [&]() -> Value * { return B->CreateZExt(Carry, Ty); };
  auto Add = [&](Value *L, Value *R, bool In) -> Value * {
    Value *Sum = B->CreateAdd(L, R);
    Value *Out = Has("cc") ? B->CreateICmpULT(Sum, L) : nullptr;
    if (In) {
      Value *Again = B->CreateAdd(Sum, CarryIn());
      if (Out)
        Out = B->CreateOr(Out, B->CreateICmpULT(Again, Sum));
      Sum = Again;
    }
    if (Out)
      Carry = Out;
    return Sum;
  };
  auto Sub = [&](Value *L, Value *R, bool In) -> Value * {
    Value *Difference = B->CreateSub(L, R);
    Value *Out = Has("cc") ? B->CreateICmpULT(L, R) : nullptr;
    if (In) {
      Value *C = CarryIn();
      Value *Again = B->CreateSub(Difference, C);
      if (Out)
        Out = B->CreateOr(Out, B->CreateICmpULT(Difference, C));
      Difference = Again;
    }
    if (Out)
      Carry = Out;
    return Difference;
  };
  // PTX clamps shift amounts at the width.
  auto Shift = [&](bool Left) -> Value * {
    Value *Big = B->CreateICmpUGE(In[1], B->getInt32(Bits));
    Value *Amount = B->CreateZExtOrTrunc(
        B->CreateSelect(Big, B->getInt32(Bits - 1), In[1]), Ty);
    if (Left)
      return B->CreateSelect(Big, ConstantInt::get(Ty, 0), B->CreateShl(In[0], Amount));
    if (Signed)
      return B->CreateAShr(In[0], Amount);
    return B->CreateSelect(Big, ConstantInt::get(Ty, 0), B->CreateLShr(In[0], Amount));
  };

  // In[0] is the low word of what is shifted, In[1] the high one.
  auto Funnel = [&]() -> Value * {
    if (Has("wrap"))
      return B->CreateIntrinsic(Has("l") ? Intrinsic::fshl : Intrinsic::fshr, {Ty},
                                {In[1], In[0], In[2]});
    Type *I64 = B->getInt64Ty();
    Value *Both = B->CreateOr(B->CreateShl(B->CreateZExt(In[1], I64), Bits),
                              B->CreateZExt(In[0], I64));
    Value *Amount = B->CreateZExt(
        B->CreateBinaryIntrinsic(Intrinsic::umin, In[2], B->getInt32(Bits)), I64);
    if (Has("l"))
      return B->CreateTrunc(B->CreateLShr(B->CreateShl(Both, Amount), Bits), Ty);
    return B->CreateTrunc(B->CreateLShr(Both, Amount), Ty);
  };

  if (Op == "shf")
    return Funnel();
  if (Op == "mov")
    return In[0];
  if (Op == "add" || Op == "addc")
    return Add(In[0], In[1], Op == "addc");
  if (Op == "sub" || Op == "subc")
    return Sub(In[0], In[1], Op == "subc");
  if (Op == "mul")
    return Product();
  if (Op == "mad" || Op == "madc")
    return Add(Product(), In[2], Op == "madc");
  if (Op == "and")
    return B->CreateAnd(In[0], In[1]);
  if (Op == "or")
    return B->CreateOr(In[0], In[1]);
  if (Op == "xor")
    return B->CreateXor(In[0], In[1]);
  if (Op == "not")
    return B->CreateNot(In[0]);
  if (Op == "neg")
    return B->CreateNeg(In[0]);
  if (Op == "abs")
    return B->CreateBinaryIntrinsic(Intrinsic::abs, In[0], B->getFalse());
  if (Op == "shl" || Op == "shr")
    return Shift(Op == "shl");
  if (Op == "min" || Op == "max")
    return B->CreateBinaryIntrinsic(Op == "min" ? (Signed ? Intrinsic::smin : Intrinsic::umin)
                                             : (Signed ? Intrinsic::smax : Intrinsic::umax),
                                 In[0], In[1]);
  if (Op == "brev")
    return B->CreateUnaryIntrinsic(Intrinsic::bitreverse, In[0]);
  if (Op == "popc")
    return B->CreateZExtOrTrunc(B->CreateUnaryIntrinsic(Intrinsic::ctpop, In[0]),
                                B->getInt32Ty());
  if (Op == "clz")
    return B->CreateZExtOrTrunc(
        B->CreateBinaryIntrinsic(Intrinsic::ctlz, In[0], B->getFalse()), B->getInt32Ty());
  // bfe
  Module *M = B->GetInsertBlock()->getModule();
  Type *I32 = B->getInt32Ty();
  return B->CreateCall(
      M->getOrInsertFunction(("__hetckpt_nvvm_bfe_" + Suffix).str(), Ty, Ty, I32, I32), In);
}

bool Raiser::run() {
  auto *Asm = dyn_cast<InlineAsm>(Call.getCalledOperand());
  if (!Asm || !bind())
    return false;
  auto Statements = parse(Asm->getAsmString());
  if (!Statements)
    return false;
  for (const Statement &S : *Statements)
    if (!(S.Guard.empty() ? step(S) : guarded(S)))
      return false;
  if (Form == RaiseAsm::Adopted && !Matters)
    return false;
  for (unsigned I = 0; I < Results.size(); ++I)
    if (Value *V = Values.lookup("$" + std::to_string(I));
        !V || !sameBits(V->getType(), Results[I]))
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

bool canRaiseInlineAsm(const CallBase &Call, RaiseAsm Form) {
  return Raiser(Call, nullptr, Form).run();
}

Value *raiseInlineAsm(CallBase &Call, RaiseAsm Form) {
  IRBuilder<> B(&Call);
  Raiser R(Call, &B, Form);
  if (!R.run())
    return nullptr;
  return R.result();
}

bool inlineAsmWaits(const CallBase &Call, function_ref<bool(const Value *)> Invariant) {
  Raiser R(Call, nullptr, RaiseAsm::Neutral);
  return R.run() && R.waits(Invariant);
}

} // namespace hetckpt
