// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Replaces the vocabulary that the pass itself put into a native NVPTX module by
/// NVVM intrinsics.
void lowerForNvptx(llvm::Module &M);

} // namespace hetckpt
