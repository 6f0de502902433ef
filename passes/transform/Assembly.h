// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Inline assembly that others must see through: operations of warps and blocks become
/// NVVM's, and whether products of half precision are fused with sums is decided.
void adoptAssembly(llvm::Module &M);

} // namespace hetckpt
