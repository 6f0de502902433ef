// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which values of a thread function are the same in all threads that came the same way,
// site by site. Such a value is loaded once for a whole range of threads, so that
// addresses made from it are seen to be contiguous and branches on it leave the loop.
//
// Uniform are arguments other than the thread's ids, loads that the block's record or
// parameters do not change, answers that all threads get alike, and what follows from
// these, except
//   - phis where two ways meet that begin at one branch on a value that is not uniform;
//   - what is made in a loop that threads may leave at different times, and used behind it;
//   - phis of loops in which threads can get out of step without being seen at different
//     sites: where a site is on one way only from a branch on a value that is not uniform,
//     one thread may be there in one iteration and another in the next. (A cut loop keeps
//     its own threads in step: nobody goes on behind it before all have left it.) The same
//     goes for a site in an inner loop that threads leave after different numbers of
//     iterations: who left comes there again by the outer loop, and a warp that did is then
//     where another one is that did not. Barriers of the whole block do not allow that.
//     Loops with a pace are excepted: those that a site of the runtime's is directly in,
//     so that each iteration passes it exactly once, and that all threads leave in the same
//     iteration. Threads that were never apart have been answered there equally often, and
//     entered the loop equally often answered; so wherever they stand together, they are in
//     the same iteration of it.
// Where control flow has cycles with several entries nothing is uniform.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/ADT/PostOrderIterator.h"
#include "llvm/Analysis/CFG.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/PostDominators.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;

namespace hetckpt::cpu {

bool answersAlike(unsigned Op) {
  return Op == HETCKPT_CPU_POLL_BLOCK || Op == HETCKPT_CPU_BAR_POPC || Op == HETCKPT_CPU_BAR_AND ||
         Op == HETCKPT_CPU_BAR_OR;
}

namespace {

class Analysis {
public:
  Analysis(llvm::Function &F, ArrayRef<Site> Sites) : F(F), PDT(F), DT(F), LI(DT) {
    for (const Site &S : Sites) {
      BasicBlock *B = S.Call->getParent();
      Loop *Owner = nullptr;
      if (S.Op == OpCut) {
        // At the header of its loop, or behind it.
        Owner = LI.getLoopFor(B);
        if (!Owner || Owner->getHeader() != B || !S.AtHeader)
          Owner = LI.getLoopFor(*pred_begin(B));
      }
      Stops[B].push_back(Owner);
      if (S.Op != OpCut)
        if (Loop *L = LI.getLoopFor(B))
          if (everyIteration(*L, *B))
            Paced.insert(L);
      if (answersAlike(S.Op))
        Alike.insert(S.Call);
      if (S.Op != OpCut && !holdsBlock(S))
        Loose.insert(B);
    }
  }

  Divergence run() {
    ReversePostOrderTraversal<llvm::Function *> Order(&F);
    if (containsIrreducibleCFG<BasicBlock *>(Order, LI))
      return {};
    for (unsigned I = ArgX; I <= ArgTid; I++)
      spread(F.getArg(I));
    for (Instruction &I : instructions(F))
      if (source(I))
        mark(&I);
    while (!Work.empty())
      spread(Work.pop_back_val());
    for (Instruction &I : instructions(F))
      if (!Divergent.contains(&I) && !I.getType()->isVoidTy())
        Found.Uniform.insert(&I);
    return std::move(Found);
  }

private:
  /// True if no thread of the block goes on at S before all have come.
  static bool holdsBlock(const Site &S) {
    auto *Threads = dyn_cast_or_null<ConstantInt>(S.operand(S.Mask));
    return S.Op == HETCKPT_CPU_POLL_BLOCK ||
           ((answersAlike(S.Op) || S.Op == HETCKPT_CPU_BAR_SYNC) && Threads && Threads->isZero());
  }

  bool source(const Instruction &I) const {
    if (auto *L = dyn_cast<LoadInst>(&I))
      // Whatever the pace is when a thread asks for it will do for all.
      return !L->hasMetadata(LLVMContext::MD_invariant_load) && !L->hasMetadata(PaceMetadata);
    if (isa<AllocaInst>(I) || isa<FreezeInst>(I))
      return true;
    if (auto *Call = dyn_cast<CallBase>(&I))
      return !Alike.contains(Call) && !(isa<IntrinsicInst>(Call) && Call->doesNotAccessMemory());
    return I.isAtomic() || I.mayReadFromMemory();
  }

  void mark(Instruction *I) {
    if (Divergent.insert(I).second)
      Work.push_back(I);
  }

  /// The limit of a strip is the same if the loop's bound is: see AnyLimitMetadata.
  static bool matters(const Value &V, const Instruction &User) {
    return !User.hasMetadata(AnyLimitMetadata) || !isa<SelectInst>(User) || User.getOperand(2) == &V;
  }

  void spread(Value *V) {
    for (User *U : V->users()) {
      auto *I = cast<Instruction>(U);
      if (!matters(*V, *I))
        continue;
      if (I->isTerminator() && I->getNumSuccessors() > 1)
        control(*I->getParent());
      else if (auto *Call = dyn_cast<CallBase>(I); !Call || !Alike.contains(Call))
        mark(I);
    }
  }

  /// B is directly in L, so that it is passed once at most, and before each way back.
  bool everyIteration(Loop &L, BasicBlock &B) const {
    SmallVector<BasicBlock *, 4> Latches;
    L.getLoopLatches(Latches);
    return all_of(Latches, [&](BasicBlock *Latch) { return DT.dominates(&B, Latch); });
  }

  /// The branch that ends B goes different ways in different threads. Each way carries
  /// the name of its first block along; where two names meet is a join, and gives its
  /// own name on.
  void control(BasicBlock &B) {
    if (!Controlled.insert(&B).second)
      return;
    auto *Node = PDT.getNode(&B);
    auto *Up = Node ? Node->getIDom() : nullptr;
    BasicBlock *End = Up ? Up->getBlock() : nullptr;
    bool OutOfStep = false;
    for (Loop *L = LI.getLoopFor(&B); L && !(End && L->contains(End)); L = L->getParentLoop()) {
      leftUnevenly(*L);
      OutOfStep |= L->getParentLoop() &&
                   any_of(L->blocks(), [&](BasicBlock *In) { return Loose.contains(In); });
    }

    DenseMap<BasicBlock *, BasicBlock *> Label;
    SmallVector<BasicBlock *, 16> Next;
    SmallPtrSet<BasicBlock *, 8> Joins;
    auto Reach = [&](BasicBlock *To, BasicBlock *From) {
      BasicBlock *&L = Label[To];
      if (!L) {
        L = From;
      } else if (L != From && Joins.insert(To).second) {
        L = To;
        for (PHINode &P : To->phis()) {
          Found.Joins.insert(&P);
          mark(&P);
        }
      } else {
        return;
      }
      if (To != End)
        for (Loop *Owner : Stops.lookup(To))
          OutOfStep |= !Owner || !Owner->contains(&B);
      // Not past the region's end, nor into the next iteration of a loop around B.
      Loop *Around = LI.getLoopFor(To);
      if (To != End && To != &B && !(Around && Around->getHeader() == To && Around->contains(&B)))
        Next.push_back(To);
    };
    for (BasicBlock *S : successors(&B))
      Reach(S, S);
    while (!Next.empty()) {
      BasicBlock *At = Next.pop_back_val();
      for (BasicBlock *S : successors(At))
        Reach(S, Label[At]);
    }
    if (OutOfStep)
      for (Loop *L = LI.getLoopFor(&B); L; L = L->getParentLoop()) {
        if (Paced.contains(L))
          Spared.insert(L);
        else
          outOfStep(*L);
      }
  }

  void outOfStep(Loop &L) {
    for (PHINode &P : L.getHeader()->phis()) {
      Found.Uneven.insert(&P);
      mark(&P);
    }
  }

  /// The phis behind a loop in closed form stand for what is used there.
  void leftUnevenly(Loop &L) {
    if (Paced.erase(&L) && Spared.contains(&L))
      outOfStep(L);
    for (BasicBlock *B : L.blocks())
      for (Instruction &I : *B)
        for (User *U : I.users()) {
          auto *Outside = cast<Instruction>(U);
          if (L.contains(Outside->getParent()))
            continue;
          Instruction *V = isa<PHINode>(Outside) ? Outside : &I;
          Found.Uneven.insert(V);
          mark(V);
        }
  }

  llvm::Function &F;
  PostDominatorTree PDT;
  DominatorTree DT;
  LoopInfo LI;
  SmallPtrSet<const CallBase *, 8> Alike;
  /// Blocks with sites, and for each whose loop's cut it is, or null.
  DenseMap<BasicBlock *, SmallVector<Loop *, 2>> Stops;
  SmallPtrSet<BasicBlock *, 8> Loose; ///< with sites at which threads of a block may be apart
  SmallPtrSet<const Loop *, 4> Paced;  ///< see above
  SmallPtrSet<const Loop *, 4> Spared; ///< of them, with phis that would else be uneven
  SmallPtrSet<const Instruction *, 32> Divergent;
  Divergence Found;
  SmallPtrSet<BasicBlock *, 8> Controlled;
  SmallVector<Instruction *, 64> Work;
};

} // namespace

Divergence findDivergence(llvm::Function &Thread, ArrayRef<Site> Sites) {
  return Analysis(Thread, Sites).run();
}

} // namespace hetckpt::cpu
