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
// The offset is also the normal form of the slot: it means the same on every target. So
// pointers into constant memory and tables, which each target puts where it likes, become
// offsets too.
//
// Gaps: pointers that may point into static and into dynamic shared memory stay pointers.
// Those that may point into one of several tables cannot be carried (LiveState.cpp).
#include "transform/SharedPointers.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Analysis/Utils/Local.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Operator.h"

using namespace llvm;

namespace hetckpt {

bool liesWithCode(const GlobalVariable &G) {
  return G.getAddressSpace() == 4 ||
         (G.isConstant() && G.hasLocalLinkage() && !G.isExternallyInitialized() &&
          G.getAddressSpace() != 3);
}

namespace {
/// Finds the phis that can become offsets: all that they may hold is one variable plus
/// offsets that can be computed. Anything else would leave addresses as numbers behind,
/// which nobody can carry to another device.
class Finder {
public:
  /// Phis and their variables, in F's order.
  SmallVector<std::pair<PHINode *, GlobalVariable *>, 8> run(Function &F) {
    SmallVector<PHINode *, 8> Order;
    for (Instruction &I : instructions(F)) {
      auto *Phi = dyn_cast<PHINode>(&I);
      if (!Phi || !Phi->getType()->isPointerTy())
        continue;
      if (GlobalVariable *Base = onlyBase(Phi)) {
        Bases[Phi] = Base;
        Order.push_back(Phi);
      }
    }
    for (bool Changed = true; Changed;) {
      Changed = false;
      for (PHINode *Phi : Order) {
        GlobalVariable *Base = Bases.lookup(Phi);
        if (Base && any_of(Phi->incoming_values(),
                           [&](Value *V) { return !canOffset(V, Base); })) {
          Bases.erase(Phi);
          Changed = true;
        }
      }
    }
    SmallVector<std::pair<PHINode *, GlobalVariable *>, 8> Out;
    for (PHINode *Phi : Order)
      if (GlobalVariable *Base = Bases.lookup(Phi))
        Out.push_back({Phi, Base});
    return Out;
  }

private:
  static GlobalVariable *onlyBase(Value *V) {
    SmallVector<const Value *, 4> Objects;
    getUnderlyingObjects(V, Objects, nullptr, 16);
    GlobalVariable *Base = nullptr;
    for (const Value *O : Objects) {
      if (isa<UndefValue>(O))
        continue;
      auto *G = dyn_cast<GlobalVariable>(O);
      if (!G || (G->getAddressSpace() != 3 && !liesWithCode(*G)) ||
          G->getType() != V->getType() || (Base && Base != G))
        return nullptr;
      Base = const_cast<GlobalVariable *>(G);
    }
    return Base;
  }
  bool canOffset(Value *V, GlobalVariable *Base) const {
    if (V == Base || isa<UndefValue>(V))
      return true;
    if (auto *Phi = dyn_cast<PHINode>(V))
      return Bases.lookup(Phi) == Base;
    if (auto *GEP = dyn_cast<GEPOperator>(V))
      return canOffset(GEP->getPointerOperand(), Base);
    if (auto *S = dyn_cast<SelectInst>(V))
      return canOffset(S->getTrueValue(), Base) && canOffset(S->getFalseValue(), Base);
    return false;
  }
  DenseMap<PHINode *, GlobalVariable *> Bases;
};
} // namespace

/// i32 distance of V from Base, computed at B. Phis have become addresses with offsets.
static Value *offsetOf(Value *V, GlobalVariable *Base, IRBuilder<> &B) {
  if (V == Base)
    return B.getInt32(0);
  if (auto *GEP = dyn_cast<GEPOperator>(V)) {
    Value *Under = offsetOf(GEP->getPointerOperand(), Base, B);
    Value *Own = emitGEPOffset(&B, Base->getDataLayout(), cast<User>(GEP),
                               /*NoAssumptions=*/true);
    return B.CreateAdd(Under, B.CreateSExtOrTrunc(Own, B.getInt32Ty()));
  }
  if (auto *S = dyn_cast<SelectInst>(V))
    return B.CreateSelect(S->getCondition(), offsetOf(S->getTrueValue(), Base, B),
                          offsetOf(S->getFalseValue(), Base, B));
  return UndefValue::get(B.getInt32Ty());
}

void indexSharedPointers(Function &F) {
  struct Entry {
    PHINode *Pointer, *Offset;
    GlobalVariable *Base;
  };
  SmallVector<Entry, 8> Work;
  for (auto [Phi, Base] : Finder().run(F))
    Work.push_back({Phi, nullptr, Base});
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
      // The same block twice (a switch) must bring the same value.
      int Before = E.Offset->getBasicBlockIndex(From);
      E.Offset->addIncoming(Before >= 0
                                ? E.Offset->getIncomingValue(Before)
                                : offsetOf(E.Pointer->getIncomingValue(I), E.Base, B),
                            From);
    }
  }
  for (Entry &E : Work)
    E.Pointer->eraseFromParent();
}

} // namespace hetckpt
