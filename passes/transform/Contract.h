// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Decides floating-point contraction once, in the IR: multiplications and additions
/// that may be fused become calls of llvm.fma, and no contract flag is left. Every
/// variant and every target then computes the same bits.
void contractModule(llvm::Module &M);

/// Keeps NVIDIA's code generator and assembler from fusing what contractModule did
/// not: remaining multiplications become llvm.nvvm.mul.rn, which neither touches.
void pinMultiplications(llvm::Module &M);

} // namespace hetckpt
