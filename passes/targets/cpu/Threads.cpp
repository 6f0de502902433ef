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
// Cuts (Loops.cpp) have two loops each: one for when all threads of the range are there,
// one that looks at each thread's state. __hetckpt_cpu_drive in support.c calls them. At the header
// of a loop that has become vector code a function that runs it to its end uses them (Tiles.cpp).
//
// Threads do not depend on each other between sites but through atomics and volatile
// accesses, so all others are marked as independent between iterations. A private array
// that is left on the stack would be shared between iterations; then nothing is marked.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/ADT/PostOrderIterator.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

constexpr uint32_t MaxThreads = 65536; // a block, far above what any runtime allows

Value *element(IRBuilder<> &B, Value *Array, uint64_t Bytes, Value *At, const Twine &Name = "") {
  return B.CreateInBoundsGEP(ArrayType::get(B.getInt8Ty(), Bytes), Array, At, Name);
}

/// A is the block's record.
void isBlock(Argument &A) {
  A.addAttr(Attribute::getWithDereferenceableBytes(A.getContext(), sizeof(hetckpt_cpu_block)));
  A.addAttr(Attribute::getWithAlignment(A.getContext(), Align(8)));
}

bool hasPrivate(llvm::Function &F) {
  return any_of(instructions(F), [](Instruction &I) { return isa<AllocaInst>(I); });
}

/// Loads what is the same in all threads from First on, and lowers *Count to as many as
/// really agree. The runtime says so for threads that were never apart; others are
/// compared. Masked: the same for those that are at this cut, which have not been apart.
/// Each: of what is only likely to be the same, gives the array instead.
SmallVector<Value *, 8> loadUniforms(IRBuilder<> &B, const Variant &V, Value *Block, Value *First,
                                     Value **Count, ArrayRef<const Variant::Uniform *> Uniforms,
                                     uint32_t Masked, bool Each) {
  SmallVector<Value *, 8> Values;
  SmallVector<std::pair<Value *, uint64_t>, 8> Arrays;
  if (Uniforms.empty())
    return Values;
  LLVMContext &C = B.getContext();
  Type *I32 = B.getInt32Ty(), *I64 = B.getInt64Ty();
  llvm::Function &F = *B.GetInsertBlock()->getParent();
  const DataLayout &DL = F.getParent()->getDataLayout();
  Value *Answers = loadField(B, Block, offsetof(hetckpt_cpu_block, value), B.getPtrTy(), "answers");
  Value *At = B.CreateZExt(First, I64);
  if (Masked) {
    llvm::Function *Find = F.getParent()->getFunction("__hetckpt_cpu_find");
    Value *States = loadField(B, Block, offsetof(hetckpt_cpu_block, state), B.getPtrTy(), "states");
    Value *N = B.CreateCall(Find, {B.CreateInBoundsGEP(I32, States, At), *Count, B.getInt32(Masked)});
    At = B.CreateAdd(At, B.CreateZExt(N, I64));
  }
  for (const Variant::Uniform *U : Uniforms) {
    uint64_t Bytes = DL.getTypeAllocSize(U->Ty);
    Value *Array = U->Slot < 0 ? Answers : slotArray(B, Block, V.Slots[U->Slot]);
    if (U->Likely && Each) {
      Values.push_back(Array);
      continue;
    }
    Value *P = element(B, Array, Bytes, At);
    Arrays.push_back({P, Bytes});
    Align A = std::min(DL.getABITypeAlign(U->Ty), Align(16));
    Values.push_back(B.CreateAlignedLoad(U->Ty, P, A, "uniform"));
  }
  if (Masked)
    return Values;
  Value *Together = loadField(B, Block, offsetof(hetckpt_cpu_block, together), I32, "together");
  auto *Here = B.GetInsertBlock();
  auto *Compare = BasicBlock::Create(C, "compare", &F);
  auto *Ready = BasicBlock::Create(C, "ready", &F);
  B.CreateCondBr(B.CreateOr(B.CreateICmpNE(Together, B.getInt32(0)),
                            B.CreateICmpEQ(*Count, B.getInt32(1))),
                 Ready, Compare);
  B.SetInsertPoint(Compare);
  FunctionCallee Alike = F.getParent()->getFunction("__hetckpt_cpu_alike");
  Value *N = *Count;
  for (auto &[P, Bytes] : Arrays)
    N = B.CreateCall(Alike, {P, N, B.getInt32(Bytes)});
  B.CreateBr(Ready);
  B.SetInsertPoint(Ready);
  PHINode *Phi = B.CreatePHI(I32, 2, "alike");
  Phi->addIncoming(*Count, Here);
  Phi->addIncoming(N, Compare);
  *Count = Phi;
  return Values;
}

/// The one site at which a function always returns, if there is one.
ConstantInt *onlyResult(llvm::Function &Body) {
  ConstantInt *Only = nullptr;
  for (BasicBlock &B : Body)
    if (auto *R = dyn_cast<ReturnInst>(B.getTerminator())) {
      auto *C = dyn_cast<ConstantInt>(R->getReturnValue());
      if (!C || (Only && Only != C))
        return nullptr;
      Only = C;
    }
  return Only;
}

/// If the threads from First on are together, but differ in something that is likely to be
/// the same, returns what Other, which does not count on that, makes of them.
void turnAside(IRBuilder<> &B, const Variant &V, Value *Block, Value *First, Value *Count,
               const Entered &E, llvm::Function &Other) {
  if (none_of(E.Uniforms, [](const Variant::Uniform *U) { return U->Likely; }))
    return;
  LLVMContext &C = B.getContext();
  llvm::Function &F = *B.GetInsertBlock()->getParent();
  Module &M = *F.getParent();
  Type *I32 = B.getInt32Ty(), *I64 = B.getInt64Ty();
  Value *States = loadField(B, Block, offsetof(hetckpt_cpu_block, state), B.getPtrTy(), "states");
  Value *Together = loadField(B, Block, offsetof(hetckpt_cpu_block, together), I32, "together");
  Value *At = B.CreateZExt(First, I64), *Same = Count;
  for (const Variant::Uniform *U : E.Uniforms) {
    if (!U->Likely)
      continue;
    const Variant::Slot &S = V.Slots[U->Slot];
    Same = B.CreateCall(M.getFunction("__hetckpt_cpu_alike"),
                        {element(B, slotArray(B, Block, S), S.Bytes, At), Same, B.getInt32(S.Bytes)});
  }
  auto *Aside = BasicBlock::Create(C, "aside", &F);
  auto *On = BasicBlock::Create(C, "on", &F);
  B.CreateCondBr(B.CreateAnd(B.CreateICmpNE(Together, B.getInt32(0)), B.CreateICmpNE(Same, Count)),
                 Aside, On);
  B.SetInsertPoint(Aside);
  B.CreateCall(M.getFunction("__hetckpt_cpu_fill"),
               {B.CreateInBoundsGEP(I32, States, At), Count, B.getInt32(E.Site)});
  B.CreateRet(B.CreateCall(&Other, {Block, First, Count}));
  B.SetInsertPoint(On);
}

/// A loop over [first, first + count) around E's body.
/// HasSites: its result goes to state[tid] and all results are compared, unless they
/// can only be equal; else anything but 0 ends the loop and is returned. Masked: only
/// threads whose state[] is E's cut are run, and the results of the others count too.
/// Other: such a loop for the same cut, which is taken if threads that are together differ
/// in what is likely to be the same; without it each thread loads that for itself.
llvm::Function *makeLoop(const Variant &V, const Entered &E, const Twine &Name, bool HasSites,
                         bool Masked = false, llvm::Function *Other = nullptr) {
  llvm::Function &Body = *E.Body;
  ArrayRef<const Variant::Uniform *> Uniforms = E.Uniforms;
  LLVMContext &C = Body.getContext();
  Module &M = *Body.getParent();
  IRBuilder<> B(C);
  Type *I32 = B.getInt32Ty();
  auto *F = llvm::Function::Create(
      FunctionType::get(I32, {B.getPtrTy(), I32, I32}, false), GlobalValue::InternalLinkage, Name, M);
  F->addFnAttr(Attribute::NoUnwind);
  Argument *Block = F->getArg(0);
  Block->setName("block");
  isBlock(*Block);
  F->getArg(1)->setName("first");
  F->getArg(2)->setName("count");

  ConstantInt *Only = HasSites && !Masked ? onlyResult(Body) : nullptr;
  bool Compares = HasSites && !Only;

  auto *Entry = BasicBlock::Create(C, "entry", F);
  auto *Row = BasicBlock::Create(C, "row", F);
  auto *Thread = BasicBlock::Create(C, "thread", F);
  auto *Next = BasicBlock::Create(C, "next", F);
  auto *RowEnd = BasicBlock::Create(C, "row.end", F);
  auto *GroupEnd = BasicBlock::Create(C, "group.end", F);
  auto *Exit = BasicBlock::Create(C, "exit", F);

  B.SetInsertPoint(Entry);
  Value *Nx = blockSize(B, Block, 0, "nx"), *Ny = blockSize(B, Block, 1, "ny");
  Value *States = nullptr;
  if (Compares)
    States = loadField(B, Block, offsetof(hetckpt_cpu_block, state), B.getPtrTy(), "states");
  Value *RangeEnd = B.CreateAdd(F->getArg(1), F->getArg(2), "range.end", true, true);
  auto *Group = BasicBlock::Create(C, "group", F, Row);
  auto *Begun = BasicBlock::Create(C, "begun", F, Group);
  B.CreateCondBr(B.CreateICmpEQ(F->getArg(2), B.getInt32(0)), Exit, Begun);
  B.SetInsertPoint(Begun);
  if (Other)
    turnAside(B, V, Block, F->getArg(1), F->getArg(2), E, *Other);
  SmallVector<Value *, 16> Arrays;
  for (const Variant::Slot *S : E.Slots)
    Arrays.push_back(slotArray(B, Block, *S));
  Begun = B.GetInsertBlock();
  B.CreateBr(Group);

  // Threads that agree in all uniforms; without uniforms one group is everything.
  B.SetInsertPoint(Group);
  PHINode *First = B.CreatePHI(I32, 2, "group.first");
  First->addIncoming(F->getArg(1), Begun);
  // All results are equal if their union and intersection are.
  PHINode *AnyG = nullptr, *AllG = nullptr;
  if (Compares) {
    AnyG = B.CreatePHI(I32, 2);
    AllG = B.CreatePHI(I32, 2);
    AnyG->addIncoming(B.getInt32(0), Begun);
    AllG->addIncoming(B.getInt32(~0u), Begun);
  }
  Value *Count = B.CreateSub(RangeEnd, First, "group.count", true, true);
  SmallVector<Value *, 8> Loaded = loadUniforms(B, V, Block, First, &Count, Uniforms, Masked ? E.Site : 0, !Other);
  Value *End = B.CreateAdd(First, Count, "end", true, true);
  Value *Row0 = B.CreateUDiv(First, Nx, "row0");
  Value *X00 = B.CreateURem(First, Nx, "x00");
  Value *Y0 = B.CreateURem(Row0, Ny, "y0"), *Z0 = B.CreateUDiv(Row0, Ny, "z0");
  BasicBlock *Head = B.GetInsertBlock();
  B.CreateBr(Row);

  // Scalar evolution sees how small the bounds are: then no index of ours needs a check
  // for wrapping in front of a vector loop.
  B.SetInsertPoint(Row);
  PHINode *R = B.CreatePHI(I32, 2, "r");
  PHINode *Begin = B.CreatePHI(I32, 2, "begin");
  R->addIncoming(Row0, Head);
  Begin->addIncoming(X00, Head);
  PHINode *AnyR = nullptr, *AllR = nullptr, *AnyT = nullptr, *AllT = nullptr;
  Value *AnyN = nullptr, *AllN = nullptr;
  if (Compares) {
    AnyR = B.CreatePHI(I32, 2);
    AllR = B.CreatePHI(I32, 2);
    AnyR->addIncoming(AnyG, Head);
    AllR->addIncoming(AllG, Head);
  }
  PHINode *Y = B.CreatePHI(I32, 2, "y"), *Z = B.CreatePHI(I32, 2, "z");
  Y->addIncoming(Y0, Head);
  Z->addIncoming(Z0, Head);
  Type *I64 = B.getInt64Ty();
  Value *RowBase = B.CreateMul(R, Nx, "", true, true);
  Value *Stop = B.CreateBinaryIntrinsic(Intrinsic::umin, Nx, B.CreateSub(End, RowBase, "", true, true));
  Value *Base64 = B.CreateZExt(bounded(B, RowBase, 0, "base"), I64);
  Value *X0 = B.CreateZExt(bounded(B, Begin, 0, "x0"), I64);
  Value *Length = B.CreateZExt(bounded(B, B.CreateSub(Stop, Begin), 1, "length"), I64);
  B.CreateBr(Thread);

  B.SetInsertPoint(Thread);
  PHINode *K = B.CreatePHI(I64, 2, "k");
  K->addIncoming(B.getInt64(0), Row);
  if (Compares) {
    AnyT = B.CreatePHI(I32, 2);
    AllT = B.CreatePHI(I32, 2);
    AnyT->addIncoming(AnyR, Row);
    AllT->addIncoming(AllR, Row);
  }
  Value *X64 = B.CreateAdd(X0, K, "x64", true, true);
  Value *X = B.CreateTrunc(X64, I32, "x", true, true);
  Value *Tid64 = B.CreateAdd(Base64, X64, "tid64", true, true);
  Value *Tid = B.CreateTrunc(Tid64, I32, "tid", true, true);
  SmallVector<Value *, 32> Args = {Block, X, Y, Z, Tid};
  for (unsigned I = 0; I < Arrays.size(); I++)
    Args.push_back(element(B, Arrays[I], E.Slots[I]->Bytes, Tid64));
  Args.append(Loaded);
  Value *Before = nullptr, *State = nullptr;
  BasicBlock *Called = Thread;
  if (Compares)
    State = B.CreateInBoundsGEP(I32, States, Tid64);
  if (Masked) {
    Called = BasicBlock::Create(C, "called", F, Next);
    Before = B.CreateLoad(I32, State);
    B.CreateCondBr(B.CreateICmpEQ(Before, B.getInt32(E.Site)), Called, Next);
    B.SetInsertPoint(Called);
  }
  if (!Other)
    for (unsigned I = 0; I < Uniforms.size(); I++)
      if (const Variant::Uniform &U = *Uniforms[I]; U.Likely) {
        const Variant::Slot &S = V.Slots[U.Slot];
        Args[ContextArgs + Arrays.size() + I] =
            B.CreateAlignedLoad(U.Ty, element(B, Loaded[I], S.Bytes, Tid64), S.A);
      }
  CallInst *Call = B.CreateCall(&Body, Args);
  if (Compares) {
    B.CreateStore(Call, State);
    B.CreateBr(Next);
    B.SetInsertPoint(Next);
    Value *Now = Call;
    if (Masked) {
      PHINode *Phi = B.CreatePHI(I32, 2);
      Phi->addIncoming(Before, Thread);
      Phi->addIncoming(Call, Called);
      Now = Phi;
    }
    AnyN = B.CreateOr(AnyT, Now);
    AllN = B.CreateAnd(AllT, Now);
  } else if (HasSites) {
    B.CreateBr(Next);
  } else {
    B.CreateCondBr(B.CreateICmpEQ(Call, B.getInt32(HETCKPT_CPU_ENDED)), Next, Exit);
  }

  B.SetInsertPoint(Next);
  Value *KN = B.CreateAdd(K, B.getInt64(1), "k.next", true, true);
  K->addIncoming(KN, Next);
  if (Compares) {
    AnyT->addIncoming(AnyN, Next);
    AllT->addIncoming(AllN, Next);
    AnyR->addIncoming(AnyN, RowEnd);
    AllR->addIncoming(AllN, RowEnd);
    AnyG->addIncoming(AnyN, GroupEnd);
    AllG->addIncoming(AllN, GroupEnd);
  }
  BranchInst *Latch = B.CreateCondBr(B.CreateICmpULT(KN, Length), Thread, RowEnd);

  B.SetInsertPoint(RowEnd);
  Value *RN = B.CreateAdd(R, B.getInt32(1), "r.next", true, true);
  R->addIncoming(RN, RowEnd);
  Value *YN = B.CreateAdd(Y, B.getInt32(1), "y.next", true, true);
  Value *Wrap = B.CreateICmpUGE(YN, Ny);
  Y->addIncoming(B.CreateSelect(Wrap, B.getInt32(0), YN), RowEnd);
  Z->addIncoming(B.CreateAdd(Z, B.CreateZExt(Wrap, I32), "z.next", true, true), RowEnd);
  Begin->addIncoming(B.getInt32(0), RowEnd);
  B.CreateCondBr(B.CreateICmpULT(B.CreateMul(RN, Nx, "", true, true), End), Row, GroupEnd);

  B.SetInsertPoint(GroupEnd);
  First->addIncoming(End, GroupEnd);
  Value *Outcome = B.getInt32(HETCKPT_CPU_ENDED);
  if (Only)
    Outcome = Only;
  else if (Compares)
    Outcome = B.CreateSelect(B.CreateICmpEQ(AnyN, AllN), AnyN, B.getInt32(HETCKPT_CPU_MIXED));
  B.CreateCondBr(B.CreateICmpULT(End, RangeEnd), Group, Exit);

  B.SetInsertPoint(Exit);
  PHINode *Result = B.CreatePHI(I32, 3);
  Result->addIncoming(B.getInt32(HasSites ? HETCKPT_CPU_MIXED : HETCKPT_CPU_ENDED), Entry);
  Result->addIncoming(Outcome, GroupEnd);
  if (!HasSites)
    Result->addIncoming(B.getInt32(HETCKPT_CPU_FAULT), Thread);
  B.CreateRet(Result);

  InlineFunctionInfo Info;
  InlineFunction(*Call, Info);
  DominatorTree DT(*F);
  SmallVector<BasicBlock *, 32> In;
  for (BasicBlock &BB : *F)
    if (DT.dominates(Thread, &BB) && BB.getTerminator()->getNumSuccessors() &&
        &BB != RowEnd && &BB != GroupEnd)
      In.push_back(&BB);
  // Rows are short: interleaving would leave most of them to the loop for the rest.
  Metadata *One = ConstantAsMetadata::get(B.getInt32(1));
  if (!hasPrivate(*F))
    markIndependent(*Latch, In,
                    {MDNode::get(C, {MDString::get(C, "llvm.loop.interleave.count"), One})});
  return F;
}

/// Loads of parameters and of the block's record, which are there always, go to where Body begins. On a way that
/// not all threads take one would have to be made for each thread, and a loop over threads with it no vector code.
void loadAtBegin(llvm::Function &Body) {
  DominatorTree DT(Body);
  Instruction *Begin = Body.getEntryBlock().getTerminator();
  auto AtHand = [&](Value *V) {
    auto *I = dyn_cast<Instruction>(V);
    return !I || DT.dominates(I, Begin);
  };
  for (BasicBlock *B : ReversePostOrderTraversal<llvm::Function *>(&Body))
    if (B != Begin->getParent())
      for (Instruction &I : make_early_inc_range(*B))
        if (auto *L = dyn_cast<LoadInst>(&I); L && L->hasMetadata(LLVMContext::MD_invariant_load)) {
          SmallVector<Instruction *, 4> Way = {L};
          for (auto *G = dyn_cast<GetElementPtrInst>(L->getPointerOperand()); G && !AtHand(G);
               G = dyn_cast<GetElementPtrInst>(G->getPointerOperand()))
            Way.push_back(G);
          if (!isSafeToSpeculativelyExecute(L) || !all_of(Way.back()->operands(), AtHand))
            continue;
          for (Instruction *W : reverse(Way))
            W->moveBefore(Begin->getIterator());
        }
}

/// In a body without loops, but for those in which a thread parks, a pass is short, and all its threads may get one answer from the flag and the pace, which is
/// asked for in front of the loop over threads: LLVM takes such loads out of loops, and then gives the threads that need
/// not park a loop of their own. Nobody else sees that the words are not invariant: each pass is a call, which
/// is not inlined.
void askOnce(llvm::Function &Body) {
  DominatorTree DT(Body);
  LoopInfo LI(DT);
  if (any_of(LI, [&](const Loop *L) { return !isRare(*L->getHeader(), DT); }))
    return;
  for (Instruction &I : instructions(Body))
    if (I.hasMetadata(FlagMetadata)) {
      cast<LoadInst>(I).setAtomic(AtomicOrdering::NotAtomic);
      I.setMetadata(LLVMContext::MD_invariant_load, MDNode::get(Body.getContext(), {}));
    }
}

/// The step function for one site that it is entered at.
Entered specialise(Variant &V, uint32_t Site) {
  llvm::Function &Step = *V.Thread;
  LLVMContext &C = Step.getContext();
  Argument *Slots = Step.getArg(ContextArgs) + 1, *Uniforms = Slots + V.Slots.size();
  ValueToValueMapTy Map;
  Map[Step.getArg(ContextArgs)] = ConstantInt::get(Type::getInt32Ty(C), Site);
  for (unsigned I = 0; I < V.Uniforms.size(); I++)
    if (!is_contained(V.Uniforms[I].At, Site))
      Map[Uniforms + I] = PoisonValue::get(Uniforms[I].getType());
  // Arguments that are mapped are left out.
  SmallVector<Type *, 32> Params;
  for (Argument &A : Step.args())
    if (!Map.count(&A))
      Params.push_back(A.getType());
  auto Make = [&] {
    return llvm::Function::Create(FunctionType::get(Step.getReturnType(), Params, false),
                                  GlobalValue::InternalLinkage,
                                  Step.getName() + "." + Twine(Site), Step.getParent());
  };
  llvm::Function *All = Make();
  Argument *Next = All->arg_begin();
  for (Argument &A : Step.args())
    if (!Map.count(&A))
      Map[&A] = Next++;
  SmallVector<ReturnInst *, 8> Returns;
  CloneAndPruneFunctionInto(All, &Step, Map, false, Returns);
  // Which slots are reached from Site is only seen now.
  Entered E;
  E.Site = Site;
  Params.resize(ContextArgs);
  SmallVector<Argument *, 32> Kept;
  for (unsigned I = 0; I < V.Slots.size(); I++)
    if (Argument *A = All->getArg(ContextArgs + I); !A->use_empty()) {
      E.Slots.push_back(&V.Slots[I]);
      Kept.push_back(A);
    }
  Next = All->getArg(ContextArgs) + V.Slots.size();
  for (const Variant::Uniform &U : V.Uniforms)
    if (is_contained(U.At, Site)) {
      E.Uniforms.push_back(&U);
      Kept.push_back(Next++);
    }
  for (Argument *A : Kept)
    Params.push_back(A->getType());
  E.Body = Make();
  E.Body->splice(E.Body->begin(), All);
  for (unsigned I = 0; I < ContextArgs; I++)
    All->getArg(I)->replaceAllUsesWith(E.Body->getArg(I));
  for (unsigned I = 0; I < Kept.size(); I++)
    Kept[I]->replaceAllUsesWith(E.Body->getArg(ContextArgs + I));
  All->eraseFromParent();
  E.Body->addFnAttr(Attribute::NoUnwind);
  isBlock(*E.Body->getArg(ArgBlock));
  // Slots are arrays of their own. So what comes out of one and goes back is not stored again, whatever else is.
  for (unsigned I = 0; I < E.Slots.size(); I++)
    E.Body->addParamAttr(ContextArgs + I, Attribute::NoAlias);
  askOnce(*E.Body);
  loadAtBegin(*E.Body);
  return E;
}

/// u32 (block, site, first, count): one of Loops, by site from First on.
llvm::Function *makeDispatch(Module &M, const Twine &Name, ArrayRef<llvm::Function *> Loops,
                             uint32_t FirstSite) {
  LLVMContext &C = M.getContext();
  IRBuilder<> B(C);
  Type *I32 = B.getInt32Ty();
  auto *F = llvm::Function::Create(FunctionType::get(I32, {B.getPtrTy(), I32, I32, I32}, false),
                                   GlobalValue::InternalLinkage, Name, M);
  F->addFnAttr(Attribute::NoUnwind);
  auto *Entry = BasicBlock::Create(C, "entry", F);
  auto *None = BasicBlock::Create(C, "none", F);
  new UnreachableInst(C, None);
  B.SetInsertPoint(Entry);
  SwitchInst *Switch = B.CreateSwitch(F->getArg(1), None, Loops.size());
  for (unsigned N = 0; N < Loops.size(); N++) {
    auto *Case = BasicBlock::Create(C, "site", F);
    Switch->addCase(B.getInt32(FirstSite + N), Case);
    B.SetInsertPoint(Case);
    B.CreateRet(B.CreateCall(Loops[N], {F->getArg(0), F->getArg(2), F->getArg(3)}));
  }
  return F;
}

} // namespace

Value *bounded(IRBuilder<> &B, Value *V, uint32_t Least, const Twine &Name) {
  Type *T = V->getType();
  auto *Copy = InlineAsm::get(FunctionType::get(T, {T}, false), "", "=r,0", false);
  CallInst *Call = B.CreateCall(Copy, {V}, Name);
  Call->addRangeRetAttr(ConstantRange(APInt(32, Least), APInt(32, MaxThreads + 1)));
  Call->addRetAttr(Attribute::NoUndef);
  Call->setDoesNotAccessMemory();
  Call->setDoesNotThrow();
  return Call;
}

Value *blockSize(IRBuilder<> &B, Value *Block, unsigned I, const Twine &Name) {
  Value *L = loadField(B, Block, offsetof(hetckpt_cpu_block, ntid) + 4 * I, B.getInt32Ty(), Name);
  cast<LoadInst>(L)->setMetadata(
      LLVMContext::MD_range,
      MDBuilder(B.getContext()).createRange(APInt(32, 1), APInt(32, MaxThreads + 1)));
  return L;
}

Value *slotArray(IRBuilder<> &B, Value *Block, const Variant::Slot &S) {
  Value *Frames = loadField(B, Block, offsetof(hetckpt_cpu_block, frames), B.getPtrTy(), "frames");
  Value *Threads = B.CreateZExt(
      loadField(B, Block, offsetof(hetckpt_cpu_block, threads), B.getInt32Ty(), "threads"),
      B.getInt64Ty());
  return B.CreateInBoundsGEP(B.getInt8Ty(), Frames, B.CreateNUWMul(Threads, B.getInt64(S.Offset)), "slot");
}

void markIndependent(BranchInst &Latch, ArrayRef<BasicBlock *> Body, ArrayRef<Metadata *> Hints) {
  LLVMContext &C = Latch.getContext();
  MDNode *Group = MDNode::getDistinct(C, {});
  for (BasicBlock *B : Body)
    for (Instruction &I : *B)
      // Not calls: what they bring in when they are inlined later may be on the stack. Nor
      // variables there.
      if (I.mayReadOrWriteMemory() && !I.isVolatile() && !I.isAtomic() &&
          (!isa<CallInst>(I) || isa<IntrinsicInst>(I)) &&
          !isa_and_nonnull<AllocaInst>(getLoadStorePointerOperand(&I)))
        I.setMetadata(LLVMContext::MD_access_group, Group);
  SmallVector<Metadata *, 8> Parts = {
      nullptr, MDNode::get(C, {MDString::get(C, "llvm.loop.parallel_accesses"), Group})};
  Parts.append(Hints.begin(), Hints.end());
  MDNode *Loop = MDNode::getDistinct(C, Parts);
  Loop->replaceOperandWith(0, Loop);
  Latch.setMetadata(LLVMContext::MD_loop, Loop);
}

void makeRun(Variant &F) {
  llvm::Function &Thread = *F.Thread;
  Module &M = *Thread.getParent();
  LLVMContext &C = M.getContext();
  if (!F.SiteCount && !F.CutCount) {
    Entered Whole;
    Whole.Body = &Thread;
    llvm::Function *Loop = makeLoop(F, Whole, F.Name + ".loop", false);
    F.Run = makeDispatch(M, F.Name + ".run", Loop, HETCKPT_CPU_START);
    makeBeside(F);
    Thread.eraseFromParent();
    return;
  }
  const uint32_t FirstCut = HETCKPT_CPU_FIRST_SITE + F.SiteCount;
  SmallVector<llvm::Function *, 16> Loops, Masked;
  for (uint32_t N = HETCKPT_CPU_START; N < FirstCut + F.CutCount; N++) {
    Entered E = specialise(F, N);
    uint32_t Cut = N - FirstCut;
    if (F.Combining && N >= FirstCut && Cut < 64 && !(F.Combining >> Cut & 1) && keepsTable(F, E))
      F.Keeping |= uint64_t(1) << Cut;
    llvm::Function *Other = nullptr, *Loop;
    // One copy each: they are big, and called once a block.
    if (N >= FirstCut) {
      Other = makeLoop(F, E, F.Name + ".masked." + Twine(N), true, true);
      Other->addFnAttr(Attribute::NoInline);
    }
    Loop = makeLoop(F, E, F.Name + ".loop." + Twine(N), true, false, Other);
    Loop->addFnAttr(Attribute::NoInline);
    if (N >= FirstCut && !F.CutLoops[N - FirstCut].empty()) {
      Tiles T = makeTiles(F, E, *Loop, *Other);
      Loop = T.All;
      Other = T.Some;
    }
    Loops.push_back(Loop);
    if (Other)
      Masked.push_back(Other);
    E.Body->eraseFromParent();
  }
  llvm::Function *All = makeDispatch(M, F.Name + ".run", Loops, HETCKPT_CPU_START);
  F.Run = All;
  Thread.eraseFromParent();
  if (!F.CutCount)
    return;
  // Cuts are passed over before the runtime hears of it.
  All->setName(F.Name + ".loops");
  llvm::Function *Some = makeDispatch(M, F.Name + ".masked", Masked, FirstCut);
  F.Run = llvm::Function::Create(All->getFunctionType(), GlobalValue::InternalLinkage,
                                 F.Name + ".run", M);
  F.Run->addFnAttr(Attribute::NoUnwind);
  IRBuilder<> B(BasicBlock::Create(C, "entry", F.Run));
  SmallVector<Value *, 12> Args;
  for (Argument &A : F.Run->args())
    Args.push_back(&A);
  Args.append({All, Some, B.getInt32(FirstCut), B.getInt32(F.CutCount),
               B.getInt32(F.SiteCount ? 1 : 0), B.getInt64(F.Combining), B.getInt64(F.Keeping),
               B.getInt64(F.CombinerAt), B.getInt64(F.Pacing)});
  B.CreateRet(B.CreateCall(M.getFunction("__hetckpt_cpu_drive"), Args));
}

} // namespace hetckpt::cpu
