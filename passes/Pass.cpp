// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Pass.h"
#include "Names.h"
#include "Options.h"
#include "image/Image.h"
#include "targets/nvptx/Lower.h"
#include "targets/nvptx/Carry.h"
#include "targets/nvptx/Pace.h"
#include "targets/nvptx/Widen.h"
#include "transform/Assembly.h"
#include "transform/Contract.h"
#include "transform/DeviceHeap.h"
#include "transform/ExactMath.h"
#include "transform/FunctionPointers.h"
#include "transform/PlacePolls.h"
#include "transform/Prepare.h"
#include "transform/StoredTables.h"
#include "transform/Variants.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace hetckpt {

static bool isKernel(const Function &F) {
  return !F.isDeclaration() && F.getCallingConv() == CallingConv::PTX_Kernel &&
         !F.getName().starts_with(names::Prefix);
}

std::vector<Kernel> instrumentModule(Module &M) {
  if (ExactMath)
    makeExact(M);
  std::vector<Kernel> Kernels;
  for (Function &F : M)
    if (isKernel(F)) {
      Kernels.emplace_back();
      Kernels.back().Original = &F;
    }
  if (Kernels.empty())
    return Kernels;
  adoptAssembly(M);
  adoptDeviceHeap(M);
  contractModule(M);
  resolveFunctionPointers(M);
  publishStoredTables(M);
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

PreservedAnalyses HetckptPass::run(Module &M, ModuleAnalysisManager &) {
  if (!M.getTargetTriple().isNVPTX())
    return PreservedAnalyses::all();
  std::vector<Kernel> Kernels = instrumentModule(M);
  if (Kernels.empty())
    return ExactMath ? PreservedAnalyses::none() : PreservedAnalyses::all();
  VariableBlock Variables = layOutVariables(M);
  if (EmbedImage)
    embedImage(M, Kernels, Variables);
  linkDeviceHeap(M);
  pinMultiplications(M);
  redirectVariables(M, Variables);
  widenCounters(M);
  shortenCarried(M);
  lowerPaces(M);
  lowerForNvptx(M);
  orderUses(M);
  reduceDebugInfo(M);
  return PreservedAnalyses::none();
}

} // namespace hetckpt
