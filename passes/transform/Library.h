// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Device code in C that travels inside the pass as bitcode (exact/, heap/).
#pragma once

#include "llvm/ADT/StringRef.h"
#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace hetckpt {

/// Without what its own compilation says about processors: its code takes on what holds for the
/// module and the functions that it gets into.
std::unique_ptr<llvm::Module> readLibrary(llvm::StringRef Bitcode, llvm::LLVMContext &Context);

/// Puts the definitions of what M declares, and what they use, into M.
void linkLibrary(llvm::Module &M, std::unique_ptr<llvm::Module> Library);

} // namespace hetckpt
