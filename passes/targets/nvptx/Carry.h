// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
} // namespace llvm

namespace hetckpt {

/// In loops of the run and resume variants, computes what a variable is in the next iteration only
/// after the last look at what it is in this one, where nothing else needs it earlier: then both
/// are one register. In a strip a variable lives on behind the loop, and the assembler, which finds
/// this order by itself in the original, copied mandelbrot's at the end of each iteration. For
/// the same reason counters of such loops are increased in the header where it asks for them.
void shortenCarried(llvm::Module &M);

} // namespace hetckpt
