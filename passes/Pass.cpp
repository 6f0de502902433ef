// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Pass.h"
#include "Names.h"
#include "Options.h"
#include "image/Image.h"
#include "targets/nvptx/Lower.h"
#include "transform/Contract.h"
#include "transform/PlacePolls.h"
#include "transform/Prepare.h"
#include "transform/Variants.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace hetckpt {

static bool isKernel(const Function &F) {
  return !F.isDeclaration() && F.getCallingConv() == CallingConv::PTX_Kernel &&
         !F.getName().starts_with(names::Prefix);
}

std::vector<Kernel> instrumentModule(Module &M) {
  std::vector<Kernel> Kernels;
  for (Function &F : M)
    if (isKernel(F)) {
      Kernels.emplace_back();
      Kernels.back().Original = &F;
    }
  if (Kernels.empty())
    return Kernels;
  contractModule(M);
  for (Function &F : M)
    if (!F.isDeclaration())
      markWaits(F);
  GlobalVariable *Dynamic = unifyDynamicShared(M);
  for (Kernel &K : Kernels)
    K.Reason = gatherShared(K, Dynamic);
  for (Kernel &K : Kernels) {
    if (K.Reason.empty())
      buildVariants(K);
    if (K.Reason.empty())
      continue;
    OptimizationRemarkEmitter ORE(K.Original);
    ORE.emit(OptimizationRemarkMissed("hetckpt", "NotPausable",
                                      DiagnosticLocation(K.Original->getSubprogram()),
                                      &K.Original->getEntryBlock())
             << ore::NV("Kernel", K.Original->getName())
             << " cannot pause inside: " << K.Reason);
  }
  return Kernels;
}

/// Names of variables have gone into the state map by now. What is left for the assembler
/// are lines, in the form that clang gives them for optimised code: with more than that
/// the assembler refuses to optimise.
static void keepLinesOnly(Module &M) {
  if (none_of(M.debug_compile_units(), [](const DICompileUnit *Unit) {
        return Unit->getEmissionKind() == DICompileUnit::FullDebug;
      }))
    return;
  stripNonLineTableDebugInfo(M);
  DebugInfoFinder Finder;
  Finder.processModule(M);
  NamedMDNode *Units = M.getNamedMetadata("llvm.dbg.cu");
  for (unsigned I = 0; I < Units->getNumOperands(); ++I) {
    auto *Old = cast<DICompileUnit>(Units->getOperand(I));
    auto *New = DICompileUnit::getDistinct(
        M.getContext(), Old->getSourceLanguage(), Old->getFile(), Old->getProducer(),
        Old->isOptimized(), "", 0, "", DICompileUnit::DebugDirectivesOnly, nullptr,
        nullptr, nullptr, nullptr, nullptr, 0, false, false,
        DICompileUnit::DebugNameTableKind::None, false, "", "");
    for (DISubprogram *S : Finder.subprograms())
      if (S->getUnit() == Old)
        S->replaceUnit(New);
    Units->setOperand(I, New);
  }
}

PreservedAnalyses HetckptPass::run(Module &M, ModuleAnalysisManager &) {
  if (!M.getTargetTriple().isNVPTX())
    return PreservedAnalyses::all();
  std::vector<Kernel> Kernels = instrumentModule(M);
  if (Kernels.empty())
    return PreservedAnalyses::all();
  VariableBlock Variables = layOutVariables(M);
  if (EmbedImage)
    embedImage(M, Kernels, Variables);
  pinMultiplications(M);
  redirectVariables(M, Variables);
  lowerForNvptx(M);
  keepLinesOnly(M);
  return PreservedAnalyses::none();
}

} // namespace hetckpt
