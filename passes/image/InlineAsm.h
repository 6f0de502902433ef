// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX inline assembly with a neutral form. libdevice and CUDA's headers use a few
// straight-line snippets (wide multiplication with carry, special registers, bit
// fields); they are rewritten as IR for the portable image.
#pragma once

namespace llvm {
class CallBase;
class Value;
} // namespace llvm

namespace hetckpt {

/// True if every instruction of the snippet is known.
bool canRaiseInlineAsm(const llvm::CallBase &Call);

/// Emits the snippet's neutral form before Call and returns the value that replaces
/// it (null for a snippet without results). Call must satisfy canRaiseInlineAsm.
llvm::Value *raiseInlineAsm(llvm::CallBase &Call);

} // namespace hetckpt
