// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX inline assembly with a neutral form. libdevice and CUDA's headers use straight-line
// snippets (wide multiplication with carry, special registers, bit fields, approximate
// functions, all of half precision); CUB and libcu++ write warp operations, flags and atomics
// so. They are rewritten as IR for the portable image.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"

namespace llvm {
class CallBase;
class Value;
} // namespace llvm

namespace hetckpt {

/// What a snippet may become.
enum class RaiseAsm {
  Neutral, ///< IR and calls of the neutral vocabulary
  Native,  ///< IR and calls of __hetckpt_nvvm_NAME for approximate instructions alone
  /// IR and NVVM's intrinsics, and only of snippets that others must see through: operations
  /// of warps and blocks, the numbers of threads and blocks, sums that may be fused or not
  Adopted,
};

/// True if every instruction of the snippet is known and has such a form.
bool canRaiseInlineAsm(const llvm::CallBase &Call, RaiseAsm Form = RaiseAsm::Neutral);

/// Emits the snippet's form before Call and returns the value that replaces it (null for a
/// snippet without results). Call must satisfy canRaiseInlineAsm.
llvm::Value *raiseInlineAsm(llvm::CallBase &Call, RaiseAsm Form = RaiseAsm::Neutral);

/// True if the snippet reads memory in a way that only helps a loop if another thread
/// writes: past the caches, with an order, or by an atomic that changes nothing. Invariant
/// says which operands of the call are the same in each iteration.
bool inlineAsmWaits(const llvm::CallBase &Call,
                    llvm::function_ref<bool(const llvm::Value *)> Invariant);

} // namespace hetckpt
