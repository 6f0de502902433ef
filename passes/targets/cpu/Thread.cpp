// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The function of one thread of a kernel. Parameters come from the block's buffer,
// and whatever makes the thread wait, end or fail is inlined, so that later steps see
// all of it in one function:
//
//   i32 @k.thread(block, x, y, z, tid)
//     %p0 = load ptr, (%block.params + 0)
//     call void @k(block, x, y, z, tid, %p0)          ; inlined
//     ret i32 HETCKPT_CPU_ENDED
//
// Gaps: a kernel with a recursive function that waits or exits is refused; a recursive one
// that traps ends the launch through the machine's trap.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/ADT/SCCIterator.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Analysis/CallGraph.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/ProfDataUtils.h"
#include "llvm/IR/ValueHandle.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/Local.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

constexpr uint32_t CudaErrorLaunchFailure = 719;

StringRef calleeName(const Instruction &I) {
  auto *Call = dyn_cast<CallInst>(&I);
  auto *F = Call ? dyn_cast<llvm::Function>(Call->getCalledOperand()) : nullptr;
  return F ? F->getName() : StringRef();
}

/// Functions that must be inlined because something in them, or below them, waits or
/// ends the thread.
class MustInline {
public:
  explicit MustInline(Module &M) {
    CallGraph CG(M);
    SmallPtrSet<const CallGraphNode *, 32> Seen;
    // From every function: none is visible from outside, so no single root reaches all.
    for (llvm::Function &Root : M)
      if (!Root.isDeclaration())
        for (auto I = scc_begin(CG[&Root]); !I.isAtEnd(); ++I)
          if (Seen.insert(I->front()).second)
            look(*I, I.hasCycle());
  }

  Error inlineInto(llvm::Function &F) {
    for (bool Again = true; Again;) {
      Again = false;
      SmallVector<CallInst *, 16> Calls;
      for (Instruction &I : instructions(F))
        if (auto *Call = dyn_cast<CallInst>(&I))
          if (llvm::Function *C = Call->getCalledFunction();
              C && (Waiting.contains(C) || Ending.contains(C)))
            Calls.push_back(Call);
      for (CallInst *Call : Calls) {
        llvm::Function *C = Call->getCalledFunction();
        if (Recursive.contains(C)) {
          if (Waiting.contains(C))
            return fail(ENOTSUP, "calls " + demangle(C->getName()) +
                                     ", which is recursive and waits for other threads or exits");
          continue;
        }
        InlineFunctionInfo Info;
        InlineResult R = InlineFunction(*Call, Info);
        if (!R.isSuccess())
          return fail(ENOTSUP, "calls " + demangle(C->getName()) + ", which waits for other threads and cannot be inlined: " +
                                   R.getFailureReason());
        Again = true;
      }
    }
    return Error::success();
  }

  bool waits(const llvm::Function *F) const { return Waiting.contains(F); }

private:
  /// Functions that call each other; those that they call have been looked at.
  void look(ArrayRef<CallGraphNode *> Component, bool Cycle) {
    bool Waits = false, Ends = false;
    for (CallGraphNode *N : Component) {
      llvm::Function *F = N->getFunction();
      if (!F || F->isDeclaration())
        continue;
      for (Instruction &Inst : instructions(*F)) {
        StringRef Name = calleeName(Inst);
        Waits |= isWait(Name) || Name == "__hetckpt_exit";
        Ends |= isEnd(Name);
        if (auto *Call = dyn_cast<CallInst>(&Inst))
          if (llvm::Function *C = Call->getCalledFunction()) {
            Waits |= Waiting.contains(C);
            Ends |= Ending.contains(C);
          }
      }
    }
    for (CallGraphNode *N : Component) {
      llvm::Function *F = N->getFunction();
      if (!F || F->isDeclaration())
        continue;
      if (Waits)
        Waiting.insert(F);
      if (Ends)
        Ending.insert(F);
      if (Cycle)
        Recursive.insert(F);
    }
  }

  SmallPtrSet<const llvm::Function *, 16> Waiting, Ending, Recursive;
};

/// True if memory at P is only read; its loads are collected.
bool onlyRead(Value *P, SmallVectorImpl<LoadInst *> &Loads, SmallPtrSetImpl<Value *> &Seen) {
  if (!Seen.insert(P).second)
    return true;
  for (User *U : P->users()) {
    if (auto *L = dyn_cast<LoadInst>(U)) {
      if (L->isVolatile())
        return false;
      Loads.push_back(L);
    } else if (isa<GetElementPtrInst>(U) || isa<PHINode>(U) || isa<SelectInst>(U)) {
      // A merge with another pointer may be stored through; then it is no copy of ours.
      if (!isa<GetElementPtrInst>(U))
        return false;
      if (!onlyRead(U, Loads, Seen))
        return false;
    } else if (auto *MT = dyn_cast<MemTransferInst>(U)) {
      if (MT->getRawSource() != P || MT->getRawDest() == P || MT->isVolatile())
        return false;
    } else if (isa<ICmpInst>(U)) {
      continue;
    } else if (calleeName(*cast<Instruction>(U)).starts_with("__hetckpt_poll_")) {
      continue;
    } else {
      return false;
    }
  }
  return true;
}

/// The kernel's arguments, from the buffer.
SmallVector<Value *, 16> loadParams(IRBuilder<> &B, llvm::Function &Kernel, Value *Params,
                                    const KernelLayout *Layout, uint32_t &Bytes) {
  const DataLayout &DL = Kernel.getParent()->getDataLayout();
  SmallVector<Value *, 16> Args;
  uint64_t End = 0;
  for (unsigned N = ContextArgs; N < Kernel.arg_size(); N++) {
    Argument &A = *Kernel.getArg(N);
    Type *Pointee = A.getParamByValType();
    Type *T = Pointee ? Pointee : A.getType();
    unsigned Index = N - ContextArgs;
    Align Al = DL.getABITypeAlign(T);
    if (Pointee)
      Al = A.getParamAlign().valueOrOne();
    uint64_t Offset = alignTo(End, Al);
    if (Layout && Index < Layout->ParamOffsets.size())
      Offset = Layout->ParamOffsets[Index];
    else if (Layout && Index == Layout->ParamOffsets.size())
      Offset = alignTo(Layout->ParamBytes, 8); // the launch record
    End = Offset + DL.getTypeAllocSize(T);
    Value *P = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Params, Offset, A.getName());
    if (!Pointee) {
      LoadInst *L = B.CreateAlignedLoad(T, P, commonAlignment(Al, Offset), A.getName());
      L->setMetadata(LLVMContext::MD_invariant_load, MDNode::get(B.getContext(), {}));
      Args.push_back(L);
      continue;
    }
    SmallVector<LoadInst *, 16> Loads;
    SmallPtrSet<Value *, 16> Seen;
    if (onlyRead(&A, Loads, Seen)) {
      for (LoadInst *L : Loads)
        if (!L->isAtomic())
          L->setMetadata(LLVMContext::MD_invariant_load, MDNode::get(B.getContext(), {}));
      Args.push_back(P);
    } else {
      AllocaInst *Copy = B.CreateAlloca(T, nullptr, A.getName() + ".copy");
      Copy->setAlignment(std::max(Al, Align(16)));
      B.CreateMemCpy(Copy, Copy->getAlign(), P, commonAlignment(Al, Offset),
                     DL.getTypeAllocSize(T));
      Args.push_back(Copy);
    }
    // The pointer is the thread's own now, in each case.
    Kernel.removeParamAttr(N, Attribute::ByVal);
    Kernel.removeParamAttr(N, Attribute::ReadOnly);
  }
  Bytes = std::max<uint64_t>(End, Layout ? Layout->ParamBytes : 0);
  return Args;
}

/// An assertion with these arguments, reported for this thread.
void reportAssertion(IRBuilder<> &B, llvm::Function &F, ArrayRef<Value *> What) {
  SmallVector<Value *, 8> Args = {F.getArg(ArgBlock), F.getArg(ArgTid)};
  append_range(Args, What);
  SmallVector<Type *, 8> Types;
  for (Value *A : Args)
    Types.push_back(A->getType());
  B.CreateCall(F.getParent()->getOrInsertFunction("__hetckpt_cpu_assertfail",
                                                  FunctionType::get(B.getVoidTy(), Types, false)),
               Args);
}

/// Calls that end the thread become returns.
void lowerEnds(llvm::Function &F) {
  // What is behind one in its block goes with it.
  SmallVector<WeakVH, 8> Calls;
  for (Instruction &I : instructions(F))
    if (isEnd(calleeName(I)))
      Calls.push_back(&I);
  for (WeakVH &Handle : Calls) {
    auto *Call = cast_or_null<CallInst>(Handle);
    if (!Call)
      continue;
    IRBuilder<> B(Call);
    StringRef Name = calleeName(*Call);
    uint32_t Result = Name == "__hetckpt_exit" ? HETCKPT_CPU_ENDED : HETCKPT_CPU_FAULT;
    if (Name == "__hetckpt_trap") {
      B.CreateStore(B.getInt32(CudaErrorLaunchFailure),
                    B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), F.getArg(ArgBlock),
                                                 offsetof(hetckpt_cpu_block, fault)));
    } else if (Name == "__hetckpt_assertfail") {
      SmallVector<Value *, 5> What(Call->args());
      reportAssertion(B, F, What);
    }
    auto *Stop = changeToUnreachable(Call) ? &*std::prev(B.GetInsertBlock()->end()) : nullptr;
    ReturnInst::Create(F.getContext(), B.getInt32(Result), Stop->getIterator());
    Stop->eraseFromParent();
  }
}

/// In functions that stay calls, a trap is the machine's.
void lowerTraps(Module &M) {
  llvm::Function *Trap = M.getFunction("__hetckpt_trap");
  llvm::Function *Assert = M.getFunction("__hetckpt_assertfail");
  SmallVector<WeakVH, 8> Calls;
  for (llvm::Function *F : {Trap, Assert})
    if (F)
      for (User *U : F->users())
        if (auto *Call = dyn_cast<CallInst>(U))
          Calls.push_back(Call);
  for (WeakVH &Handle : Calls) {
    auto *Call = cast_or_null<CallInst>(Handle);
    if (!Call)
      continue;
    IRBuilder<> B(Call);
    if (Call->getCalledFunction() == Assert) {
      SmallVector<Value *, 5> What(Call->args());
      reportAssertion(B, *Call->getFunction(), What);
    }
    B.CreateIntrinsic(Intrinsic::trap, {});
    changeToUnreachable(Call);
  }
}

/// poll_thread and poll_entry read the poll word. poll_entry must say the same to all
/// threads where threads wait for each other; the runtime has looked at the entry
/// word, so it is 0. A thread of its own may still park before it begins, which is
/// worth a load only if its kernel runs long enough to poll.
void lowerPolls(llvm::Function &F) {
  SmallVector<CallInst *, 8> Calls;
  bool Polls = false, Waits = false;
  for (Instruction &I : instructions(F)) {
    StringRef Name = calleeName(I);
    Waits |= isWait(Name);
    Polls |= Name == "__hetckpt_poll_thread";
    if (Name == "__hetckpt_poll_thread" || Name == "__hetckpt_poll_entry")
      Calls.push_back(cast<CallInst>(&I));
  }
  for (CallInst *Call : Calls) {
    IRBuilder<> B(Call);
    bool Entry = calleeName(*Call) == "__hetckpt_poll_entry";
    Value *R = B.getInt32(0);
    if (!Entry || (Polls && !Waits)) {
      Value *Flag = loadField(B, F.getArg(ArgBlock), offsetof(hetckpt_cpu_block, flag),
                              B.getPtrTy(), "flag");
      LoadInst *L = B.CreateAlignedLoad(B.getInt32Ty(), Flag, Align(4));
      L->setAtomic(AtomicOrdering::Monotonic);
      L->setMetadata(FlagMetadata, MDNode::get(B.getContext(), {}));
      R = B.CreateSelect(B.CreateICmpNE(L, B.getInt32(HETCKPT_FLAG_RUN)),
                         B.getInt32(Entry ? 2 : 1), B.getInt32(0));
    }
    // Seldom anything else than 0.
    for (User *U : Call->users())
      if (auto *S = dyn_cast<SwitchInst>(U)) {
        SmallVector<uint32_t, 4> Weights(S->getNumSuccessors(), 1);
        Weights[0] = 1u << 20;
        setBranchWeights(*S, Weights, /*IsExpected=*/false);
      }
    Call->replaceAllUsesWith(R);
    Call->eraseFromParent();
  }
}

StringRef originalName(StringRef Name) {
  if (!Name.consume_front(HETCKPT_RUN_PREFIX))
    Name.consume_front(HETCKPT_RESUME_PREFIX);
  return Name;
}

} // namespace

void refuse(Variant &F) {
  F.Thread->deleteBody(); // makes it external
  F.Thread->setLinkage(GlobalValue::InternalLinkage);
  IRBuilder<> B(BasicBlock::Create(F.Thread->getContext(), "entry", F.Thread));
  Value *Null = ConstantPointerNull::get(B.getPtrTy());
  Value *Text = B.CreateGlobalString(
      NoCode + demangle(originalName(F.Name)) + " " + F.Refused, "", 0, F.Thread->getParent());
  reportAssertion(B, *F.Thread, {Text, Null, B.getInt32(0), Null, B.getInt64(1)});
  B.CreateRet(B.getInt32(HETCKPT_CPU_FAULT));
}

Error makeThreads(Module &M, ArrayRef<llvm::Function *> Kernels, const ModuleLayout &Layout,
                  SmallVectorImpl<Variant> &Out) {
  MustInline Inliner(M);
  for (llvm::Function &F : M)
    if (Inliner.waits(&F) && F.hasAddressTaken())
      return fail(ENOTSUP, "function " + F.getName() +
                               " waits for other threads and its address is taken");
  LLVMContext &C = M.getContext();
  Type *I32 = Type::getInt32Ty(C);
  for (llvm::Function *K : Kernels) {
    Variant F;
    F.Name = K->getName().str();
    auto It = Layout.Kernels.find(originalName(F.Name));
    const KernelLayout *KL = It == Layout.Kernels.end() ? nullptr : &It->second;
    F.StaticShared = KL ? KL->StaticShared : 0;
    F.Thread = llvm::Function::Create(
        FunctionType::get(I32, {PointerType::get(C, 0), I32, I32, I32, I32}, false),
        GlobalValue::InternalLinkage, F.Name + ThreadSuffix, M);
    F.Thread->addFnAttr(Attribute::NoUnwind);
    static const char *const Names[] = {"block", "x", "y", "z", "tid"};
    SmallVector<Value *, 16> Args;
    for (unsigned I = 0; I < ContextArgs; I++) {
      F.Thread->getArg(I)->setName(Names[I]);
      Args.push_back(F.Thread->getArg(I));
    }
    IRBuilder<> B(BasicBlock::Create(C, "entry", F.Thread));
    Value *Params = loadField(B, F.Thread->getArg(ArgBlock), offsetof(hetckpt_cpu_block, params),
                              B.getPtrTy(), "params");
    Args.append(loadParams(B, *K, Params, KL, F.ParamBytes));
    // So that loads of parameters may leave conditional code and loops.
    if (F.ParamBytes)
      cast<LoadInst>(Params)->setMetadata(
          LLVMContext::MD_dereferenceable,
          MDNode::get(C, ConstantAsMetadata::get(B.getInt64(F.ParamBytes))));
    cast<LoadInst>(Params)->setMetadata(
        LLVMContext::MD_align, MDNode::get(C, ConstantAsMetadata::get(B.getInt64(16))));
    CallInst *Call = B.CreateCall(K, Args);
    B.CreateRet(B.getInt32(HETCKPT_CPU_ENDED));
    InlineFunctionInfo Info;
    InlineResult R = InlineFunction(*Call, Info);
    Error Problem = R.isSuccess() ? Inliner.inlineInto(*F.Thread)
                                  : fail(ENOTSUP, Twine("cannot be inlined: ") + R.getFailureReason());
    if (Problem) {
      F.Refused = toString(std::move(Problem));
      refuse(F);
    }
    lowerPolls(*F.Thread);
    lowerEnds(*F.Thread);
    Out.push_back(std::move(F));
  }
  for (llvm::Function *K : Kernels)
    if (K->use_empty())
      K->eraseFromParent();
  lowerTraps(M);
  return Error::success();
}

} // namespace hetckpt::cpu
