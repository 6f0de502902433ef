// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between the translator's own files.
#pragma once

#include "targets/cpu/Cpu.h"

#include "llvm/ADT/SmallVector.h"
#include "hetckpt/abi.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace hetckpt {

/// Input.cpp: what a translation starts from.
struct Input {
  std::unique_ptr<llvm::Module> Code;
  cpu::ModuleLayout Layout;
};

/// The bytes of a portable image in Bytes, or nothing if there is none.
llvm::StringRef findImage(llvm::StringRef Bytes);

/// Opens an image, or IR with a state map in JSON (may be empty).
llvm::Expected<Input> openInput(llvm::StringRef Bytes, llvm::StringRef Map,
                                llvm::LLVMContext &Context);

/// Link.cpp: object files to a shared object, with LLVM's linker.
llvm::Error linkShared(llvm::ArrayRef<cpu::Bytes> Objects, llvm::SmallVectorImpl<char> &Library);

/// Cache.cpp. Keys are any bytes. Nothing here fails: a cache that cannot be used is
/// empty.
bool cacheRead(llvm::StringRef Key, llvm::SmallVectorImpl<char> &Value);
void cacheWrite(llvm::StringRef Key, llvm::StringRef Value);

} // namespace hetckpt
