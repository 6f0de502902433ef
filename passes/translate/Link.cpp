// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The linker is LLVM's own program, run as a child. It is looked for beside the LLVM
// that this was built with, then on PATH.
#include "Internal.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>
#include <vector>

using namespace llvm;

namespace hetckpt {
namespace {

Expected<std::string> findLinker() {
  std::string Beside = std::string(HETCKPT_LLVM_BIN) + "/ld.lld";
  if (sys::fs::can_execute(Beside))
    return Beside;
  for (const char *Name : {"ld.lld-" HETCKPT_LLVM_MAJOR, "ld.lld"})
    if (auto Path = sys::findProgramByName(Name))
      return *Path;
  return cpu::fail(ENOENT, "no linker: neither " + Beside + " nor ld.lld-" HETCKPT_LLVM_MAJOR
                           " nor ld.lld on PATH");
}

/// A file that is there as long as this.
class Temporary {
public:
  explicit Temporary(StringRef Suffix) {
    Problem = sys::fs::createTemporaryFile("hetckpt", Suffix, Fd, Path);
  }
  ~Temporary() {
    if (!Problem)
      sys::fs::remove(Path);
  }
  std::error_code Problem;
  int Fd = -1;
  SmallString<128> Path;
};

std::string firstLine(StringRef Path) {
  auto B = MemoryBuffer::getFile(Path);
  return B ? (*B)->getBuffer().split('\n').first.str() : std::string();
}

} // namespace

Error linkShared(ArrayRef<cpu::Bytes> Objects, SmallVectorImpl<char> &Library) {
  auto Linker = findLinker();
  if (!Linker)
    return Linker.takeError();
  Temporary Out("so"), Log("txt");
  std::vector<std::unique_ptr<Temporary>> In;
  for (size_t I = 0; I < Objects.size(); I++)
    In.push_back(std::make_unique<Temporary>("o"));
  SmallVector<Temporary *, 16> All = {&Out, &Log};
  for (auto &T : In)
    All.push_back(T.get());
  for (Temporary *T : All)
    if (T->Problem)
      return cpu::fail(EIO, "temporary file: " + T->Problem.message());
  for (size_t I = 0; I < Objects.size(); I++) {
    raw_fd_ostream OS(In[I]->Fd, true);
    OS.write(Objects[I].data(), Objects[I].size());
    OS.close();
    if (OS.has_error()) {
      std::string Why = OS.error().message();
      OS.clear_error();
      return cpu::fail(EIO, In[I]->Path + ": " + Why);
    }
  }
  raw_fd_ostream(Out.Fd, true).close();
  raw_fd_ostream(Log.Fd, true).close();
  // libc and libm are in every process that loads the result. Names of functions stay, so
  // that profilers can tell which is running.
  SmallVector<StringRef, 32> Args = {*Linker,      "-shared", "--no-undefined-version", "-z", "now",
                                     "--build-id", "-O1",     "--hash-style=gnu",       "-S", "-o",
                                     Out.Path};
  for (auto &T : In)
    Args.push_back(T->Path);
  std::optional<StringRef> Redirects[] = {StringRef(""), Log.Path.str(), Log.Path.str()};
  std::string Message;
  int R = sys::ExecuteAndWait(*Linker, Args, std::nullopt, Redirects, 0, 0, &Message);
  if (R)
    return cpu::fail(EIO, *Linker + " failed: " + (Message.empty() ? firstLine(Log.Path) : Message));
  auto B = MemoryBuffer::getFile(Out.Path, false, false);
  if (!B)
    return cpu::fail(EIO, Out.Path + ": " + B.getError().message());
  Library.assign((*B)->getBufferStart(), (*B)->getBufferEnd());
  return Error::success();
}

} // namespace hetckpt
