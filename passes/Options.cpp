// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Options.h"

using namespace llvm;

namespace hetckpt {

cl::opt<unsigned> PollInterval(
    "hetckpt-poll-interval", cl::init(50), cl::value_desc("microseconds"),
    cl::desc("Time between two polls that the cost model aims at"));

cl::opt<unsigned> PollStride(
    "hetckpt-poll-stride", cl::init(0), cl::value_desc("iterations"),
    cl::desc("Poll after this many iterations of every loop that can poll "
             "(0: let the cost model decide)"));

cl::opt<bool> ExactMath(
    "hetckpt-exact-math", cl::init(false),
    cl::desc("Replace approximate instructions by exact operations, so that "
             "every target computes the same bits"));

cl::opt<bool> EmbedImage(
    "hetckpt-embed-image", cl::init(true), cl::Hidden,
    cl::desc("Embed the portable image (off: shorter output in tests)"));

} // namespace hetckpt
