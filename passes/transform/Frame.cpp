// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A frame belongs to no target: every offset is spelled out in integer arithmetic
// on the group's address, slots have their own size and alignment, and pointers
// are translated. For n threads a block and thread t, slot i of class c lies at
//
//   pad16(4n) + n * (bytes of larger classes) + (i*n + t) * c
//
// so that neighbouring threads store to neighbouring addresses.
//
// Who may be where: a thread reaches this code only after its scope's poll said so.
// In thread and warp scope the group is claimed by compare-and-swap and each thread
// touches its own bytes only. In block scope the poll is a barrier, so no thread of
// the block changes shared memory any more, and all of them save it together.
#include "transform/Frame.h"
#include "Names.h"
#include "analysis/LiveState.h"
#include "analysis/Scope.h"
#include "hetckpt/abi.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Alignment.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt {

CallInst *callNamed(IRBuilder<> &B, StringRef Name, Type *Result,
                    ArrayRef<Value *> Args) {
  SmallVector<Type *, 4> Types;
  for (Value *A : Args)
    Types.push_back(A->getType());
  Module *M = B.GetInsertBlock()->getModule();
  auto Callee = M->getOrInsertFunction(
      Name, FunctionType::get(Result, Types, /*isVarArg=*/false));
  return B.CreateCall(Callee, Args);
}

static CallInst *readId(IRBuilder<> &B, StringRef Name) {
  return callNamed(B, ("llvm.nvvm.read.ptx.sreg." + Name).str(), B.getInt32Ty());
}

FrameCode::FrameCode(Kernel &K, Function &F, Value *Launch)
    : Objects(K.Objects.begin(), K.Objects.end()), K(K), F(F), Launch(Launch),
      M(*F.getParent()) {}

Value *FrameCode::launchField(IRBuilder<> &B, unsigned Offset, Type *Ty) {
  Value *P = B.CreateConstInBoundsGEP1_32(B.getInt8Ty(), Launch, Offset);
  return B.CreateAlignedLoad(Ty, P, Align(Ty->getPrimitiveSizeInBits() / 8));
}

Value *FrameCode::global(IRBuilder<> &B, Value *Address) {
  return B.CreateIntToPtr(Address, PointerType::get(B.getContext(), 1));
}

Value *FrameCode::linearThread(IRBuilder<> &B) {
  Value *YZ = B.CreateAdd(readId(B, "tid.y"),
                          B.CreateMul(readId(B, "ntid.y"), readId(B, "tid.z")));
  return B.CreateAdd(readId(B, "tid.x"), B.CreateMul(readId(B, "ntid.x"), YZ),
                     "thread");
}

Value *FrameCode::threadCount(IRBuilder<> &B) {
  return B.CreateMul(B.CreateMul(readId(B, "ntid.x"), readId(B, "ntid.y")),
                     readId(B, "ntid.z"), "threads");
}

Value *FrameCode::linearBlock(IRBuilder<> &B) {
  Type *I32 = B.getInt32Ty();
  Value *X = callNamed(B, names::LogicalBlock[0], I32),
        *Y = callNamed(B, names::LogicalBlock[1], I32),
        *Z = callNamed(B, names::LogicalBlock[2], I32),
        *GX = callNamed(B, names::LogicalGrid[0], I32),
        *GY = callNamed(B, names::LogicalGrid[1], I32);
  return B.CreateAdd(X, B.CreateMul(GX, B.CreateAdd(Y, B.CreateMul(GY, Z))),
                     "block");
}

/// i64 offset of a class's slots in the group.
Value *FrameCode::areaOffset(IRBuilder<> &B, unsigned Class) {
  Value *N = B.CreateZExt(threadCount(B), B.getInt64Ty());
  Value *Ids = B.CreateAnd(B.CreateAdd(B.CreateMul(N, B.getInt64(4)), B.getInt64(15)),
                           B.getInt64(~uint64_t(15)));
  uint64_t Before = 0; // bytes a thread of larger classes
  if (Class < 8)
    Before += 8 * K.Count8;
  if (Class < 4)
    Before += 4 * K.Count4;
  if (Class < 2)
    Before += 2 * K.Count2;
  if (Class < 1)
    Before += K.Count1;
  return B.CreateAdd(Ids, B.CreateMul(N, B.getInt64(Before)));
}

Value *FrameCode::slotAddress(IRBuilder<> &B, Value *Group, unsigned Class,
                              unsigned Index) {
  Value *N = B.CreateZExt(threadCount(B), B.getInt64Ty());
  Value *T = B.CreateZExt(linearThread(B), B.getInt64Ty());
  Value *Element = B.CreateAdd(B.CreateMul(N, B.getInt64(Index)), T);
  Value *Offset = B.CreateAdd(areaOffset(B, Class),
                              B.CreateMul(Element, B.getInt64(Class)));
  return global(B, B.CreateAdd(Group, Offset));
}

// ---- Pointers ---------------------------------------------------------------

// Shared memory is smaller than 4 GiB everywhere: its addresses are handled in 32 bits,
// so that no upper half is kept alive in the loops for the sake of parking.

Value *FrameCode::sharedOffset(IRBuilder<> &B, Value *P) {
  // The target puts dynamic shared memory behind the static structure, at an
  // alignment of its own; in normal form it starts at the static size padded to 16.
  Type *I32 = B.getInt32Ty();
  Value *A = B.CreatePtrToInt(P, I32);
  Value *Static = nullptr, *Dynamic = nullptr, *Begin = nullptr;
  if (K.Shared)
    Static = B.CreateSub(A, B.CreatePtrToInt(K.Shared, I32));
  if (K.DynamicShared) {
    Begin = B.CreatePtrToInt(K.DynamicShared, I32);
    Dynamic = B.CreateAdd(B.CreateSub(A, Begin),
                          B.getInt32(alignTo(K.SharedBytes, 16)));
  }
  Value *Offset = A;
  if (Static && Dynamic)
    // Compared as distances, which are right whatever the upper half is.
    Offset = B.CreateSelect(
        B.CreateICmpUGE(Static, B.CreateSub(Begin, B.CreatePtrToInt(K.Shared, I32))),
        Dynamic, Static);
  else if (Static || Dynamic)
    Offset = Static ? Static : Dynamic;
  return B.CreateZExt(Offset, B.getInt64Ty());
}

Value *FrameCode::sharedAddress(IRBuilder<> &B, Value *Bits) {
  Type *I32 = B.getInt32Ty();
  uint32_t Padded = alignTo(K.SharedBytes, 16);
  Value *Offset = B.CreateTrunc(Bits, I32);
  Value *Static = nullptr, *Dynamic = nullptr;
  if (K.Shared)
    Static = B.CreateGEP(B.getInt8Ty(), K.Shared, Offset);
  if (K.DynamicShared)
    Dynamic = B.CreateGEP(B.getInt8Ty(), K.DynamicShared,
                          B.CreateSub(Offset, B.getInt32(Padded)));
  if (Static && Dynamic)
    return B.CreateSelect(B.CreateICmpUGE(Offset, B.getInt32(Padded)), Dynamic, Static);
  if (Static || Dynamic)
    return Static ? Static : Dynamic;
  return B.CreateIntToPtr(Bits, PointerType::get(B.getContext(), 3));
}

/// (object, offset) of a generic pointer into private memory, tagged. May: the objects that
/// it may point into. The end of one can be the beginning of the next, which is another
/// place after a resume: a pointer that lies inside an object belongs to that one.
Value *FrameCode::privateBits(IRBuilder<> &B, Value *P, ArrayRef<unsigned> May) {
  const DataLayout &DL = M.getDataLayout();
  Value *A = B.CreatePtrToInt(P, B.getInt64Ty());
  Value *Bits = B.getInt64(uint64_t(HETCKPT_PTR_PRIVATE) << HETCKPT_PTR_TAG_SHIFT);
  Value *AtEnd = Bits, *Inside = nullptr, *IsInside = B.getFalse();
  for (auto [Number, Object] : enumerate(Objects)) {
    if (!May.empty() && !is_contained(May, unsigned(Number)))
      continue;
    Value *Base = B.CreatePtrToInt(
        B.CreateAddrSpaceCast(Object, PointerType::get(B.getContext(), 0)),
        B.getInt64Ty());
    Value *Offset = B.CreateSub(A, Base);
    Value *Size = B.getInt64(Object->getAllocationSize(DL)->getFixedValue());
    Value *Here = B.CreateOr(Bits, B.CreateOr(B.getInt64(uint64_t(Number) << 32),
                                              Offset));
    Value *In = B.CreateICmpULT(Offset, Size);
    AtEnd = B.CreateSelect(B.CreateICmpEQ(Offset, Size), Here, AtEnd);
    Inside = Inside ? B.CreateSelect(In, Here, Inside) : Here;
    IsInside = B.CreateOr(IsInside, In);
  }
  return Inside ? B.CreateSelect(IsInside, Inside, AtEnd) : Bits;
}

Value *FrameCode::privateAddress(IRBuilder<> &B, Value *Bits) {
  Value *Offset = B.CreateAnd(Bits, B.getInt64(0xffffffffu));
  Value *Number = B.CreateAnd(B.CreateLShr(Bits, 32), B.getInt64(0x3fffffffu));
  Value *A = Offset;
  for (auto [Index, Object] : enumerate(Objects)) {
    Value *Base = B.CreatePtrToInt(
        B.CreateAddrSpaceCast(Object, PointerType::get(B.getContext(), 0)),
        B.getInt64Ty());
    A = B.CreateSelect(B.CreateICmpEQ(Number, B.getInt64(Index)),
                       B.CreateAdd(Base, Offset), A);
  }
  return A;
}

Value *FrameCode::encodePointer(IRBuilder<> &B, Value *P, const Slot &S) {
  StringRef Kind = S.Kind;
  Type *I64 = B.getInt64Ty();
  PointerType *Generic = PointerType::get(B.getContext(), 0);
  PointerType *Shared = PointerType::get(B.getContext(), 3);
  if (Kind == "global")
    return B.CreatePtrToInt(P, I64);
  if (Kind == "shared")
    return sharedOffset(B, P);
  if (Kind == "private")
    return privateBits(B, B.CreateAddrSpaceCast(P, Generic), S.Objects);
  Value *Bits = B.CreatePtrToInt(P, I64);
  if (K.Shared || K.DynamicShared) {
    Value *Is = callNamed(B, names::IsShared, B.getInt1Ty(), {P});
    Value *Tagged = B.CreateOr(
        sharedOffset(B, B.CreateAddrSpaceCast(P, Shared)),
        B.getInt64(uint64_t(HETCKPT_PTR_SHARED) << HETCKPT_PTR_TAG_SHIFT));
    Bits = B.CreateSelect(Is, Tagged, Bits);
  }
  if (!Objects.empty()) {
    Value *Is = callNamed(B, names::IsPrivate, B.getInt1Ty(), {P});
    Bits = B.CreateSelect(Is, privateBits(B, P, S.Objects), Bits);
  }
  return Bits;
}

Value *FrameCode::decodePointer(IRBuilder<> &B, Value *Bits, Type *Ty,
                                StringRef Kind) {
  PointerType *Generic = PointerType::get(B.getContext(), 0);
  if (Kind == "global")
    return B.CreateIntToPtr(Bits, Ty);
  if (Kind == "shared")
    return sharedAddress(B, Bits);
  if (Kind == "private")
    return B.CreateAddrSpaceCast(
        B.CreateIntToPtr(privateAddress(B, Bits), Generic), Ty);
  Value *Tag = B.CreateLShr(Bits, HETCKPT_PTR_TAG_SHIFT);
  Value *P = B.CreateIntToPtr(Bits, Generic);
  if (K.Shared || K.DynamicShared) {
    Value *Offset = B.CreateAnd(Bits, B.getInt64(0xffffffffu));
    Value *S = B.CreateAddrSpaceCast(sharedAddress(B, Offset), Generic);
    P = B.CreateSelect(B.CreateICmpEQ(Tag, B.getInt64(HETCKPT_PTR_SHARED)), S, P);
  }
  if (!Objects.empty()) {
    Value *S = B.CreateIntToPtr(privateAddress(B, Bits), Generic);
    P = B.CreateSelect(B.CreateICmpEQ(Tag, B.getInt64(HETCKPT_PTR_PRIVATE)), S, P);
  }
  return P;
}

// ---- Parking ----------------------------------------------------------------

/// i64 address of the block's group in the table to park into; finds or claims it.
static Function *claimFunction(Module &M) {
  constexpr StringLiteral Name = "__hetckpt_claim_group";
  if (Function *Old = M.getFunction(Name))
    return Old;
  LLVMContext &C = M.getContext();
  Type *I32 = Type::getInt32Ty(C), *I64 = Type::getInt64Ty(C);
  PointerType *Global = PointerType::get(C, 1);
  auto *Fn = Function::Create(FunctionType::get(I64, {I64, I32}, false),
                              GlobalValue::InternalLinkage, Name, &M);
  Fn->addFnAttr(Attribute::AlwaysInline);
  Fn->addFnAttr(Attribute::NoUnwind);
  Value *Table = Fn->getArg(0), *Block = Fn->getArg(1);
  auto *Entry = BasicBlock::Create(C, "entry", Fn);
  auto *Probe = BasicBlock::Create(C, "probe", Fn);
  auto *Free = BasicBlock::Create(C, "free", Fn);
  auto *Lead = BasicBlock::Create(C, "lead", Fn);
  auto *Again = BasicBlock::Create(C, "again", Fn);
  auto *Still = BasicBlock::Create(C, "still", Fn);
  auto *Try = BasicBlock::Create(C, "try", Fn);
  auto *Next = BasicBlock::Create(C, "next", Fn);
  auto *Found = BasicBlock::Create(C, "found", Fn);

  IRBuilder<> B(Entry);
  auto Field = [&](unsigned Offset, Type *Ty) {
    Value *P = B.CreateIntToPtr(B.CreateAdd(Table, B.getInt64(Offset)), Global);
    return B.CreateLoad(Ty, P);
  };
  Value *Capacity = Field(offsetof(hetckpt_frame_table, capacity), I32);
  Value *Stride = Field(offsetof(hetckpt_frame_table, group_bytes), I64);
  Value *Keys = Field(offsetof(hetckpt_frame_table, keys), I64);
  Value *Groups = Field(offsetof(hetckpt_frame_table, groups), I64);
  Value *Key = B.CreateAdd(Block, B.getInt32(1));
  Value *First = B.CreateURem(Block, Capacity);
  B.CreateBr(Probe);

  B.SetInsertPoint(Probe);
  PHINode *Slot = B.CreatePHI(I32, 2, "slot");
  Value *KeyAddress = B.CreateIntToPtr(
      B.CreateAdd(Keys, B.CreateMul(B.CreateZExt(Slot, I64), B.getInt64(4))), Global);
  // Keys never change once set, so a slot that is another block's stays so.
  auto Look = [&] {
    auto *Seen = B.CreateAlignedLoad(I32, KeyAddress, Align(4), /*isVolatile=*/true);
    Seen->setAtomic(AtomicOrdering::Monotonic);
    return Seen;
  };
  auto Swap = [&] {
    return B.CreateExtractValue(B.CreateAtomicCmpXchg(KeyAddress, B.getInt32(0), Key, Align(4),
                                                      AtomicOrdering::Monotonic,
                                                      AtomicOrdering::Monotonic),
                                0);
  };
  Value *Seen = Look();
  B.CreateCondBr(B.CreateICmpEQ(Seen, Key), Found, Free);

  B.SetInsertPoint(Free);
  B.CreateCondBr(B.CreateIsNull(Seen), Lead, Next);

  // One thread of a warp claims a free slot for its block, and the others see it when they look
  // again. That is not relied on: who does not see it claims it too.
  B.SetInsertPoint(Lead);
  auto *Claims = BasicBlock::Create(C, "claims", Fn, Again);
  B.CreateCondBr(callNamed(B, names::Leads, B.getInt1Ty(), {}), Claims, Again);

  B.SetInsertPoint(Claims);
  Value *Was = Swap();
  B.CreateBr(Again);

  B.SetInsertPoint(Again);
  PHINode *Before = B.CreatePHI(I32, 2, "before");
  Before->addIncoming(B.getInt32(0), Lead);
  Before->addIncoming(Was, Claims);
  Value *Now = B.CreateOr(Look(), Before); // the swap has been done
  B.CreateCondBr(B.CreateICmpEQ(Now, Key), Found, Still);

  B.SetInsertPoint(Still);
  B.CreateCondBr(B.CreateIsNull(Now), Try, Next);

  B.SetInsertPoint(Try);
  Value *Old = Swap();
  Value *Ours = B.CreateOr(B.CreateICmpEQ(Old, B.getInt32(0)),
                           B.CreateICmpEQ(Old, Key));
  B.CreateCondBr(Ours, Found, Next);

  B.SetInsertPoint(Next);
  // Computed again each time: hardly any block comes here.
  Value *Hash = B.CreateLShr(B.CreateMul(Block, B.getInt32(0x9e3779b1u)), 16);
  Value *Steps = B.CreateBinaryIntrinsic(Intrinsic::umax, B.CreateSub(Capacity, B.getInt32(1)),
                                         B.getInt32(1));
  Value *Up = B.CreateAdd(Slot, B.CreateAdd(B.CreateURem(Hash, Steps), B.getInt32(1)));
  Value *Wrapped = B.CreateSelect(B.CreateICmpUGE(Up, Capacity), B.CreateSub(Up, Capacity), Up);
  B.CreateBr(Probe);
  Slot->addIncoming(First, Entry);
  Slot->addIncoming(Wrapped, Next);

  B.SetInsertPoint(Found);
  B.CreateRet(B.CreateAdd(Groups, B.CreateMul(B.CreateZExt(Slot, I64), Stride)));
  return Fn;
}

Value *FrameCode::claimGroup(IRBuilder<> &B) {
  Value *Table =
      launchField(B, offsetof(hetckpt_launch, frames), B.getInt64Ty());
  return B.CreateCall(claimFunction(M), {Table, linearBlock(B)}, "group");
}

void FrameCode::emitParkAtStart(BasicBlock *BB) {
  IRBuilder<> B(BB);
  Value *Group = claimGroup(B);
  Value *T = B.CreateZExt(linearThread(B), B.getInt64Ty());
  B.CreateAlignedStore(B.getInt32(HETCKPT_SP_START),
                       global(B, B.CreateAdd(Group, B.CreateMul(T, B.getInt64(4)))),
                       Align(4));
  B.CreateRetVoid();
}

/// Threads of the block that are still there are numbered anew: those that have returned
/// take no share of the block's shared memory. Their safepoints say so: the others have
/// stored their own before the barrier, in which they are counted.
///
///   here = barrier.red.popc(true)
///   rank = here == threads ? thread : number of u < thread with safepoint[u] != DONE
void FrameCode::countPresent(IRBuilder<> &B, Value *Group, Value *&Rank, Value *&Here) {
  LLVMContext &C = B.getContext();
  Type *I32 = B.getInt32Ty(), *I64 = B.getInt64Ty();
  Value *Thread = linearThread(B);
  CallInst *Count = callNamed(B, "llvm.nvvm.barrier.cta.red.popc.aligned.all", I32,
                              {B.getInt32(0), B.getTrue()});
  Count->setConvergent();
  Here = Count;
  BasicBlock *Pre = B.GetInsertBlock();
  auto *Head = BasicBlock::Create(C, "rank.head", &F);
  auto *Body = BasicBlock::Create(C, "rank.body", &F);
  auto *Done = BasicBlock::Create(C, "rank.done", &F);
  B.CreateCondBr(B.CreateICmpEQ(Here, threadCount(B)), Done, Head);

  B.SetInsertPoint(Head);
  PHINode *U = B.CreatePHI(I32, 2, "other"), *Before = B.CreatePHI(I32, 2, "before");
  U->addIncoming(B.getInt32(0), Pre);
  Before->addIncoming(B.getInt32(0), Pre);
  B.CreateCondBr(B.CreateICmpULT(U, Thread), Body, Done);

  B.SetInsertPoint(Body);
  Value *At = B.CreateAdd(Group, B.CreateMul(B.CreateZExt(U, I64), B.getInt64(4)));
  Value *Id = B.CreateAlignedLoad(I32, global(B, At), Align(4), /*isVolatile=*/true);
  Value *There = B.CreateICmpNE(Id, B.getInt32(HETCKPT_SP_DONE));
  U->addIncoming(B.CreateAdd(U, B.getInt32(1)), Body);
  Before->addIncoming(B.CreateAdd(Before, B.CreateZExt(There, I32)), Body);
  B.CreateBr(Head);

  B.SetInsertPoint(Done);
  PHINode *Phi = B.CreatePHI(I32, 2, "rank");
  Phi->addIncoming(Thread, Pre);
  Phi->addIncoming(Before, Head);
  Rank = Phi;
}

void FrameCode::copyShared(IRBuilder<> &B, Value *Group, bool Save) {
  if (!K.Shared && !K.DynamicShared)
    return;
  // for (i = thread; i < words; i += threads) one word, in each of two areas
  uint64_t Padded = alignTo(K.SharedBytes, 16);
  Type *I32 = B.getInt32Ty(), *I64 = B.getInt64Ty();
  LLVMContext &C = B.getContext();
  Value *Threads, *Thread;
  if (Save) {
    countPresent(B, Group, Thread, Threads);
  } else {
    Threads = threadCount(B);
    Thread = linearThread(B);
  }
  // Class 0 stands behind all slots; pad to 16.
  Value *Area = B.CreateAdd(areaOffset(B, 0), B.getInt64(15));
  Area = B.CreateAdd(Group, B.CreateAnd(Area, B.getInt64(~uint64_t(15))));

  auto Loop = [&](GlobalVariable *Shared, Value *Words, uint64_t Offset) {
    BasicBlock *Pre = B.GetInsertBlock();
    auto *Head = BasicBlock::Create(C, "shared.head", &F);
    auto *Body = BasicBlock::Create(C, "shared.body", &F);
    auto *Done = BasicBlock::Create(C, "shared.done", &F);
    B.CreateBr(Head);
    B.SetInsertPoint(Head);
    PHINode *I = B.CreatePHI(I32, 2, "word");
    I->addIncoming(Thread, Pre);
    B.CreateCondBr(B.CreateICmpULT(I, Words), Body, Done);
    B.SetInsertPoint(Body);
    Value *Bytes = B.CreateMul(B.CreateZExt(I, I64), B.getInt64(4));
    Value *In = B.CreateGEP(B.getInt8Ty(), Shared, Bytes);
    Value *Out = global(B, B.CreateAdd(B.CreateAdd(Area, B.getInt64(Offset)), Bytes));
    if (Save)
      B.CreateAlignedStore(B.CreateAlignedLoad(I32, In, Align(4)), Out, Align(4));
    else
      B.CreateAlignedStore(B.CreateAlignedLoad(I32, Out, Align(4)), In, Align(4));
    I->addIncoming(B.CreateAdd(I, Threads), Body);
    B.CreateBr(Head);
    B.SetInsertPoint(Done);
  };
  if (K.Shared)
    Loop(K.Shared, B.getInt32(alignTo(K.SharedBytes, 4) / 4), 0);
  if (K.DynamicShared) {
    Value *Bytes =
        launchField(B, offsetof(hetckpt_launch, dynamic_shared), I32);
    Loop(K.DynamicShared, B.CreateLShr(B.CreateAdd(Bytes, B.getInt32(3)), 2),
         Padded);
  }
}

/// Copies a private array to or from its slots, eight bytes at a time. Arrays are
/// often large, so whole units go through a loop; the tail goes byte by byte.
void FrameCode::copyPrivate(IRBuilder<> &B, Value *Group, const LivePrivate &P,
                            AllocaInst *Object, bool Save) {
  Type *I8 = B.getInt8Ty(), *I64 = B.getInt64Ty();
  Align InAlign = std::min(Object->getAlign(), Align(8));
  Value *N = B.CreateZExt(threadCount(B), I64);
  Value *First = B.CreatePtrToInt(slotAddress(B, Group, 8, P.Index), I64);
  Value *Stride = B.CreateMul(N, B.getInt64(8));
  auto Slot = [&](Value *Unit) {
    return global(B, B.CreateAdd(First, B.CreateMul(Unit, Stride)));
  };
  uint64_t Units = P.Bytes / 8;
  if (Units) {
    LLVMContext &C = B.getContext();
    BasicBlock *Pre = B.GetInsertBlock();
    auto *Body = BasicBlock::Create(C, "private.body", &F);
    auto *Done = BasicBlock::Create(C, "private.done", &F);
    B.CreateBr(Body);
    B.SetInsertPoint(Body);
    PHINode *I = B.CreatePHI(I64, 2, "unit");
    I->addIncoming(B.getInt64(0), Pre);
    Value *In = B.CreateGEP(I8, Object, B.CreateMul(I, B.getInt64(8)));
    if (Save)
      B.CreateAlignedStore(B.CreateAlignedLoad(I64, In, InAlign), Slot(I), Align(8));
    else
      B.CreateAlignedStore(B.CreateAlignedLoad(I64, Slot(I), Align(8)), In, InAlign);
    Value *Next = B.CreateAdd(I, B.getInt64(1));
    I->addIncoming(Next, Body);
    B.CreateCondBr(B.CreateICmpULT(Next, B.getInt64(Units)), Body, Done);
    B.SetInsertPoint(Done);
  }
  uint64_t Rest = P.Bytes % 8;
  if (!Rest)
    return;
  Value *Tail = B.CreateConstInBoundsGEP1_64(I8, Object, Units * 8);
  Value *Address = Slot(B.getInt64(Units));
  Value *Unit = Save ? cast<Value>(B.getInt64(0))
                     : cast<Value>(B.CreateAlignedLoad(I64, Address, Align(8)));
  for (uint64_t I = 0; I < Rest; ++I) {
    Value *At = B.CreateConstInBoundsGEP1_64(I8, Tail, I);
    if (Save) {
      Value *Byte = B.CreateZExt(B.CreateAlignedLoad(I8, At, Align(1)), I64);
      Unit = B.CreateOr(Unit, B.CreateShl(Byte, 8 * I));
    } else {
      B.CreateAlignedStore(B.CreateTrunc(B.CreateLShr(Unit, 8 * I), I8), At, Align(1));
    }
  }
  if (Save)
    B.CreateAlignedStore(Unit, Address, Align(8));
}

static bool usesAsyncCopy(Function &F) {
  for (Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<CallBase>(&I))
      if (classifyCall(*Call) == Op::AsyncCopy)
        return true;
  return false;
}

void FrameCode::emitPark(Safepoint &SP) {
  SP.Park->getTerminator()->eraseFromParent();
  IRBuilder<> B(SP.Park);
  B.SetCurrentDebugLocation(SP.Loc);
  if (*K.PauseScope == Scope::Block && usesAsyncCopy(F)) {
    // Copies that are under way must land before the block's memory is saved:
    // each thread waits for its own, then all for each other.
    callNamed(B, "llvm.nvvm.cp.async.wait.all", B.getVoidTy());
    callNamed(B, "llvm.nvvm.barrier.cta.sync.aligned.all", B.getVoidTy(),
              {B.getInt32(0)})
        ->setConvergent();
  }
  Value *Group = claimGroup(B);
  Value *T = B.CreateZExt(linearThread(B), B.getInt64Ty());
  B.CreateAlignedStore(B.getInt32(SP.Id),
                       global(B, B.CreateAdd(Group, B.CreateMul(T, B.getInt64(4)))),
                       Align(4));
  for (LiveValue &LV : SP.Live) {
    SmallVector<Leaf, 2> Leaves;
    flattenType(LV.V->getType(), Leaves);
    for (auto [L, S] : zip_equal(Leaves, LV.Slots)) {
      Value *V = LV.V;
      Type *Whole = V->getType();
      for (unsigned Index : L.Path) {
        V = Whole->isVectorTy() ? B.CreateExtractElement(V, Index)
                                : B.CreateExtractValue(V, Index);
        Whole = V->getType();
      }
      if (L.Ty->isPointerTy())
        V = encodePointer(B, V, S);
      else if (L.Ty->isIntegerTy())
        V = B.CreateZExt(V, B.getIntNTy(S.Class * 8));
      B.CreateAlignedStore(V, slotAddress(B, Group, S.Class, S.Index),
                           Align(S.Class));
    }
  }
  for (LivePrivate &P : SP.Private)
    copyPrivate(B, Group, P, P.Object, /*Save=*/true);
  if (*K.PauseScope == Scope::Block)
    copyShared(B, Group, /*Save=*/true);
  B.CreateRetVoid();
}

// ---- Resuming ---------------------------------------------------------------

Value *FrameCode::resumeGroup(IRBuilder<> &B, Value *Group) {
  Type *I64 = B.getInt64Ty();
  Value *Table = launchField(B, offsetof(hetckpt_launch, resume), I64);
  auto Field = [&](unsigned Offset) {
    return B.CreateLoad(I64, global(B, B.CreateAdd(Table, B.getInt64(Offset))));
  };
  Value *Groups = Field(offsetof(hetckpt_frame_table, groups));
  Value *Stride = Field(offsetof(hetckpt_frame_table, group_bytes));
  return B.CreateAdd(Groups, B.CreateMul(B.CreateZExt(Group, I64), Stride));
}

Value *FrameCode::loadSafepoint(IRBuilder<> &B, Value *Group) {
  Value *T = B.CreateZExt(linearThread(B), B.getInt64Ty());
  return B.CreateAlignedLoad(
      B.getInt32Ty(), global(B, B.CreateAdd(Group, B.CreateMul(T, B.getInt64(4)))),
      Align(4), "safepoint");
}

void FrameCode::loadShared(IRBuilder<> &B, Value *Group) {
  copyShared(B, Group, /*Save=*/false);
}

/// Puts a leaf into an aggregate; vectors inside aggregates are taken out and back.
static Value *insertLeaf(IRBuilder<> &B, Value *Whole, Value *Leaf,
                         ArrayRef<unsigned> Path) {
  if (Path.empty())
    return Leaf;
  if (Whole->getType()->isVectorTy())
    return B.CreateInsertElement(Whole, Leaf, Path[0]);
  Value *Inner = B.CreateExtractValue(Whole, Path[0]);
  return B.CreateInsertValue(Whole, insertLeaf(B, Inner, Leaf, Path.drop_front()),
                             Path[0]);
}

Value *FrameCode::loadValue(IRBuilder<> &B, Value *Group, const LiveValue &LV) {
  SmallVector<Leaf, 2> Leaves;
  flattenType(LV.V->getType(), Leaves);
  SmallVector<Value *, 2> Values;
  for (auto [L, S] : zip_equal(Leaves, LV.Slots)) {
    Value *Address = slotAddress(B, Group, S.Class, S.Index);
    Value *V;
    if (L.Ty->isPointerTy()) {
      V = decodePointer(B, B.CreateAlignedLoad(B.getInt64Ty(), Address, Align(8)),
                        L.Ty, S.Kind);
    } else if (L.Ty->isIntegerTy()) {
      V = B.CreateAlignedLoad(B.getIntNTy(S.Class * 8), Address, Align(S.Class));
      V = B.CreateTrunc(V, L.Ty);
    } else {
      V = B.CreateAlignedLoad(L.Ty, Address, Align(S.Class));
    }
    Values.push_back(V);
  }
  if (Leaves.size() == 1 && Leaves[0].Path.empty())
    return Values[0];
  Value *Whole = PoisonValue::get(LV.V->getType());
  for (auto [L, V] : zip_equal(Leaves, Values))
    Whole = insertLeaf(B, Whole, V, L.Path);
  return Whole;
}

void FrameCode::loadPrivate(IRBuilder<> &B, Value *Group, const LivePrivate &P,
                            AllocaInst *Object) {
  copyPrivate(B, Group, P, Object, /*Save=*/false);
}

} // namespace hetckpt
