// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a translation starts from: image or IR, and the part of the state map that code
// depends on.
#include "Internal.h"

extern "C" {
#include "runtime/statemap/statemap.h"
}

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;

namespace hetckpt {
namespace {

Error readLayout(const hetckpt_map &Map, cpu::ModuleLayout &Layout) {
  for (uint32_t I = 0; I < Map.variables; I++)
    Layout.Variables[Map.variable[I].name] = Map.variable[I].offset;
  for (uint32_t I = 0; I < Map.kernels; I++) {
    const hetckpt_map_kernel &K = Map.kernel[I];
    cpu::KernelLayout &L = Layout.Kernels[K.name];
    for (uint32_t P = 0; P < K.params; P++)
      L.ParamOffsets.push_back(K.param[P].offset);
    L.ParamBytes = K.param_bytes;
    L.StaticShared = K.static_shared;
  }
  return Error::success();
}

Expected<std::unique_ptr<Module>> readCode(StringRef Bytes, LLVMContext &Context) {
  SMDiagnostic Diagnostic;
  // Text must end with a NUL, which the caller's memory need not have.
  std::unique_ptr<MemoryBuffer> Copy = MemoryBuffer::getMemBufferCopy(Bytes, "input");
  std::unique_ptr<Module> M = parseIR(*Copy, Diagnostic, Context);
  if (!M)
    return cpu::fail(EINVAL, "not a portable image, and not LLVM IR either: line " +
                                 Twine(Diagnostic.getLineNo()) + ": " + Diagnostic.getMessage());
  return M;
}

} // namespace

StringRef findImage(StringRef Bytes) {
  size_t Offset = 0;
  if (hetckpt_image_find(Bytes.data(), Bytes.size(), &Offset))
    return {};
  return Bytes.drop_front(Offset);
}

Expected<Input> openInput(StringRef Bytes, StringRef MapText, LLVMContext &Context) {
  char Text[HETCKPT_STATEMAP_ERROR] = "";
  hetckpt_image *Image = nullptr;
  hetckpt_map *Map = nullptr;
  scope_exit Close([&] {
    hetckpt_map_free(Map);
    hetckpt_image_close(Image);
  });
  Input In;
  StringRef Code = Bytes;
  StringRef Found = Bytes.starts_with(HETCKPT_IMAGE_MAGIC) ? Bytes : findImage(Bytes);
  if (!Found.empty()) {
    int R = hetckpt_image_open(Found.data(), Found.size(), &Image, Text, sizeof Text);
    if (!R)
      R = hetckpt_map_parse_image(Image, &Map, Text, sizeof Text);
    if (R)
      return cpu::fail(-R, Text);
    Code = StringRef(reinterpret_cast<char *>(Image->ir), Image->ir_bytes);
  } else if (!MapText.empty()) {
    if (int R = hetckpt_map_parse(MapText.data(), MapText.size(), &Map, Text, sizeof Text))
      return cpu::fail(-R, Text);
  }
  if (Map)
    if (Error E = readLayout(*Map, In.Layout))
      return E;
  auto M = readCode(Code, Context);
  if (!M)
    return M.takeError();
  In.Code = std::move(*M);
  return In;
}

} // namespace hetckpt
