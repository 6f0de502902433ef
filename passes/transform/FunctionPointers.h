// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Gives each function whose address is a value of the program a number that means the
/// same on every device, and makes each call through a pointer a choice between direct
/// calls of the functions that can be behind it. M: a whole program, as clang makes it
/// without -fgpu-rdc.
void resolveFunctionPointers(llvm::Module &M);

} // namespace hetckpt
