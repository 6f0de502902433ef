// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace llvm {
class Module;
}

namespace hetckpt {

/// Lets the clock correct how far threads go from one poll to the next: see Pace.cpp. To be
/// done before polls are lowered.
void lowerPaces(llvm::Module &M);

} // namespace hetckpt
