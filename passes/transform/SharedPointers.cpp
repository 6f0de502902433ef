// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two buffers in shared memory that change places in each iteration are a phi of two
// pointers. NVIDIA's assembler keeps such a pointer in one register as long as it is
// only used as an address. A frame stores it as a number, and from then on the upper
// half lives in the loop too. An offset has no upper half:
//
//   p = phi ptr addrspace(3) [ @s, a ], [ %q, b ]
//   -->
//   o = phi i32 [ 0, a ], [ (%q - @s), b ]
//   p = getelementptr i8, @s, (sext o)
//
// The offset is also the normal form of the slot: it means the same on every target.
#include "transform/SharedPointers.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"

using namespace llvm;

namespace hetckpt {

/// A shared variable that V may point into.
static GlobalVariable *baseOf(Value *V) {
  SmallVector<const Value *, 4> Objects;
  getUnderlyingObjects(V, Objects, nullptr, 16);
  for (const Value *O : Objects)
    if (auto *G = dyn_cast<GlobalVariable>(O); G && G->getAddressSpace() == 3)
      return const_cast<GlobalVariable *>(G);
  return nullptr;
}

void indexSharedPointers(Function &F) {
  struct Entry {
    PHINode *Pointer, *Offset;
    GlobalVariable *Base;
  };
  SmallVector<Entry, 8> Work;
  for (Instruction &I : instructions(F)) {
    auto *Phi = dyn_cast<PHINode>(&I);
    if (!Phi || !Phi->getType()->isPointerTy() ||
        Phi->getType()->getPointerAddressSpace() != 3)
      continue;
    if (GlobalVariable *Base = baseOf(Phi))
      Work.push_back({Phi, nullptr, Base});
  }
  for (Entry &E : Work) {
    IRBuilder<> B(E.Pointer);
    E.Offset = B.CreatePHI(B.getInt32Ty(), E.Pointer->getNumIncomingValues(),
                           E.Pointer->getName() + ".offset");
  }
  for (Entry &E : Work) {
    IRBuilder<> B(&*E.Pointer->getParent()->getFirstInsertionPt());
    B.SetCurrentDebugLocation(E.Pointer->getDebugLoc());
    Value *Address = B.CreateGEP(B.getInt8Ty(), E.Base,
                                 B.CreateSExt(E.Offset, B.getInt64Ty()));
    Address->takeName(E.Pointer);
    // Incoming values are read below, when all pointers have been replaced.
    E.Pointer->replaceAllUsesWith(Address);
  }
  for (Entry &E : Work) {
    for (unsigned I = 0; I < E.Pointer->getNumIncomingValues(); ++I) {
      BasicBlock *From = E.Pointer->getIncomingBlock(I);
      IRBuilder<> B(From->getTerminator());
      Value *V = E.Pointer->getIncomingValue(I);
      Type *I64 = B.getInt64Ty();
      Value *Distance = B.CreateSub(B.CreatePtrToInt(V, I64),
                                    B.CreatePtrToInt(E.Base, I64));
      // The same block twice (a switch) must bring the same value.
      int Before = E.Offset->getBasicBlockIndex(From);
      E.Offset->addIncoming(Before >= 0 ? E.Offset->getIncomingValue(Before)
                                        : B.CreateTrunc(Distance, B.getInt32Ty()),
                            From);
    }
  }
  for (Entry &E : Work)
    E.Pointer->eraseFromParent();
}

} // namespace hetckpt
