// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Floating point of inline assembly: what libdevice and CUDA's headers of half precision
// are made of. Half precision is computed in single and rounded once more, which for sums
// and products gives the same bits as rounding once.
#include "image/AsmRaiser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace hetckpt {

/// Whether the function takes single-precision denormals as zero, which its inline
/// assembly does not.
static bool flushes(const Function &F) {
  for (const char *Name : {"denormal-fp-math-f32", "denormal-fp-math"})
    if (StringRef Mode = F.getFnAttribute(Name).getValueAsString(); !Mode.empty())
      return Mode.starts_with("preserve-sign");
  return false;
}

static bool isHalf(const Type *Ty) { return Ty->getScalarSizeInBits() == 16; }

/// Whether values of type Ty have no denormals where single precision has none: bfloat has
/// the exponents of single precision, and is computed there.
static bool isSingle(const Type *Ty) {
  return Ty->getScalarType()->isFloatTy() || Ty->getScalarType()->isBFloatTy();
}

bool Raiser::inputs(const Statement &S, Type *Ty, unsigned Count,
                    SmallVectorImpl<Value *> &In) {
  if (S.Operands.size() != Count + 1)
    return false;
  for (StringRef O : ArrayRef(S.Operands).drop_front()) {
    In.push_back(operand(O, Ty));
    if (!In.back())
      return false;
  }
  return true;
}

/// An approximate instruction keeps its name behind __hetckpt_nvvm_; of pairs each element.
bool Raiser::approximate(const Statement &S, StringRef Op, ArrayRef<StringRef> Modifiers,
                         Type *Ty) {
  Type *One = Ty->getScalarType();
  bool Flush = Modifiers.size() == 2 && Modifiers[1] == "ftz";
  bool Known = is_contained({"ex2", "lg2", "sin", "cos", "rcp", "rsqrt", "sqrt", "div"}, Op);
  if (Modifiers.size() > 2 || (Modifiers.size() == 2 && !Flush))
    return false;
  if (One->isFloatTy() ? !Known && (Op != "tanh" || Flush)
      : isHalf(Ty)     ? Op != "ex2" && (Op != "tanh" || Flush)
                       : !(Op == "rcp" && Flush) && Op != "rsqrt")
    return false;
  // Native code has its own names for them.
  if (Form == RaiseAsm::Adopted)
    return false;
  SmallVector<Value *, 2> In;
  if (!inputs(S, Ty, Op == "div" ? 2 : 1, In))
    return false;
  return define(S.Operands[0], Ty, [&]() -> Value * {
    std::string Name = ("__hetckpt_nvvm_" + Op + "_" + join(Modifiers, "_")).str();
    if (Modifiers[0] != "full")
      Name += One->isFloatTy()    ? "_f"
              : One->isDoubleTy() ? "_d"
              : One->isHalfTy()   ? "_f16"
                                  : "_bf16";
    SmallVector<Type *, 2> Types(In.size(), One);
    FunctionCallee Callee = B->GetInsertBlock()->getModule()->getOrInsertFunction(
        Name, FunctionType::get(One, Types, false));
    if (!Ty->isVectorTy())
      return B->CreateCall(Callee, In);
    Value *Whole = PoisonValue::get(Ty);
    for (unsigned I = 0; I < 2; ++I) {
      SmallVector<Value *, 2> Parts;
      for (Value *V : In)
        Parts.push_back(B->CreateExtractElement(V, I));
      Whole = B->CreateInsertElement(Whole, B->CreateCall(Callee, Parts), I);
    }
    return Whole;
  });
}

static Value *roundToInteger(IRBuilder<> &B, StringRef Mode, Value *V) {
  Intrinsic::ID Id = Mode == "rni"   ? Intrinsic::roundeven
                     : Mode == "rzi" ? Intrinsic::trunc
                     : Mode == "rmi" ? Intrinsic::floor
                                     : Intrinsic::ceil;
  return B.CreateUnaryIntrinsic(Id, V);
}

/// V in the narrower type Ty, rounded as Mode says: to the nearest, and one step from
/// there if that is on the wrong side.
static Value *narrow(IRBuilder<> &B, StringRef Mode, Value *V, Type *Ty) {
  Value *Nearest = B.CreateFPTrunc(V, Ty);
  if (Mode == "rn")
    return Nearest;
  Value *Back = B.CreateFPExt(Nearest, V->getType());
  Type *Word = Ty->getWithNewBitWidth(16);
  auto Number = [&](uint64_t N) { return ConstantInt::get(Word, N); };
  Value *Bits = B.CreateBitCast(Nearest, Word);
  Value *Smaller = B.CreateSub(Bits, Number(1)), *Larger = B.CreateAdd(Bits, Number(1));
  Value *Negative = B.CreateICmpSLT(Bits, Number(0));
  Value *Zero = B.CreateIsNull(B.CreateAnd(Bits, Number(0x7fff)));
  Value *Off, *Step;
  if (Mode == "rz") {
    Off = B.CreateFCmpOGT(B.CreateUnaryIntrinsic(Intrinsic::fabs, Back),
                          B.CreateUnaryIntrinsic(Intrinsic::fabs, V));
    Step = Smaller;
  } else if (Mode == "rm") {
    Off = B.CreateFCmpOGT(Back, V);
    Step = B.CreateSelect(Zero, Number(0x8001), B.CreateSelect(Negative, Larger, Smaller));
  } else {
    Off = B.CreateFCmpOLT(Back, V);
    Step = B.CreateSelect(Zero, Number(1), B.CreateSelect(Negative, Smaller, Larger));
  }
  return B.CreateBitCast(B.CreateSelect(Off, Step, Bits), Ty);
}

/// An integer in double precision, from where it is rounded: code generators round twice on
/// the direct way. One of 64 bits that does not fit comes out between the same two values of
/// any narrower type.
static Value *widen(IRBuilder<> &B, Value *V, bool Signed) {
  Type *Ty = V->getType(), *Double = B.getDoubleTy();
  if (Ty->isIntegerTy(64)) {
    Value *Rest = B.CreateIsNotNull(B.CreateAnd(V, 0xfff));
    Value *Odd = B.CreateOr(B.CreateAnd(V, ~uint64_t(0xfff)),
                            B.CreateSelect(Rest, B.getInt64(0x800), B.getInt64(0)));
    Value *Size = Signed ? B.CreateBinaryIntrinsic(Intrinsic::abs, V, B.getFalse()) : V;
    V = B.CreateSelect(B.CreateICmpUGT(Size, B.getInt64(uint64_t(1) << 53)), Odd, V);
  }
  V = Signed ? B.CreateSIToFP(V, Double) : B.CreateUIToFP(V, Double);
  return B.CreateArithmeticFence(V, Double);
}

/// cvt.ROUNDING.TO.FROM, except conversions to single precision that round otherwise than to
/// nearest.
bool Raiser::convert(const Statement &S, ArrayRef<StringRef> Parts) {
  if (Parts.size() < 3 || Parts.size() > 4)
    return false;
  StringRef Mode = Parts.size() == 4 ? Parts[1] : "";
  StringRef ToName = Parts[Parts.size() - 2], FromName = Parts.back();
  Type *To = typeOf(ToName), *From = typeOf(FromName);
  if (!To || !From || (isSingle(To) && isSingle(From) && flushes(*Call.getFunction())) ||
      ToName.starts_with("b1") || FromName.starts_with("b1"))
    return false;
  bool Rounds = is_contained({"rn", "rz", "rm", "rp"}, Mode);
  bool Whole = is_contained({"rni", "rzi", "rmi", "rpi"}, Mode);
  bool Numbers = To->isFPOrFPVectorTy() && From->isFPOrFPVectorTy();
  unsigned ToBits = To->getScalarSizeInBits(), FromBits = From->getScalarSizeInBits();
  SmallVector<Value *, 2> In;

  // A pair from two values, the upper half first.
  if (To->isVectorTy()) {
    if (!From->isFloatTy() || !Rounds || !inputs(S, From, 2, In))
      return false;
    return define(S.Operands[0], To, [&] {
      Value *Pair = PoisonValue::get(To);
      for (unsigned I = 0; I < 2; ++I)
        Pair = B->CreateInsertElement(Pair, narrow(*B, Mode, In[1 - I], To->getScalarType()), I);
      return Pair;
    });
  }
  if (To->isIntegerTy() && From->isIntegerTy()) {
    Value *V = Mode.empty() && S.Operands.size() == 2 ? low(S.Operands[1], From) : nullptr;
    if (!V)
      return false;
    V = B ? B->CreateIntCast(V, To, FromName.starts_with("s")) : Constant::getNullValue(To);
    return defineLow(S.Operands[0], V, ToName.starts_with("s"));
  }
  if (From->isVectorTy() || !inputs(S, From, 1, In))
    return false;
  Value *V = In[0];
  if (Numbers && ToBits > FromBits)
    return Mode.empty() && define(S.Operands[0], To, [&] { return B->CreateFPExt(V, To); });
  if (Numbers && ToBits < FromBits)
    return Rounds && (Mode == "rn" || isHalf(To)) &&
           define(S.Operands[0], To, [&] { return narrow(*B, Mode, V, To); });
  Type *Computed = isHalf(From) ? Type::getFloatTy(Call.getContext()) : From;
  if (Numbers) // to a whole number of the same type
    return Whole && To == From && define(S.Operands[0], To, [&] {
             return B->CreateFPCast(roundToInteger(*B, Mode, B->CreateFPCast(V, Computed)), To);
           });
  if (To->isIntegerTy() && From->isFloatingPointTy()) {
    if (!Whole)
      return false;
    bool Signed = ToName.starts_with("s");
    Value *R = Constant::getNullValue(To);
    if (B) {
      Value *Single = roundToInteger(*B, Mode, B->CreateFPCast(V, Computed));
      R = B->CreateIntrinsic(Signed ? Intrinsic::fptosi_sat : Intrinsic::fptoui_sat,
                             {To, Computed}, {Single});
      // NaN is 0, and the highest bit alone where either side has 64 bits.
      if (ToBits == 64 || FromBits == 64)
        R = B->CreateSelect(B->CreateFCmpUNO(V, V),
                            ConstantInt::get(To, APInt::getSignMask(ToBits)), R);
    }
    return defineLow(S.Operands[0], R, Signed);
  }
  if (!From->isIntegerTy() || !To->isFloatingPointTy() || !Rounds)
    return false;
  bool Signed = FromName.starts_with("s");
  if (!isHalf(To) && Mode != "rn")
    return false;
  return define(S.Operands[0], To, [&] {
    return isHalf(To) ? narrow(*B, Mode, widen(*B, V, Signed), To)
           : Signed   ? B->CreateSIToFP(V, To)
                      : B->CreateUIToFP(V, To);
  });
}

/// Sums, products, extrema and signs. Single and double precision: what says how it rounds,
/// and products.
bool Raiser::arithmetic(const Statement &S, StringRef Op, ArrayRef<StringRef> Modifiers,
                        Type *Ty) {
  bool Sum = Op == "add" || Op == "sub", Product = Op == "mul", Fused = Op == "fma";
  bool Extremum = Op == "min" || Op == "max", Sign = Op == "abs" || Op == "neg";
  if (!Sum && !Product && !Fused && !Extremum && !Sign)
    return false;
  bool Half = isHalf(Ty), Rounded = false, Saturates = false, Cuts = false, SeesNan = false;
  for (StringRef M : Modifiers) {
    if (M == "rn" && (Sum || Product || Fused) && !Rounded)
      Rounded = true;
    else if (M == "sat" && Half && (Sum || Product || Fused))
      Saturates = true;
    else if (M == "relu" && Half && Fused)
      Cuts = true;
    else if (M == "NaN" && Extremum)
      SeesNan = true;
    else
      return false;
  }
  if (Fused && !Rounded)
    return false;
  // The assembler may fuse what does not say that it rounds: decided where native code is
  // made of the same IR.
  if (Sum && !Rounded && !Half) {
    if (Form != RaiseAsm::Adopted)
      return false;
    Matters = true;
  }
  // In native code sums and products of other types stay what they are.
  if (Form == RaiseAsm::Native && (Sum || (Product && Half)))
    return false;
  if (!Sign && isSingle(Ty) && Form != RaiseAsm::Native && flushes(*Call.getFunction()))
    return false;
  SmallVector<Value *, 3> In;
  if (!inputs(S, Ty, Fused ? 3 : Sign ? 1 : 2, In))
    return false;
  return define(S.Operands[0], Ty, [&]() -> Value * {
    if (Sign) {
      unsigned Bits = Ty->getScalarSizeInBits();
      Type *Word = Ty->getWithNewBitWidth(Bits);
      Constant *Mask = ConstantInt::get(Word, APInt::getSignMask(Bits));
      Value *V = B->CreateBitCast(In[0], Word);
      Value *Size = B->CreateAnd(V, ConstantExpr::getNot(Mask));
      V = Op == "neg" ? B->CreateXor(V, Mask) : Size;
      if (Half) { // NaN becomes the one of PTX, as in other arithmetic of these types
        APInt Infinity = APFloat::getInf(Ty->getScalarType()->getFltSemantics()).bitcastToAPInt();
        V = B->CreateSelect(B->CreateICmpUGT(Size, ConstantInt::get(Word, Infinity)),
                            ConstantInt::get(Word, APInt::getSignedMaxValue(Bits)), V);
      }
      return B->CreateBitCast(V, Ty);
    }
    Type *Computed = Half && !Fused ? Ty->getWithNewType(B->getFloatTy()) : Ty;
    for (Value *&V : In)
      V = B->CreateFPCast(V, Computed);
    Value *V = Op == "add"   ? B->CreateFAdd(In[0], In[1])
               : Op == "sub" ? B->CreateFSub(In[0], In[1])
               : Product     ? B->CreateFMul(In[0], In[1])
               : Fused       ? B->CreateIntrinsic(Intrinsic::fma, {Ty}, In)
               : Op == "min" ? B->CreateBinaryIntrinsic(SeesNan ? Intrinsic::minimum
                                                                : Intrinsic::minimumnum,
                                                        In[0], In[1])
                             : B->CreateBinaryIntrinsic(SeesNan ? Intrinsic::maximum
                                                                : Intrinsic::maximumnum,
                                                        In[0], In[1]);
    V = B->CreateFPCast(V, Ty);
    if (!Saturates && !Cuts)
      return V;
    // NaN becomes 0 by saturation, and stays where only what is negative is cut off.
    Type *Single = Ty->getWithNewType(B->getFloatTy());
    V = B->CreateFPCast(V, Single);
    V = B->CreateBinaryIntrinsic(Cuts ? Intrinsic::maximum : Intrinsic::maximumnum, V,
                                 ConstantFP::get(Single, 0.0));
    if (Saturates)
      V = B->CreateBinaryIntrinsic(Intrinsic::minimumnum, V, ConstantFP::get(Single, 1.0));
    return B->CreateFPCast(V, Ty);
  });
}

bool Raiser::floating(const Statement &S, ArrayRef<StringRef> Parts) {
  StringRef Op = Parts[0];
  if (Op == "cvt")
    return convert(S, Parts);
  Type *Ty = typeOf(Parts.back());
  auto Modifiers = Parts.drop_front().drop_back();
  if (!Modifiers.empty() &&
      (Modifiers[0] == "approx" || (Modifiers[0] == "full" && Op == "div")))
    return approximate(S, Op, Modifiers, Ty);
  if (Op != "mov")
    return arithmetic(S, Op, Modifiers, Ty);
  SmallVector<Value *, 1> In;
  return Modifiers.empty() && inputs(S, Ty, 1, In) && define(S.Operands[0], In[0]);
}

} // namespace hetckpt
