// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The exported functions: request in, cache, target, linker, bytes out.
#include "translate.h"
#include "Internal.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <link.h>
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
    if (R.kernel)
      Key += std::string("\n") + R.kernel;
    if (cacheRead(Key, Result))
      return Error::success();
  }
  cpu::Options O;
  O.Target = *Cpu;
  O.Kernel = R.kernel ? R.kernel : "";
  O.Time = R.flags & HETCKPT_TRANSLATE_TIME;
  LLVMContext Context;
  auto In = openInput(Bytes, Map, Context);
  if (!In)
    return In.takeError();
  std::vector<cpu::Bytes> Objects;
  std::string Llvm;
  if (Error E = cpu::compile(std::move(In->Code), In->Layout, O, Objects, Text ? &Llvm : nullptr))
    return E;
  if (Text) {
    Result.assign(Llvm.begin(), Llvm.end());
    return Error::success();
  }
  if (Error E = linkShared(Objects, Result))
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

/// The linker's hash of this library, from memory: it is part of every key, and hashing the
/// file takes longer than finding a translation. Empty if it was left out.
static std::string buildId() {
  std::string Id;
  auto Look = [](dl_phdr_info *Info, size_t, void *Result) {
    auto Own = reinterpret_cast<uintptr_t>(&hetckpt_translate_version);
    bool Mine = false;
    for (unsigned I = 0; I < Info->dlpi_phnum; I++) {
      const auto &P = Info->dlpi_phdr[I];
      Mine |= P.p_type == PT_LOAD && Own - (Info->dlpi_addr + P.p_vaddr) < P.p_memsz;
    }
    if (!Mine)
      return 0;
    for (unsigned I = 0; I < Info->dlpi_phnum; I++) {
      const auto &P = Info->dlpi_phdr[I];
      if (P.p_type != PT_NOTE)
        continue;
      StringRef Notes(reinterpret_cast<const char *>(Info->dlpi_addr + P.p_vaddr), P.p_memsz);
      while (Notes.size() >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) N;
        memcpy(&N, Notes.data(), sizeof N);
        StringRef Rest = Notes.drop_front(sizeof N);
        StringRef Name = Rest.take_front(N.n_namesz);
        StringRef Value = Rest.drop_front(std::min<size_t>(alignTo(N.n_namesz, 4), Rest.size()))
                              .take_front(N.n_descsz);
        if (N.n_type == NT_GNU_BUILD_ID && Name == StringRef("GNU", 4))
          *static_cast<std::string *>(Result) = toHex(Value, true);
        Notes = Notes.drop_front(
            std::min<size_t>(sizeof N + alignTo(N.n_namesz, 4) + alignTo(N.n_descsz, 4), Notes.size()));
      }
    }
    return 1;
  };
  dl_iterate_phdr(Look, &Id);
  return Id;
}

extern "C" const char *hetckpt_translate_version(void) {
  static const std::string Version =
      "hetckpt " HETCKPT_VERSION ", LLVM " LLVM_VERSION_STRING ", build " + buildId();
  return Version.c_str();
}
