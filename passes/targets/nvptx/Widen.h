// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// Gives loop counters of the run and resume variants that addresses are computed from
/// the width of addresses. In the original kernel a counter starts with a constant, so
/// LLVM's loop strength reduction can prove that extending it and adding to it may change
/// places, and turns products with it into additions. In a strip it starts with whatever
/// the last strip left, nothing can be proved, and each element pays a multiplication and
/// the registers for it. The counter's flags, which come from the original, allow it.
void widenCounters(llvm::Module &M);

} // namespace hetckpt
