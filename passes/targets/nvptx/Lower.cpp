// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Polls on NVIDIA GPUs.
//
// The flag word lies in device memory and is read past the L1 cache (a volatile
// load): the copy engine writes it while the kernel runs.
//
//   thread  each thread acts on what it reads
//   due     yes for as long as an iteration takes, once in each period of the
//           multiprocessor's clock
//   warp    vote.any over all lanes that have not returned
//   block   barrier.red.or: every thread's reading counts, so all get one answer; it
//           is also the barrier after which nobody changes shared memory
//   entry   a vote of the block on the entry word: one thread that saw it raised
//           keeps the whole block from beginning, and notes the block
//
// In block scope the poll of a strip tests a word that was read when the strip began:
// reading it takes as long as a trip to memory, in which a block that waits at its
// barrier does nothing. The flag is noticed one strip later at most.
//
// The entry word is raised before any poll word (abi.h), so a block that begins after
// another has parked is impossible.
#include "targets/nvptx/Lower.h"
#include "Names.h"
#include "Options.h"
#include "hetckpt/abi.h"
#include "transform/Frame.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/ReplaceConstant.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include <algorithm>
#include <cstddef>

using namespace llvm;

namespace hetckpt {

namespace {

class Lowering {
public:
  Lowering(CallInst &Call, DominatorTree &DT, LoopInfo &LI)
      : Call(Call), B(&Call), DT(DT), LI(LI) {}
  bool run();

private:
  Value *sreg(StringRef Name) {
    return callNamed(B, ("llvm.nvvm.read.ptx.sreg." + Name).str(), B.getInt32Ty());
  }
  Value *field(unsigned Offset, Type *Ty) {
    Value *P = B.CreateConstInBoundsGEP1_32(B.getInt8Ty(), Call.getArgOperand(0), Offset);
    return B.CreateAlignedLoad(Ty, P, Align(Ty->getPrimitiveSizeInBits() / 8));
  }
  Value *flagWord(unsigned Word);
  Value *pollWord();
  Value *blockOr(Value *Bit);
  Value *due(uint64_t Nanoseconds);
  Value *logicalBlock();

  CallInst &Call;
  IRBuilder<> B;
  DominatorTree &DT;
  LoopInfo &LI;
};

} // namespace

/// All copies say the same; they exist to spread the load. At entry, which a million
/// blocks may pass in a millisecond, the block's number picks one. Threads' polls let the
/// clock pick: when it makes them all poll at once they do not all read one. A block's
/// polls are few and read the first. In both cases the address begins with a kernel
/// parameter, and no register holds it in the loops between.
Value *Lowering::flagWord(unsigned Word) {
  Type *I64 = B.getInt64Ty();
  Value *Address = field(offsetof(hetckpt_launch, flags), I64);
  if (Word == HETCKPT_FLAG_ENTRY) {
    Value *Copy = B.CreateAnd(sreg("ctaid.x"), B.getInt32(HETCKPT_FLAG_LINES - 1));
    Address = B.CreateAdd(Address, B.CreateMul(B.CreateZExt(Copy, I64),
                                               B.getInt64(HETCKPT_FLAG_STRIDE)));
  } else if (Call.getCalledFunction()->getName() == names::PollThread) {
    Value *Copy = B.CreateAnd(sreg("clock"), B.getInt32(HETCKPT_FLAG_LINES - 1));
    Address = B.CreateAdd(Address, B.CreateMul(B.CreateZExt(Copy, I64),
                                               B.getInt64(HETCKPT_FLAG_STRIDE)));
  }
  Address = B.CreateAdd(Address, B.getInt64(Word));
  return B.CreateAlignedLoad(
      B.getInt32Ty(), B.CreateIntToPtr(Address, PointerType::get(B.getContext(), 1)),
      Align(4), /*isVolatile=*/true);
}

/// Blocks, which stand still until the word is there, read it where a strip begins. Threads that
/// pause alone do not: others run while one waits, and a register less made matmul simple wait for
/// each of its loads in turn (1.31 of the original's time on an H200, 1.02 without).
Value *Lowering::pollWord() {
  Loop *L = LI.getLoopFor(Call.getParent());
  if (!Call.hasMetadata(names::PollAhead) || !L ||
      !DT.dominates(L->getHeader(), Call.getParent()))
    return flagWord(HETCKPT_FLAG_POLL);
  auto Here = B.saveIP();
  B.SetInsertPoint(&*L->getHeader()->getFirstInsertionPt());
  Value *Word = flagWord(HETCKPT_FLAG_POLL);
  B.restoreIP(Here);
  return Word;
}

Value *Lowering::blockOr(Value *Bit) {
  CallInst *Vote = callNamed(B, "llvm.nvvm.barrier.cta.red.or.aligned.all",
                             B.getInt1Ty(), {B.getInt32(0), Bit});
  Vote->setConvergent();
  return Vote;
}

/// Linear logical block of a variant: from the list, or base + hardware block.
Value *Lowering::logicalBlock() {
  Type *I32 = B.getInt32Ty(), *I64 = B.getInt64Ty();
  if (Call.getFunction()->getName().starts_with(HETCKPT_RESUME_PREFIX)) {
    Value *List = field(offsetof(hetckpt_launch, list), I64);
    Value *Entry = B.CreateAdd(List, B.CreateMul(B.CreateZExt(sreg("ctaid.x"), I64),
                                                 B.getInt64(sizeof(hetckpt_block_ref))));
    return B.CreateLoad(I32, B.CreateIntToPtr(Entry, PointerType::get(B.getContext(), 1)));
  }
  Value *Id[3], *Grid[2];
  for (unsigned D = 0; D < 3; ++D) {
    static constexpr const char *Name[3] = {"ctaid.x", "ctaid.y", "ctaid.z"};
    Id[D] = B.CreateAdd(field(offsetof(hetckpt_launch, base) + 4 * D, I32), sreg(Name[D]));
    if (D < 2)
      Grid[D] = field(offsetof(hetckpt_launch, grid) + 4 * D, I32);
  }
  return B.CreateAdd(Id[0], B.CreateMul(Grid[0], B.CreateAdd(Id[1], B.CreateMul(Grid[1], Id[2]))));
}

/// The clock's period is the poll interval, rounded up to a power of two of cycles; the
/// part of it in which a poll is due is what an iteration takes, likewise. An iteration
/// that was overestimated polls a few times in each period; one that was underestimated
/// misses some. It must not miss all: iterations that keep step with the clock would, if
/// the part began at one phase. So it begins at the period's number with its bits reversed,
/// which comes near every phase within a few periods.
Value *Lowering::due(uint64_t Nanoseconds) {
  constexpr uint64_t CyclesPerNanosecond = 2, ShortestWindow = 1024;
  uint64_t Period = PowerOf2Ceil(uint64_t(PollInterval) * 1000 * CyclesPerNanosecond);
  uint64_t Window = PowerOf2Ceil(std::max(Nanoseconds * CyclesPerNanosecond, ShortestWindow));
  Period = std::min<uint64_t>(Period, 1u << 31);
  if (Window >= Period)
    return B.getTrue();
  Value *Clock = sreg("clock");
  unsigned Bits = Log2_64(Period);
  // The number's lowest bit comes to be the highest below the period.
  Value *Turned = B.CreateUnaryIntrinsic(Intrinsic::bitreverse, Clock);
  int Up = 2 * int(Bits) - 32;
  Turned = Up >= 0 ? B.CreateShl(Turned, Up) : B.CreateLShr(Turned, -Up);
  Value *Middle = B.CreateAnd(B.CreateXor(Clock, Turned), B.getInt32(uint32_t(Period - Window)));
  return B.CreateICmpEQ(Middle, B.getInt32(0));
}

bool Lowering::run() {
  StringRef Name = Call.getCalledFunction()->getName();
  Value *V = nullptr;
  Type *I32 = B.getInt32Ty();
  if (Name == names::Spin) {
    Call.eraseFromParent();
    return true;
  }
  if (Name == names::PollThread) {
    V = flagWord(HETCKPT_FLAG_POLL);
  } else if (Name == names::Due) {
    V = due(cast<ConstantInt>(Call.getArgOperand(0))->getZExtValue());
  } else if (Name == names::Leads) {
    Value *Here = callNamed(B, "llvm.nvvm.activemask", I32);
    V = B.CreateIsNull(B.CreateAnd(Here, sreg("lanemask.lt")));
  } else if (Name == names::PollWarp) {
    Value *Raised = B.CreateICmpNE(flagWord(HETCKPT_FLAG_POLL), B.getInt32(0));
    CallInst *Vote = callNamed(B, "llvm.nvvm.vote.any.sync", B.getInt1Ty(),
                               {B.getInt32(~0u), Raised});
    Vote->setConvergent();
    V = B.CreateZExt(Vote, I32);
  } else if (Name == names::PollBlock) {
    Value *Raised = B.CreateICmpNE(pollWord(), B.getInt32(0));
    V = B.CreateZExt(blockOr(Raised), I32);
  } else if (Name == names::PollEntry) {
    Value *Raised = B.CreateICmpEQ(flagWord(HETCKPT_FLAG_ENTRY),
                                   B.getInt32(HETCKPT_FLAG_PAUSE));
    Value *Stop = blockOr(Raised);
    V = B.CreateZExt(Stop, I32);
    Instruction *Then =
        SplitBlockAndInsertIfThen(Stop, &Call, /*Unreachable=*/false);
    B.SetInsertPoint(Then);
    B.SetCurrentDebugLocation(Call.getDebugLoc());
    // One thread notes the block: a write of each warp would be felt where 60000 blocks do not
    // begin.
    Value *Others = B.CreateOr(B.CreateOr(sreg("tid.x"), sreg("tid.y")), sreg("tid.z"));
    Then = SplitBlockAndInsertIfThen(B.CreateIsNull(Others), Then, /*Unreachable=*/false);
    B.SetInsertPoint(Then);
    B.SetCurrentDebugLocation(Call.getDebugLoc());
    Value *Block = B.CreateZExt(logicalBlock(), B.getInt64Ty());
    Value *At = B.CreateAdd(field(offsetof(hetckpt_launch, unstarted), B.getInt64Ty()), Block);
    B.CreateStore(B.getInt8(1), B.CreateIntToPtr(At, PointerType::get(B.getContext(), 1)));
  } else if (Name == names::IsShared || Name == names::IsPrivate) {
    V = callNamed(B, Name == names::IsShared ? "llvm.nvvm.isspacep.shared"
                                             : "llvm.nvvm.isspacep.local",
                  B.getInt1Ty(), {Call.getArgOperand(0)});
  } else {
    return false;
  }
  Call.replaceAllUsesWith(V);
  Call.eraseFromParent();
  return true;
}

static bool isVariant(const Function &F) {
  return !F.isDeclaration() && (F.getName().starts_with(HETCKPT_RUN_PREFIX) ||
                                F.getName().starts_with(HETCKPT_RESUME_PREFIX));
}

void redirectVariables(Module &M, const VariableBlock &Variables) {
  for (const Variable &V : Variables.Variables) {
    GlobalVariable *G = M.getGlobalVariable(V.Name, /*AllowInternal=*/true);
    if (V.Constant || !G)
      continue;
    for (Function &F : M) {
      if (!isVariant(F))
        continue;
      // Uses hide in constant expressions: make instructions of those in F first.
      convertUsersOfConstantsToInstructions({G}, &F);
      Value *Address = nullptr;
      for (Instruction &I : instructions(F))
        for (Use &U : I.operands()) {
          if (U.get() != G)
            continue;
          if (!Address) {
            IRBuilder<> B(&*F.getEntryBlock().getFirstNonPHIOrDbgOrAlloca());
            Value *Launch = F.getArg(F.arg_size() - 1);
            Value *Field = B.CreateConstInBoundsGEP1_32(
                B.getInt8Ty(), Launch, offsetof(hetckpt_launch, variables));
            Value *Block = B.CreateAlignedLoad(B.getInt64Ty(), Field, Align(8));
            Address = B.CreateIntToPtr(B.CreateAdd(Block, B.getInt64(V.Offset)),
                                       G->getType());
          }
          U.set(Address);
        }
    }
  }
}

void orderUses(Module &M) {
  for (Function &F : M) {
    if (!isVariant(F))
      continue;
    DenseMap<const Instruction *, unsigned> Position;
    for (Instruction &I : instructions(F))
      Position.try_emplace(&I, Position.size());
    auto Later = [&](const Use &A, const Use &B) {
      auto *X = dyn_cast<Instruction>(A.getUser()), *Y = dyn_cast<Instruction>(B.getUser());
      if (!X || !Y)
        return Y != nullptr;
      return X == Y ? A.getOperandNo() > B.getOperandNo()
                    : Position.lookup(X) > Position.lookup(Y);
    };
    for (Argument &A : F.args())
      A.sortUseList(Later);
    for (BasicBlock &BB : F) {
      BB.sortUseList(Later);
      for (Instruction &I : BB)
        I.sortUseList(Later);
    }
  }
}

void reduceDebugInfo(Module &M) {
  bool Full = false;
  for (DICompileUnit *CU : M.debug_compile_units())
    Full |= CU->getEmissionKind() == DICompileUnit::FullDebug;
  for (Function &F : M)
    if (F.hasOptNone())
      return; // compiled for the debugger
  if (!Full)
    return;
  stripNonLineTableDebugInfo(M);
  LLVMContext &C = M.getContext();
  DenseMap<DICompileUnit *, DICompileUnit *> Units;
  SmallVector<DICompileUnit *, 2> Old(M.debug_compile_units());
  for (DICompileUnit *CU : Old)
    Units[CU] = DICompileUnit::getDistinct(
        C, CU->getSourceLanguage(), CU->getFile(), CU->getProducer(), CU->isOptimized(),
        "", 0, "", DICompileUnit::DebugDirectivesOnly, nullptr, nullptr, nullptr, nullptr,
        nullptr, 0, CU->getSplitDebugInlining(), false, CU->getNameTableKind(), false,
        "", "");
  DebugInfoFinder Finder;
  Finder.processModule(M);
  for (DISubprogram *SP : Finder.subprograms())
    if (DICompileUnit *New = Units.lookup(SP->getUnit()))
      SP->replaceUnit(New);
  NamedMDNode *List = M.getOrInsertNamedMetadata("llvm.dbg.cu");
  List->clearOperands();
  for (DICompileUnit *CU : Old)
    List->addOperand(Units[CU]);
}

void lowerForNvptx(Module &M) {
  for (Function &F : M) {
    SmallVector<CallInst *, 16> Calls;
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallInst>(&I))
        if (Call->getCalledFunction() &&
            Call->getCalledFunction()->getName().starts_with(names::Prefix))
          Calls.push_back(Call);
    if (Calls.empty())
      continue;
    // Entry polls split their block and so come last: the loops are not theirs.
    std::stable_partition(Calls.begin(), Calls.end(), [](CallInst *Call) {
      return Call->getCalledFunction()->getName() != names::PollEntry;
    });
    DominatorTree DT(F);
    LoopInfo LI(DT);
    for (CallInst *Call : Calls)
      Lowering(*Call, DT, LI).run();
  }
  for (Function &F : make_early_inc_range(M))
    if (F.getName().starts_with(names::Prefix) && F.use_empty() &&
        (F.isDeclaration() || F.hasLocalLinkage()))
      F.eraseFromParent();
}

} // namespace hetckpt
