// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX inline assembly with a neutral form. libdevice and CUDA's headers use straight-line
// snippets (wide multiplication with carry, special registers, bit fields, approximate
// functions, all of half precision); they are rewritten as IR for the portable image.
#pragma once

namespace llvm {
class CallBase;
class Value;
} // namespace llvm

namespace hetckpt {

/// What a snippet may become.
enum class RaiseAsm {
  Neutral, ///< IR and calls of the neutral vocabulary
  Native,  ///< IR and calls of __hetckpt_nvvm_NAME for approximate instructions alone
};

/// True if every instruction of the snippet is known and has such a form.
bool canRaiseInlineAsm(const llvm::CallBase &Call, RaiseAsm Form = RaiseAsm::Neutral);

/// Emits the snippet's neutral form before Call and returns the value that replaces
/// it (null for a snippet without results). Call must satisfy canRaiseInlineAsm.
llvm::Value *raiseInlineAsm(llvm::CallBase &Call);

} // namespace hetckpt
