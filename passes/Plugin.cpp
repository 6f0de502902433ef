// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registration only. The pass runs at the end of the device optimisation pipeline:
// it sees real loops, the fewest live values, and libdevice's mathematics inlined. Two steps
// come first of all, while library functions can still be told by their names, and calls are calls.
#include "Pass.h"
#include "analysis/Printers.h"
#include "image/Raise.h"
#include "targets/nvptx/Lower.h"
#include "transform/Assembly.h"
#include "transform/Contract.h"
#include "transform/DeviceHeap.h"
#include "transform/FunctionPointers.h"
#include "transform/GridBarrier.h"
#include "transform/ShuffledValues.h"
#include "transform/StoredTables.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Plugins/PassPlugin.h"

using namespace llvm;

static_assert(LLVM_VERSION_MAJOR == 22, "hetckpt is tested with LLVM 22 only");

namespace {

/// Steps of the pass that can be asked for alone, for tests.
template <void (*Step)(Module &)> struct StepPass : PassInfoMixin<StepPass<Step>> {
  PreservedAnalyses run(Module &M, ModuleAnalysisManager &) {
    Step(M);
    return PreservedAnalyses::none();
  }
  static bool isRequired() { return true; }
};

void gridBarrier(Module &M) {
  if (M.getTargetTriple().isNVPTX())
    hetckpt::replaceGridBarrier(M);
}

void shuffledValues(Module &M) {
  if (M.getTargetTriple().isNVPTX())
    hetckpt::admitUndefinedShuffles(M);
}

void instrumentOnly(Module &M) { hetckpt::instrumentModule(M); }

bool parse(StringRef Name, ModulePassManager &MPM,
           ArrayRef<PassBuilder::PipelineElement>) {
  if (Name == "hetckpt")
    MPM.addPass(hetckpt::HetckptPass());
  else if (Name == "hetckpt-instrument")
    MPM.addPass(StepPass<instrumentOnly>());
  else if (Name == "hetckpt-assembly")
    MPM.addPass(StepPass<hetckpt::adoptAssembly>());
  else if (Name == "hetckpt-device-heap")
    MPM.addPass(StepPass<hetckpt::adoptDeviceHeap>());
  else if (Name == "hetckpt-grid-barrier")
    MPM.addPass(StepPass<gridBarrier>());
  else if (Name == "hetckpt-shuffled-values")
    MPM.addPass(StepPass<shuffledValues>());
  else if (Name == "hetckpt-contract")
    MPM.addPass(StepPass<hetckpt::contractModule>());
  else if (Name == "hetckpt-function-pointers")
    MPM.addPass(StepPass<hetckpt::resolveFunctionPointers>());
  else if (Name == "hetckpt-stored-tables")
    MPM.addPass(StepPass<hetckpt::publishStoredTables>());
  else if (Name == "hetckpt-raise")
    MPM.addPass(StepPass<hetckpt::raiseModule>());
  else if (Name == "hetckpt-lower-nvptx")
    MPM.addPass(StepPass<hetckpt::lowerForNvptx>());
  else
    return hetckpt::addPrinter(Name, MPM);
  return true;
}

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK __attribute__((visibility("default")))
PassPluginLibraryInfo
llvmGetPassPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "hetckpt", "0.1.0", [](PassBuilder &PB) {
            PB.registerPipelineParsingCallback(parse);
            PB.registerPipelineStartEPCallback([](ModulePassManager &MPM, OptimizationLevel) {
              MPM.addPass(StepPass<gridBarrier>());
              MPM.addPass(StepPass<shuffledValues>());
            });
            PB.registerOptimizerLastEPCallback(
                [](ModulePassManager &MPM, OptimizationLevel, ThinOrFullLTOPhase) {
                  MPM.addPass(hetckpt::HetckptPass());
                });
          }};
}
