// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "analysis/Waits.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/IR/Constants.h"
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
  return false;
}

bool isWaitLoop(const Loop &L) {
  SmallVector<BasicBlock *, 4> Exiting;
  L.getExitingBlocks(Exiting);
  for (BasicBlock *BB : Exiting) {
    Value *Cond = nullptr;
    if (auto *Br = dyn_cast<BranchInst>(BB->getTerminator()))
      Cond = Br->isConditional() ? Br->getCondition() : nullptr;
    else if (auto *Sw = dyn_cast<SwitchInst>(BB->getTerminator()))
      Cond = Sw->getCondition();
    SmallVector<Value *, 8> Work;
    DenseSet<Value *> Seen;
    if (Cond)
      Work.push_back(Cond);
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
      } else if (!isa<LoadInst>(I) && !I->isAtomic()) {
        append_range(Work, I->operands());
      }
    }
  }
  return false;
}

} // namespace hetckpt
