// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pace of polls, measured.
//
// What an iteration takes is planned for a GPU, of which each thread waits for memory by itself. On a processor the threads of
// a block take turns, and neighbours share what they fetch: 256 threads make a strip of a hundred iterations in
// 5 us, or in 3 ms if they follow pointers. So where a strip's loop is cut (Loops.cpp), strips are as long
// as the block's record says, in parts of what was planned:
//
//   strip:  pace(site, planned, most)  ->  max(1, min(most, planned * block.pace[cut] / 256))
//
// and __hetckpt_cpu_drive() corrects that word by what a pass over all threads has taken (support_pace.h).
//
// Any answer from 1 to most is right for any thread that pauses alone, so it may be taken for the same in all threads,
// which leaves the loop's limit what it is without strips: the same, if the loop's own is.
//
// Threads that must pause together have to get one answer. They do: the word changes only while all threads of the block
// stand at one cut. Between two strips they come from the poll, a site that lets all go on at a time, to the question in
// one pass. In front of the first strip some may have asked while others are still on their way; but who has
// asked stands at the cut in the loop or goes on to the poll, where it waits for the others, and they have been
// at no cut in the loop. (Loops inside others are not paced.)
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/Analysis/InstructionSimplify.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/ValueHandle.h"
#include <cstddef>
#include <optional>

using namespace llvm;

namespace hetckpt::cpu {

static_assert(isPowerOf2_32(HETCKPT_CPU_PACE_PLANNED));

/// The cut at the header of a loop in Strips, if it is one of the first HETCKPT_CPU_PACES.
static std::optional<unsigned> cutIn(const Loop &Strips) {
  for (const Loop *L : Strips)
    for (const Instruction &I : *L->getHeader())
      if (auto *Call = dyn_cast<CallInst>(&I))
        if (auto *Callee = Call->getCalledFunction(); Callee && Callee->getName() == CutName)
          if (uint64_t N = cast<ConstantInt>(Call->getArgOperand(0))->getZExtValue(); N < HETCKPT_CPU_PACES)
            return N;
  return std::nullopt;
}

void answerPaces(llvm::Function &F, uint64_t *Pacing) {
  *Pacing = 0;
  llvm::Function *Pace = F.getParent()->getFunction(PaceName);
  if (!Pace)
    return;
  DominatorTree DT(F);
  LoopInfo LI(DT);
  SmallVector<CallInst *, 4> Asked;
  for (User *U : Pace->users())
    if (auto *Call = cast<CallInst>(U); Call->getFunction() == &F)
      Asked.push_back(Call);
  for (CallInst *Call : Asked) {
    auto *Planned = cast<ConstantInt>(Call->getArgOperand(1));
    auto *Most = cast<ConstantInt>(Call->getArgOperand(2));
    Value *Answer = Planned;
    Loop *Strips = LI.getLoopFor(Call->getParent());
    if (std::optional<unsigned> Cut = Strips ? cutIn(*Strips) : std::nullopt) {
      *Pacing |= uint64_t(1) << *Cut;
      IRBuilder<> B(Call);
      Type *I64 = B.getInt64Ty();
      Value *At = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), F.getArg(ArgBlock),
                                               offsetof(hetckpt_cpu_block, pace) + 4 * *Cut);
      LoadInst *Word = B.CreateAlignedLoad(B.getInt32Ty(), At, Align(4), "pace");
      for (const char *Kind : {FlagMetadata, PaceMetadata})
        Word->setMetadata(Kind, MDNode::get(B.getContext(), {}));
      Answer = B.CreateNUWMul(B.CreateZExt(Word, I64), B.CreateZExt(Planned, I64));
      Answer = B.CreateLShr(Answer, Log2_32(HETCKPT_CPU_PACE_PLANNED));
      Answer = B.CreateBinaryIntrinsic(Intrinsic::umax, Answer, B.getInt64(1));
      Answer = B.CreateBinaryIntrinsic(Intrinsic::umin, Answer, B.CreateZExt(Most, I64));
      Answer = B.CreateTrunc(Answer, B.getInt32Ty());
    }
    WeakVH Left(Call); // it goes with its uses if nobody said that it does anything
    replaceAndRecursivelySimplify(Call, Answer);
    if (Left)
      Call->eraseFromParent();
  }
}

} // namespace hetckpt::cpu
