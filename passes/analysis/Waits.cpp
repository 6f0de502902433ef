// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "analysis/Waits.h"
#include "image/InlineAsm.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;

namespace hetckpt {

/// True if reading again can only help if another thread writes.
static bool waitsOn(const Instruction &I, const Loop &L) {
  if (auto *Load = dyn_cast<LoadInst>(&I))
    return Load->isVolatile() || Load->isAtomic();
  if (auto *RMW = dyn_cast<AtomicRMWInst>(&I)) {
    auto *C = dyn_cast<ConstantInt>(RMW->getValOperand());
    switch (RMW->getOperation()) {
    case AtomicRMWInst::Add:
    case AtomicRMWInst::Sub:
    case AtomicRMWInst::Or:
    case AtomicRMWInst::Xor:
      return C && C->isZero();
    case AtomicRMWInst::Xchg:
      return true;
    case AtomicRMWInst::And:
      return C && C->isMinusOne();
    default:
      return false;
    }
  }
  if (auto *CAS = dyn_cast<AtomicCmpXchgInst>(&I))
    return L.isLoopInvariant(CAS->getCompareOperand());
  if (auto *Call = dyn_cast<CallBase>(&I); Call && Call->isInlineAsm())
    return inlineAsmWaits(*Call, [&](const Value *V) { return L.isLoopInvariant(V); });
  return false;
}

/// What decides at BB's end.
static Value *condition(const BasicBlock *BB) {
  if (auto *Br = dyn_cast<BranchInst>(BB->getTerminator()))
    return Br->isConditional() ? Br->getCondition() : nullptr;
  if (auto *Sw = dyn_cast<SwitchInst>(BB->getTerminator()))
    return Sw->getCondition();
  return nullptr;
}

/// What decides whether BB is come to, as far as there is one way to it inside L.
static void controls(const BasicBlock *BB, const Loop &L, SmallVectorImpl<Value *> &Out) {
  while (BB != L.getHeader()) {
    BB = BB->getSinglePredecessor();
    if (!BB || !L.contains(BB))
      return;
    if (Value *Cond = condition(BB))
      Out.push_back(Cond);
  }
}

/// True if V is what a variable of L, or of a loop inside it, held when the iteration began: a way
/// that brings it to the next one has got no further.
static bool isKept(const Value *V, const Loop &L) {
  auto *Phi = dyn_cast<PHINode>(V);
  return Phi && any_of(L.getLoopsInPreorder(),
                       [&](const Loop *Inner) { return Inner->getHeader() == Phi->getParent(); });
}

bool isWaitLoop(const Loop &L) {
  SmallVector<BasicBlock *, 4> Exiting;
  L.getExitingBlocks(Exiting);
  SmallVector<Value *, 8> Work;
  for (BasicBlock *BB : Exiting) {
    if (Value *Cond = condition(BB))
      Work.push_back(Cond);
    controls(BB, L, Work);
  }
  DenseSet<Value *> Seen;
  while (!Work.empty()) {
    auto *I = dyn_cast<Instruction>(Work.pop_back_val());
    if (!I || !L.contains(I) || !Seen.insert(I).second)
      continue;
    if (waitsOn(*I, L))
      return true;
    // What a block or a warp agreed on comes from what its threads read.
    if (auto *Call = dyn_cast<CallBase>(I)) {
      if (Call->isConvergent())
        append_range(Work, Call->args());
      continue;
    }
    // A variable that says "done" is a constant on each way, and a counter of what is done stays
    // as it is while there is nothing to do: the way tells.
    if (auto *Phi = dyn_cast<PHINode>(I))
      for (unsigned N = 0; N < Phi->getNumIncomingValues(); ++N)
        if (BasicBlock *From = Phi->getIncomingBlock(N);
            L.contains(From) &&
            (isa<Constant>(Phi->getIncomingValue(N)) || isKept(Phi->getIncomingValue(N), L))) {
          if (Value *Cond = condition(From))
            Work.push_back(Cond);
          controls(From, L, Work);
        }
    if (!isa<LoadInst>(I) && !I->isAtomic())
      append_range(Work, I->operands());
  }
  return false;
}

bool mayBeWaitLoop(const Loop &L) {
  // Variables lie in memory, atomics in functions: all that can be said is that the loop
  // does something that another thread could see or be seen by.
  for (const BasicBlock *BB : L.blocks())
    for (const Instruction &I : *BB) {
      if (I.isVolatile() || I.isAtomic())
        return true;
      if (auto *Call = dyn_cast<CallBase>(&I)) {
        if (Call->isInlineAsm() && Call->mayHaveSideEffects())
          return true;
        if (const Function *Callee = Call->getCalledFunction();
            Callee && !Callee->isDeclaration() && !Call->doesNotAccessMemory())
          return true;
      }
    }
  return false;
}

} // namespace hetckpt
