// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVIDIA's approximate instructions have last bits of each GPU generation's own. Here
// they become ordinary IEEE arithmetic, which every target computes alike:
//
//   %e = call float @llvm.nvvm.ex2.approx.f32(float %x)      the body of
//   %l = call float asm "lg2.approx.f32 $0, $1;", ...   -->  __hetckpt_exact_NAME
//   %s = call afn float @llvm.sin.f32(float %x)              (exact/exact.c), inlined
//
//   %d = fdiv afn float %x, %y                          -->  %d = fdiv float %x, %y
//
// The code generator takes an approximate instruction for a division, a square root or a
// remainder only if that carries afn; without, it is correctly rounded. llvm.exp2 has
// nothing but an approximate instruction, flag or none.
//
// Gaps: inline assembly is replaced as a whole, so all of it must have a form in IR.
#include "transform/ExactMath.h"
#include "exact/Exact.h"
#include "image/InlineAsm.h"
#include "transform/Library.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <set>

using namespace llvm;

namespace hetckpt {

namespace {

constexpr StringLiteral Prefix = "__hetckpt_exact_";

class Exact {
public:
  explicit Exact(Module &M) : M(M) {}
  bool run();

private:
  void refuse(const Twine &What);
  bool dropFlags(Instruction &I);
  Value *callExact(IRBuilder<> &B, StringRef Name, Type *Ty, ArrayRef<Value *> Args);
  Value *callByElement(IRBuilder<> &B, StringRef Name, Type *Ty, ArrayRef<Value *> Args);
  Value *exactMath(IntrinsicInst &Call, StringRef Operation);
  bool replace(CallBase &Call);
  unsigned replaceIn(Function &F);
  void inlineAll();

  Module &M;
  std::unique_ptr<Module> Library;
  std::set<std::string> Used; ///< names of exact functions that M calls
};

bool isHalf(Type *Ty) { return Ty->isHalfTy() || Ty->isBFloatTy(); }

/// Whether NVIDIA's code generator has an approximate instruction for such a value.
bool isSingleOrHalf(Type *Ty) {
  Ty = Ty->getScalarType();
  return Ty->isFloatTy() || isHalf(Ty);
}

bool flushes(const Function &F) {
  for (const char *Name : {"denormal-fp-math-f32", "denormal-fp-math"})
    if (StringRef Mode = F.getFnAttribute(Name).getValueAsString(); !Mode.empty())
      return Mode.starts_with("preserve-sign");
  return false;
}

/// In the text of an instruction, or the name of a function for one.
bool isApproximate(StringRef Text) {
  return Text.contains(".approx") || Text.contains("_approx") ||
         Text.contains("div.full") || Text.contains("div_full");
}

/// The operation of llvm.exp2 and the like in the names of exact.c.
StringRef operationOf(const IntrinsicInst &II) {
  switch (II.getIntrinsicID()) {
  case Intrinsic::exp2:
    return "ex2_approx";
  case Intrinsic::log2:
    return "lg2_approx";
  case Intrinsic::sin:
    return "sin_approx";
  case Intrinsic::cos:
    return "cos_approx";
  case Intrinsic::tanh:
    return "tanh_approx";
  default:
    return "";
  }
}

} // namespace

void Exact::refuse(const Twine &What) {
  M.getContext().diagnose(DiagnosticInfoGeneric("hetckpt: exact-math: " + What));
}

/// True if the flags asked for an approximate instruction.
bool Exact::dropFlags(Instruction &I) {
  if (!isa<FPMathOperator>(I))
    return false;
  bool Asked = I.hasApproxFunc();
  I.setHasApproxFunc(false);
  I.setHasAllowReciprocal(false);
  I.setMetadata(LLVMContext::MD_fpmath, nullptr);
  if (!Asked || !isSingleOrHalf(I.getType()))
    return false;
  if (I.getOpcode() == Instruction::FDiv || I.getOpcode() == Instruction::FRem)
    return true;
  auto *Call = dyn_cast<CallInst>(&I);
  Function *Callee = Call ? Call->getCalledFunction() : nullptr;
  return Callee && (Callee->getIntrinsicID() == Intrinsic::sqrt ||
                    Callee->getName() == "llvm.nvvm.sqrt.f");
}

/// A call of exact.c's NAME; null if there is none for these types.
Value *Exact::callExact(IRBuilder<> &B, StringRef Name, Type *Ty, ArrayRef<Value *> Args) {
  Function *Known = Library->getFunction((Prefix + Name).str());
  if (!Known || Known->getReturnType() != Ty || Known->arg_size() != Args.size())
    return nullptr;
  for (auto [A, P] : zip(Args, Known->args()))
    if (A->getType() != P.getType())
      return nullptr;
  Used.insert(Known->getName().str());
  // The instruction made poison of poison; the function branches on its argument.
  SmallVector<Value *, 2> Fixed;
  for (Value *A : Args)
    Fixed.push_back(isGuaranteedNotToBeUndefOrPoison(A) ? A : B.CreateFreeze(A));
  return B.CreateCall(
      M.getOrInsertFunction(Known->getName(), Known->getFunctionType()), Fixed);
}

/// The same of each element of vectors.
Value *Exact::callByElement(IRBuilder<> &B, StringRef Name, Type *Ty,
                            ArrayRef<Value *> Args) {
  auto *VT = dyn_cast<FixedVectorType>(Ty);
  if (!VT)
    return callExact(B, Name, Ty, Args);
  Value *Whole = PoisonValue::get(VT);
  for (unsigned I = 0; I < VT->getNumElements(); ++I) {
    SmallVector<Value *, 2> Parts;
    for (Value *A : Args) {
      if (A->getType() != Ty)
        return nullptr;
      Parts.push_back(B.CreateExtractElement(A, I));
    }
    Value *Part = callExact(B, Name, VT->getElementType(), Parts);
    if (!Part)
      return nullptr;
    Whole = B.CreateInsertElement(Whole, Part, I);
  }
  return Whole;
}

/// llvm.OPERATION of single precision, or of half precision through single, as the code
/// generator would do it.
Value *Exact::exactMath(IntrinsicInst &Call, StringRef Operation) {
  IRBuilder<> B(&Call);
  Value *X = Call.getArgOperand(0);
  Type *Ty = X->getType(), *Single = Ty->getWithNewType(B.getFloatTy());
  bool Half = isHalf(Ty->getScalarType());
  if (Half)
    X = B.CreateFPExt(X, Single);
  std::string Name = (Operation + (flushes(*Call.getFunction()) ? "_ftz_f" : "_f")).str();
  Value *V = callByElement(B, Name, Single, {X});
  return V && Half ? B.CreateFPTrunc(V, Ty) : V;
}

/// Replaces Call if it is approximate; true if it was.
bool Exact::replace(CallBase &Call) {
  IRBuilder<> B(&Call);
  Value *V = nullptr;
  std::string What;
  if (auto *Asm = dyn_cast<InlineAsm>(Call.getCalledOperand())) {
    What = Asm->getAsmString();
    if (!isApproximate(What))
      return false;
    if (isa<CallInst>(Call) && canRaiseInlineAsm(Call, RaiseAsm::Native)) {
      // Approximate statements are now calls of __hetckpt_nvvm_NAME.
      V = raiseInlineAsm(Call);
    }
    What = "inline assembly \"" + What + "\"";
  } else {
    Function *Callee = Call.getCalledFunction();
    if (!Callee)
      return false;
    What = Callee->getName();
    auto *II = dyn_cast<IntrinsicInst>(&Call);
    SmallVector<Value *, 2> Args(Call.args());
    StringRef Name = What;
    if (Name.consume_front("llvm.nvvm.") || Name.consume_front("__hetckpt_nvvm_")) {
      std::string Key = Name.str();
      llvm::replace(Key, '.', '_');
      if (!isApproximate(Key))
        return false;
      // Pairs are two of the element's.
      for (StringRef Pair : {"bf16x2", "f16x2", "v2bf16", "v2f16"})
        if (size_t At = Key.find(Pair); At != std::string::npos) {
          Key.replace(At, Pair.size(), Pair.contains('b') ? "bf16" : "f16");
          break;
        }
      V = callByElement(B, Key, Call.getType(), Args);
    } else if (isa<ConstrainedFPIntrinsic>(Call) && isSingleOrHalf(Call.getType())) {
      switch (II->getIntrinsicID()) {
      case Intrinsic::experimental_constrained_exp2:
      case Intrinsic::experimental_constrained_log2:
      case Intrinsic::experimental_constrained_sin:
      case Intrinsic::experimental_constrained_cos:
        break;
      default:
        return false;
      }
    } else {
      StringRef Operation = II ? operationOf(*II) : "";
      if (Operation.empty() || !isSingleOrHalf(Call.getType()))
        return false;
      V = exactMath(*II, Operation);
    }
  }
  if (!V) {
    refuse(Twine(What) + " in " + Call.getFunction()->getName() + " has no exact form");
    return false;
  }
  if (!Call.getType()->isVoidTy()) {
    V->takeName(&Call);
    Call.replaceAllUsesWith(V);
  }
  Call.eraseFromParent();
  return true;
}

unsigned Exact::replaceIn(Function &F) {
  unsigned Count = 0;
  SmallVector<CallBase *, 16> Calls;
  auto Gather = [&] {
    Calls.clear();
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallBase>(&I))
        Calls.push_back(Call);
  };
  for (Instruction &I : instructions(F))
    Count += dropFlags(I);
  // A snippet first, then what it has become.
  Gather();
  for (CallBase *Call : Calls)
    if (Call->isInlineAsm())
      replace(*Call);
  Gather();
  for (CallBase *Call : Calls)
    if (!Call->isInlineAsm())
      Count += replace(*Call);
  return Count;
}

void Exact::inlineAll() {
  for (const std::string &Name : Used) {
    Function *F = M.getFunction(Name);
    F->setLinkage(GlobalValue::InternalLinkage);
    SmallVector<CallBase *, 16> Calls;
    for (User *U : F->users())
      Calls.push_back(cast<CallBase>(U));
    for (CallBase *Call : Calls) {
      InlineFunctionInfo Info;
      if (InlineResult R = InlineFunction(*Call, Info); !R.isSuccess())
        report_fatal_error(Twine("hetckpt: cannot inline ") + F->getName() + ": " +
                           R.getFailureReason());
    }
    F->eraseFromParent();
  }
}

bool Exact::run() {
  // They ask the code generator for approximate instructions by themselves.
  for (StringRef Name : {"nvptx-prec-divf32", "nvptx-prec-sqrtf32", "nvptx-approx-log2f32",
                         "nvptx-rsqrt-approx-opt"})
    if (cl::Option *O = cl::getRegisteredOptions().lookup(Name);
        O && O->getNumOccurrences())
      refuse("cannot be used together with -" + Name);
  if (isApproximate(M.getModuleInlineAsm()))
    refuse("file-scope assembly with approximate instructions has no exact form");

  Library = readLibrary(StringRef(hetckpt_exact, hetckpt_exact_end - hetckpt_exact), M.getContext());

  bool Changed = false;
  SmallVector<Function *, 16> Functions;
  for (Function &F : M)
    if (!F.isDeclaration())
      Functions.push_back(&F);
  for (Function *F : Functions) {
    unsigned Count = replaceIn(*F);
    if (!Count)
      continue;
    Changed = true;
    OptimizationRemarkEmitter ORE(F);
    ORE.emit(OptimizationRemark("hetckpt", "ExactMath",
                                DiagnosticLocation(F->getSubprogram()), &F->getEntryBlock())
             << ore::NV("Function", F->getName()) << ": " << ore::NV("Count", Count)
             << " approximate operations replaced by exact ones");
  }
  if (!Used.empty()) {
    linkLibrary(M, std::move(Library));
    inlineAll();
  }
  for (Function &F : make_early_inc_range(M))
    if (F.isDeclaration() && F.use_empty() && isApproximate(F.getName()))
      F.eraseFromParent();
  return Changed;
}

bool makeExact(Module &M) { return Exact(M).run(); }

} // namespace hetckpt
