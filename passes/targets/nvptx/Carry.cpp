// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "targets/nvptx/Carry.h"
#include "analysis/Polls.h"
#include "hetckpt/abi.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/Local.h"

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

/// Where the header decides, and the counter lives on behind the loop, carries the counter of the
/// iteration before instead, and adds the step in the header:
///
///   loop: i = phi [a, pre], [i1, latch]       loop: b = phi [freeze(a - step), pre], [i, latch]
///         br (i < n), body, out                     i = b + step
///   body: ...                                       br (i < n), body, out
///         i1 = i + step                       body: ...
///
/// b ends where i begins, so both are one register; i and i1 are two, for i is still wanted when
/// i1 has been computed. The freeze keeps loop strength reduction from undoing it: for that, b would
/// be one more way to say i.
static void countInHeader(Loop &L) {
  std::optional<CountedLoop> C = matchCountedLoop(L);
  if (!C || !C->AtTop || C->ComparesNext || C->VariableStep)
    return;
  PHINode *Old = C->Counter;
  if (none_of(Old->users(), [&](User *U) { return !L.contains(cast<Instruction>(U)); }))
    return;
  BasicBlock *Header = L.getHeader(), *Pre = L.getLoopPreheader();
  Value *Step = ConstantInt::getSigned(Old->getType(), C->Step);
  IRBuilder<> B(Pre->getTerminator());
  B.SetCurrentDebugLocation(Old->getDebugLoc());
  Value *First = B.CreateFreeze(B.CreateSub(C->Start, Step), "before");
  B.SetInsertPoint(Header, Header->begin());
  PHINode *Before = B.CreatePHI(Old->getType(), 2, "before");
  B.SetInsertPoint(Header, Header->getFirstInsertionPt());
  B.SetCurrentDebugLocation(Old->getDebugLoc());
  Value *Now = B.CreateAdd(Before, Step);
  Before->addIncoming(First, Pre);
  Before->addIncoming(Now, L.getLoopLatch());
  auto *Next = cast<Instruction>(Old->getIncomingValueForBlock(L.getLoopLatch()));
  Old->replaceAllUsesWith(Now);
  Now->takeName(Old);
  Old->eraseFromParent();
  RecursivelyDeleteTriviallyDeadInstructions(Next);
}

void shortenCarried(Module &M) {
  for (Function &F : M) {
    if (F.isDeclaration() || !(F.getName().starts_with(HETCKPT_RUN_PREFIX) ||
                               F.getName().starts_with(HETCKPT_RESUME_PREFIX)))
      continue;
    DominatorTree DT(F);
    LoopInfo LI(DT);
    for (Loop *L : LI.getLoopsInPreorder())
      if (L->isInnermost()) {
        countInHeader(*L);
        shortenIn(*L);
      }
  }
}

} // namespace hetckpt
