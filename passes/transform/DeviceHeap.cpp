// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVIDIA's device heap is the driver's: its blocks have other addresses after a pause, if any. So
// malloc, free, new and delete in kernels use a heap in the session's memory
// (heap/heap.h), which is found by a constant of the module that the runtime sets:
//
//                                         %heap = load i64, @hetckpt_device_heap
//   %p = call ptr @malloc(i64 %n)   ->    %q = call @__hetckpt_heap_malloc(i64 %heap, i64 %n)
//                                         %p = addrspacecast %q
//   call void @free(ptr %p)         ->    call @__hetckpt_heap_free(i64 %heap, ptr %p)
//
// new and delete are these, too, where the source has not defined them: nvcc's users need no <new> for them, and
// clang's <new> has no operators with an alignment.
//
// The functions stay names until the kernels' variants are made and the portable image is taken, so that no
// safepoint can lie inside an allocation. Where the constant is 0, in a program that runs without hetckpt, those in
// native code call malloc and free in their turn.
//
// Why a constant: constant memory is the one that all variants of a kernel read in one way, without
// a look at the launch record; it is written once, when the module is loaded.
#include "transform/DeviceHeap.h"
#include "heap/Heap.h"
#include "hetckpt/device_heap.h"
#include "transform/Library.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace hetckpt {

static constexpr unsigned Global = 1, Constant = 4;

/// The heap's address, 0 unless the runtime sets it.
static GlobalVariable *heapVariable(Module &M) {
  if (GlobalVariable *G = M.getGlobalVariable(HETCKPT_HEAP_VARIABLE))
    return G;
  Type *I64 = Type::getInt64Ty(M.getContext());
  auto *G = new GlobalVariable(M, I64, /*isConstant=*/false, GlobalValue::ExternalLinkage,
                               ConstantInt::get(I64, 0), HETCKPT_HEAP_VARIABLE, nullptr,
                               GlobalValue::NotThreadLocal, Constant,
                               /*isExternallyInitialized=*/true);
  G->setAlignment(Align(8));
  return G;
}

static Value *callHeap(IRBuilder<> &B, StringRef Name, Type *Result, ArrayRef<Value *> Args) {
  Module &M = *B.GetInsertBlock()->getModule();
  SmallVector<Type *, 3> Types;
  for (Value *A : Args)
    Types.push_back(A->getType());
  FunctionCallee Callee = M.getOrInsertFunction(Name, FunctionType::get(Result, Types, false));
  auto *F = cast<Function>(Callee.getCallee());
  F->setDoesNotThrow();
  if (Result->isPointerTy())
    F->addRetAttr(Attribute::NoAlias);
  return B.CreateCall(Callee, Args);
}

/// Operands that the heap has no use for, such as the size of what is freed, are behind those that it takes.
static void replace(CallInst &Call, StringRef Name, unsigned Taken) {
  IRBuilder<> B(&Call);
  SmallVector<Value *, 3> Args{
      B.CreateAlignedLoad(B.getInt64Ty(), heapVariable(*Call.getModule()), Align(8), "heap")};
  append_range(Args, make_range(Call.arg_begin(), Call.arg_begin() + Taken));
  if (Name == names::HeapFree) {
    callHeap(B, Name, B.getVoidTy(), Args);
  } else {
    Value *P = callHeap(B, Name, B.getPtrTy(Global), Args);
    P = B.CreateAddrSpaceCast(P, Call.getType());
    P->takeName(&Call);
    Call.replaceAllUsesWith(P);
  }
  Call.eraseFromParent();
}

void adoptDeviceHeap(Module &M) {
  Type *I64 = Type::getInt64Ty(M.getContext()), *Ptr = PointerType::get(M.getContext(), 0);
  const struct {
    StringRef From, To;
    unsigned Taken;
    SmallVector<Type *, 3> Parameters;
  } Known[] = {
      {"malloc", names::HeapMalloc, 1, {I64}},
      {"_Znwm", names::HeapMalloc, 1, {I64}},
      {"_Znam", names::HeapMalloc, 1, {I64}},
      {"__nv_aligned_device_malloc_impl", names::HeapMallocAligned, 2, {I64, I64}},
      {"_ZnwmSt11align_val_t", names::HeapMallocAligned, 2, {I64, I64}},
      {"_ZnamSt11align_val_t", names::HeapMallocAligned, 2, {I64, I64}},
      {"free", names::HeapFree, 1, {Ptr}},
      {"_ZdlPv", names::HeapFree, 1, {Ptr}},
      {"_ZdaPv", names::HeapFree, 1, {Ptr}},
      {"_ZdlPvm", names::HeapFree, 1, {Ptr, I64}},
      {"_ZdaPvm", names::HeapFree, 1, {Ptr, I64}},
      {"_ZdlPvSt11align_val_t", names::HeapFree, 1, {Ptr, I64}},
      {"_ZdaPvSt11align_val_t", names::HeapFree, 1, {Ptr, I64}},
      {"_ZdlPvmSt11align_val_t", names::HeapFree, 1, {Ptr, I64, I64}},
      {"_ZdaPvmSt11align_val_t", names::HeapFree, 1, {Ptr, I64, I64}},
  };
  for (const auto &K : Known) {
    Function *F = M.getFunction(K.From);
    Type *Result = K.To == names::HeapFree ? Type::getVoidTy(M.getContext()) : Ptr;
    if (!F || !F->isDeclaration() || F->getFunctionType() != FunctionType::get(Result, K.Parameters, false))
      continue;
    for (User *U : make_early_inc_range(F->users()))
      if (auto *Call = dyn_cast<CallInst>(U); Call && Call->getCalledFunction() == F)
        replace(*Call, K.To, K.Taken);
    if (F->use_empty())
      F->eraseFromParent();
  }
}

void linkDeviceHeap(Module &M) {
  SmallVector<std::string, 3> Used;
  for (Function &F : M)
    if (F.isDeclaration() && F.getName().starts_with(names::HeapPrefix))
      Used.push_back(F.getName().str());
  if (Used.empty())
    return;
  linkLibrary(M, readLibrary(StringRef(hetckpt_heap, hetckpt_heap_end - hetckpt_heap), M.getContext()));
  // The heap is the device's: C has no word for less than everybody.
  SyncScope::ID Device = M.getContext().getOrInsertSyncScopeID("device");
  for (const std::string &Name : Used) {
    Function *F = M.getFunction(Name);
    F->setLinkage(GlobalValue::InternalLinkage);
    F->addFnAttr(Attribute::NoInline);
    for (Instruction &I : instructions(*F))
      if (I.isAtomic())
        setAtomicSyncScopeID(&I, Device);
  }
}

} // namespace hetckpt
