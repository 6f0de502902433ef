// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values that are computed again rather than kept in a frame, and values that differ
// from such a one by something that all threads share:
//
//   %i = phi [%start, ...], [%next, ...]     ; %start = block * size + x
//   %next = add %i, %stride                  ; %i is %start plus a uniform
//
//   %p = gep %tile, %y, ...                  ; %tile is uniform, so %p is bytes plus a uniform
//
// Of the second kind only the difference is kept. It is a uniform, so a loop over
// threads sees how %i, and addresses made from it, change from thread to thread.
#include "Cpu.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/Operator.h"

using namespace llvm;

namespace hetckpt::cpu {
namespace {

constexpr unsigned BaseLimit = 16;
constexpr unsigned WalkLimit = 32;

/// The same in all threads of a row, if it can be computed again: then it is, once a row.
bool sameInRow(Value *V, unsigned Depth) {
  if (isa<Constant>(V))
    return true;
  if (auto *A = dyn_cast<Argument>(V))
    return A->getArgNo() != ArgX && A->getArgNo() != ArgTid;
  auto *I = dyn_cast<Instruction>(V);
  return I && Depth && !isa<PHINode>(I) && !isa<AllocaInst>(I) &&
         all_of(I->operands(), [&](Value *Op) { return sameInRow(Op, Depth - 1); });
}

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

bool linearInX(Value *V, unsigned Depth) {
  if (!Depth)
    return false;
  auto Fixed = [&](Value *Op) { return sameInRow(Op, Depth - 1); };
  if (isa<Argument>(V) || sameInRow(V, Depth))
    return true;
  auto *I = dyn_cast<Instruction>(V);
  if (!I)
    return false;
  switch (I->getOpcode()) {
  case Instruction::Mul:
    return (Fixed(I->getOperand(0)) && linearInX(I->getOperand(1), Depth - 1)) ||
           (Fixed(I->getOperand(1)) && linearInX(I->getOperand(0), Depth - 1));
  case Instruction::Shl:
    return Fixed(I->getOperand(1)) && linearInX(I->getOperand(0), Depth - 1);
  case Instruction::Or:
    return cast<PossiblyDisjointInst>(I)->isDisjoint() && linearInX(I->getOperand(0), Depth - 1) &&
           linearInX(I->getOperand(1), Depth - 1);
  case Instruction::Add:
  case Instruction::Sub:
  case Instruction::SExt:
  case Instruction::ZExt:
  case Instruction::GetElementPtr:
    return all_of(I->operands(), [&](Value *Op) { return linearInX(Op, Depth - 1); });
  default:
    return false;
  }
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

/// Of G, whose pointer is uniform: the bytes from there, as far as they are not. The
/// instructions that compute them are made here, and go again if nobody needs them.
Value *BaseFinder::offsetBase(GetElementPtrInst &G) {
  if (auto It = Offsets.find(&G); It != Offsets.end())
    return It->second;
  Value *&Found = Offsets[&G];
  const DataLayout &DL = G.getDataLayout();
  SmallMapVector<Value *, APInt, 4> Variable;
  APInt Constant(64, 0);
  if (!G.getType()->isPointerTy() || !G.collectOffset(DL, 64, Variable, Constant))
    return nullptr;
  IRBuilder<> B(&G);
  Value *Sum = nullptr;
  for (auto &[V, Scale] : Variable) {
    if (uniform(V))
      continue;
    // Not as flags of the address' parts would have it: the sum alone must be right.
    Value *Part = B.CreateMul(B.CreateSExtOrTrunc(V, B.getInt64Ty()), B.getInt(Scale));
    Sum = Sum ? B.CreateAdd(Sum, Part) : Part;
  }
  auto *I = dyn_cast_or_null<Instruction>(Sum);
  if (I && rematCost(I, BaseLimit, Entry) <= BaseLimit)
    Found = I;
  return Found;
}

/// Goes back from I over what only adds uniforms. What it ends at must be one value.
Value *BaseFinder::find(Instruction *I) {
  if (!I->getType()->isIntegerTy() && !I->getType()->isPointerTy())
    return nullptr;
  SmallSetVector<Value *, 16> Seen;
  Seen.insert(I);
  Value *Base = nullptr;
  for (unsigned N = 0; N < Seen.size(); N++) {
    if (N >= WalkLimit)
      return nullptr;
    Value *V = Seen[N], *End = nullptr;
    auto *J = dyn_cast<Instruction>(V);
    if (J && !Likely && (D.Uneven.contains(J) || D.Joins.contains(J)))
      return nullptr;
    if (uniform(V))
      return nullptr;
    if (isa<Argument>(V)) {
      End = V;
    } else if (!isa<PHINode>(J) && rematCost(J, BaseLimit, Entry) <= BaseLimit) {
      End = J;
    } else if (auto *Phi = dyn_cast<PHINode>(J)) {
      for (Value *In : Phi->incoming_values())
        Seen.insert(In);
    } else if (J->getOpcode() == Instruction::Add && uniform(J->getOperand(1))) {
      Seen.insert(J->getOperand(0));
    } else if (J->getOpcode() == Instruction::Add && uniform(J->getOperand(0))) {
      Seen.insert(J->getOperand(1));
    } else if (J->getOpcode() == Instruction::Sub && uniform(J->getOperand(1))) {
      Seen.insert(J->getOperand(0));
    } else if (auto *G = dyn_cast<GetElementPtrInst>(J);
               G && uniform(G->getPointerOperand())) {
      End = offsetBase(*G);
      if (!End)
        return nullptr;
    } else if (G && all_of(G->indices(), [&](Value *Index) { return uniform(Index); })) {
      Seen.insert(G->getPointerOperand());
    } else {
      return nullptr;
    }
    if (!End)
      continue;
    if (Base && End != Base)
      return nullptr;
    Base = End;
  }
  if (!Base || Base == I)
    return nullptr;
  // Bytes from a uniform pointer are the one case of different types.
  if (Base->getType() != I->getType() && !(I->getType()->isPointerTy() && Base->getType()->isIntegerTy(64)))
    return nullptr;
  return Base;
}

} // namespace hetckpt::cpu
