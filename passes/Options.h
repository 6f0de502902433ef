// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Options of the pass. clang reads -mllvm options before it loads
// -fpass-plugin, so to use them load the plugin with -fplugin= as well;
// hetcc does that.
#pragma once

#include "llvm/Support/CommandLine.h"

namespace hetckpt {

/// Time between polls that the cost model aims at, in microseconds.
extern llvm::cl::opt<unsigned> PollInterval;
/// Fixed number of iterations between polls of every polled loop; 0: cost model.
extern llvm::cl::opt<unsigned> PollStride;
/// Replace approximate instructions by exact operations on every target.
extern llvm::cl::opt<bool> ExactMath;
/// Leave code alone apart from the analyses (for printers).
extern llvm::cl::opt<bool> EmbedImage;

} // namespace hetckpt
