// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "Kernel.h"
#include "llvm/IR/PassManager.h"
#include <vector>

namespace hetckpt {

/// The whole transformation of a device module. Does nothing for other targets.
class HetckptPass : public llvm::PassInfoMixin<HetckptPass> {
public:
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

/// Everything that is decided about the kernels of M, with the variants built and
/// shared memory gathered; what HetckptPass does before it makes the image.
std::vector<Kernel> instrumentModule(llvm::Module &M);

} // namespace hetckpt
