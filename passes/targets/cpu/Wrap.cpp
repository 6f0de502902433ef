// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Signed overflow is undefined in C++, and each code generator makes of that what it likes. On a GPU
// `v * 1664525 + 1013904223` is computed in 32 bits, and generators of random numbers and hashes
// count on it. For x86-64 LLVM may extend v first and multiply vectors of 64-bit integers; what
// the program extends later then has another upper half. So data loses its promise not to overflow.
// What only makes indices of arrays, and counters of loops, keep it: without it neighbouring
// elements could not be seen to be neighbours, and an index that overflows is lost anyway.
#include "Cpu.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Operator.h"

using namespace llvm;

namespace hetckpt::cpu {
namespace {

/// Whether I only carries on, or adds and scales, what indices are made of.
bool makesIndices(const Instruction &I) {
  switch (I.getOpcode()) {
  case Instruction::Add:
  case Instruction::Sub:
  case Instruction::Mul:
  case Instruction::Shl:
  case Instruction::Or: // of disjoint bits
  case Instruction::SExt:
  case Instruction::ZExt:
  case Instruction::Trunc:
  case Instruction::PHI:
  case Instruction::Select:
  case Instruction::Freeze:
    return true;
  default:
    return false;
  }
}

/// phi + constant that goes back into the phi.
bool counts(const BinaryOperator &I) {
  auto *Phi = dyn_cast<PHINode>(I.getOperand(0));
  return Phi && isa<ConstantInt>(I.getOperand(1)) && is_contained(Phi->incoming_values(), &I) &&
         (I.getOpcode() == Instruction::Add || I.getOpcode() == Instruction::Sub);
}

} // namespace

void letDataWrap(llvm::Function &F) {
  SmallSetVector<Instruction *, 32> Indices;
  auto Note = [&](Value *V) {
    if (auto *I = dyn_cast<Instruction>(V); I && makesIndices(*I))
      Indices.insert(I);
  };
  for (Instruction &I : instructions(F))
    if (auto *Address = dyn_cast<GetElementPtrInst>(&I))
      for (Value *Index : Address->indices())
        Note(Index);
  for (unsigned N = 0; N < Indices.size(); ++N)
    for (Value *V : Indices[N]->operands())
      Note(V);
  for (Instruction &I : instructions(F)) {
    auto *Op = dyn_cast<BinaryOperator>(&I);
    if (Op && isa<OverflowingBinaryOperator>(Op) && Op->hasNoSignedWrap() && !Indices.contains(Op) &&
        !counts(*Op))
      Op->setHasNoSignedWrap(false);
    if (auto *Call = dyn_cast<IntrinsicInst>(&I); Call && Call->getIntrinsicID() == Intrinsic::abs)
      Call->setArgOperand(1, ConstantInt::getFalse(F.getContext()));
  }
}

} // namespace hetckpt::cpu
