// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Gives the grid barrier of CUDA's own cooperative_groups.h a form in which a block can
/// be paused while it waits. Must run before anything is inlined. True if M has one.
bool replaceGridBarrier(llvm::Module &M);

} // namespace hetckpt
