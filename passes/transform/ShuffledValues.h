// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   int at;                                   clang: the argument is noundef, so passing
//   if (lane == 0)                            what lanes other than 0 hold is undefined,
//     at = atomicAdd(&counter, 32);     ──▶   so lane is 0: no branch, every lane adds
//   at = __shfl_sync(~0u, at, 0);
//
// Programs are full of this, and nvcc gives them what they mean: a lane whose value
// nobody reads may hold anything. So arguments of functions that shuffle lose the attribute,
// before anything is optimised.
//
// Gaps: a value that a function without a shuffle in it is given before it is shuffled.
#pragma once

#include "llvm/IR/Module.h"

namespace hetckpt {

void admitUndefinedShuffles(llvm::Module &M);

} // namespace hetckpt
