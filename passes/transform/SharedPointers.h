// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Function;
class GlobalVariable;
} // namespace llvm

namespace hetckpt {

/// True for constant memory and tables that the compiler made: not in the arena, so their
/// addresses mean nothing on another device.
bool liesWithCode(const llvm::GlobalVariable &G);

/// Turns phis of pointers to shared memory or to what lies with the code into phis of
/// 32-bit offsets from a variable. F: a variant to be, address spaces inferred.
void indexSharedPointers(llvm::Function &F);

} // namespace hetckpt
