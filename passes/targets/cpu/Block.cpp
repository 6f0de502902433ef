// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Access to the block's record, and errors.
#include "Cpu.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/MDBuilder.h"

using namespace llvm;

namespace hetckpt::cpu {

Error fail(int Errno, const Twine &Message) {
  return createStringError(std::error_code(Errno, std::generic_category()), Message);
}

Value *loadField(IRBuilderBase &B, Value *Block, size_t Offset, Type *Ty, const Twine &Name) {
  LLVMContext &C = B.getContext();
  Value *P = Offset ? B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Block, Offset) : Block;
  LoadInst *L = B.CreateAlignedLoad(Ty, P, Align(Ty->isIntegerTy(32) ? 4 : 8), Name);
  // Lets it leave loops whatever else the loop stores.
  L->setMetadata(LLVMContext::MD_invariant_load, MDNode::get(C, {}));
  L->setMetadata(LLVMContext::MD_noundef, MDNode::get(C, {}));
  return L;
}

} // namespace hetckpt::cpu
