// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inner loops of a thread become outer loops of the threads' loop:
//
//   for each thread                      for each thread: begin; at the loop
//     begin                              while some thread is at the loop
//     while (c) body               ->      for each thread that is: c, body; or behind it
//     end                                for each thread: end
//
// so that what varies fastest is the thread, which is what contiguous accesses and
// vectors want. A cut is put at the loop's header and one at each of its exits; it works
// like a site, only that run() itself goes on from there (Threads.cpp).
//
// Each iteration now keeps what it carries along in memory. That pays if the loop over
// threads can be vectorised, so only loops that look like it are cut: innermost, no
// calls, plain accesses, few blocks. Whether it was vectorised is seen in the end; if
// not, everything is done again with this loop left as it is (Compile.cpp).
//
// A loop whose header decides whether to go on is turned round first, so that what a thread takes
// with it is what it would have gone on with, and not what it had an iteration before:
//
//   loop: i < n ? body : behind                  i < n ? loop : behind
//   body: ... i + 1, loop               ->       loop: ... i + 1 < n ? loop : behind
//
// Else a loop over threads would have to keep both until it is known which (Tiles.cpp).
//
// Loops with atomics are never vectorised. They are cut if threads walk through memory in
// long steps, so that neighbours share the cache lines that one thread would fetch for
// itself alone; and only if each atomic can change places with every other, so that what
// memory holds in the end is the same whether a loop was cut or not. The order of one
// thread's accesses is its own in either case, and that of different threads was never
// promised. Nothing waits in such a loop: what a thread could wait for is not read there
// again and again, but steps ahead. Additions are collected there before they go to memory (Combine.cpp).
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/AssumptionCache.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/Analysis/ScalarEvolutionExpressions.h"
#include "llvm/Analysis/InstructionSimplify.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/ProfDataUtils.h"
#include "llvm/Transforms/Utils/LoopRotationUtils.h"
#include "llvm/Transforms/Utils/LoopSimplify.h"
#include "llvm/Transforms/Utils/LoopUtils.h"

using namespace llvm;

namespace hetckpt::cpu {
namespace {

constexpr char StripMetadata[] = "hetckpt.strip";
constexpr unsigned MaxBlocks = 12;
constexpr unsigned MaxResumeLoops = 4;
constexpr unsigned MaxInstructions = 400;
constexpr unsigned MaxHeader = 16; // instructions, with phis, of a header that is copied in front of its loop
constexpr unsigned CacheLine = 64;
constexpr unsigned UnrollLimit = 800; // instructions that O3 unrolls a loop to, and some

/// A commuting atomic, or half of one on shared memory.
bool commutingAccess(const Instruction &I) {
  auto *A = dyn_cast<AtomicRMWInst>(&I);
  return A ? commutes(*A) : I.hasMetadata(CommutesMetadata);
}

bool vectorisable(const Instruction &I) {
  if (commutingAccess(I))
    return true; // not really: see takesLongSteps()
  if (I.hasMetadata(FlagMetadata))
    return true; // one answer for a whole pass, once the loop is cut
  if (I.getType()->isVectorTy() || I.isAtomic() || I.isVolatile())
    return false;
  if (auto *Call = dyn_cast<CallInst>(&I)) {
    auto *II = dyn_cast<IntrinsicInst>(Call);
    return II && (II->doesNotAccessMemory() || II->isAssumeLikeIntrinsic());
  }
  Type *T = I.getType();
  if (auto *S = dyn_cast<StoreInst>(&I))
    T = S->getValueOperand()->getType();
  if (T->isIntegerTy() && T->getIntegerBitWidth() > 64)
    return false;
  return !T->isAggregateType() || isa<ExtractValueInst>(I) || isa<CallInst>(I);
}

/// Private arrays do not lie side by side, so that accesses to them gain nothing.
bool touchesPrivate(const Instruction &I) {
  const Value *P = getLoadStorePointerOperand(&I);
  while (P) {
    if (isa<AllocaInst>(P))
      return true;
    auto *G = dyn_cast<GetElementPtrInst>(P);
    P = G ? G->getPointerOperand() : nullptr;
  }
  return false;
}

/// True if some load of L's is a cache line or more ahead in each iteration.
bool takesLongSteps(const Loop &L, ScalarEvolution &SE) {
  for (BasicBlock *B : L.blocks())
    for (Instruction &I : *B) {
      auto *Load = dyn_cast<LoadInst>(&I);
      if (!Load || Load->isVolatile())
        continue;
      auto *Rec = dyn_cast<SCEVAddRecExpr>(SE.getSCEV(Load->getPointerOperand()));
      if (!Rec || Rec->getLoop() != &L || !Rec->isAffine())
        continue;
      auto *Step = dyn_cast<SCEVConstant>(Rec->getStepRecurrence(SE));
      if (!Step || Step->getAPInt().abs().uge(CacheLine))
        return true;
    }
  return false;
}

bool hasAtomics(const Loop &L) {
  return any_of(L.blocks(), [](BasicBlock *B) { return any_of(*B, commutingAccess); });
}

enum class Plan { Leave, Cut, Unroll };

Plan planFor(const Loop &L, ScalarEvolution &SE) {
  if (!L.isInnermost() || !L.getLoopPreheader() || !L.getLoopLatch() ||
      L.getNumBlocks() > MaxBlocks || !L.hasDedicatedExits())
    return Plan::Leave;
  unsigned Count = 0;
  for (BasicBlock *B : L.blocks()) {
    if (isa<SwitchInst>(B->getTerminator()))
      return Plan::Leave;
    for (Instruction &I : *B) {
      if (++Count > MaxInstructions || !vectorisable(I) || touchesPrivate(I))
        return Plan::Leave;
    }
  }
  if (hasAtomics(L) && !takesLongSteps(L, SE))
    return Plan::Leave;
  // Short loops are unrolled, and then there is no loop.
  unsigned Trips = SE.getSmallConstantTripCount(&L);
  return !Trips || Trips * Count > UnrollLimit ? Plan::Cut : Plan::Unroll;
}

/// Has L unrolled until it is gone, whatever was good for a GPU: it may have been unrolled there, which leaves a mark
/// that it shall not be again, and a loop that is left keeps the loop over threads from becoming vector code.
void unrollWhole(Loop &L) {
  LLVMContext &C = L.getHeader()->getContext();
  L.setLoopID(makePostTransformationMetadata(C, L.getLoopID(), {"llvm.loop.unroll."},
                                             {MDNode::get(C, MDString::get(C, "llvm.loop.unroll.full"))}));
}

/// Lets L's latch decide in place of its header, if that costs a few instructions in front of it.
void turnRound(Loop &L, LoopInfo &LI, DominatorTree &DT, AssumptionCache &AC, ScalarEvolution &SE) {
  auto *Exit = dyn_cast<BranchInst>(L.getHeader()->getTerminator());
  if (!Exit || Exit->isUnconditional() || !L.isLoopExiting(L.getHeader()) || L.getHeader() == L.getLoopLatch() ||
      L.getHeader()->size() > MaxHeader ||
      any_of(*L.getHeader(), [](Instruction &I) { return I.mayReadOrWriteMemory(); }))
    return;
  const DataLayout &DL = L.getHeader()->getModule()->getDataLayout();
  TargetTransformInfo TTI(DL);
  SimplifyQuery SQ(DL);
  LoopRotation(&L, &LI, &TTI, &AC, &DT, &SE, nullptr, SQ, /*RotationOnly=*/true, /*Threshold=*/MaxHeader,
               /*IsUtilMode=*/true);
}

/// Strips may be unrolled here, as the loops were that they were made of.
void unrollStrips(LoopInfo &LI) {
  for (Loop *L : LI.getLoopsInPreorder())
    if (findOptionMDForLoop(L, StripMetadata))
      L->setLoopID(makePostTransformationMetadata(L->getHeader()->getContext(), L->getLoopID(),
                                                  {StripMetadata, "llvm.loop.unroll.disable"}, {}));
}

/// Cuts are numbered: threads at lower ones go first.
void cut(BasicBlock &B, unsigned Number, bool AtHeader) {
  Module &M = *B.getModule();
  IRBuilder<> IR(&B, B.getFirstInsertionPt());
  IR.CreateCall(M.getOrInsertFunction(CutName, IR.getVoidTy(), IR.getInt32Ty(), IR.getInt1Ty()),
                {IR.getInt32(Number), IR.getInt1(AtHeader)});
}

} // namespace

bool isRare(const BasicBlock &B, const DominatorTree &DT) {
  constexpr uint64_t Seldom = 1000;
  for (auto *N = DT.getNode(&B); N; N = N->getIDom()) {
    BasicBlock *From = N->getBlock()->getSinglePredecessor();
    auto *Branch = From ? dyn_cast<BranchInst>(From->getTerminator()) : nullptr;
    uint64_t True, False;
    if (!Branch || !extractBranchWeights(*Branch, True, False))
      continue;
    uint64_t This = Branch->getSuccessor(0) == N->getBlock() ? True : False;
    if (This * Seldom < True + False - This)
      return true;
  }
  return false;
}

bool commutes(const AtomicRMWInst &A) {
  if (!A.use_empty())
    return false;
  switch (A.getOperation()) {
  case AtomicRMWInst::Add:
  case AtomicRMWInst::Sub:
  case AtomicRMWInst::And:
  case AtomicRMWInst::Or:
  case AtomicRMWInst::Xor:
  case AtomicRMWInst::Max:
  case AtomicRMWInst::Min:
  case AtomicRMWInst::UMax:
  case AtomicRMWInst::UMin:
    return true;
  default:
    return false;
  }
}

SmallVector<std::string, 4> cutLoops(llvm::Function &F, const StringSet<> &Leave, uint64_t *Combining) {
  *Combining = 0;
  DominatorTree DT(F);
  LoopInfo LI(DT);
  for (Loop *L : LI)
    simplifyLoop(L, &DT, &LI, nullptr, nullptr, nullptr, false);
  unrollStrips(LI);
  // Now that what loops begin with is a phi of its own, in front of each.
  defineUndefined(F);
  for (Loop *L : LI)
    formLCSSARecursively(*L, DT, &LI, nullptr);
  TargetLibraryInfoImpl TLII(F.getParent()->getTargetTriple());
  TargetLibraryInfo TLI(TLII);
  AssumptionCache AC(F);
  ScalarEvolution SE(F, TLI, AC, DT, LI);
  SmallVector<std::string, 4> Names;
  StringRef Kernel = F.getName();
  Kernel.consume_back(ThreadSuffix);
  if (Leave.contains(Kernel))
    return Names;
  SmallVector<std::pair<Loop *, std::string>, 8> Worth;
  unsigned Ordinal = 0, Deepest = 0;
  for (Loop *L : LI.getLoopsInPreorder()) {
    std::string Name = (F.getName() + "#" + Twine(Ordinal++)).str();
    Plan P = Leave.contains(Name) || isRare(*L->getHeader(), DT) ? Plan::Leave : planFor(*L, SE);
    if (P == Plan::Unroll)
      unrollWhole(*L);
    if (P != Plan::Cut)
      continue;
    Worth.push_back({L, Name});
    Deepest = std::max(Deepest, L->getLoopDepth());
  }
  // In a resume variant most are copies that a thread runs once, on its way into the loops
  // that they are copies of. Those are deeper, if not all by as much: a loop with polls
  // has one around it that its unpolled twin has not.
  if (Kernel.starts_with(HETCKPT_RESUME_PREFIX) && Worth.size() > MaxResumeLoops)
    erase_if(Worth, [&](auto &W) { return W.first->getLoopDepth() + 1 < Deepest; });
  for (auto &[L, Name] : Worth) {
    turnRound(*L, LI, DT, AC, SE);
    // The driver sees to it that each pass looks anew.
    for (BasicBlock *B : L->blocks())
      for (Instruction &I : *B)
        if (I.hasMetadata(FlagMetadata))
          cast<LoadInst>(I).setAtomic(AtomicOrdering::NotAtomic);
    SmallVector<BasicBlock *, 4> Exits;
    L->getUniqueExitBlocks(Exits);
    bool Atomics = hasAtomics(*L);
    if (Names.size() < 64 && combine(*L))
      *Combining |= uint64_t(1) << Names.size();
    cut(*L->getHeader(), Names.size(), true);
    Names.push_back(Atomics ? "" : Name);
    for (BasicBlock *E : Exits) {
      cut(*E, Names.size(), false);
      Names.push_back("");
    }
  }
  return Names;
}

} // namespace hetckpt::cpu
