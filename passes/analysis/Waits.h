// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops that wait for memory which another thread writes: spin locks, flags,
// grid barriers. The one they wait for may already be parked, so they must poll,
// however short a cost model thinks them.
#pragma once

#include "llvm/Analysis/LoopInfo.h"

namespace hetckpt {

/// True if leaving L depends on a volatile or atomic read whose value this thread
/// does not produce itself, also by a vote or a barrier that tells all threads what
/// one of them read. Retries of a compare-and-swap that compares with the
/// value it read last (an atomic update) and counters taken with an atomic add
/// make progress by themselves and are not waits.
bool isWaitLoop(const llvm::Loop &L);

/// The same for code that has not been optimised, where it cannot be told: true if L could
/// be a wait.
bool mayBeWaitLoop(const llvm::Loop &L);

} // namespace hetckpt
