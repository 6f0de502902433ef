// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Blocks of a few short rows, as GPUs like them, jump through memory: 32 x 8 threads read 128 bytes, then
// 128 bytes of the next line of the picture, and no prefetcher follows. Blocks have no order, so
// neighbours run side by side:
//
//   for each row of the block (fixed y and z)
//     for b = 0 ... count - 1
//       ctaid[0] = first + b
//       for x in the row: step(block, x, y, z, tid)
//
// Kernels begin with if (x < n): threads beyond the end of their data return. In a loop over threads each
// access is masked because of that, which some processors take many times as long for, stores above all. Where
// the first and the last thread of a row pass, all do, if what is compared grows by one from thread to thread: such a
// row has a loop without the question.
//
// The block's number is stored for who asks which block has faulted; threads have it from the loop.
//
// Why this does not change what a kernel means: a thread without loops, sites and calls is a bounded number
// of steps in which it waits for nobody, so running any of them to its end, in whatever order, is one of the schedules
// that the blocks could have had on several processors. Each thread still does its own accesses, atomics, volatile ones
// and fences included, in its own order; of different blocks none was ever promised, and a block that counts how many
// have ended before it counts the same. Nothing of a block is kept between its rows: what belongs to one block,
// its shared memory, private arrays, the pause flag, output that has not been written yet, is what
// numberLoads() refuses. So all that differs between neighbours in the block's record is its number in x. Such threads
// never park, so a pause sees only blocks that have begun and will end, and the runtime has asked before each
// whether it may begin. The block loop is not said to be independent; only the threads of one row of one block are, as always.
//
// Gaps: threads with loops, whose blocks are long enough as they are, and such as look at something that
// belongs to one block.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/Analysis/CFG.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/PatternMatch.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

/// True for fields of the block's record that its neighbours in x have in common, and for what a trap sets.
bool isCommon(uint64_t Offset) {
  return (Offset >= offsetof(hetckpt_cpu_block, ctaid) + 4 && Offset < offsetof(hetckpt_cpu_block, shared)) ||
         Offset == offsetof(hetckpt_cpu_block, globals) || Offset == offsetof(hetckpt_cpu_block, params) ||
         Offset == offsetof(hetckpt_cpu_block, fault);
}

/// Loads of the block's number in x; *Can is false if other blocks cannot take part.
SmallVector<LoadInst *, 4> numberLoads(llvm::Function &Thread, bool *Can) {
  SmallVector<LoadInst *, 4> Loads;
  SmallVector<std::pair<const BasicBlock *, const BasicBlock *>, 4> Back;
  FindFunctionBackedges(Thread, Back);
  *Can = Back.empty();
  for (Instruction &I : instructions(Thread))
    if (isa<AllocaInst>(I) || (isa<CallBase>(I) && !isa<IntrinsicInst>(I)))
      *Can = false;
  for (User *U : Thread.getArg(ArgBlock)->users()) {
    APInt Offset(64, 0);
    auto *L = dyn_cast<LoadInst>(U);
    auto *G = dyn_cast<GetElementPtrInst>(U);
    if (L && L->getType()->isIntegerTy(32))
      Loads.push_back(L);
    else if (!G || !G->accumulateConstantOffset(Thread.getDataLayout(), Offset) || !isCommon(Offset.getZExtValue()))
      *Can = false;
  }
  return Loads;
}

/// i32 (context, number in x)
llvm::Function *numberAsArgument(llvm::Function &Thread) {
  SmallVector<Type *, 8> Params(Thread.getFunctionType()->params());
  Params.push_back(Type::getInt32Ty(Thread.getContext()));
  auto *Step = llvm::Function::Create(FunctionType::get(Thread.getReturnType(), Params, false),
                                      GlobalValue::InternalLinkage, Thread.getName() + ".beside",
                                      Thread.getParent());
  ValueToValueMapTy Map;
  for (Argument &A : Thread.args())
    Map[&A] = Step->getArg(A.getArgNo());
  SmallVector<ReturnInst *, 4> Returns;
  CloneFunctionInto(Step, &Thread, Map, CloneFunctionChangeType::LocalChangesOnly, Returns);
  bool Can;
  for (LoadInst *L : numberLoads(*Step, &Can)) {
    L->replaceAllUsesWith(Step->getArg(Params.size() - 1));
    L->eraseFromParent();
  }
  return Step;
}

/// The branch that Step begins with, if a whole row goes one way that its first and its last thread go.
class Guard {
public:
  explicit Guard(llvm::Function &Step) : Step(Step), Entry(Step.getEntryBlock()) {
    for (Instruction &I : Entry) {
      // A copy of freeze may choose otherwise than what it is a copy of.
      if (I.mayHaveSideEffects() || isa<FreezeInst>(I) ||
          (I.mayReadFromMemory() && !I.hasMetadata(LLVMContext::MD_invariant_load)))
        return;
      if (any_of(I.operands(), [&](Value *V) { return ofThread(V); }))
        Dependent.insert(&I);
    }
    auto *Branch = dyn_cast<BranchInst>(Entry.getTerminator());
    if (!Branch || Branch->isUnconditional() || !ofThread(Branch->getCondition()))
      return;
    for (bool Way : {true, false}) {
      BasicBlock *Other = Branch->getSuccessor(Way ? 1 : 0);
      if (!isa<ReturnInst>(Other->getTerminator()))
        continue;
      Compared.clear();
      Taken = Way;
      Found = split(Branch->getCondition(), Way);
      if (Found)
        return;
    }
  }

  bool found() const { return Found; }

  /// i1: true if all threads from the one with arguments First to the one with Last go on.
  Value *holds(IRBuilder<> &B, ArrayRef<Value *> First, ArrayRef<Value *> Last) const {
    ValueToValueMapTy At[2];
    for (unsigned End = 0; End < 2; End++) {
      for (Argument &A : Step.args())
        At[End][&A] = (End ? Last : First)[A.getArgNo()];
      for (Instruction &I : Entry)
        if (!I.isTerminator()) {
          Instruction *Copy = I.clone();
          B.Insert(Copy);
          RemapInstruction(Copy, At[End], RF_NoModuleLevelChanges | RF_IgnoreMissingLocals);
          At[End][&I] = Copy;
        }
    }
    auto at = [&](Value *V, unsigned End) -> Value * {
      Value *Mapped = At[End].lookup(V);
      return Mapped ? Mapped : V;
    };
    Value *Condition = cast<BranchInst>(Entry.getTerminator())->getCondition(), *All = B.getTrue();
    for (unsigned End = 0; End < 2; End++) {
      Value *Goes = at(Condition, End);
      All = B.CreateLogicalAnd(All, Taken ? Goes : B.CreateNot(Goes));
    }
    // It has not wrapped on the way: rows are short. Where a thread leaves before it compares, what it would have
    // compared may be poison; so this is asked last.
    for (auto &[V, Signed] : Compared)
      All = B.CreateLogicalAnd(All, B.CreateICmp(Signed ? CmpInst::ICMP_SLE : CmpInst::ICMP_ULE, at(V, 0),
                                                 at(V, 1)));
    return All;
  }

  /// Step without the question.
  llvm::Function *without() const {
    ValueToValueMapTy Map;
    llvm::Function *Copy = CloneFunction(&Step, Map);
    auto *Branch = cast<BranchInst>(Copy->getEntryBlock().getTerminator());
    BasicBlock *Work = Branch->getSuccessor(Taken ? 0 : 1), *Other = Branch->getSuccessor(Taken ? 1 : 0);
    Other->removePredecessor(Branch->getParent());
    BranchInst::Create(Work, Branch->getIterator());
    Branch->eraseFromParent();
    return Copy;
  }

private:
  bool ofThread(Value *V) const {
    return V == Step.getArg(ArgX) || V == Step.getArg(ArgTid) || Dependent.contains(V);
  }

  /// V is one more in each thread of a row than in the one before, unless it wraps.
  bool counts(Value *V) const {
    if (V == Step.getArg(ArgX) || V == Step.getArg(ArgTid))
      return true;
    auto *I = dyn_cast<Instruction>(V);
    if (!I || !Dependent.contains(I))
      return false;
    if (isa<ZExtInst>(I) || isa<SExtInst>(I))
      return counts(I->getOperand(0));
    auto *Or = dyn_cast<PossiblyDisjointInst>(I);
    if (I->getOpcode() != Instruction::Add && !(Or && Or->isDisjoint()))
      return false;
    Value *L = I->getOperand(0), *R = I->getOperand(1);
    return ofThread(L) ? !ofThread(R) && counts(L) : counts(R);
  }

  /// Condition is Way only if all of its parts are, and each of these is either the same in a row's threads or
  /// compares what counts with what is the same.
  bool split(Value *Condition, bool Way) {
    using namespace PatternMatch;
    Value *L, *R;
    if (!ofThread(Condition))
      return true;
    if (match(Condition, m_Not(m_Value(L))))
      return split(L, !Way);
    if (Way ? match(Condition, m_LogicalAnd(m_Value(L), m_Value(R)))
            : match(Condition, m_LogicalOr(m_Value(L), m_Value(R))))
      return split(L, Way) && split(R, Way);
    auto *Compare = dyn_cast<ICmpInst>(Condition);
    if (!Compare || !Compare->isRelational() || !Compare->getOperand(0)->getType()->isIntegerTy())
      return false;
    L = Compare->getOperand(0);
    R = Compare->getOperand(1);
    if (!ofThread(L))
      std::swap(L, R);
    if (ofThread(R) || !counts(L))
      return false;
    Compared.push_back({L, Compare->isSigned()});
    return true;
  }

  llvm::Function &Step;
  BasicBlock &Entry;
  SmallPtrSet<const Value *, 16> Dependent; ///< on which thread of a row it is
  SmallVector<std::pair<Value *, bool>, 4> Compared; ///< and whether as signed numbers
  bool Found = false, Taken = false; ///< the condition is Taken in threads that go on
};

} // namespace

void makeBeside(Variant &V) {
  bool Can;
  numberLoads(*V.Thread, &Can);
  if (!Can || V.StaticShared || !V.Refused.empty())
    return;
  Module &M = *V.Thread->getParent();
  LLVMContext &C = M.getContext();
  IRBuilder<> B(C);
  Type *I32 = B.getInt32Ty(), *I64 = B.getInt64Ty();
  llvm::Function *Step = numberAsArgument(*V.Thread);
  auto *F = llvm::Function::Create(FunctionType::get(I32, {B.getPtrTy(), I32}, false),
                                   GlobalValue::InternalLinkage, V.Name + ".beside", M);
  F->addFnAttr(Attribute::NoUnwind);
  Argument *Block = F->getArg(0), *Count = F->getArg(1);
  Block->setName("block");
  Block->addAttr(Attribute::getWithDereferenceableBytes(C, sizeof(hetckpt_cpu_block)));
  Block->addAttr(Attribute::getWithAlignment(C, Align(8)));
  Count->setName("count");
  auto *Entry = BasicBlock::Create(C, "entry", F);
  auto *Row = BasicBlock::Create(C, "row", F);
  auto *One = BasicBlock::Create(C, "block", F);
  auto *OneEnd = BasicBlock::Create(C, "block.end", F);
  auto *RowEnd = BasicBlock::Create(C, "row.end", F);
  auto *Exit = BasicBlock::Create(C, "exit", F);

  B.SetInsertPoint(Entry);
  Value *Nx = blockSize(B, Block, 0, "nx"), *Ny = blockSize(B, Block, 1, "ny");
  Value *Rows = B.CreateNUWMul(Ny, blockSize(B, Block, 2, "nz"), "rows");
  Value *First = B.CreateAlignedLoad(I32, Block, Align(8), "first");
  Value *Length = B.CreateZExt(bounded(B, Nx, 1, "length"), I64);
  B.CreateBr(Row);

  B.SetInsertPoint(Row);
  PHINode *R = B.CreatePHI(I32, 2, "r"), *Y = B.CreatePHI(I32, 2, "y"), *Z = B.CreatePHI(I32, 2, "z");
  for (PHINode *P : {R, Y, Z})
    P->addIncoming(B.getInt32(0), Entry);
  Value *Base = B.CreateZExt(bounded(B, B.CreateMul(R, Nx, "", true, true), 0, "base"), I64);
  B.CreateBr(One);

  B.SetInsertPoint(One);
  PHINode *N = B.CreatePHI(I32, 2, "n");
  N->addIncoming(B.getInt32(0), Row);
  Value *Number = B.CreateAdd(First, N, "number");
  B.CreateAlignedStore(Number, Block, Align(8), /*isVolatile=*/true);
  One = B.GetInsertBlock();

  PHINode *Result = PHINode::Create(I32, 3, "", Exit);
  SmallVector<CallInst *, 2> Calls;
  struct Loop {
    BasicBlock *Head;
    BranchInst *Latch;
  };
  SmallVector<Loop, 2> Loops;
  auto AddLoop = [&](llvm::Function *Called) {
    auto *Thread = BasicBlock::Create(C, "thread", F, OneEnd);
    auto *Next = BasicBlock::Create(C, "next", F, OneEnd);
    B.SetInsertPoint(Thread);
    PHINode *K = B.CreatePHI(I64, 2, "k");
    K->addIncoming(B.getInt64(0), One);
    Value *X = B.CreateTrunc(K, I32, "x", true, true);
    Value *Tid = B.CreateTrunc(B.CreateAdd(Base, K, "tid64", true, true), I32, "tid", true, true);
    Calls.push_back(B.CreateCall(Called, {Block, X, Y, Z, Tid, Number}));
    B.CreateCondBr(B.CreateICmpEQ(Calls.back(), B.getInt32(HETCKPT_CPU_ENDED)), Next, Exit);
    Result->addIncoming(B.getInt32(HETCKPT_CPU_FAULT), Thread);
    B.SetInsertPoint(Next);
    Value *KN = B.CreateAdd(K, B.getInt64(1), "k.next", true, true);
    K->addIncoming(KN, Next);
    Loops.push_back({Thread, B.CreateCondBr(B.CreateICmpULT(KN, Length), Thread, OneEnd)});
  };
  AddLoop(Step);
  Guard G(*Step);
  llvm::Function *Unasked = G.found() ? G.without() : nullptr;
  if (Unasked) {
    AddLoop(Unasked);
    B.SetInsertPoint(One);
    Value *Tid = B.CreateTrunc(Base, I32), *Last = B.CreateSub(Nx, B.getInt32(1));
    B.CreateCondBr(G.holds(B, {Block, B.getInt32(0), Y, Z, Tid, Number},
                           {Block, Last, Y, Z, B.CreateAdd(Tid, Last), Number}),
                   Loops[1].Head, Loops[0].Head);
  } else {
    B.SetInsertPoint(One);
    B.CreateBr(Loops[0].Head);
  }

  B.SetInsertPoint(OneEnd);
  Value *NN = B.CreateAdd(N, B.getInt32(1), "n.next", true);
  N->addIncoming(NN, OneEnd);
  B.CreateCondBr(B.CreateICmpULT(NN, Count), One, RowEnd);

  B.SetInsertPoint(RowEnd);
  Value *RN = B.CreateAdd(R, B.getInt32(1), "r.next", true, true);
  Value *YN = B.CreateAdd(Y, B.getInt32(1), "y.next", true, true);
  Value *Wrap = B.CreateICmpUGE(YN, Ny);
  R->addIncoming(RN, RowEnd);
  Y->addIncoming(B.CreateSelect(Wrap, B.getInt32(0), YN), RowEnd);
  Z->addIncoming(B.CreateAdd(Z, B.CreateZExt(Wrap, I32), "z.next", true, true), RowEnd);
  B.CreateCondBr(B.CreateICmpULT(RN, Rows), Row, Exit);

  B.SetInsertPoint(Exit);
  Result->addIncoming(B.getInt32(HETCKPT_CPU_ENDED), RowEnd);
  B.CreateRet(Result);

  for (CallInst *Call : Calls) {
    InlineFunctionInfo Info;
    InlineFunction(*Call, Info);
  }
  for (llvm::Function *Called : {Step, Unasked})
    if (Called)
      Called->eraseFromParent();
  DominatorTree DT(*F);
  Metadata *Once = ConstantAsMetadata::get(B.getInt32(1));
  for (Loop &L : Loops) {
    SmallVector<BasicBlock *, 32> In;
    for (BasicBlock &BB : *F)
      if (DT.isReachableFromEntry(&BB) && DT.dominates(L.Head, &BB) && &BB != Exit)
        In.push_back(&BB);
    // OneEnd is reached from both loops, or comes behind the only one.
    erase_if(In, [&](BasicBlock *BB) { return DT.dominates(OneEnd, BB); });
    markIndependent(*L.Latch, In, {MDNode::get(C, {MDString::get(C, "llvm.loop.interleave.count"), Once})});
  }
  V.Beside = F;
}

} // namespace hetckpt::cpu
