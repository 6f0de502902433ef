// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVVM to neutral. Three tables: plain renames, operations with a target-independent
// LLVM form, and the rest, which keeps its name behind __hetckpt_nvvm_ so that a
// target can supply it or say by name what it lacks.
#include "image/Raise.h"
#include "image/InlineAsm.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;

namespace hetckpt {

namespace {

class Raise {
public:
  explicit Raise(Module &M) : M(M) {}
  void run();

private:
  Value *call(IRBuilder<> &B, const Twine &Name, Type *Result, ArrayRef<Value *> Args,
              bool Convergent = false);
  bool raiseCall(CallInst &Call);
  Value *raiseNvvm(CallInst &Call, StringRef Name);
  Value *raiseBarrier(CallInst &Call, StringRef Name, IRBuilder<> &B);
  Value *raiseWarp(CallInst &Call, StringRef Name, IRBuilder<> &B);
  Value *raiseMath(CallInst &Call, StringRef Name, IRBuilder<> &B);
  Value *raiseAtomic(CallInst &Call, StringRef Name, IRBuilder<> &B);

  Module &M;
};

} // namespace

Value *Raise::call(IRBuilder<> &B, const Twine &Name, Type *Result,
                   ArrayRef<Value *> Args, bool Convergent) {
  SmallVector<Type *, 4> Types;
  for (Value *A : Args)
    Types.push_back(A->getType());
  auto Callee = M.getOrInsertFunction(("__hetckpt_" + Name).str(),
                                      FunctionType::get(Result, Types, false));
  CallInst *C = B.CreateCall(Callee, Args);
  if (Convergent) {
    cast<Function>(Callee.getCallee())->setConvergent();
    C->setConvergent();
  }
  return C;
}

Value *Raise::raiseBarrier(CallInst &Call, StringRef Name, IRBuilder<> &B) {
  // barrier.cta.{sync,arrive,red.op}[.aligned].{all,count}
  bool Count = Name.ends_with(".count");
  Value *Id = Call.getArgOperand(0);
  Value *Threads = Count ? Call.getArgOperand(1) : B.getInt32(0);
  if (Name.starts_with("barrier.cta.sync"))
    return call(B, "barrier", B.getVoidTy(), {Id, Threads}, true);
  if (Name.starts_with("barrier.cta.arrive"))
    return call(B, "barrier_arrive", B.getVoidTy(), {Id, Threads}, true);
  Value *P = Call.getArgOperand(Call.arg_size() - 1);
  const char *Op = Name.contains(".popc") ? "barrier_red_popc"
                   : Name.contains(".and") ? "barrier_red_and"
                                           : "barrier_red_or";
  return call(B, Op, Call.getType(), {Id, Threads, P}, true);
}

Value *Raise::raiseWarp(CallInst &Call, StringRef Name, IRBuilder<> &B) {
  Type *I32 = B.getInt32Ty(), *I1 = B.getInt1Ty();
  auto Arg = [&](unsigned I) { return Call.getArgOperand(I); };
  StructType *Pair = StructType::get(I32, I1);
  if (Name.consume_front("shfl.sync.")) {
    StringRef Mode = Name.split('.').first; // idx, up, down, bfly
    Value *V = Arg(1);
    bool Float = V->getType()->isFloatTy();
    if (Float)
      V = B.CreateBitCast(V, I32);
    Value *R = call(B, "shfl_" + Mode, Pair, {Arg(0), V, Arg(2), Arg(3)}, true);
    Value *Out = B.CreateExtractValue(R, 0);
    if (Float)
      Out = B.CreateBitCast(Out, B.getFloatTy());
    if (!Call.getType()->isStructTy())
      return Out;
    Value *Whole = B.CreateInsertValue(PoisonValue::get(Call.getType()), Out, 0);
    return B.CreateInsertValue(Whole, B.CreateExtractValue(R, 1), 1);
  }
  if (Name == "vote.ballot.sync")
    return call(B, "ballot", I32, {Arg(0), Arg(1)}, true);
  if (Name == "vote.any.sync" || Name == "vote.all.sync" || Name == "vote.uni.sync")
    return call(B, Name.substr(5, 3), I1, {Arg(0), Arg(1)}, true);
  if (Name == "match.any.sync.i32" || Name == "match.any.sync.i64")
    return call(B, Name.ends_with("64") ? "match_any_i64" : "match_any_i32", I32,
                {Arg(0), Arg(1)}, true);
  if (Name == "match.all.sync.i32p" || Name == "match.all.sync.i64p")
    return call(B, Name.ends_with("64p") ? "match_all_i64" : "match_all_i32", Pair,
                {Arg(0), Arg(1)}, true);
  if (Name == "bar.warp.sync")
    return call(B, "syncwarp", B.getVoidTy(), {Arg(0)}, true);
  if (Name == "activemask")
    return call(B, "activemask", I32, {}, true);
  if (Name.consume_front("redux.sync.")) {
    // NVVM: (value, mask)
    StringRef Op = StringSwitch<StringRef>(Name)
                       .Case("add", "redux_add")
                       .Case("umin", "redux_umin")
                       .Case("umax", "redux_umax")
                       .Case("min", "redux_smin")
                       .Case("max", "redux_smax")
                       .Case("and", "redux_and")
                       .Case("or", "redux_or")
                       .Case("xor", "redux_xor")
                       .Default("");
    if (!Op.empty())
      return call(B, Op, I32, {Arg(1), Arg(0)}, true);
  }
  return nullptr;
}

Value *Raise::raiseMath(CallInst &Call, StringRef Name, IRBuilder<> &B) {
  Type *Ty = Call.getType();
  auto Arg = [&](unsigned I) { return Call.getArgOperand(I); };
  // Flushing variants differ only where a denormal goes in or comes out; functions
  // compiled to flush say so by their denormal mode, which targets honour.
  SmallVector<StringRef, 6> Parts;
  Name.split(Parts, '.');
  auto Has = [&](StringRef P) { return is_contained(Parts, P); };
  StringRef Op = Parts[0];
  if (Has("ftz"))
    return nullptr;
  auto Unary = [&](Intrinsic::ID Id) { return B.CreateUnaryIntrinsic(Id, Arg(0)); };
  if (Op == "fabs")
    return Unary(Intrinsic::fabs);
  if (Op == "floor")
    return Unary(Intrinsic::floor);
  if (Op == "ceil")
    return Unary(Intrinsic::ceil);
  if (Op == "trunc" && Parts.size() == 2)
    return Unary(Intrinsic::trunc);
  if (Op == "round" && Parts.size() == 2)
    return Unary(Intrinsic::roundeven);
  if ((Op == "fmin" || Op == "fmax") && Parts.size() == 2 &&
      (Parts[1] == "f" || Parts[1] == "d"))
    // PTX orders -0 below +0 and prefers numbers to NaN.
    return B.CreateBinaryIntrinsic(Op == "fmin" ? Intrinsic::minimumnum
                                                : Intrinsic::maximumnum,
                                   Arg(0), Arg(1));
  if ((Op == "fmin" || Op == "fmax") && Name.ends_with(".nan.f"))
    return B.CreateBinaryIntrinsic(Op == "fmin" ? Intrinsic::minimum
                                                : Intrinsic::maximum,
                                   Arg(0), Arg(1));
  if (Has("sat"))
    return nullptr;
  if (Name == "sqrt.f" || Name == "sqrt.rn.f" || Name == "sqrt.rn.d")
    return Unary(Intrinsic::sqrt);
  if (Has("rn")) {
    if (Op == "add")
      return B.CreateFAdd(Arg(0), Arg(1));
    if (Op == "mul")
      return B.CreateFMul(Arg(0), Arg(1));
    if (Op == "div")
      return B.CreateFDiv(Arg(0), Arg(1));
    if (Op == "rcp")
      return B.CreateFDiv(ConstantFP::get(Ty, 1.0), Arg(0));
    if (Op == "fma" && !Has("relu"))
      return B.CreateIntrinsic(Intrinsic::fma, {Ty}, {Arg(0), Arg(1), Arg(2)});
    if (Op == "i2f" || Op == "ll2f" || Op == "i2d" || Op == "ll2d")
      return B.CreateSIToFP(Arg(0), Ty);
    if (Op == "ui2f" || Op == "ull2f" || Op == "ui2d" || Op == "ull2d")
      return B.CreateUIToFP(Arg(0), Ty);
    if (Op == "d2f")
      return B.CreateFPTrunc(Arg(0), Ty);
  }
  if (Name == "d2i.hi" || Name == "d2i.lo") {
    Value *Bits = B.CreateBitCast(Arg(0), B.getInt64Ty());
    if (Has("hi"))
      Bits = B.CreateLShr(Bits, 32);
    return B.CreateTrunc(Bits, B.getInt32Ty());
  }
  if (Name == "lohi.i2d") {
    Value *Lo = B.CreateZExt(Arg(0), B.getInt64Ty());
    Value *Hi = B.CreateShl(B.CreateZExt(Arg(1), B.getInt64Ty()), 32);
    return B.CreateBitCast(B.CreateOr(Lo, Hi), B.getDoubleTy());
  }
  if (Op == "mulhi") {
    bool Signed = !Parts[1].starts_with("u");
    unsigned Bits = Ty->getIntegerBitWidth();
    Type *W = B.getIntNTy(2 * Bits);
    auto Wide = [&](Value *V) {
      return Signed ? B.CreateSExt(V, W) : B.CreateZExt(V, W);
    };
    Value *P = B.CreateMul(Wide(Arg(0)), Wide(Arg(1)));
    return B.CreateTrunc(B.CreateLShr(P, Bits), Ty);
  }
  if (Op == "mul24") {
    auto Low = [&](Value *V) -> Value * {
      Value *Up = B.CreateShl(V, 8);
      return Parts[1] == "i" ? B.CreateAShr(Up, 8) : B.CreateLShr(Up, 8);
    };
    return B.CreateMul(Low(Arg(0)), Low(Arg(1)));
  }
  if (Op == "sad") {
    bool Signed = !Parts[1].starts_with("u");
    Value *Max = B.CreateBinaryIntrinsic(Signed ? Intrinsic::smax : Intrinsic::umax,
                                         Arg(0), Arg(1));
    Value *Min = B.CreateBinaryIntrinsic(Signed ? Intrinsic::smin : Intrinsic::umin,
                                         Arg(0), Arg(1));
    return B.CreateAdd(B.CreateSub(Max, Min), Arg(2));
  }
  return nullptr;
}

Value *Raise::raiseAtomic(CallInst &Call, StringRef Name, IRBuilder<> &B) {
  // atomic.OP.gen.{i,f}.{cta,sys}.*
  SmallVector<StringRef, 8> Parts;
  Name.split(Parts, '.');
  if (Parts.size() < 5)
    return nullptr;
  SyncScope::ID Scope = SyncScope::System;
  if (Parts[4] == "cta")
    Scope = M.getContext().getOrInsertSyncScopeID("block");
  Value *P = Call.getArgOperand(0), *V = Call.getArgOperand(1);
  auto Order = AtomicOrdering::Monotonic;
  if (Parts[1] == "cas") {
    auto *X = B.CreateAtomicCmpXchg(P, V, Call.getArgOperand(2), MaybeAlign(), Order,
                                    Order, Scope);
    return B.CreateExtractValue(X, 0);
  }
  auto Op = StringSwitch<AtomicRMWInst::BinOp>(Parts[1])
                .Case("add", Parts[3] == "f" ? AtomicRMWInst::FAdd : AtomicRMWInst::Add)
                .Case("and", AtomicRMWInst::And)
                .Case("or", AtomicRMWInst::Or)
                .Case("xor", AtomicRMWInst::Xor)
                .Case("exch", AtomicRMWInst::Xchg)
                .Case("max", AtomicRMWInst::Max)
                .Case("min", AtomicRMWInst::Min)
                .Case("inc", AtomicRMWInst::UIncWrap)
                .Case("dec", AtomicRMWInst::UDecWrap)
                .Default(AtomicRMWInst::BAD_BINOP);
  if (Op == AtomicRMWInst::BAD_BINOP)
    return nullptr;
  return B.CreateAtomicRMW(Op, P, V, MaybeAlign(), Order, Scope);
}

Value *Raise::raiseNvvm(CallInst &Call, StringRef Name) {
  IRBuilder<> B(&Call);
  Type *I32 = B.getInt32Ty();
  if (Name.starts_with("barrier.cta."))
    return raiseBarrier(Call, Name, B);
  if (StringRef Sreg = Name; Sreg.consume_front("read.ptx.sreg.")) {
    if (Sreg == "warpsize")
      return B.getInt32(32);
    std::string Plain = Sreg.str();
    std::replace(Plain.begin(), Plain.end(), '.', '_');
    static const char *const Known[] = {
        "tid_x",       "tid_y",       "tid_z",       "ntid_x",      "ntid_y",
        "ntid_z",      "ctaid_x",     "ctaid_y",     "ctaid_z",     "nctaid_x",
        "nctaid_y",    "nctaid_z",    "laneid",      "warpid",      "lanemask_eq",
        "lanemask_lt", "lanemask_le", "lanemask_gt", "lanemask_ge", "clock",
        "clock64",     "globaltimer", "dynamic_smem_size"};
    if (is_contained(Known, Plain)) {
      Value *V = call(B, Plain, Call.getType(), {});
      if (!Plain.starts_with("clock") && !Plain.starts_with("globaltimer")) {
        auto *F = cast<CallInst>(V)->getCalledFunction();
        F->setDoesNotAccessMemory();
        F->setDoesNotThrow();
        F->addFnAttr(Attribute::WillReturn);
        F->addFnAttr(Attribute::Speculatable);
      }
      return V;
    }
  }
  if (Value *V = raiseWarp(Call, Name, B))
    return V;
  if (Value *V = raiseMath(Call, Name, B))
    return V;
  if (Name.starts_with("atomic."))
    if (Value *V = raiseAtomic(Call, Name, B))
      return V;
  if (Name == "membar.cta")
    return call(B, "fence_block", B.getVoidTy(), {});
  if (Name == "membar.gl")
    return call(B, "fence_device", B.getVoidTy(), {});
  if (Name == "membar.sys")
    return call(B, "fence_system", B.getVoidTy(), {});
  if (Name == "nanosleep")
    return call(B, "nanosleep", B.getVoidTy(), {Call.getArgOperand(0)});
  if (Name == "exit")
    return call(B, "exit", B.getVoidTy(), {});
  if (StringRef Space = Name; Space.consume_front("isspacep.")) {
    const char *Fn = Space == "shared"   ? "is_shared"
                     : Space == "local"  ? "is_private"
                     : Space == "global" ? "is_global"
                     : Space == "const"  ? "is_constant"
                                         : nullptr;
    if (Fn)
      return call(B, Fn, B.getInt1Ty(), {Call.getArgOperand(0)});
  }
  if (Name.starts_with("cp.async.ca.shared.global.") ||
      Name.starts_with("cp.async.cg.shared.global.")) {
    // Copied at once; the source size, where given, is zero-filled up.
    StringRef Tail = Name.drop_front(strlen("cp.async.ca.shared.global."));
    uint64_t Bytes = Tail.starts_with("16") ? 16 : Tail.starts_with("8") ? 8 : 4;
    Value *To = Call.getArgOperand(0), *From = Call.getArgOperand(1);
    if (Call.arg_size() == 2) {
      return B.CreateMemCpy(To, Align(Bytes), From, Align(Bytes), Bytes);
    }
    Value *Size = B.CreateZExt(Call.getArgOperand(2), B.getInt64Ty());
    B.CreateMemSet(To, B.getInt8(0), Bytes, Align(Bytes));
    return B.CreateMemCpy(To, Align(Bytes), From, Align(1), Size);
  }
  if (Name.starts_with("cp.async.commit") || Name.starts_with("cp.async.wait"))
    return B.getInt32(0);
  (void)I32;
  // No neutral form: keep the operation under its own name.
  std::string Kept = ("nvvm_" + Name).str();
  std::replace(Kept.begin(), Kept.end(), '.', '_');
  SmallVector<Value *, 4> Args(Call.args());
  Value *V = call(B, Kept, Call.getType(), Args, Call.isConvergent());
  auto *F = cast<CallInst>(V)->getCalledFunction();
  if (Call.doesNotAccessMemory()) {
    F->setDoesNotAccessMemory();
    F->setDoesNotThrow();
    F->addFnAttr(Attribute::WillReturn);
  }
  return V;
}

bool Raise::raiseCall(CallInst &Call) {
  Value *V = nullptr;
  if (Call.isInlineAsm()) {
    if (!canRaiseInlineAsm(Call))
      return false;
    V = raiseInlineAsm(Call);
  } else {
    Function *Callee = Call.getCalledFunction();
    if (!Callee)
      return false;
    StringRef Name = Callee->getName();
    IRBuilder<> B(&Call);
    SmallVector<Value *, 5> Args(Call.args());
    if (Name.consume_front("llvm.nvvm.")) {
      V = raiseNvvm(Call, Name);
    } else if (Name == "vprintf") {
      V = call(B, "vprintf", Call.getType(), Args);
    } else if (Name == "__assertfail") {
      V = call(B, "assertfail", Call.getType(), Args);
    } else if (auto *II = dyn_cast<IntrinsicInst>(&Call)) {
      switch (II->getIntrinsicID()) {
      case Intrinsic::trap:
        V = call(B, "trap", B.getVoidTy(), {});
        break;
      case Intrinsic::fake_use: // a matter of native code's order
        break;
      case Intrinsic::minnum:
        V = B.CreateBinaryIntrinsic(Intrinsic::minimumnum, Args[0], Args[1]);
        break;
      case Intrinsic::maxnum:
        V = B.CreateBinaryIntrinsic(Intrinsic::maximumnum, Args[0], Args[1]);
        break;
      default:
        return false;
      }
    } else {
      return false;
    }
  }
  if (V && V->getType() == Call.getType() && !Call.getType()->isVoidTy()) {
    V->takeName(&Call);
    Call.replaceAllUsesWith(V);
  }
  Call.eraseFromParent();
  return true;
}

void Raise::run() {
  for (Function &F : M) {
    SmallVector<CallInst *, 32> Calls;
    for (Instruction &I : instructions(F)) {
      if (isa<FPMathOperator>(I))
        I.copyFastMathFlags(FastMathFlags()); // setFastMathFlags only adds
      if (auto *Call = dyn_cast<CallInst>(&I))
        Calls.push_back(Call);
    }
    for (CallInst *Call : Calls)
      raiseCall(*Call);
    F.removeFnAttr("target-cpu");
    F.removeFnAttr("target-features");
    F.removeFnAttr("uniform-work-group-size");
    F.removeFnAttr(Attribute::OptimizeNone);
    if (!F.isDeclaration() && F.getCallingConv() != CallingConv::PTX_Kernel)
      F.setLinkage(GlobalValue::InternalLinkage);
  }
  for (StringRef Name : {"llvm.used", "llvm.compiler.used", "llvm.global_ctors",
                         "llvm.global_dtors"})
    if (GlobalVariable *G = M.getGlobalVariable(Name))
      G->eraseFromParent();
  // Objects in name only: what reads a member of clang's threadIdx asks the hardware.
  for (StringRef Name : {"threadIdx", "blockIdx", "blockDim", "gridDim"})
    if (GlobalVariable *G = M.getGlobalVariable(Name); G && G->isDeclaration()) {
      G->replaceAllUsesWith(ConstantPointerNull::get(G->getType()));
      G->eraseFromParent();
    }
  if (NamedMDNode *N = M.getNamedMetadata("nvvm.annotations"))
    N->eraseFromParent();
  for (Function &F : make_early_inc_range(M))
    if (F.isDeclaration() && F.use_empty())
      F.eraseFromParent();
}

void raiseModule(Module &M) { Raise(M).run(); }

} // namespace hetckpt
