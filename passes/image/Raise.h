// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Rewrites NVVM's intrinsics, CUDA's device functions and known inline assembly into
/// the neutral vocabulary (docs/portable-image.md), and drops what belongs to NVIDIA's
/// code generator. M is the module that goes into the portable image.
void raiseModule(llvm::Module &M);

} // namespace hetckpt
