// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Replaces every approximate operation of the module by an exact one, so that no
/// approximate instruction is left, natively or in the portable image. What has no exact
/// form is an error of the compilation that names it. True if something was changed.
bool makeExact(llvm::Module &M);

} // namespace hetckpt
