// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "Kernel.h"
#include "analysis/Polls.h"

namespace hetckpt {

/// Carries out a plan on the run variant: adds the polls, fills K.Safepoints (id,
/// park and continuation blocks, location). Launch: the launch record's address.
/// The park blocks end in unreachable until frames are laid out.
void placePolls(Kernel &K, llvm::Function &F, llvm::Value *Launch,
                const PollPlan &Plan);

/// Marks each loop that waits on memory with a call of __hetckpt_spin, which lets
/// targets that run threads one after another run the one waited for.
/// Loops that are marked already are left alone. Returns true if any was marked.
bool markWaits(llvm::Function &F);

} // namespace hetckpt
