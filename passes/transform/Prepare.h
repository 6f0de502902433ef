// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "Kernel.h"

namespace hetckpt {

/// Replaces every `extern __shared__` array of the module by one,
/// @__hetckpt_dynamic_shared. Returns it, or null if there is none.
llvm::GlobalVariable *unifyDynamicShared(llvm::Module &M);

/// Gathers the static shared variables that K.Original uses into one structure,
/// @__hetckpt_shared_NAME, and notes whether it uses dynamic shared memory. Calls of
/// functions that use shared memory are inlined first. Returns an empty string, or
/// why the kernel's shared memory cannot be described.
std::string gatherShared(Kernel &K, llvm::GlobalVariable *Dynamic);

/// True if F may be called again before it returns.
bool isRecursive(llvm::Function &F);

/// Inlines every call of a defined function into F, as far as that ends and F does not
/// become too large.
void inlineCalls(llvm::Function &F);

/// Brings F, a variant to be, into the form that the analyses expect: no optnone,
/// variables in registers, loops simplified, by-value parameters that are written
/// copied to private memory.
void normalise(llvm::Function &F);

/// Why F's private or shared memory cannot be described: addresses that cannot be told
/// from other data (they are stored to memory or turned into integers), or sizes that are
/// known at run time only. Else an empty string.
std::string findEscapes(llvm::Function &F);

} // namespace hetckpt
