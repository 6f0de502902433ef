// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instructions of inline assembly whose operands are not all of the one type that they name,
// or that name what to do with each bit:
//
//   setp.CMP.TYPE p, a, b       a comparison; set likewise, as a number
//   selp.TYPE d, a, b, p        a choice
//   mul.wide, mad.wide          a product of twice the width
//   dp4a, dp2a.lo, dp2a.hi      a sum of products of bytes; of halves and bytes
//   vadd4, vset2 and the like   the same with each byte, or half, of a word
//   lop3.b32, prmt.b32, bfi, bmsk
#include "image/AsmRaiser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include <optional>

using namespace llvm;

namespace hetckpt {

/// What PTX calls comparisons. With u those of floating-point numbers hold if an operand is
/// NaN, too.
static std::optional<CmpInst::Predicate> predicateOf(StringRef Name, StringRef Type) {
  using P = std::optional<CmpInst::Predicate>;
  bool Signed = Type.starts_with("s");
  if (Type.contains('f'))
    return StringSwitch<P>(Name)
        .Case("eq", CmpInst::FCMP_OEQ)
        .Case("ne", CmpInst::FCMP_ONE)
        .Case("lt", CmpInst::FCMP_OLT)
        .Case("le", CmpInst::FCMP_OLE)
        .Case("gt", CmpInst::FCMP_OGT)
        .Case("ge", CmpInst::FCMP_OGE)
        .Case("equ", CmpInst::FCMP_UEQ)
        .Case("neu", CmpInst::FCMP_UNE)
        .Case("ltu", CmpInst::FCMP_ULT)
        .Case("leu", CmpInst::FCMP_ULE)
        .Case("gtu", CmpInst::FCMP_UGT)
        .Case("geu", CmpInst::FCMP_UGE)
        .Case("num", CmpInst::FCMP_ORD)
        .Case("nan", CmpInst::FCMP_UNO)
        .Default(std::nullopt);
  return StringSwitch<P>(Name)
      .Case("eq", CmpInst::ICMP_EQ)
      .Case("ne", CmpInst::ICMP_NE)
      .Case("lt", Signed ? CmpInst::ICMP_SLT : CmpInst::ICMP_ULT)
      .Case("le", Signed ? CmpInst::ICMP_SLE : CmpInst::ICMP_ULE)
      .Case("gt", Signed ? CmpInst::ICMP_SGT : CmpInst::ICMP_UGT)
      .Case("ge", Signed ? CmpInst::ICMP_SGE : CmpInst::ICMP_UGE)
      .Case("lo", CmpInst::ICMP_ULT)
      .Case("ls", CmpInst::ICMP_ULE)
      .Case("hi", CmpInst::ICMP_UGT)
      .Case("hs", CmpInst::ICMP_UGE)
      .Default(std::nullopt);
}

/// setp.CMP.TYPE, set.CMP.RESULT.TYPE: a predicate; 1.0, or all bits, for true.
bool Raiser::compare(const Statement &S, ArrayRef<StringRef> Parts) {
  bool Predicate = Parts[0] == "setp";
  if (Parts.size() != (Predicate ? 3 : 4))
    return false;
  auto Test = predicateOf(Parts[1], Parts.back());
  Type *Ty = typeOf(Parts.back());
  SmallVector<Value *, 2> In;
  if (!Test || !Ty || !inputs(S, Ty, 2, In) || S.Operands[0].contains('|'))
    return false;
  Type *Bit = Ty->getWithNewType(Type::getInt1Ty(Call.getContext()));
  Type *Result = Predicate ? Bit : typeOf(Parts[2]);
  if (!Result || (Predicate && Ty->isVectorTy()))
    return false;
  bool Number = Result->isFPOrFPVectorTy();
  // The bits of a pair's answers go together like the pair's.
  Type *Wide = Ty->isVectorTy() ? Ty->getWithNewBitWidth(16) : Result;
  if (!Predicate && (Number ? Result->isVectorTy() != Ty->isVectorTy()
                            : Ty->isVectorTy() && !Result->isIntegerTy(32)))
    return false;
  return define(S.Operands[0], Result, [&]() -> Value * {
    Value *Is = B->CreateCmp(*Test, In[0], In[1]);
    if (Predicate)
      return Is;
    return Number ? B->CreateUIToFP(Is, Result)
                  : B->CreateBitCast(B->CreateSExt(Is, Wide), Result);
  });
}

/// selp.TYPE d, a, b, p: p ? a : b.
bool Raiser::select(const Statement &S, ArrayRef<StringRef> Parts) {
  Type *Ty = Parts.size() == 2 ? typeOf(Parts[1]) : nullptr;
  if (!Ty || S.Operands.size() != 4)
    return false;
  Value *L = operand(S.Operands[1], Ty), *R = operand(S.Operands[2], Ty);
  Value *Which = predicate(S.Operands[3]);
  return L && R && Which &&
         define(S.Operands[0], Ty, [&] { return B->CreateSelect(Which, L, R); });
}

/// mul.wide.TYPE d, a, b; mad.wide.TYPE d, a, b, c
bool Raiser::wideProduct(const Statement &S, ArrayRef<StringRef> Parts) {
  StringRef Suffix = Parts.back();
  Type *Ty = Parts.size() == 3 ? typeOf(Suffix) : nullptr;
  bool Adds = Parts[0] == "mad", Signed = Suffix.starts_with("s");
  if (!Ty || !Ty->isIntegerTy() || Ty->getIntegerBitWidth() > 32 ||
      S.Operands.size() != 3u + Adds)
    return false;
  Type *Wide = Ty->getWithNewBitWidth(2 * Ty->getIntegerBitWidth());
  Value *L = operand(S.Operands[1], Ty), *R = operand(S.Operands[2], Ty);
  Value *Sum = Adds ? operand(S.Operands[3], Wide) : nullptr;
  return L && R && (Sum || !Adds) && define(S.Operands[0], Wide, [&] {
           Value *WL = B->CreateIntCast(L, Wide, Signed);
           Value *Product = B->CreateMul(WL, B->CreateIntCast(R, Wide, Signed));
           return Adds ? B->CreateAdd(Product, Sum) : Product;
         });
}

/// dp4a.ATYPE.BTYPE d, a, b, c; dp2a.{lo,hi}: two halves of a with the lower or upper bytes of b.
bool Raiser::dotProduct(const Statement &S, ArrayRef<StringRef> Parts) {
  bool Four = Parts[0] == "dp4a";
  if (Parts.size() != (Four ? 3 : 4) || (!Four && Parts[1] != "lo" && Parts[1] != "hi"))
    return false;
  StringRef A = Parts[Parts.size() - 2], C = Parts.back();
  Type *I32 = Type::getInt32Ty(Call.getContext());
  SmallVector<Value *, 3> In;
  if ((A != "u32" && A != "s32") || (C != "u32" && C != "s32") || !inputs(S, I32, 3, In))
    return false;
  return define(S.Operands[0], I32, [&] {
    // Bits [At, At + Bits) of a word.
    auto Field = [&](Value *V, unsigned At, unsigned Bits, bool Signed) {
      V = B->CreateShl(V, 32 - Bits - At);
      return Signed ? B->CreateAShr(V, 32 - Bits) : B->CreateLShr(V, 32 - Bits);
    };
    Value *Sum = In[2];
    unsigned First = !Four && Parts[1] == "hi" ? 16 : 0, Bits = Four ? 8 : 16;
    for (unsigned N = 0; N < (Four ? 4u : 2u); ++N) {
      Value *L = Field(In[0], Bits * N, Bits, A == "s32");
      Value *R = Field(In[1], First + 8 * N, 8, C == "s32");
      Sum = B->CreateAdd(Sum, B->CreateMul(L, R));
    }
    return Sum;
  });
}

/// vOP{2,4}.DTYPE.ATYPE.BTYPE[.sat|.add] d, a, b, c; vset{2,4}.ATYPE.BTYPE.CMP: all lanes, so that
/// c counts for .add alone, which adds them up.
bool Raiser::lanes(const Statement &S, ArrayRef<StringRef> Parts) {
  unsigned Count = Parts[0].ends_with("4") ? 4 : 2, Bits = 32 / Count;
  StringRef Op = Parts[0].drop_front().drop_back();
  bool Set = Op == "set", Average = Op == "avrg", Difference = Op == "absdiff";
  if (!Set && !Average && !Difference && !is_contained({"add", "sub", "min", "max"}, Op))
    return false;
  if (Parts.size() < 4 || Parts.size() > (Set ? 4u : 5u))
    return false;
  StringRef How = Parts.size() == 5 ? Parts[4] : "";
  auto Types = Parts.slice(1, Set ? 2 : 3);
  auto Test = Set ? predicateOf(Parts[3], Types[0]) : std::nullopt;
  Type *I32 = Type::getInt32Ty(Call.getContext());
  SmallVector<Value *, 3> In;
  if (any_of(Types, [](StringRef T) { return T != "u32" && T != "s32"; }) || (Set && !Test) ||
      !is_contained({"", "sat", "add"}, How) || (Set && Types[0] != Types[1]) || !inputs(S, I32, 3, In))
    return false;
  return define(S.Operands[0], I32, [&]() -> Value * {
    auto *Lane = FixedVectorType::get(B->getIntNTy(Bits), Count);
    auto *Wide = FixedVectorType::get(I32, Count);
    bool Signed = !Set && Types[0] == "s32";
    Value *L = B->CreateIntCast(B->CreateBitCast(In[0], Lane), Wide, Types[Set ? 0 : 1] == "s32");
    Value *R = B->CreateIntCast(B->CreateBitCast(In[1], Lane), Wide, Types[Set ? 1 : 2] == "s32");
    auto Splat = [&](int64_t N) { return ConstantInt::getSigned(Wide, N); };
    auto Least = [&](Value *X, Value *Y) { return B->CreateBinaryIntrinsic(Intrinsic::smin, X, Y); };
    auto Most = [&](Value *X, Value *Y) { return B->CreateBinaryIntrinsic(Intrinsic::smax, X, Y); };
    Value *V = Set          ? B->CreateZExt(B->CreateICmp(*Test, L, R), Wide)
               : Op == "add" ? B->CreateAdd(L, R)
               : Op == "sub" ? B->CreateSub(L, R)
               : Op == "min" ? Least(L, R)
               : Op == "max" ? Most(L, R)
               : Difference  ? B->CreateBinaryIntrinsic(Intrinsic::abs, B->CreateSub(L, R), B->getFalse())
                             : B->CreateAdd(L, R);
    if (Average) // halves are rounded away from zero
      V = B->CreateAShr(B->CreateAdd(V, B->CreateZExt(B->CreateICmpSGE(V, Splat(0)), Wide)), 1);
    if (How == "add")
      return B->CreateAdd(B->CreateUnaryIntrinsic(Intrinsic::vector_reduce_add, V), In[2]);
    if (How == "sat") {
      int64_t Top = Signed ? (int64_t(1) << (Bits - 1)) - 1 : (int64_t(1) << Bits) - 1;
      V = Least(Most(V, Splat(Signed ? -Top - 1 : 0)), Splat(Top));
    }
    return B->CreateBitCast(B->CreateTrunc(V, Lane), I32);
  });
}

/// Bit 4a + 2b + c of the table is the answer for the bits a, b, c.
static Value *lookUp(IRBuilder<> &B, ArrayRef<Value *> In, unsigned Table) {
  Value *Any = B.getInt32(0);
  for (unsigned Row = 0; Row < 8; ++Row) {
    if (!(Table >> Row & 1))
      continue;
    Value *All = nullptr;
    for (unsigned N = 0; N < 3; ++N) {
      Value *V = Row >> (2 - N) & 1 ? In[N] : B.CreateNot(In[N]);
      All = All ? B.CreateAnd(All, V) : V;
    }
    Any = B.CreateOr(Any, All);
  }
  return Any;
}

/// Each of four nibbles of the selector picks a byte of b:a, or its sign.
static Value *permute(IRBuilder<> &B, ArrayRef<Value *> In) {
  Type *I32 = B.getInt32Ty(), *I64 = B.getInt64Ty();
  Value *From = B.CreateOr(B.CreateShl(B.CreateZExt(In[1], I64), 32), B.CreateZExt(In[0], I64));
  Value *Whole = B.getInt32(0);
  for (unsigned N = 0; N < 4; ++N) {
    Value *Nibble = B.CreateAnd(B.CreateLShr(In[2], 4 * N), B.getInt32(15));
    Value *At = B.CreateShl(B.CreateZExt(B.CreateAnd(Nibble, B.getInt32(7)), I64), 3);
    Value *Byte = B.CreateTrunc(B.CreateLShr(From, At), B.getInt8Ty());
    Value *Sign = B.CreateAShr(Byte, 7);
    Value *V = B.CreateSelect(B.CreateICmpUGE(Nibble, B.getInt32(8)), Sign, Byte);
    Whole = B.CreateOr(Whole, B.CreateShl(B.CreateZExt(V, I32), 8 * N));
  }
  return Whole;
}

/// Length bits from bit At on.
static Value *mask(IRBuilder<> &B, Value *At, Value *Length, Type *Ty) {
  Value *One = ConstantInt::get(At->getType(), 1);
  return B.CreateTrunc(B.CreateShl(B.CreateSub(B.CreateShl(One, Length), One), At), Ty);
}

bool Raiser::bits(const Statement &S, ArrayRef<StringRef> Parts) {
  StringRef Op = Parts[0];
  Type *Ty = typeOf(Parts.back()), *I32 = Type::getInt32Ty(Call.getContext());
  auto Modifiers = ArrayRef(Parts).drop_front().drop_back(Parts.size() > 1);
  bool Masks = Op == "bmsk", Inserts = Op == "bfi";
  bool Wraps = Masks && Modifiers.size() == 1 && Modifiers[0] == "wrap";
  if (!Ty || !Ty->isIntegerTy() || (!Inserts && Ty != I32) ||
      (Masks ? Modifiers.size() != 1 || (!Wraps && Modifiers[0] != "clamp") : !Modifiers.empty()))
    return false;
  unsigned Count = Masks ? 2 : Op == "prmt" ? 3 : 4;
  if (S.Operands.size() != Count + 1)
    return false;
  SmallVector<Value *, 4> In;
  for (unsigned N = 0; N < Count; ++N) {
    StringRef Name = S.Operands[N + 1];
    // A table must be known.
    if (Value *V = Values.lookup(Name); V && Op == "lop3" && N == 3 && !isa<ConstantInt>(V))
      return false;
    In.push_back(operand(Name, Inserts && N >= 2 ? I32 : Ty));
    if (!In.back())
      return false;
  }
  unsigned Bits = Ty->getIntegerBitWidth();
  return define(S.Operands[0], Ty, [&]() -> Value * {
    if (Op == "lop3")
      return lookUp(*B, In, cast<ConstantInt>(In[3])->getZExtValue());
    if (Op == "prmt")
      return permute(*B, In);
    // Twice the width holds what is shifted out of it. Positions and lengths stop there.
    Type *Wide = Ty->getWithNewBitWidth(2 * Bits);
    auto Bounded = [&](Value *V) {
      V = Wraps     ? B->CreateAnd(V, B->getInt32(Bits - 1))
          : Inserts ? B->CreateAnd(V, B->getInt32(255))
                    : V;
      return B->CreateZExt(B->CreateBinaryIntrinsic(Intrinsic::umin, V, B->getInt32(Bits)), Wide);
    };
    Value *At = Bounded(In[Count - 2]), *Length = Bounded(In[Count - 1]);
    Value *Mask = mask(*B, At, Length, Ty);
    if (Masks)
      return Mask;
    Value *Field = B->CreateTrunc(B->CreateShl(B->CreateZExt(In[0], Wide), At), Ty);
    return B->CreateOr(B->CreateAnd(Field, Mask), B->CreateAnd(In[1], B->CreateNot(Mask)));
  });
}

} // namespace hetckpt
