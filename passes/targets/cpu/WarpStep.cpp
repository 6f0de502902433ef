// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Warps that rely on going in step. Code from before Volta exchanges values of a warp through
// volatile shared memory with no barrier between, since all lanes execute an instruction
// together:
//
//   x = volatile load s[t + 1]           x = volatile load s[t + 1]
//   volatile store s[t], x      =>       activemask()    all have read before one writes
//                                        volatile store s[t], x
//                                        activemask()    all have written before one reads
//
// Here the lanes of a warp run one after another from wait to wait, so each store gets a wait
// at which the lanes that come to it meet. Such kernels are slow, but right.
//
// Gap: shared memory that is not volatile; there the compiler may move accesses anyway.
#include "WarpStep.h"

#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace hetckpt::cpu {

static bool isVolatileShared(const StoreInst &Store) {
  constexpr unsigned Shared = 3;
  const Value *P = Store.getPointerOperand();
  return Store.isVolatile() &&
         (Store.getPointerAddressSpace() == Shared ||
          getUnderlyingObject(P)->getType()->getPointerAddressSpace() == Shared);
}

void keepInStep(Module &M) {
  for (llvm::Function &F : M) {
    SmallVector<StoreInst *, 8> Stores;
    for (Instruction &I : instructions(F))
      if (auto *Store = dyn_cast<StoreInst>(&I); Store && isVolatileShared(*Store))
        Stores.push_back(Store);
    for (StoreInst *Store : Stores) {
      IRBuilder<> B(Store);
      FunctionCallee Meet = M.getOrInsertFunction("__hetckpt_activemask", B.getInt32Ty());
      cast<llvm::Function>(Meet.getCallee())->setConvergent();
      B.CreateCall(Meet)->setConvergent();
      B.SetInsertPoint(Store->getNextNode());
      B.SetCurrentDebugLocation(Store->getDebugLoc());
      B.CreateCall(Meet)->setConvergent();
    }
  }
}

} // namespace hetckpt::cpu
