// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pace of polls, measured.
//
// What an iteration takes is known to the pass only by guess: it depends on the GPU, on what
// else runs on the multiprocessor and on whether memory keeps up. So a thread notes the clock
// when it sets out, and at the poll that ends the way compares:
//
//   strip:     %s = load near[site]; store clock, begin[site]      ; pace()
//   ...        %s iterations
//   boundary:  br (load wait[site] == 0), look, skip
//   skip:      wait -= 1
//   look:      e = clock - begin
//              near = e >= 4 most ? s/4 : e >= most ? 3s/4 : e < most/2 ? 3s/2 : s
//              wait = unchanged ? 15 : 0
//              (the poll)
//
// most is the poll interval in cycles. From a window of a factor of two a step by 3/4 or 3/2
// stays inside, so it settles; then every sixteenth poll looks again, for the load on the
// machine changes.
//
// All threads of the scope must be told the same, or they would come to their polls after
// different numbers of iterations. They compare different readings, so each comparison is
// voted on: if the time was up for one it was up for all. A thread alone votes with nobody;
// lanes that are together read one clock and get one answer, which keeps them together.
// Whoever votes has the same near and wait as the others: they begin with the same and change
// by votes only.
//
// Nothing of this is state that a snapshot holds: a kernel that resumes begins with the plan.
// The words lie in local memory, stored and loaded as volatile so that none of them takes a
// register in the loop between.
#include "targets/nvptx/Pace.h"
#include "Names.h"
#include "Options.h"
#include "transform/Frame.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include <map>

using namespace llvm;

namespace hetckpt {

namespace {

/// Polls that go by before a pace that was right is looked at again.
constexpr unsigned Settled = 15;

class Pacing {
public:
  explicit Pacing(Function &F) : F(F) {}
  void answer(CallInst *Pace);
  void correct(CallInst *Poll);

private:
  struct Words {
    AllocaInst *Near = nullptr;  ///< the answer
    AllocaInst *Begin = nullptr; ///< clock of the last question
    AllocaInst *Wait = nullptr;  ///< polls that need not look
    uint32_t Most = 0;           ///< largest answer
  };

  Value *clock(IRBuilder<> &B) {
    return callNamed(B, "llvm.nvvm.read.ptx.sreg.clock", B.getInt32Ty());
  }
  AllocaInst *word(const Twine &Name, uint32_t Value);
  Value *anyOf(IRBuilder<> &B, StringRef Poll, Value *Mine);

  Function &F;
  std::map<uint64_t, Words> Sites;
};

} // namespace

AllocaInst *Pacing::word(const Twine &Name, uint32_t Value) {
  BasicBlock &Entry = F.getEntryBlock();
  IRBuilder<> B(&Entry, Entry.begin());
  AllocaInst *A = B.CreateAlloca(B.getInt32Ty(), nullptr, Name);
  B.SetInsertPoint(&*Entry.getFirstNonPHIOrDbgOrAlloca());
  B.CreateStore(B.getInt32(Value), A, /*isVolatile=*/true);
  return A;
}

/// pace() -> the word, after the clock has been noted.
void Pacing::answer(CallInst *Pace) {
  auto Constant = [&](unsigned I) {
    return cast<ConstantInt>(Pace->getArgOperand(I))->getZExtValue();
  };
  Words &W = Sites[Constant(0)];
  if (!W.Near) {
    W.Near = word("pace.near", Constant(1));
    W.Begin = word("pace.begin", 0);
    W.Wait = word("pace.wait", 0);
    W.Most = Constant(2);
  }
  IRBuilder<> B(Pace);
  B.CreateStore(clock(B), W.Begin, /*isVolatile=*/true);
  Pace->replaceAllUsesWith(B.CreateLoad(B.getInt32Ty(), W.Near, /*isVolatile=*/true));
  Pace->eraseFromParent();
}

Value *Pacing::anyOf(IRBuilder<> &B, StringRef Poll, Value *Mine) {
  if (Poll == names::PollThread)
    return Mine;
  CallInst *Vote =
      Poll == names::PollWarp
          ? callNamed(B, "llvm.nvvm.vote.any.sync", B.getInt1Ty(), {B.getInt32(~0u), Mine})
          : callNamed(B, "llvm.nvvm.barrier.cta.red.or.aligned.all", B.getInt1Ty(),
                      {B.getInt32(0), Mine});
  Vote->setConvergent();
  return Vote;
}

void Pacing::correct(CallInst *Poll) {
  constexpr uint64_t CyclesPerMicrosecond = 1800;
  auto *Site = mdconst::extract<ConstantInt>(Poll->getMetadata(names::Paced)->getOperand(0));
  auto At = Sites.find(Site->getZExtValue());
  if (At == Sites.end())
    return;
  const Words &W = At->second;
  StringRef Scope = Poll->getCalledFunction()->getName();
  Type *I32 = Type::getInt32Ty(F.getContext());
  uint32_t Most = std::min<uint64_t>(PollInterval * CyclesPerMicrosecond, 1u << 29);

  IRBuilder<> B(Poll);
  Value *Wait = B.CreateLoad(I32, W.Wait, /*isVolatile=*/true);
  Instruction *Look, *Skip;
  SplitBlockAndInsertIfThenElse(B.CreateIsNull(Wait), Poll, &Look, &Skip,
                                MDBuilder(F.getContext()).createUnlikelyBranchWeights());
  B.SetInsertPoint(Skip);
  B.SetCurrentDebugLocation(Poll->getDebugLoc());
  B.CreateStore(B.CreateSub(Wait, B.getInt32(1)), W.Wait, /*isVolatile=*/true);

  B.SetInsertPoint(Look);
  B.SetCurrentDebugLocation(Poll->getDebugLoc());
  Value *Took = B.CreateSub(clock(B), B.CreateLoad(I32, W.Begin, /*isVolatile=*/true));
  auto Reached = [&](uint32_t Cycles) {
    return anyOf(B, Scope, B.CreateICmpUGE(Took, B.getInt32(Cycles)));
  };
  Value *Half = Reached(Most / 2), *Whole = Reached(Most), *Far = Reached(4 * Most);
  Value *S = B.CreateLoad(I32, W.Near, /*isVolatile=*/true);
  Value *Quarter = B.CreateLShr(B.CreateAdd(S, B.getInt32(3)), 2); // rounded up
  Value *Less = B.CreateSelect(Far, Quarter, B.CreateSub(S, Quarter));
  Value *More = B.CreateAdd(S, B.CreateLShr(B.CreateAdd(S, B.getInt32(1)), 1));
  Value *Next = B.CreateSelect(Whole, Less, B.CreateSelect(Half, S, More));
  Next = B.CreateBinaryIntrinsic(Intrinsic::umin, Next, B.getInt32(W.Most));
  Next = B.CreateBinaryIntrinsic(Intrinsic::umax, Next, B.getInt32(1));
  B.CreateStore(Next, W.Near, /*isVolatile=*/true);
  B.CreateStore(B.CreateSelect(B.CreateICmpEQ(Next, S), B.getInt32(Settled), B.getInt32(0)),
                W.Wait, /*isVolatile=*/true);
}

void lowerPaces(Module &M) {
  Function *Pace = M.getFunction(names::Pace);
  if (!Pace)
    return;
  for (Function &F : M) {
    SmallVector<CallInst *, 8> Asked, Polls;
    for (Instruction &I : instructions(F)) {
      auto *Call = dyn_cast<CallInst>(&I);
      if (!Call)
        continue;
      if (Call->getCalledFunction() == Pace)
        Asked.push_back(Call);
      else if (Call->hasMetadata(names::Paced))
        Polls.push_back(Call);
    }
    Pacing P(F);
    for (CallInst *Call : Asked)
      P.answer(Call);
    for (CallInst *Call : Polls)
      P.correct(Call);
  }
}

} // namespace hetckpt
