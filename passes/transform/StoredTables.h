// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Makes variables of the module of those tables that the compiler made whose addresses may
/// get into memory.
void publishStoredTables(llvm::Module &M);

} // namespace hetckpt
