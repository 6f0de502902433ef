// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transform/Library.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/AttributeMask.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace hetckpt {

std::unique_ptr<Module> readLibrary(StringRef Bitcode, LLVMContext &Context) {
  Expected<std::unique_ptr<Module>> Read =
      parseBitcodeFile(MemoryBufferRef(Bitcode, "library"), Context);
  if (!Read)
    report_fatal_error(Read.takeError());
  Module &Library = **Read;
  while (!Library.named_metadata_empty())
    Library.eraseNamedMetadata(&*Library.named_metadata_begin());
  for (Function &F : Library) {
    AttributeMask Own;
    for (Attribute A : F.getAttributes().getFnAttrs())
      if (A.isStringAttribute())
        Own.addAttribute(A.getKindAsString());
    F.removeFnAttrs(Own);
  }
  return std::move(*Read);
}

void linkLibrary(Module &M, std::unique_ptr<Module> Library) {
  Library->setTargetTriple(M.getTargetTriple());
  Library->setDataLayout(M.getDataLayout());
  if (Linker::linkModules(M, std::move(Library), Linker::Flags::LinkOnlyNeeded))
    report_fatal_error("hetckpt: cannot link a library of the pass");
}

} // namespace hetckpt
