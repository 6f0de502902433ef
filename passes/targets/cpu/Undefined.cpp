// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads that have nothing to do in a loop go through it all the same where all threads of
// a block must (passes/transform/Lockstep.cpp). What they carry along is undefined, and then
// becomes what the others have:
//
//   work:  %step = mul i64 %grid, 256
//   loop:  %s = phi i64 [ %step, %work ], [ undef, %entry ]   ->   %step.1 = mul i64 %grid, 256
//
// So values that all threads have in common are still seen to be (Uniform.cpp). Undefined may
// become any value, but not poison: that is why what is computed again is computed without
// promises, from nothing but arguments and what a kernel's launch does not change.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

constexpr unsigned Limit = 16; // instructions to compute a value again

/// The one value that P has where it is defined; null if there are several, or none.
Value *definedValue(PHINode &P) {
  Value *Found = nullptr;
  bool Undefined = false;
  for (Value *In : P.incoming_values()) {
    if (isa<UndefValue>(In))
      Undefined = true;
    else if (In == &P)
      continue;
    else if (Found && In != Found)
      return nullptr;
    else
      Found = In;
  }
  return Undefined ? Found : nullptr;
}

/// V computed again without promises.
Value *computeAgain(Value *V, IRBuilder<> &B) {
  auto *I = dyn_cast<Instruction>(V);
  if (!I)
    return V;
  Instruction *New = I->clone();
  for (Use &U : New->operands())
    U.set(computeAgain(U.get(), B));
  New->dropPoisonGeneratingAnnotations();
  return B.Insert(New, I->getName());
}

/// True if V is the parameter buffer's address.
bool isParams(Value *V) {
  auto *L = dyn_cast<LoadInst>(V);
  if (!L)
    return false;
  APInt Offset(64, 0);
  auto *A = dyn_cast<Argument>(
      L->getPointerOperand()->stripAndAccumulateInBoundsConstantOffsets(L->getDataLayout(), Offset));
  return A && A->getArgNo() == ArgBlock && Offset == offsetof(hetckpt_cpu_block, params);
}

/// True if V can be computed anywhere, and is then never poison: made of nothing but
/// arguments, constants, and what is loaded from the block's record or the parameters.
bool always(Value *V) {
  if (auto *C = dyn_cast<Constant>(V))
    return isGuaranteedNotToBeUndefOrPoison(C);
  auto *I = dyn_cast<Instruction>(V);
  if (!I)
    return true;
  // By too much gives poison, whatever is promised.
  if (isa<AllocaInst>(I) || (I->isShift() && !isa<Constant>(I->getOperand(1))))
    return false;
  if (auto *L = dyn_cast<LoadInst>(I)) {
    // From the block's record, or what that points to: the parameters, behind them the
    // launch record. Either is whole in every thread.
    Value *Base = L->getPointerOperand()->stripInBoundsConstantOffsets();
    if (isParams(Base))
      return true;
    if (auto *A = dyn_cast<Argument>(Base); !A || A->getArgNo() != ArgBlock)
      return false;
  }
  return all_of(I->operands(), [](Value *Op) { return always(Op); });
}

} // namespace

void defineUndefined(llvm::Function &Thread) {
  DominatorTree DT(Thread);
  SmallVector<PHINode *, 16> Phis;
  for (Instruction &I : instructions(Thread))
    if (auto *P = dyn_cast<PHINode>(&I))
      Phis.push_back(P);
  for (PHINode *P : Phis) {
    Value *V = definedValue(*P);
    if (!V)
      continue;
    if (!DT.dominates(V, P) || !isGuaranteedNotToBePoison(V, nullptr, P, &DT)) {
      BasicBlock::iterator At = P->getParent()->getFirstInsertionPt();
      if (At == P->getParent()->end() || rematCost(V, Limit, nullptr) > Limit || !always(V))
        continue;
      IRBuilder<> B(P->getParent(), At);
      V = computeAgain(V, B);
    }
    P->replaceAllUsesWith(V);
    P->eraseFromParent();
  }
}

} // namespace hetckpt::cpu
