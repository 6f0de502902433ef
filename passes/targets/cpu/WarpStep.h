// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt::cpu {

/// Lanes that exchange values through volatile shared memory with no barrier meet at
/// each store to it.
void keepInStep(llvm::Module &M);

} // namespace hetckpt::cpu
