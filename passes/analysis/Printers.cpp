// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "analysis/Printers.h"
#include "Names.h"
#include "Pass.h"
#include "analysis/Scope.h"
#include "analysis/Waits.h"
#include "image/StateMap.h"
#include "transform/Contract.h"
#include "transform/PlacePolls.h"
#include "transform/Prepare.h"
#include "transform/Variants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace hetckpt {

namespace {

/// Prints something about each kernel, on a scratch copy of the module in the form
/// in which the analyses see it.
class KernelPrinter : public PassInfoMixin<KernelPrinter> {
public:
  using Print = void (*)(Function &, raw_ostream &);
  explicit KernelPrinter(Print P) : P(P) {}

  PreservedAnalyses run(Module &M, ModuleAnalysisManager &) {
    auto Copy = CloneModule(M);
    for (Function &F : *Copy) {
      if (F.isDeclaration() || F.getCallingConv() != CallingConv::PTX_Kernel)
        continue;
      inlineCalls(F);
      normalise(F);
      P(F, outs());
    }
    return PreservedAnalyses::all();
  }
  static bool isRequired() { return true; }

private:
  Print P;
};

void printScope(Function &F, raw_ostream &OS) {
  ScopeResult R = computeScope(F);
  OS << "kernel " << F.getName() << ": ";
  if (R.PauseScope)
    OS << scopeName(*R.PauseScope) << " scope\n";
  else
    OS << "cannot pause: " << R.Reason << "\n";
}

void printUniformity(Function &F, raw_ostream &OS) {
  Scope S = computeScope(F).PauseScope.value_or(Scope::Block);
  DominatorTree DT(F);
  LoopInfo LI(DT);
  Uniformity U(F, S, LI, DT);
  OS << "kernel " << F.getName() << ": uniformity in the " << scopeName(S) << "\n";
  for (BasicBlock &BB : F) {
    OS << "  ";
    BB.printAsOperand(OS, false);
    OS << ": " << (U.isUniformPoint(&BB) ? "uniform" : "divergent") << " point";
    if (U.isDivergentBranch(&BB))
      OS << ", divergent branch";
    OS << "\n";
    for (Instruction &I : BB)
      if (!I.getType()->isVoidTy() && !I.isDebugOrPseudoInst()) {
        OS << "    ";
        I.printAsOperand(OS, false);
        OS << (U.isUniform(&I) ? " uniform\n" : " divergent\n");
      }
  }
}

void printPolls(Function &F, raw_ostream &OS) {
  ScopeResult R = computeScope(F);
  OS << "kernel " << F.getName() << ":";
  if (!R.PauseScope) {
    OS << " cannot pause: " << R.Reason << "\n";
    return;
  }
  PollPlan Plan = planFunction(F, *R.PauseScope);
  OS << (Plan.Waits ? " waits" : "") << (Plan.WaitsApart ? " apart" : "") << "\n";
  for (const LoopPlan &P : Plan.Loops) {
    OS << "  loop at ";
    P.Header->printAsOperand(OS, false);
    OS << " depth " << P.Depth << ": " << pollKindName(P.Kind);
    if (P.Stride)
      OS << " every " << P.Stride << " iterations" << (P.Paced ? ", paced" : "");
    OS << ", " << P.CostPerIteration << " ns an iteration";
    OS << (P.PaysFuel ? ", pays fuel" : "") << (P.UniformTrip ? "" : ", trips differ")
       << "\n";
  }
  for (const MissedLoop &M : Plan.Missed) {
    OS << "  missed loop at ";
    M.Header->printAsOperand(OS, false);
    OS << ": " << M.Reason << "\n";
  }
}

void printKernelState(const Kernel &K, raw_ostream &OS) {
  OS << "kernel " << K.Original->getName() << ": ";
  if (!K.PauseScope) {
    OS << "cannot pause: " << K.Reason << "\n";
    return;
  }
  OS << scopeName(*K.PauseScope) << " scope, " << K.frameBytes()
     << " bytes a thread, " << K.SharedBytes << " bytes of static shared memory\n";
  for (const Safepoint &SP : K.Safepoints) {
    OS << "  safepoint " << SP.Id << " (" << SP.Kind << ")\n";
    for (const LiveValue &LV : SP.Live)
      for (const Slot &S : LV.Slots)
        OS << "    slot" << S.Class << "[" << S.Index << "] " << S.Type << " "
           << S.Kind << " " << (S.Name.empty() ? "-" : S.Name) << "\n";
    for (const LivePrivate &P : SP.Private)
      OS << "    slot8[" << P.Index << "..] " << P.Bytes << " bytes of private object "
         << P.Number << " " << (P.Name.empty() ? "-" : P.Name) << "\n";
    OS << "    rematerialised: " << SP.Remat.size() << "\n";
  }
}

class StatePrinter : public PassInfoMixin<StatePrinter> {
public:
  explicit StatePrinter(bool Json) : Json(Json) {}
  PreservedAnalyses run(Module &M, ModuleAnalysisManager &) {
    auto Copy = CloneModule(M);
    std::vector<Kernel> Kernels = instrumentModule(*Copy);
    if (Json)
      outs() << writeStateMap(*Copy, Kernels, layOutVariables(*Copy)) << "\n";
    else
      for (const Kernel &K : Kernels)
        printKernelState(K, outs());
    return PreservedAnalyses::all();
  }
  static bool isRequired() { return true; }

private:
  bool Json;
};

} // namespace

bool addPrinter(StringRef Name, ModulePassManager &MPM) {
  if (Name == "print<hetckpt-scope>")
    MPM.addPass(KernelPrinter(printScope));
  else if (Name == "print<hetckpt-uniformity>")
    MPM.addPass(KernelPrinter(printUniformity));
  else if (Name == "print<hetckpt-polls>")
    MPM.addPass(KernelPrinter(printPolls));
  else if (Name == "print<hetckpt-state>")
    MPM.addPass(StatePrinter(false));
  else if (Name == "print<hetckpt-statemap>")
    MPM.addPass(StatePrinter(true));
  else
    return false;
  return true;
}

} // namespace hetckpt
