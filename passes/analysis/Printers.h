// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Printer passes, one an analysis, so that tests check facts before transforms.
// opt -load-pass-plugin=hetckpt-pass.so -passes='print<hetckpt-scope>' ...
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/IR/PassManager.h"

namespace hetckpt {

/// Adds the printer of this name; false if there is none.
bool addPrinter(llvm::StringRef Name, llvm::ModulePassManager &MPM);

} // namespace hetckpt
