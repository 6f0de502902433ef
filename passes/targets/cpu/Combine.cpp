// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Atomic additions whose result nobody uses, in a loop that is taken over threads (Loops.cpp), are collected by
// address and go to memory when the loop is left:
//
//   loop: ... atomicrmw add ptr %p, i32 %v monotonic        loop: ... call @__hetckpt_cpu_combine(%table, %p, %v, 4)
//
// Sums are kept in a table on the stack of __hetckpt_cpu_drive(), which a word behind the block's frames points to.
//
// Why this does not change what a kernel means. The additions are relaxed and can change places (commutes()), and a sum of
// them leaves in memory what they would. That they are seen late is what relaxed ones may always be:
// another thread can tell an order from them only by a fence, a barrier or an atomic that orders,
// and none of these is in such a loop; the driver empties the table before any thread goes on anywhere else, to a
// barrier or to its end. It need not where threads only ask whether they should park, and come back (keepsTable()): if
// they do park, they empty it. Nobody is kept waiting for long, as it is emptied each so many passes, too,
// and a thread that waits for memory itself is in no such loop. What one thread adds to it sees itself: before every other
// access of the loop, loads, stores and atomics alike, the table is emptied if it may hold something that lies there
// (__hetckpt_cpu_look()). This includes the numbers of other threads, whose order was never promised.
//
// Additions to memory that is not there fault when the table is emptied, which the same block does.
//
// Gaps: additions outside such loops, and other operations than additions.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/Analysis/InstructionSimplify.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/ValueHandle.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

constexpr char CombineName[] = "__hetckpt_cpu_combine";
constexpr char LookName[] = "__hetckpt_cpu_look";
constexpr char EmptyName[] = "__hetckpt_cpu_empty";

/// Bytes of what A adds to, if A can be collected; or 0.
unsigned combinable(const Instruction &I) {
  auto *A = dyn_cast<AtomicRMWInst>(&I);
  if (!A || !commutes(*A) || A->isVolatile() || A->getOrdering() != AtomicOrdering::Monotonic ||
      (A->getOperation() != AtomicRMWInst::Add && A->getOperation() != AtomicRMWInst::Sub))
    return 0;
  unsigned Bits = A->getType()->getIntegerBitWidth();
  return Bits == 32 || Bits == 64 ? Bits / 8 : 0;
}

/// What I reads or writes; null: what no kernel adds to.
Value *accessed(Instruction &I, Type **T) {
  if (I.hasMetadata(LLVMContext::MD_invariant_load) || I.hasMetadata(FlagMetadata))
    return nullptr;
  if (auto *A = dyn_cast<AtomicRMWInst>(&I)) {
    *T = A->getType();
    return A->getPointerOperand();
  }
  *T = getLoadStoreType(&I);
  return getLoadStorePointerOperand(&I);
}

} // namespace

bool combine(Loop &L) {
  unsigned Bytes = 0;
  SmallVector<Instruction *, 16> Accesses;
  for (BasicBlock *B : L.blocks())
    for (Instruction &I : *B) {
      if (unsigned N = combinable(I)) {
        if (Bytes && N != Bytes)
          return false; // the same address may be in the table as one of both
        Bytes = N;
      }
      if (!I.mayReadOrWriteMemory())
        continue;
      if (auto *A = dyn_cast<AtomicRMWInst>(&I); A && A->getOrdering() != AtomicOrdering::Monotonic)
        return false; // who sees it may ask for what came before
      if (isa<LoadInst, StoreInst, AtomicRMWInst>(I))
        Accesses.push_back(&I);
      else if (auto *Call = dyn_cast<CallBase>(&I); !Call || !Call->onlyAccessesInaccessibleMemory())
        return false;
    }
  if (!Bytes)
    return false;
  Module &M = *L.getHeader()->getModule();
  const DataLayout &DL = M.getDataLayout();
  IRBuilder<> B(M.getContext());
  Value *Later = ConstantPointerNull::get(B.getPtrTy()); // see findTable()
  for (Instruction *I : Accesses) {
    B.SetInsertPoint(I);
    if (combinable(*I)) {
      auto *A = cast<AtomicRMWInst>(I);
      Value *Sum = A->getValOperand();
      if (A->getOperation() == AtomicRMWInst::Sub)
        Sum = B.CreateNeg(Sum);
      B.CreateCall(M.getFunction(CombineName), {Later, B.CreatePtrToInt(A->getPointerOperand(), B.getInt64Ty()),
                                                B.CreateZExt(Sum, B.getInt64Ty()), B.getInt32(Bytes)});
      A->eraseFromParent();
      continue;
    }
    Type *T;
    if (Value *P = accessed(*I, &T))
      B.CreateCall(M.getFunction(LookName), {Later, B.CreatePtrToInt(P, B.getInt64Ty()),
                                             B.getInt64(DL.getTypeStoreSize(T).getFixedValue())});
  }
  return true;
}

/// The table, where IRBuilder B stands.
static Value *table(IRBuilder<> &B, const Variant &V, Value *Block) {
  Value *Frames = loadField(B, Block, offsetof(hetckpt_cpu_block, frames), B.getPtrTy(), "frames");
  Value *Threads = B.CreateZExt(loadField(B, Block, offsetof(hetckpt_cpu_block, threads), B.getInt32Ty(), "threads"),
                                B.getInt64Ty());
  Value *Word = B.CreateInBoundsGEP(B.getInt8Ty(), Frames, B.CreateNUWMul(Threads, B.getInt64(V.CombinerAt)));
  return B.CreateAlignedLoad(B.getPtrTy(), Word, Align(16), "combiner");
}

void findTable(Variant &V) {
  if (!V.Combining)
    return;
  V.CombinerAt = V.FrameBytes;
  V.FrameBytes += 16;
  llvm::Function &F = *V.Thread;
  IRBuilder<> B(F.getContext());
  for (Instruction &I : make_early_inc_range(instructions(F))) {
    auto *Call = dyn_cast<CallInst>(&I);
    llvm::Function *Callee = Call ? Call->getCalledFunction() : nullptr;
    if (!Callee || (Callee->getName() != CombineName && Callee->getName() != LookName))
      continue;
    B.SetInsertPoint(Call);
    Call->setArgOperand(0, table(B, V, F.getArg(ArgBlock)));
  }
}

/// True if nobody can tell from I whether additions have gone to memory.
static bool isPrivate(const Instruction &I, const Entered &E) {
  if (!I.mayReadOrWriteMemory() || I.hasMetadata(LLVMContext::MD_invariant_load) || I.hasMetadata(FlagMetadata))
    return true;
  if (auto *Call = dyn_cast<CallBase>(&I))
    return Call->onlyAccessesInaccessibleMemory();
  // Slots of the frames.
  const Value *P = getLoadStorePointerOperand(&I);
  auto *A = P ? dyn_cast<Argument>(getUnderlyingObject(P)) : nullptr;
  return A && A->getArgNo() >= ContextArgs && A->getArgNo() < ContextArgs + E.Slots.size();
}

bool keepsTable(const Variant &V, const Entered &E) {
  llvm::Function &F = *E.Body;
  DominatorTree DT(F);
  SmallVector<Instruction *, 8> Empty;
  for (BasicBlock &BB : F)
    for (Instruction &I : BB)
      if (!isPrivate(I, E)) {
        // Only what threads do seldom, park say, for each thread asks.
        if (!isRare(BB, DT))
          return false;
        Empty.push_back(&I);
        break;
      }
  FunctionCallee Callee = F.getParent()->getFunction(EmptyName);
  IRBuilder<> B(F.getContext());
  for (Instruction *I : Empty) {
    B.SetInsertPoint(I);
    B.CreateCall(Callee, {table(B, V, F.getArg(ArgBlock))});
  }
  return true;
}

} // namespace hetckpt::cpu
