// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of the vocabulary that makes no thread wait or end, in terms of the context that
// every function has as its first arguments:
//
//   %i = call i32 @__hetckpt_tid_x()        ->   %x
//   %n = call i32 @__hetckpt_ntid_x()       ->   load of block.ntid[0]
//   call void @__hetckpt_fence_block()      ->   nothing for the processor: a block is
//                                                run by one thread of the machine
//   %s = call i1 @__hetckpt_is_shared(%p)   ->   call @__hetckpt_cpu_is_shared(%b, %p)
//
// What is left (nvvm_*, clocks) are functions of support.c under the same names.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Instructions.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

/// Functions of support.c that need the block: called as __hetckpt_cpu_NAME with it.
bool wantsBlock(StringRef Name) {
  return StringSwitch<bool>(Name)
      .Cases({"vprintf", "is_shared", "is_private", "is_global", "is_constant"}, true)
      .Default(false);
}

class Lowerer {
public:
  explicit Lowerer(CallInst &Call)
      : Call(Call), B(&Call), F(*Call.getFunction()), Block(F.getArg(ArgBlock)) {}

  /// Null if the call stays.
  Value *lower(StringRef Name);

private:
  Value *field(size_t Offset, Type *T) { return loadField(B, Block, Offset, T, ""); }
  Value *word(size_t Offset) { return field(Offset, B.getInt32Ty()); }
  Value *axis(StringRef Name, StringRef Prefix, size_t Offset) {
    if (!Name.consume_front(Prefix) || Name.size() != 1)
      return nullptr;
    return word(Offset + 4 * (Name[0] - 'x'));
  }
  Value *lane() { return B.CreateAnd(F.getArg(ArgTid), B.getInt32(31)); }
  Value *fence(SyncScope::ID Scope) {
    return B.CreateFence(AtomicOrdering::SequentiallyConsistent, Scope);
  }

  CallInst &Call;
  IRBuilder<> B;
  llvm::Function &F;
  Value *Block;
};

Value *Lowerer::lower(StringRef Name) {
  if (Name == "tid_x")
    return F.getArg(ArgX);
  if (Name == "tid_y")
    return F.getArg(ArgY);
  if (Name == "tid_z")
    return F.getArg(ArgZ);
  if (Value *V = axis(Name, "ntid_", offsetof(hetckpt_cpu_block, ntid)))
    return V;
  if (Value *V = axis(Name, "ctaid_", offsetof(hetckpt_cpu_block, ctaid)))
    return V;
  if (Value *V = axis(Name, "nctaid_", offsetof(hetckpt_cpu_block, nctaid)))
    return V;
  if (Name == "laneid")
    return lane();
  if (Name == "warpid")
    return B.CreateLShr(F.getArg(ArgTid), B.getInt32(5));
  if (Name.consume_front("lanemask_")) {
    Value *Eq = B.CreateShl(B.getInt32(1), lane());
    Value *Lt = B.CreateSub(Eq, B.getInt32(1));
    Value *Le = B.CreateOr(Eq, Lt);
    return StringSwitch<Value *>(Name)
        .Case("eq", Eq)
        .Case("lt", Lt)
        .Case("le", Le)
        .Case("gt", B.CreateNot(Le))
        .Case("ge", B.CreateNot(Lt))
        .Default(nullptr);
  }
  if (Name == "dynamic_smem_size")
    return word(offsetof(hetckpt_cpu_block, dynamic_bytes));
  if (Name == "fence_block")
    return fence(SyncScope::SingleThread);
  if (Name == "fence_device" || Name == "fence_system")
    return fence(SyncScope::System);
  // Looking at the flag, which is in the cache, costs less than finding out whether to.
  if (Name == "leads")
    return B.getTrue();
  if (Name == "due")
    return B.getTrue();
  if (Name == "nanosleep")
    return UndefValue::get(B.getVoidTy());
  if (wantsBlock(Name)) {
    SmallVector<Value *, 4> Args = {Block};
    Args.append(Call.arg_begin(), Call.arg_end());
    SmallVector<Type *, 4> Types;
    for (Value *A : Args)
      Types.push_back(A->getType());
    return B.CreateCall(F.getParent()->getOrInsertFunction(
                            ("__hetckpt_cpu_" + Name).str(),
                            FunctionType::get(Call.getType(), Types, false)),
                        Args);
  }
  return nullptr;
}

/// Operations on pairs are two operations: T nvvm_OP_f16x2(a, b) -> nvvm_OP_f16 twice.
/// Intrinsics that LLVM names by their type say v2f16.
Value *splitPair(CallInst &Call, StringRef Name, function_ref<bool(StringRef)> HasSupport) {
  auto *VT = dyn_cast<FixedVectorType>(Call.getType());
  size_t At = StringRef::npos, Length = 0;
  for (StringRef Pair : {"bf16x2", "f16x2", "v2bf16", "v2f16"})
    if (At == StringRef::npos) {
      At = Name.find(Pair);
      Length = Pair.size();
    }
  if (!VT || VT->getNumElements() != 2 || At == StringRef::npos)
    return nullptr;
  SmallVector<Type *, 3> Types;
  for (Value *A : Call.args()) {
    if (A->getType() != VT)
      return nullptr;
    Types.push_back(VT->getElementType());
  }
  const char *Half = VT->getElementType()->isBFloatTy() ? "bf16" : "f16";
  std::string Scalar = (Name.take_front(At) + Half + Name.drop_front(At + Length)).str();
  if (!HasSupport(Scalar))
    return nullptr;
  FunctionCallee Callee = Call.getModule()->getOrInsertFunction(
      Scalar, FunctionType::get(VT->getElementType(), Types, false));
  IRBuilder<> B(&Call);
  Value *R = PoisonValue::get(VT);
  for (unsigned I = 0; I < 2; I++) {
    SmallVector<Value *, 3> Args;
    for (Value *A : Call.args())
      Args.push_back(B.CreateExtractElement(A, I));
    R = B.CreateInsertElement(R, B.CreateCall(Callee, Args), I);
  }
  return R;
}

/// A call of something that the target does not have ends the thread with a message.
/// The rest of the module is none the worse for it.
void failAtCall(CallInst &Call) {
  IRBuilder<> B(&Call);
  Module &M = *Call.getModule();
  StringRef Name = Call.getCalledFunction()->getName();
  Value *Null = ConstantPointerNull::get(B.getPtrTy());
  std::string Says = Name.str();
  if (Name.starts_with("_Z"))
    Says = "call of " + demangle(Name) + ", which is in another file: files' device code cannot be linked together";
  else if (!Name.starts_with(NoCode))
    Says = ("call of " + Name + ", which CPU devices do not have").str();
  Value *Text = B.CreateGlobalString(Says, "", 0, &M);
  Type *Ptr = B.getPtrTy();
  FunctionCallee Assert = M.getOrInsertFunction(
      "__hetckpt_assertfail",
      FunctionType::get(B.getVoidTy(), {Ptr, Ptr, B.getInt32Ty(), Ptr, B.getInt64Ty()}, false));
  B.CreateCall(Assert, {Text, Null, B.getInt32(0), Null, B.getInt64(1)});
  if (!Call.getType()->isVoidTy())
    Call.replaceAllUsesWith(PoisonValue::get(Call.getType()));
  Call.eraseFromParent();
}

bool isPoll(StringRef Name) {
  return Name == "__hetckpt_poll_thread" || Name == "__hetckpt_poll_entry" || Name == PaceName;
}

} // namespace

bool isEnd(StringRef Callee) {
  return Callee == "__hetckpt_exit" || Callee == "__hetckpt_trap" ||
         Callee == "__hetckpt_assertfail";
}

Error lowerVocabulary(Module &M, function_ref<bool(StringRef)> HasSupport) {
  SmallVector<CallInst *, 64> Calls;
  for (llvm::Function &F : M) {
    if (!F.isDeclaration() || F.isIntrinsic())
      continue;
    for (User *U : F.users())
      if (auto *Call = dyn_cast<CallInst>(U); Call && Call->getCalledOperand() == &F)
        Calls.push_back(Call);
  }
  for (CallInst *Call : Calls) {
    StringRef Name = Call->getCalledFunction()->getName();
    Value *V = splitPair(*Call, Name, HasSupport);
    if (!V && Name.starts_with("__hetckpt_"))
      V = Lowerer(*Call).lower(Name.drop_front(strlen("__hetckpt_")));
    if (!V) {
      if (!HasSupport(Name) && !isWait(Name) && !isEnd(Name) && !isPoll(Name))
        failAtCall(*Call);
      continue;
    }
    if (!Call->getType()->isVoidTy())
      Call->replaceAllUsesWith(V);
    Call->eraseFromParent();
  }
  return Error::success();
}

} // namespace hetckpt::cpu
