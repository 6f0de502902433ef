// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "llvm/ADT/StringRef.h"

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

namespace names {

inline constexpr llvm::StringLiteral HeapPrefix = "__hetckpt_heap_";
inline constexpr llvm::StringLiteral HeapMalloc = "__hetckpt_heap_malloc";
inline constexpr llvm::StringLiteral HeapMallocAligned = "__hetckpt_heap_malloc_aligned";
inline constexpr llvm::StringLiteral HeapFree = "__hetckpt_heap_free";

} // namespace names

/// Lets calls of malloc, free and the like be calls of the vocabulary. Does nothing to a module that has
/// none.
void adoptDeviceHeap(llvm::Module &M);

/// In native code, once the portable image has been taken: supplies what adoptDeviceHeap calls.
void linkDeviceHeap(llvm::Module &M);

} // namespace hetckpt
