// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values that are computed again rather than kept in a frame, and values that differ
// from such a one by something that all threads share:
//
//   %i = phi [%start, ...], [%next, ...]     ; %start = block * size + x
//   %next = add %i, %stride                  ; %i is %start plus a uniform
//
// Of the second kind only the difference is kept. It is a uniform, so a loop over
// threads sees how %i, and addresses made from it, change from thread to thread.
#include "Cpu.h"

#include "llvm/IR/Operator.h"

using namespace llvm;

namespace hetckpt::cpu {
namespace {

constexpr unsigned BaseLimit = 16;
constexpr unsigned DepthLimit = 12;

} // namespace

unsigned rematCost(Value *V, unsigned Budget, const BasicBlock *Entry) {
  if (isa<Constant>(V) || isa<Argument>(V))
    return 0;
  auto *I = dyn_cast<Instruction>(V);
  const unsigned No = Budget + 1;
  if (!I || !Budget)
    return No;
  if (isa<AllocaInst>(I))
    return 0;
  if (I->getParent() == Entry)
    return No; // a stand-in: what it stands for is only there behind its site
  if (auto *L = dyn_cast<LoadInst>(I)) {
    if (!L->hasMetadata(LLVMContext::MD_invariant_load))
      return No;
  } else if (auto *B = dyn_cast<BinaryOperator>(I)) {
    if (B->isIntDivRem() || B->getType()->isFPOrFPVectorTy())
      return No;
  } else if (!isa<CastInst>(I) && !isa<GetElementPtrInst>(I) && !isa<ICmpInst>(I) &&
             !isa<SelectInst>(I)) {
    return No;
  }
  unsigned Cost = 1;
  for (Value *Op : I->operands()) {
    Cost += rematCost(Op, Budget - Cost, Entry);
    if (Cost > Budget)
      return No;
  }
  return Cost;
}

Value *rematerialise(Value *V, IRBuilder<> &B, DenseMap<Value *, Value *> &Done,
                     const BasicBlock *Entry) {
  auto *I = dyn_cast<Instruction>(V);
  if (!I || I->getParent() == Entry)
    return V;
  if (Value *D = Done.lookup(V))
    return D;
  Instruction *New = I->clone();
  for (Use &U : New->operands())
    U.set(rematerialise(U.get(), B, Done, Entry));
  B.Insert(New, I->getName());
  return Done[V] = New;
}

bool BaseFinder::uniform(Value *V) const {
  if (isa<Constant>(V))
    return true;
  if (auto *A = dyn_cast<Argument>(V))
    return A->getArgNo() == ArgBlock;
  auto *I = dyn_cast<Instruction>(V);
  return I && D.Uniform.contains(I);
}

/// What V is plus a uniform: a value that can be computed again, a phi that is being
/// looked at, or null.
Value *BaseFinder::look(Value *V, unsigned Depth) {
  if (auto It = Known.find(V); It != Known.end())
    return It->second == V || !It->second ? It->second : look(It->second, Depth + 1);
  if (isa<Argument>(V))
    return V;
  auto *I = dyn_cast<Instruction>(V);
  if (!I || Depth > DepthLimit || D.Uneven.contains(I))
    return nullptr;
  if (!isa<PHINode>(I) && rematCost(I, BaseLimit, Entry) <= BaseLimit)
    return I;
  switch (I->getOpcode()) {
  case Instruction::Add:
    if (uniform(I->getOperand(1)))
      return look(I->getOperand(0), Depth + 1);
    if (uniform(I->getOperand(0)))
      return look(I->getOperand(1), Depth + 1);
    return nullptr;
  case Instruction::Sub:
    return uniform(I->getOperand(1)) ? look(I->getOperand(0), Depth + 1) : nullptr;
  case Instruction::GetElementPtr:
    for (unsigned N = 1; N < I->getNumOperands(); N++)
      if (!uniform(I->getOperand(N)))
        return nullptr;
    return look(I->getOperand(0), Depth + 1);
  case Instruction::PHI:
    break;
  default:
    return nullptr;
  }
  auto *Phi = cast<PHINode>(I);
  if (D.Joins.contains(Phi))
    return nullptr;
  // As long as it is not known, the phi stands for itself; the ways in agree if they
  // are all the same but for itself.
  Known[Phi] = Phi;
  Value *Base = nullptr;
  for (Value *In : Phi->incoming_values()) {
    Value *B = uniform(In) ? nullptr : look(In, Depth + 1);
    if (!B || (B != Phi && Base && B != Base))
      return Known[Phi] = nullptr;
    if (B != Phi)
      Base = B;
  }
  return Known[Phi] = Base;
}

Value *BaseFinder::find(Instruction *I) {
  if (!I->getType()->isIntegerTy() && !I->getType()->isPointerTy())
    return nullptr;
  Value *B = look(I, 0);
  if (!B || isa<PHINode>(B) || B == I || B->getType() != I->getType())
    return nullptr;
  return B;
}

} // namespace hetckpt::cpu
