// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "analysis/Scope.h"
#include "Names.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "image/InlineAsm.h"
#include "transform/Prepare.h"

using namespace llvm;

namespace hetckpt {

const char *scopeName(Scope S) {
  switch (S) {
  case Scope::Thread:
    return "thread";
  case Scope::Warp:
    return "warp";
  case Scope::Block:
    return "block";
  }
  return "";
}

static bool isZero(const Value *V) {
  auto *C = dyn_cast<ConstantInt>(V);
  return C && C->isZero();
}

Op classifyCall(const CallBase &Call) {
  const Function *Callee = Call.getCalledFunction();
  if (!Callee)
    return Op::None;
  StringRef Name = Callee->getName();
  if (Name == names::PollBlock)
    return Op::BlockBarrier;
  if (!Name.consume_front("llvm.nvvm."))
    return Op::None;

  if (Name.starts_with("barrier.cta.")) {
    if (Name.ends_with(".all") && isZero(Call.getArgOperand(0)))
      return Op::BlockBarrier;
    return Op::NamedBarrier;
  }
  if (Name.starts_with("barrier.cluster.") || Name.starts_with("mapa") ||
      Name.starts_with("getctarank") || Name.starts_with("wmma.") ||
      Name.starts_with("mma.") || Name.starts_with("ldmatrix") ||
      Name.starts_with("stmatrix") || Name.starts_with("wgmma.") ||
      Name.starts_with("tcgen05") || Name.starts_with("cp.async.bulk") ||
      Name.starts_with("mbarrier.") || Name.starts_with("cp.async.mbarrier") ||
      Name.starts_with("tex.") || Name.starts_with("suld.") ||
      Name.starts_with("sust.") || Name.starts_with("tld4.") ||
      Name.starts_with("setmaxnreg") || Name.starts_with("clusterlaunch") ||
      Name.starts_with("griddepcontrol"))
    return Op::Barred;
  if (Name.starts_with("cp.async."))
    return Op::AsyncCopy;
  if (Name.starts_with("shfl.") || Name.starts_with("vote.") ||
      Name.starts_with("match.") || Name.starts_with("redux.") ||
      Name.starts_with("elect.") || Name == "bar.warp.sync" ||
      Name == "activemask")
    return Op::WarpOp;
  if (Name.consume_front("read.ptx.sreg.")) {
    if (Name.starts_with("tid."))
      return Op::ThreadId;
    if (Name.starts_with("laneid") || Name.starts_with("lanemask"))
      return Op::LaneId;
    if (Name.starts_with("warpid") || Name.starts_with("clock") ||
        Name.starts_with("globaltimer") || Name.starts_with("pm"))
      return Op::ThreadId;
    if (Name.starts_with("cluster"))
      return Op::Barred;
    return Op::BlockConst;
  }
  return Op::None;
}

std::string reasonBarred(const CallBase &Call) {
  if (classifyCall(Call) != Op::Barred)
    return "";
  StringRef Name = Call.getCalledFunction()->getName();
  Name.consume_front("llvm.nvvm.");
  const char *What = "an operation that only NVIDIA hardware has";
  if (Name.starts_with("wmma.") || Name.starts_with("mma.") ||
      Name.starts_with("wgmma.") || Name.starts_with("ldmatrix") ||
      Name.starts_with("stmatrix") || Name.starts_with("tcgen05"))
    What = "matrix fragments";
  else if (Name.starts_with("mbarrier.") || Name.contains("bulk") ||
           Name.starts_with("cp.async.mbarrier"))
    What = "hardware barrier objects or bulk copies";
  else if (Name.contains("cluster") || Name.starts_with("mapa") ||
           Name.starts_with("getctarank"))
    What = "thread block clusters";
  else if (Name.starts_with("tex.") || Name.starts_with("suld.") ||
           Name.starts_with("sust.") || Name.starts_with("tld4."))
    What = "textures or surfaces";
  return (Twine("uses ") + What + " (" + Name + ")").str();
}

bool hasFullMask(const CallBase &Call) {
  const Function *Callee = Call.getCalledFunction();
  if (!Callee || classifyCall(Call) != Op::WarpOp)
    return false;
  for (const Use &U : Call.args())
    if (auto *C = dyn_cast<ConstantInt>(U))
      if (C->getType()->isIntegerTy(32) && C->isMinusOne())
        return true;
  return false;
}

static bool isSharedPointer(Type *Ty) {
  auto *P = dyn_cast<PointerType>(Ty);
  return P && P->getAddressSpace() == 3;
}

/// Shared memory is named by globals in address space 3, often behind constant
/// casts to generic pointers.
static bool mentionsShared(const Value *V, unsigned Depth = 0) {
  if (isSharedPointer(V->getType()))
    return true;
  auto *C = dyn_cast<ConstantExpr>(V);
  if (!C || Depth > 8)
    return false;
  for (const Use &U : C->operands())
    if (mentionsShared(U, Depth + 1))
      return true;
  return false;
}

/// The beginning of a snippet, on one line.
static std::string quoted(const CallBase &Call) {
  std::string Text;
  for (char C : cast<InlineAsm>(Call.getCalledOperand())->getAsmString()) {
    C = isSpace(C) ? ' ' : C;
    if (C != ' ' || (!Text.empty() && Text.back() != ' '))
      Text += C;
  }
  constexpr size_t Most = 80;
  if (Text.size() > Most)
    Text.replace(Most, std::string::npos, "...");
  return Text;
}

ScopeResult computeScope(Function &F) {
  ScopeResult R;
  Scope S = Scope::Thread;
  for (Instruction &I : instructions(F)) {
    if (isa<IndirectBrInst>(I) || isa<InvokeInst>(I) || isa<CallBrInst>(I)) {
      R.Reason = "control flow that cannot be resumed (" +
                 std::string(I.getOpcodeName()) + ")";
      return R;
    }
    for (const Use &U : I.operands())
      if (mentionsShared(U))
        S = Scope::Block;
    auto *Call = dyn_cast<CallBase>(&I);
    if (!Call)
      continue;
    if (Call->isInlineAsm()) {
      if (!canRaiseInlineAsm(*Call)) {
        R.Reason = "inline assembly that has no neutral form (" + quoted(*Call) + ")";
        return R;
      }
      continue;
    }
    Function *Callee = Call->getCalledFunction();
    if (!Callee) {
      R.Reason = "an indirect call";
      return R;
    }
    switch (classifyCall(*Call)) {
    case Op::Barred:
      R.Reason = reasonBarred(*Call);
      return R;
    case Op::BlockBarrier:
    case Op::NamedBarrier:
    case Op::AsyncCopy:
      S = Scope::Block;
      break;
    case Op::WarpOp:
      if (S == Scope::Thread)
        S = Scope::Warp;
      break;
    default:
      break;
    }
    if (Callee->isIntrinsic() || Callee->getName().starts_with(names::Prefix) ||
        Callee->getName() == "vprintf" || Callee->getName() == "__assertfail")
      continue;
    if (!Callee->isDeclaration())
      R.Reason = ((isRecursive(*Callee) ? "a recursive call of "
                                        : "too much code to inline a call of ") +
                  Callee->getName())
                     .str();
    else if (Callee->getName().starts_with("cudaLaunchDevice") ||
             Callee->getName().starts_with("cudaGetParameterBuffer") ||
             Callee->getName().starts_with("__cudaCDP"))
      R.Reason = "dynamic parallelism";
    else
      R.Reason = ("a call of " + Callee->getName() +
                  ", which another translation unit defines")
                     .str();
    return R;
  }
  R.PauseScope = S;
  return R;
}

} // namespace hetckpt
