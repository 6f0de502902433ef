// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads, stores and atomics of inline assembly, as CUB, libcu++ and CUDA's headers of half
// precision have them.
//
//   ld.acquire.gpu.u32 r, [p]            load atomic acquire, scope "device"
//   ld.relaxed.gpu.v2.u32 {r, s}, [p]    one load of 64 bits, taken apart
//   atom.add.acq_rel.gpu.u32 r, [p], x   fence, atomicrmw add, fence
//
// and the copies into shared memory that CUDA's pipelines are made of:
//
//   cp.async.ca.shared.global [s], [p], 4, 4    llvm.nvvm.cp.async.ca.shared.global.4
//
// What speaks of caches makes no difference to what is read, but loads past them may be
// those of a loop that waits: waits() tells. Native code keeps the assembly, which says more
// than LLVM's NVPTX understands (scopes of atomics, 128 bits at once).
//
// Gaps: more than 128 bits with an order, addresses in private, parameter and cluster memory,
// cache policies in a register, copies that arrive on a barrier object or that a predicate
// turns off.
#include "image/AsmRaiser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Operator.h"

using namespace llvm;

namespace hetckpt {

/// What the words between an instruction's name and its type say.
struct Raiser::Access {
  StringRef Operation, Scope, Suffix;
  AtomicOrdering Order = AtomicOrdering::NotAtomic;
  unsigned Space = 0, Elements = 1;
  bool Again = false;    ///< asks memory, not a cache
  bool Cached = false;   ///< says that a cache is as good
  bool Constant = false; ///< nobody writes
  bool NoFlush = false;  ///< keeps denormals
  Type *Ty = nullptr, *Int = nullptr; ///< of an element
  unsigned Bits = 0;

  bool parse(ArrayRef<StringRef> Words);
  bool ordered() const { return Order != AtomicOrdering::NotAtomic; }
  bool isSigned() const { return Suffix.starts_with("s"); }
  SyncScope::ID scope(LLVMContext &C) const;
};

bool Raiser::Access::parse(ArrayRef<StringRef> Words) {
  for (StringRef W : Words) {
    auto O = StringSwitch<AtomicOrdering>(W)
                 .Case("relaxed", AtomicOrdering::Monotonic)
                 .Case("acquire", AtomicOrdering::Acquire)
                 .Case("release", AtomicOrdering::Release)
                 .Case("acq_rel", AtomicOrdering::AcquireRelease)
                 .Default(AtomicOrdering::NotAtomic);
    if (O != AtomicOrdering::NotAtomic)
      Order = O;
    else if (is_contained({"cta", "cluster", "gpu", "sys"}, W))
      Scope = W;
    else if (W == "global" || W == "shared" || W == "shared::cta")
      Space = W == "global" ? 1 : 3;
    else if (W == "volatile" || W == "cv" || W == "mmio")
      Again = true;
    else if (W == "ca" || W == "cs")
      Cached = true;
    else if (W == "nc")
      Constant = true;
    else if (W == "noftz")
      NoFlush = true;
    else if (W == "v2" || W == "v4")
      Elements = W == "v2" ? 2 : 4;
    else if (is_contained({"add", "inc", "dec", "min", "max", "and", "or", "xor", "exch", "cas"}, W))
      Operation = W;
    else if (!is_contained({"weak", "cg", "lu", "wb", "wt"}, W) && !W.starts_with("L1::") &&
             !W.starts_with("L2::"))
      return false;
  }
  return true;
}

SyncScope::ID Raiser::Access::scope(LLVMContext &C) const {
  return StringSwitch<SyncScope::ID>(Scope)
      .Case("cta", C.getOrInsertSyncScopeID("block"))
      .Case("cluster", C.getOrInsertSyncScopeID("cluster"))
      .Case("sys", SyncScope::System)
      .Default(C.getOrInsertSyncScopeID("device"));
}

static SmallVector<StringRef, 4> elements(StringRef Operand) {
  SmallVector<StringRef, 4> Out;
  if (Operand.consume_front("{"))
    Operand.consume_back("}");
  Operand.split(Out, ',');
  for (StringRef &E : Out)
    E = E.trim();
  return Out;
}

/// [register] or [register+bytes]: a pointer into address space Space.
Value *Raiser::address(StringRef Text, unsigned Space) {
  if (!Text.consume_front("[") || !Text.consume_back("]"))
    return nullptr;
  auto [Name, Bytes] = Text.split('+');
  int64_t Offset = 0;
  if (!Bytes.empty() && Bytes.trim().getAsInteger(0, Offset))
    return nullptr;
  Type *Pointer = PointerType::get(Call.getContext(), Space);
  Value *V = Values.lookup(Name.trim());
  bool Is = V && V->getType()->isPointerTy();
  if (!Is && (Space == 3 || !(V = operand(Name.trim(), Type::getInt64Ty(Call.getContext())))))
    return nullptr;
  if (!B)
    return Constant::getNullValue(Pointer);
  if (auto *Number = dyn_cast<PtrToIntInst>(V)) {
    V = Number->getPointerOperand();
    Is = true;
  }
  V = Is ? B->CreateAddrSpaceCast(V, Pointer) : B->CreateIntToPtr(V, Pointer);
  return Offset ? B->CreateGEP(B->getInt8Ty(), V, B->getInt64(Offset)) : V;
}

bool Raiser::load(const Statement &S, const Access &A, Value *P) {
  LLVMContext &C = Call.getContext();
  auto Names = elements(S.Operands[0]);
  if (Names.size() != A.Elements || A.Order == AtomicOrdering::AcquireRelease ||
      A.Order == AtomicOrdering::Release)
    return false;
  bool SideEffects = cast<InlineAsm>(Call.getCalledOperand())->hasSideEffects();
  bool Again = A.Again || A.ordered() || (SideEffects && !A.Cached && !A.Constant);
  Rereads |= Again;
  // With an order, all elements at once.
  Type *Whole = A.Elements == 1 ? A.Int
                : A.ordered()   ? Type::getIntNTy(C, A.Bits * A.Elements)
                                : (Type *)FixedVectorType::get(A.Int, A.Elements);
  LoadInst *L = nullptr;
  if (B) {
    L = B->CreateAlignedLoad(Whole, P, Align(A.Bits / 8 * A.Elements), Again && !A.ordered());
    if (A.ordered())
      L->setAtomic(A.Order, A.scope(C));
    if (A.Constant)
      L->setMetadata(LLVMContext::MD_invariant_load, MDNode::get(C, {}));
  }
  for (auto [N, Name] : enumerate(Names)) {
    Value *E = L;
    if (!B)
      E = Constant::getNullValue(A.Int);
    else if (A.Elements > 1)
      E = A.ordered() ? B->CreateTrunc(B->CreateLShr(L, N * A.Bits), A.Int)
                      : B->CreateExtractElement(L, N);
    if (!defineLow(Name, E, A.isSigned()))
      return false;
  }
  return true;
}

bool Raiser::store(const Statement &S, const Access &A, Value *P) {
  auto Names = elements(S.Operands[1]);
  if (Names.size() != A.Elements || A.Order == AtomicOrdering::AcquireRelease ||
      A.Order == AtomicOrdering::Acquire || A.Constant)
    return false;
  LLVMContext &C = Call.getContext();
  Type *Whole = A.ordered() ? Type::getIntNTy(C, A.Bits * A.Elements)
                            : (Type *)FixedVectorType::get(A.Int, A.Elements);
  Value *V = Constant::getNullValue(Whole);
  for (auto [N, Name] : enumerate(Names)) {
    Value *E = low(Name, A.Int);
    if (!E)
      return false;
    if (B)
      V = A.Elements == 1 ? E
          : A.ordered()   ? B->CreateOr(V, B->CreateShl(B->CreateZExt(E, Whole), N * A.Bits))
                          : B->CreateInsertElement(V, E, N);
  }
  if (B) {
    StoreInst *St = B->CreateAlignedStore(V, P, Align(A.Bits / 8 * A.Elements), !A.ordered());
    if (A.ordered())
      St->setAtomic(A.Order, A.scope(C));
  }
  return true;
}

static AtomicRMWInst::BinOp operationOf(StringRef Name, bool Signed, bool Float) {
  return StringSwitch<AtomicRMWInst::BinOp>(Name)
      .Case("add", Float ? AtomicRMWInst::FAdd : AtomicRMWInst::Add)
      .Case("inc", AtomicRMWInst::UIncWrap)
      .Case("dec", AtomicRMWInst::UDecWrap)
      .Case("min", Signed ? AtomicRMWInst::Min : AtomicRMWInst::UMin)
      .Case("max", Signed ? AtomicRMWInst::Max : AtomicRMWInst::UMax)
      .Case("and", AtomicRMWInst::And)
      .Case("or", AtomicRMWInst::Or)
      .Case("xor", AtomicRMWInst::Xor)
      .Case("exch", AtomicRMWInst::Xchg)
      .Default(AtomicRMWInst::BAD_BINOP);
}

bool Raiser::atomic(const Statement &S, const Access &A, Value *P) {
  bool Result = S.Opcode.starts_with("atom"), Float = A.Ty->isFPOrFPVectorTy(), Swaps = A.Operation == "cas";
  bool Half = A.Ty->getScalarSizeInBits() == 16 && Float;
  auto RMW = operationOf(A.Operation, A.isSigned(), Float);
  if (A.Elements != 1 || A.Bits < (Swaps || Half ? 16 : 32) || A.Constant || Half != A.NoFlush ||
      (Float && A.Operation != "add" && A.Operation != "exch") ||
      (Half && A.Operation != "add") || (!Swaps && RMW == AtomicRMWInst::BAD_BINOP))
    return false;
  SmallVector<Value *, 2> Given;
  for (StringRef Name : ArrayRef(S.Operands).drop_front(1 + Result)) {
    Given.push_back(operand(Name, RMW == AtomicRMWInst::FAdd ? A.Ty : A.Int));
    if (!Given.back())
      return false;
  }
  StringRef First = S.Operands[1 + Result];
  const Value *Old = Values.lookup(First);
  if (Swaps) {
    Compared.push_back(Old ? Old : Given[0]);
  } else {
    // One that changes nothing, or sets what it set before.
    auto *Known = dyn_cast_or_null<ConstantInt>(Old ? Old : Given[0]);
    Rereads |= Result && (RMW == AtomicRMWInst::Xchg ||
                          (Known && (RMW == AtomicRMWInst::And
                                         ? Known->isMinusOne()
                                         : Known->isZero() && (RMW == AtomicRMWInst::Add ||
                                                               RMW == AtomicRMWInst::Or ||
                                                               RMW == AtomicRMWInst::Xor))));
  }
  if (!B)
    return !Result || define(S.Operands[0], Constant::getNullValue(A.Int));
  // Orders of atomics are fences: LLVM's NVPTX drops them otherwise.
  StringRef Level = A.Scope.empty() ? "gpu" : A.Scope;
  bool Releases = A.ordered() && isReleaseOrStronger(A.Order);
  bool Acquires = A.ordered() && isAcquireOrStronger(A.Order);
  if (Releases)
    fence({"fence", Level});
  SyncScope::ID Scope = A.scope(Call.getContext());
  Align To(A.Bits / 8);
  Value *V =
      Swaps ? B->CreateExtractValue(
                  B->CreateAtomicCmpXchg(P, Given[0], Given[1], To, AtomicOrdering::Monotonic,
                                         AtomicOrdering::Monotonic, Scope),
                  0)
            : (Value *)B->CreateAtomicRMW(RMW, P, Given[0], To, AtomicOrdering::Monotonic, Scope);
  if (Acquires)
    fence({"fence", Level});
  return !Result || define(S.Operands[0], V);
}

/// ld, st, atom and red, with what is between them and a type.
bool Raiser::memory(const Statement &S, ArrayRef<StringRef> Parts) {
  if (Form == RaiseAsm::Native || Parts.size() < 2)
    return false;
  Acts = true;
  StringRef Op = Parts[0];
  bool Load = Op == "ld", Store = Op == "st", Result = Op != "st" && Op != "red";
  Access A;
  A.Suffix = Parts.back();
  A.Ty = typeOf(A.Suffix);
  if (!A.Ty || A.Ty->isIntegerTy(1) || !A.parse(Parts.drop_front().drop_back()) ||
      (Load || Store) != A.Operation.empty())
    return false;
  A.Bits = A.Ty->getPrimitiveSizeInBits();
  A.Int = Type::getIntNTy(Call.getContext(), A.Bits);
  if (A.ordered() && A.Bits * A.Elements > 128)
    return false;
  unsigned Inputs = Load ? 1 : A.Operation == "cas" ? 3 : 2;
  if (S.Operands.size() != Inputs + Result)
    return false;
  Value *P = address(S.Operands[Result], A.Space);
  return P && (Load ? load(S, A, P) : Store ? store(S, A, P) : atomic(S, A, P));
}

/// The pointer into shared memory of which V is the number, plus what the program has added.
static Value *sharedPointer(Value *V, IRBuilder<> *B) {
  if (auto *Ty = dyn_cast<PointerType>(V->getType()))
    return Ty->getAddressSpace() == 3 ? V : nullptr;
  auto *O = dyn_cast<Operator>(V);
  if (!O)
    return nullptr;
  switch (O->getOpcode()) {
  case Instruction::PtrToInt:
  case Instruction::Trunc:
  case Instruction::ZExt:
    return sharedPointer(O->getOperand(0), B);
  case Instruction::Or:
    if (!cast<PossiblyDisjointInst>(O)->isDisjoint())
      return nullptr;
    [[fallthrough]];
  case Instruction::Add:
    for (unsigned I : {0u, 1u})
      if (Value *P = sharedPointer(O->getOperand(I), B))
        return B ? B->CreateGEP(B->getInt8Ty(), P,
                                B->CreateSExt(O->getOperand(1 - I), B->getInt64Ty()))
                 : P;
    return nullptr;
  default:
    return nullptr;
  }
}

/// cp.async, Parts from "async" on: its intrinsics say what analyses, frames and other targets must know.
bool Raiser::copyAsync(const Statement &S, ArrayRef<StringRef> Parts) {
  if (Form != RaiseAsm::Adopted || Parts.size() < 2)
    return false;
  Matters = Acts = true;
  LLVMContext &C = Call.getContext();
  Type *I32 = Type::getInt32Ty(C), *Nothing = Type::getVoidTy(C);
  auto Emit = [&](const Twine &Name, ArrayRef<Value *> Args) {
    if (B)
      intrinsic("cp.async." + Name, Nothing, Args);
    return true;
  };
  if (Parts[1] == "commit_group" || Parts[1] == "wait_all")
    return S.Operands.empty() &&
           Emit(Parts[1] == "wait_all" ? "wait.all" : "commit.group", {});
  if (Parts[1] == "wait_group") {
    auto Count = S.Operands.size() == 1 ? constant(S.Operands[0]) : std::nullopt;
    return Count && Emit("wait.group", {ConstantInt::get(I32, *Count)});
  }
  if ((Parts[1] != "ca" && Parts[1] != "cg") || Parts.size() < 4 ||
      (Parts[2] != "shared" && Parts[2] != "shared::cta") || Parts[3] != "global" ||
      S.Operands.size() < 3 || S.Operands.size() > 4)
    return false;
  // How much to prefetch is a hint; a policy is another operand.
  for (StringRef Hint : Parts.drop_front(4))
    if (!Hint.starts_with("L2::") || Hint == "L2::cache_hint")
      return false;
  auto Size = constant(S.Operands[2]);
  if (!Size || (*Size != 16 && (Parts[1] == "cg" || (*Size != 4 && *Size != 8))))
    return false;
  StringRef Name = S.Operands[0];
  if (!Name.consume_front("[") || !Name.consume_back("]"))
    return false;
  auto [Register, Added] = Name.split('+');
  int64_t Offset = 0;
  if (!Added.empty() && Added.trim().getAsInteger(0, Offset))
    return false;
  Value *Number = Values.lookup(Register.trim());
  Value *To = Number ? sharedPointer(Number, B) : nullptr;
  Value *From = To ? address(S.Operands[1], 1) : nullptr;
  if (!From)
    return false;
  if (B && Offset)
    To = B->CreateGEP(B->getInt8Ty(), To, B->getInt64(Offset));
  SmallVector<Value *, 3> Args = {To, From};
  if (S.Operands.size() == 4 && constant(S.Operands[3]) != Size) {
    // What is missing is filled with zeros.
    auto Known = constant(S.Operands[3]);
    Args.push_back(Known ? ConstantInt::get(I32, *Known) : operand(S.Operands[3], I32));
    if (!Args.back())
      return false;
  }
  return Emit(Parts[1] + ".shared.global." + Twine(*Size) + (Args.size() == 3 ? ".s" : ""), Args);
}

bool Raiser::waits(function_ref<bool(const Value *)> Invariant) const {
  return Rereads || any_of(Compared, Invariant);
}

} // namespace hetckpt
