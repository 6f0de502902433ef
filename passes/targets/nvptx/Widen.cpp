// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "targets/nvptx/Widen.h"
#include "Names.h"
#include "hetckpt/abi.h"
#include "llvm/Analysis/AssumptionCache.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/LoopSimplify.h"
#include "llvm/Transforms/Utils/LoopUtils.h"
#include "llvm/Transforms/Utils/ScalarEvolutionExpander.h"
#include "llvm/Transforms/Utils/SimplifyIndVar.h"

using namespace llvm;

namespace hetckpt {

/// An extension to address width, inside the loop, of the counter or of a sum with it that
/// cannot be told to grow by the same amount each time; nullptr if there is none.
static CastInst *findExtension(PHINode &Counter, const Loop &L, ScalarEvolution &SE) {
  SmallVector<Instruction *, 8> Work{&Counter};
  SmallPtrSet<Instruction *, 16> Seen;
  while (!Work.empty()) {
    Instruction *I = Work.pop_back_val();
    for (User *U : I->users()) {
      auto *Use = cast<Instruction>(U);
      if (!L.contains(Use) || !Seen.insert(Use).second)
        continue;
      if (isa<SExtInst>(Use) || isa<ZExtInst>(Use)) {
        if (Use->getType()->isIntegerTy(64) && !isa<SCEVAddRecExpr>(SE.getSCEV(Use)))
          return cast<CastInst>(Use);
      } else if (auto *Op = dyn_cast<BinaryOperator>(Use);
                 Op && (Op->getOpcode() == Instruction::Add ||
                        Op->getOpcode() == Instruction::Sub)) {
        Work.push_back(Op);
      }
    }
  }
  return nullptr;
}

/// What the optimiser wrote as an or of disjoint bits becomes the addition again that it
/// stands for.
static void restoreAdditions(Function &F) {
  for (Instruction &I : make_early_inc_range(instructions(F)))
    if (auto *Or = dyn_cast<PossiblyDisjointInst>(&I); Or && Or->isDisjoint()) {
      auto *Add = BinaryOperator::CreateAdd(Or->getOperand(0), Or->getOperand(1));
      Add->setHasNoUnsignedWrap();
      Add->setHasNoSignedWrap();
      Add->setDebugLoc(Or->getDebugLoc());
      Add->takeName(Or);
      ReplaceInstWithInst(Or, Add);
    }
}

static void widenCounters(Function &F) {
  restoreAdditions(F);
  DominatorTree DT(F);
  LoopInfo LI(DT);
  TargetLibraryInfoImpl TLII(F.getParent()->getTargetTriple());
  TargetLibraryInfo TLI(TLII);
  AssumptionCache AC(F);
  ScalarEvolution SE(F, TLI, AC, DT, LI);
  for (Loop *Top : SmallVector<Loop *, 8>(LI.begin(), LI.end())) {
    simplifyLoop(Top, &DT, &LI, &SE, &AC, nullptr, /*PreserveLCSSA=*/false);
    formLCSSARecursively(*Top, DT, &LI, &SE);
  }
  SmallVector<WeakTrackingVH, 16> Dead;
  for (Loop *L : LI.getLoopsInPreorder()) {
    if (!L->isInnermost() || !L->isLoopSimplifyForm())
      continue;
    SmallVector<PHINode *, 8> Counters;
    for (PHINode &Phi : L->getHeader()->phis())
      if (Phi.getType()->isIntegerTy() && Phi.getType()->getIntegerBitWidth() < 64)
        Counters.push_back(&Phi);
    SCEVExpander Rewriter(SE, "wide");
    Rewriter.disableCanonicalMode();
    for (PHINode *Counter : Counters) {
      CastInst *Extension = findExtension(*Counter, *L, SE);
      if (!Extension)
        continue;
      WideIVInfo Info;
      Info.NarrowIV = Counter;
      Info.WidestNativeType = Extension->getType();
      Info.IsSigned = isa<SExtInst>(Extension);
      unsigned Extensions = 0, Widened = 0;
      createWideIV(Info, &LI, &SE, Rewriter, &DT, Dead, Extensions, Widened,
                   /*HasGuards=*/false, /*UsePostIncrementRanges=*/true);
    }
  }
  RecursivelyDeleteTriviallyDeadInstructionsPermissive(Dead, &TLI);
}

void widenCounters(Module &M) {
  for (Function &F : M)
    if (!F.isDeclaration() && (F.getName().starts_with(HETCKPT_RUN_PREFIX) ||
                               F.getName().starts_with(HETCKPT_RESUME_PREFIX)))
      widenCounters(F);
}

} // namespace hetckpt
