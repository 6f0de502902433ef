// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The exported functions: request in, cache, target, linker, bytes out.
#include "translate.h"
#include "Internal.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <xxhash.h>

using namespace llvm;
using namespace hetckpt;

namespace {

/// "cpu" or "cpu:NAME" to NAME; nothing for other targets.
std::optional<std::string> cpuTarget(StringRef Target) {
  if (Target == "cpu")
    return "native";
  if (Target.consume_front("cpu:") && !Target.empty())
    return Target.str();
  return std::nullopt;
}

int report(Error E, char *Text, size_t Size) {
  int Code = -EINVAL;
  std::string Message;
  handleAllErrors(std::move(E), [&](const ErrorInfoBase &I) {
    Message = I.message();
    std::error_code EC = I.convertToErrorCode();
    if (EC.category() == std::generic_category() && EC.value())
      Code = -EC.value();
  });
  if (Text && Size)
    snprintf(Text, Size, "%s", Message.c_str());
  return Code;
}

Error translate(const hetckpt_translate_request &R, SmallVectorImpl<char> &Result) {
  StringRef Bytes(static_cast<const char *>(R.input), R.input_bytes);
  StringRef Map(R.map ? R.map : "", R.map_bytes);
  std::optional<std::string> Cpu = cpuTarget(R.target);
  if (!Cpu)
    return cpu::fail(EINVAL, Twine("unknown target \"") + R.target +
                                 "\": cpu, cpu:native, cpu:x86-64-v2, -v3 or -v4");
  bool Text = R.flags & HETCKPT_TRANSLATE_LLVM;
  StringRef Image = Bytes.starts_with(HETCKPT_IMAGE_MAGIC) ? Bytes : findImage(Bytes);
  std::string Key;
  if (!Image.empty() && !Text && !(R.flags & HETCKPT_TRANSLATE_FRESH)) {
    // The image's own hash is checked when it is opened; a wrong one must not be
    // answered from the cache, so the key has a hash of what is really there.
    uint64_t Total;
    memcpy(&Total, Image.data() + offsetof(hetckpt_image_header, total_bytes), 8);
    XXH128_canonical_t H;
    XXH128_canonicalFromHash(&H, XXH3_128bits(Image.data(), std::min<uint64_t>(Total, Image.size())));
    Key.assign(reinterpret_cast<char *>(H.digest), sizeof H.digest);
    Key += "\n" + cpu::targetIdentity(*Cpu) + "\n" + hetckpt_translate_version();
    if (cacheRead(Key, Result))
      return Error::success();
  }
  cpu::Options O;
  O.Target = *Cpu;
  O.Time = R.flags & HETCKPT_TRANSLATE_TIME;
  SmallVector<char, 0> Object;
  std::string Llvm;
  // Once more where a choice turned out to be wrong; each time there are fewer to make.
  while (Object.empty()) {
    LLVMContext Context;
    auto In = openInput(Bytes, Map, Context);
    if (!In)
      return In.takeError();
    if (Error E = cpu::compile(std::move(In->Code), In->Layout, O, Object, Text ? &Llvm : nullptr))
      return E;
  }
  if (Text) {
    Result.assign(Llvm.begin(), Llvm.end());
    return Error::success();
  }
  if (Error E = linkShared(StringRef(Object.data(), Object.size()), Result))
    return E;
  if (!Key.empty())
    cacheWrite(Key, StringRef(Result.data(), Result.size()));
  return Error::success();
}

} // namespace

extern "C" int hetckpt_translate(const hetckpt_translate_request *R, void **Output,
                                 size_t *OutputBytes, char *ErrorText, size_t ErrorSize) {
  *Output = nullptr;
  *OutputBytes = 0;
  if (R->size != sizeof *R)
    return report(cpu::fail(EINVAL, "the translator is of another release"), ErrorText, ErrorSize);
  SmallVector<char, 0> Result;
  if (Error E = translate(*R, Result))
    return report(std::move(E), ErrorText, ErrorSize);
  void *Copy = malloc(Result.size() ? Result.size() : 1);
  if (!Copy)
    return report(cpu::fail(ENOMEM, "no memory for the translated code"), ErrorText, ErrorSize);
  memcpy(Copy, Result.data(), Result.size());
  *Output = Copy;
  *OutputBytes = Result.size();
  return 0;
}

extern "C" const char *hetckpt_translate_version(void) {
  static const std::string Version = [] {
    std::string V = "hetckpt " HETCKPT_VERSION ", LLVM " LLVM_VERSION_STRING;
    Dl_info Info;
    if (dladdr(reinterpret_cast<void *>(&hetckpt_translate_version), &Info) && Info.dli_fname)
      if (auto B = MemoryBuffer::getFile(Info.dli_fname, false, false)) {
        char Hash[32];
        snprintf(Hash, sizeof Hash, ", build %016llx",
                 static_cast<unsigned long long>(XXH3_64bits((*B)->getBufferStart(),
                                                            (*B)->getBufferSize())));
        V += Hash;
      }
    return V;
  }();
  return Version.c_str();
}
