// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pace of polls, measured.
//
// What an iteration takes is known to the pass only by guess: it depends on the GPU, on what
// else runs on the multiprocessor and on whether memory keeps up. So a thread notes the clock
// when a strip begins, and compares at the poll behind it:
//
//   strip:     %s = load near; store clock, begin              ; pace()
//   ...        %s iterations
//   boundary:  br (load wait == 0), look, skip
//   skip:      wait -= 1
//   look:      e = clock - begin
//              near = e >= 4 most ? s/4 : e >= most ? 3s/4 : e < most/8 ? 4s :
//                     e < most/2 ? 3s/2 : s
//              wait = unchanged ? 15 : 0
//              (the poll)
//
// most is the poll interval in cycles. From a window of a factor of two a step by 3/4 or 3/2
// stays inside, so it settles; then every sixteenth poll looks again, for the load on the
// machine changes. Lanes that are together read one clock and get one answer, which keeps
// them together. A warp or a block that must agree votes on what e has reached: one thread that took
// so long counts for all. All of them begin with one plan, and see the same votes at the same polls, so
// each has the same words.
//
// Nothing of this is state that a snapshot holds: a kernel that resumes begins with the plan.
// The words lie in local memory, so that none of them takes a register in the loop between.
// LLVM leaves them there because they are volatile. The assembler turns local memory into
// registers wherever it knows all offsets, so it is not told: they begin at an element whose
// number, always 0, comes from the launch record.
#include "targets/nvptx/Pace.h"
#include "Names.h"
#include "Options.h"
#include "hetckpt/abi.h"
#include "transform/Frame.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include <cstddef>
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
  /// Three words from First on.
  struct Words {
    unsigned First;
    uint32_t Most; ///< largest answer
  };
  enum Word { Near, Begin, Wait }; ///< the answer; clock of the last question; polls that need not look

  /// What all say who must agree with Poll's thread.
  static Value *any(IRBuilder<> &B, const CallInst *Poll, Value *Bit);
  Value *clock(IRBuilder<> &B) {
    return callNamed(B, "llvm.nvvm.read.ptx.sreg.clock", B.getInt32Ty());
  }
  Value *address(IRBuilder<> &B, const Words &W, Word Which);
  Value *load(IRBuilder<> &B, const Words &W, Word Which) {
    return B.CreateLoad(B.getInt32Ty(), address(B, W, Which), /*isVolatile=*/true);
  }
  void store(IRBuilder<> &B, Value *V, const Words &W, Word Which) {
    B.CreateStore(V, address(B, W, Which), /*isVolatile=*/true);
  }

  Function &F;
  std::map<uint64_t, Words> Sites;
  AllocaInst *Object = nullptr; ///< all words
};

} // namespace

Value *Pacing::address(IRBuilder<> &B, const Words &W, Word Which) {
  // Shared memory is smaller than 2 GiB. Asked each time, so that it is in no register between.
  Value *Shared = B.CreateAlignedLoad(
      B.getInt32Ty(),
      B.CreateConstInBoundsGEP1_32(B.getInt8Ty(), F.getArg(F.arg_size() - 1),
                                   offsetof(hetckpt_launch, dynamic_shared)),
      Align(4));
  Value *Zero = B.CreateLShr(Shared, 31);
  return B.CreateGEP(B.getInt32Ty(), Object, B.CreateAdd(Zero, B.getInt32(W.First + Which)));
}

Value *Pacing::any(IRBuilder<> &B, const CallInst *Poll, Value *Bit) {
  StringRef Name = Poll->getCalledFunction()->getName();
  if (Name == names::PollThread)
    return Bit;
  CallInst *Vote =
      Name == names::PollWarp
          ? callNamed(B, "llvm.nvvm.vote.any.sync", B.getInt1Ty(), {B.getInt32(~0u), Bit})
          : callNamed(B, "llvm.nvvm.barrier.cta.red.or.aligned.all", B.getInt1Ty(),
                      {B.getInt32(0), Bit});
  Vote->setConvergent();
  return Vote;
}

/// pace() -> the word, after the clock has been noted.
void Pacing::answer(CallInst *Pace) {
  auto Constant = [&](unsigned I) {
    return cast<ConstantInt>(Pace->getArgOperand(I))->getZExtValue();
  };
  auto [At, New] = Sites.try_emplace(Constant(0), Words{unsigned(3 * Sites.size()), 0});
  Words &W = At->second;
  if (New) {
    W.Most = Constant(2);
    BasicBlock &Entry = F.getEntryBlock();
    // Small objects become registers even so.
    constexpr unsigned Least = 32;
    auto *Ty = ArrayType::get(Type::getInt32Ty(F.getContext()), std::max(W.First + 3, Least));
    if (Object)
      Object->setAllocatedType(Ty);
    else
      Object = new AllocaInst(Ty, 0, "paces", Entry.begin());
    IRBuilder<> B(&*Entry.getFirstNonPHIOrDbgOrAlloca());
    store(B, B.getInt32(Constant(1)), W, Near);
    store(B, B.getInt32(0), W, Wait);
  }
  IRBuilder<> B(Pace);
  store(B, clock(B), W, Begin);
  Pace->replaceAllUsesWith(load(B, W, Near));
  Pace->eraseFromParent();
}

void Pacing::correct(CallInst *Poll) {
  constexpr uint64_t CyclesPerMicrosecond = 1800;
  auto *Site = mdconst::extract<ConstantInt>(Poll->getMetadata(names::Paced)->getOperand(0));
  auto At = Sites.find(Site->getZExtValue());
  if (At == Sites.end())
    return;
  const Words &W = At->second;
  uint32_t Most = std::min<uint64_t>(PollInterval * CyclesPerMicrosecond, 1u << 29);

  IRBuilder<> B(Poll);
  Value *Left = load(B, W, Wait);
  Instruction *Look, *Skip;
  SplitBlockAndInsertIfThenElse(B.CreateIsNull(Left), Poll, &Look, &Skip,
                                MDBuilder(F.getContext()).createUnlikelyBranchWeights());
  B.SetInsertPoint(Skip);
  B.SetCurrentDebugLocation(Poll->getDebugLoc());
  store(B, B.CreateSub(Left, B.getInt32(1)), W, Wait);

  B.SetInsertPoint(Look);
  B.SetCurrentDebugLocation(Poll->getDebugLoc());
  Value *Took = B.CreateSub(clock(B), load(B, W, Begin));
  auto Reached = [&](uint32_t Cycles) {
    return any(B, Poll, B.CreateICmpUGE(Took, B.getInt32(Cycles)));
  };
  Value *Eighth = Reached(Most / 8), *Half = Reached(Most / 2), *Whole = Reached(Most),
        *Far = Reached(4 * Most);
  Value *S = load(B, W, Near);
  Value *Quarter = B.CreateLShr(B.CreateAdd(S, B.getInt32(3)), 2); // rounded up
  Value *Less = B.CreateSelect(Far, Quarter, B.CreateSub(S, Quarter));
  Value *More = B.CreateSelect(Eighth,
                               B.CreateAdd(S, B.CreateLShr(B.CreateAdd(S, B.getInt32(1)), 1)),
                               B.CreateShl(S, 2));
  Value *Next = B.CreateSelect(Whole, Less, B.CreateSelect(Half, S, More));
  Next = B.CreateBinaryIntrinsic(Intrinsic::umin, Next, B.getInt32(W.Most));
  Next = B.CreateBinaryIntrinsic(Intrinsic::umax, Next, B.getInt32(1));
  store(B, Next, W, Near);
  store(B, B.CreateSelect(B.CreateICmpEQ(Next, S), B.getInt32(Settled), B.getInt32(0)), W, Wait);
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
