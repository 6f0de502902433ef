// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// hetckpt_cpu_function.run: the loop over threads. x runs innermost, so that what
// neighbouring threads read and write is seen to be contiguous:
//
//   for each row of the block (fixed y and z) that [first, first + count) touches
//     for x in the row's part of the range
//       state[tid] = step(block, x, y, z, tid, SITE)       ; inlined
//
// A function with sites gets one such loop for each site that a thread can be entered
// at, each with the step function reduced to what can be reached from there. A whole
// block then runs from barrier to barrier in one loop that can be vectorised.
//
// Threads do not depend on each other between sites but through atomics and volatile
// accesses, so all others are marked as independent between iterations. A private array
// that is left on the stack would be shared between iterations; then nothing is marked.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

/// Marks the loop with latch Latch as one whose iterations are independent.
void markIndependent(llvm::Function &F, BranchInst &Latch, ArrayRef<BasicBlock *> Body) {
  for (Instruction &I : instructions(F))
    if (isa<AllocaInst>(I))
      return;
  LLVMContext &C = F.getContext();
  MDNode *Group = MDNode::getDistinct(C, {});
  for (BasicBlock *B : Body)
    for (Instruction &I : *B)
      // Not calls: what they bring in when they are inlined later may be on the stack.
      if (I.mayReadOrWriteMemory() && !I.isVolatile() && !I.isAtomic() &&
          (!isa<CallInst>(I) || isa<IntrinsicInst>(I)))
        I.setMetadata(LLVMContext::MD_access_group, Group);
  MDNode *Parallel = MDNode::get(C, {MDString::get(C, "llvm.loop.parallel_accesses"), Group});
  MDNode *Loop = MDNode::getDistinct(C, {nullptr, Parallel});
  Loop->replaceOperandWith(0, Loop);
  Latch.setMetadata(LLVMContext::MD_loop, Loop);
}

/// A loop over [first, first + count) around Body, which is i32 (context). HasSites:
/// its result goes to state[tid]; else anything but 0 ends the loop and is returned.
llvm::Function *makeLoop(llvm::Function &Body, const Twine &Name, bool HasSites) {
  LLVMContext &C = Body.getContext();
  Module &M = *Body.getParent();
  IRBuilder<> B(C);
  Type *I32 = B.getInt32Ty();
  auto *F = llvm::Function::Create(
      FunctionType::get(I32, {B.getPtrTy(), I32, I32}, false), GlobalValue::InternalLinkage, Name, M);
  F->addFnAttr(Attribute::NoUnwind);
  Argument *Block = F->getArg(0), *First = F->getArg(1), *Count = F->getArg(2);
  Block->setName("block");
  Block->addAttr(Attribute::getWithDereferenceableBytes(C, sizeof(hetckpt_cpu_block)));
  Block->addAttr(Attribute::getWithAlignment(C, Align(8)));
  First->setName("first");
  Count->setName("count");

  auto *Entry = BasicBlock::Create(C, "entry", F);
  auto *Row = BasicBlock::Create(C, "row", F);
  auto *Thread = BasicBlock::Create(C, "thread", F);
  auto *Next = BasicBlock::Create(C, "next", F);
  auto *RowEnd = BasicBlock::Create(C, "row.end", F);
  auto *Exit = BasicBlock::Create(C, "exit", F);

  B.SetInsertPoint(Entry);
  auto Dim = [&](unsigned I, const char *N) {
    auto *L = cast<LoadInst>(
        loadField(B, Block, offsetof(hetckpt_cpu_block, ntid) + 4 * I, I32, N));
    L->setMetadata(LLVMContext::MD_range, MDBuilder(C).createRange(APInt(32, 1), APInt(32, 65537)));
    return L;
  };
  Value *Nx = Dim(0, "nx"), *Ny = Dim(1, "ny");
  Value *States = nullptr;
  if (HasSites)
    States = loadField(B, Block, offsetof(hetckpt_cpu_block, state), B.getPtrTy(), "states");
  Value *End = B.CreateAdd(First, Count, "end", true, true);
  Value *Row0 = B.CreateUDiv(First, Nx, "row0");
  B.CreateCondBr(B.CreateICmpEQ(Count, B.getInt32(0)), Exit, Row);

  B.SetInsertPoint(Row);
  PHINode *R = B.CreatePHI(I32, 2, "r");
  PHINode *Begin = B.CreatePHI(I32, 2, "begin");
  R->addIncoming(Row0, Entry);
  Begin->addIncoming(First, Entry);
  Value *Y = B.CreateURem(R, Ny, "y"), *Z = B.CreateUDiv(R, Ny, "z");
  Value *Base = B.CreateMul(R, Nx, "base", true, true);
  Value *Stop = B.CreateAdd(Base, Nx, "stop", true, true);
  Stop = B.CreateBinaryIntrinsic(Intrinsic::umin, Stop, End);
  // 64 bits wide from the start: addresses need it so, and the trip count is plain.
  Type *I64 = B.getInt64Ty();
  Value *X0 = B.CreateZExt(B.CreateSub(Begin, Base, "", true, true), I64, "x0");
  Value *X1 = B.CreateZExt(B.CreateSub(Stop, Base, "", true, true), I64, "x1");
  B.CreateBr(Thread);

  B.SetInsertPoint(Thread);
  PHINode *X64 = B.CreatePHI(I64, 2, "x64");
  X64->addIncoming(X0, Row);
  Value *X = B.CreateTrunc(X64, I32, "x", true, true);
  Value *Tid = B.CreateAdd(Base, X, "tid", true, true);
  CallInst *Call = B.CreateCall(&Body, {Block, X, Y, Z, Tid});
  if (HasSites) {
    B.CreateStore(Call, B.CreateInBoundsGEP(I32, States, B.CreateZExt(Tid, B.getInt64Ty())));
    B.CreateBr(Next);
  } else {
    B.CreateCondBr(B.CreateICmpEQ(Call, B.getInt32(HETCKPT_CPU_ENDED)), Next, Exit);
  }

  B.SetInsertPoint(Next);
  Value *XN = B.CreateAdd(X64, B.getInt64(1), "x.next", true, true);
  X64->addIncoming(XN, Next);
  BranchInst *Latch = B.CreateCondBr(B.CreateICmpULT(XN, X1), Thread, RowEnd);

  B.SetInsertPoint(RowEnd);
  R->addIncoming(B.CreateAdd(R, B.getInt32(1), "r.next", true, true), RowEnd);
  Begin->addIncoming(Stop, RowEnd);
  B.CreateCondBr(B.CreateICmpULT(Stop, End), Row, Exit);

  B.SetInsertPoint(Exit);
  PHINode *Result = B.CreatePHI(I32, 3);
  Result->addIncoming(B.getInt32(0), Entry);
  Result->addIncoming(B.getInt32(0), RowEnd);
  if (!HasSites)
    Result->addIncoming(B.getInt32(HETCKPT_CPU_FAULT), Thread);
  B.CreateRet(Result);

  InlineFunctionInfo Info;
  InlineFunction(*Call, Info);
  SmallVector<BasicBlock *, 32> In;
  for (BasicBlock &BB : *F)
    if (&BB != Entry && &BB != Row && &BB != RowEnd && &BB != Exit)
      In.push_back(&BB);
  markIndependent(*F, *Latch, In);
  return F;
}

/// The step function for one site that it is entered at.
llvm::Function *specialise(llvm::Function &Step, uint32_t Site) {
  LLVMContext &C = Step.getContext();
  SmallVector<Type *, 5> Params(Step.getFunctionType()->params().drop_back());
  auto *New = llvm::Function::Create(FunctionType::get(Step.getReturnType(), Params, false),
                                     GlobalValue::InternalLinkage,
                                     Step.getName() + "." + Twine(Site), Step.getParent());
  ValueToValueMapTy Map;
  for (unsigned I = 0; I < ContextArgs; I++)
    Map[Step.getArg(I)] = New->getArg(I);
  Map[Step.getArg(ContextArgs)] = ConstantInt::get(Type::getInt32Ty(C), Site);
  SmallVector<ReturnInst *, 8> Returns;
  CloneAndPruneFunctionInto(New, &Step, Map, false, Returns);
  New->addFnAttr(Attribute::NoUnwind);
  return New;
}

} // namespace

void makeRun(Variant &F) {
  llvm::Function &Thread = *F.Thread;
  Module &M = *Thread.getParent();
  LLVMContext &C = M.getContext();
  IRBuilder<> B(C);
  Type *I32 = B.getInt32Ty();
  F.Run = llvm::Function::Create(
      FunctionType::get(I32, {B.getPtrTy(), I32, I32, I32}, false), GlobalValue::InternalLinkage,
      F.Name + ".run", M);
  F.Run->addFnAttr(Attribute::NoUnwind);
  Argument *Block = F.Run->getArg(0), *Site = F.Run->getArg(1);
  SmallVector<Value *, 3> Args = {Block, F.Run->getArg(2), F.Run->getArg(3)};
  auto *Entry = BasicBlock::Create(C, "entry", F.Run);
  B.SetInsertPoint(Entry);
  if (!F.SiteCount) {
    llvm::Function *Loop = makeLoop(Thread, F.Name + ".loop", false);
    B.CreateRet(B.CreateCall(Loop, Args));
    Thread.eraseFromParent();
    return;
  }
  auto *None = BasicBlock::Create(C, "none", F.Run);
  new UnreachableInst(C, None);
  SwitchInst *Switch = B.CreateSwitch(Site, None, F.SiteCount + 1);
  for (uint32_t N = HETCKPT_CPU_START; N < HETCKPT_CPU_FIRST_SITE + F.SiteCount; N++) {
    llvm::Function *Step = specialise(Thread, N);
    llvm::Function *Loop = makeLoop(*Step, F.Name + ".loop." + Twine(N), true);
    Step->eraseFromParent();
    // One copy each: they are big, and called once a block.
    Loop->addFnAttr(Attribute::NoInline);
    auto *Case = BasicBlock::Create(C, "site", F.Run);
    Switch->addCase(B.getInt32(N), Case);
    B.SetInsertPoint(Case);
    B.CreateRet(B.CreateCall(Loop, Args));
  }
  Thread.eraseFromParent();
}

} // namespace hetckpt::cpu
