// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Function;
} // namespace llvm

namespace hetckpt {

/// Turns phis of pointers to shared memory into phis of 32-bit offsets from a shared
/// variable. F: a variant to be, address spaces inferred.
void indexSharedPointers(llvm::Function &F);

} // namespace hetckpt
