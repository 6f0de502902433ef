// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "targets/nvptx/Carry.h"
#include "hetckpt/abi.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace hetckpt {

/// The last use of Phi that follows Next in its block; nullptr if there is none, or if Next is needed
/// before the block ends.
static Instruction *lastUseBehind(const PHINode &Phi, const Instruction &Next) {
  for (const User *U : Next.users()) {
    auto *Use = cast<Instruction>(U);
    if (Use->getParent() == Next.getParent() && !isa<PHINode>(Use))
      return nullptr;
  }
  Instruction *Last = nullptr;
  for (const User *U : Phi.users()) {
    auto *Use = const_cast<Instruction *>(cast<Instruction>(U));
    if (Use->getParent() != Next.getParent() || isa<PHINode>(Use) || Use->isTerminator())
      continue;
    if (Next.comesBefore(Use) && (!Last || Last->comesBefore(Use)))
      Last = Use;
  }
  return Last;
}

static void shortenIn(Loop &L) {
  BasicBlock *Latch = L.getLoopLatch();
  if (!Latch)
    return;
  for (PHINode &Phi : L.getHeader()->phis()) {
    auto *Next = dyn_cast<Instruction>(Phi.getIncomingValueForBlock(Latch));
    if (!Next || isa<PHINode>(Next) || !L.contains(Next) || Next->mayReadOrWriteMemory() ||
        Next->mayHaveSideEffects() || Next->isTerminator())
      continue;
    if (Instruction *Last = lastUseBehind(Phi, *Next))
      Next->moveAfter(Last);
  }
}

void shortenCarried(Module &M) {
  for (Function &F : M) {
    if (F.isDeclaration() || !(F.getName().starts_with(HETCKPT_RUN_PREFIX) ||
                               F.getName().starts_with(HETCKPT_RESUME_PREFIX)))
      continue;
    DominatorTree DT(F);
    LoopInfo LI(DT);
    for (Loop *L : LI.getLoopsInPreorder())
      if (L->isInnermost())
        shortenIn(*L);
  }
}

} // namespace hetckpt
