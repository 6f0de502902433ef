// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Translations kept on disk, a file each, named by the hash of the key.
//
//   8 bytes   "HCKCACHE"
//   16 bytes  XXH3-128 of all that follows
//   8 bytes   length of the key
//   key, value
//
// Entries are written to a temporary name and renamed, so that readers see whole ones
// or none. An entry that is damaged, or belongs to another key with the same name, is
// as good as none. Reading an entry renews its time; when the directory grows over its
// bound, the oldest go.
#include "Internal.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>
#include <xxhash.h>

using namespace llvm;

namespace hetckpt {
namespace {

constexpr char Magic[] = "HCKCACHE";
constexpr size_t HeaderBytes = 8 + 16 + 8;
constexpr uint64_t MaxBytes = uint64_t(512) << 20;
constexpr char Suffix[] = ".hckcode";

XXH128_canonical_t hashOf(StringRef Bytes) {
  XXH128_canonical_t C;
  XXH128_canonicalFromHash(&C, XXH3_128bits(Bytes.data(), Bytes.size()));
  return C;
}

/// Empty if there is no place for a cache.
SmallString<128> directory() {
  SmallString<128> D;
  auto Absolute = [](const char *P) { return P && *P == '/'; };
  if (const char *P = getenv("HETCKPT_CACHE_DIR"); P && *P) {
    D = P;
  } else if (const char *X = getenv("XDG_CACHE_HOME"); Absolute(X)) {
    D = X;
    sys::path::append(D, "hetckpt");
  } else if (const char *H = getenv("HOME"); Absolute(H)) {
    D = H;
    sys::path::append(D, ".cache", "hetckpt");
  }
  return D;
}

SmallString<128> entryPath(StringRef Key) {
  SmallString<128> P = directory();
  if (P.empty())
    return P;
  XXH128_canonical_t H = hashOf(Key);
  sys::path::append(P, toHex(ArrayRef<uint8_t>(H.digest, sizeof H.digest), true) + Suffix);
  return P;
}

/// Code from here is run: nobody else may have been able to write it.
bool trusted(const char *Path) {
  struct stat S;
  return !stat(Path, &S) && (S.st_uid == geteuid() || S.st_uid == 0) && !(S.st_mode & 022);
}

void shrink(StringRef Directory) {
  struct Entry {
    std::string Path;
    uint64_t Bytes;
    sys::TimePoint<> Used;
  };
  std::vector<Entry> Entries;
  uint64_t Total = 0;
  std::error_code EC;
  for (sys::fs::directory_iterator I(Directory, EC), End; I != End && !EC; I.increment(EC)) {
    if (!StringRef(I->path()).ends_with(Suffix))
      continue;
    if (auto S = I->status()) {
      Entries.push_back({I->path(), S->getSize(), S->getLastModificationTime()});
      Total += S->getSize();
    }
  }
  if (Total <= MaxBytes)
    return;
  llvm::sort(Entries, [](const Entry &A, const Entry &B) { return A.Used < B.Used; });
  for (const Entry &E : Entries) {
    if (Total <= MaxBytes / 4 * 3)
      break;
    if (!sys::fs::remove(E.Path))
      Total -= E.Bytes;
  }
}

} // namespace

bool cacheRead(StringRef Key, SmallVectorImpl<char> &Value) {
  SmallString<128> Path = entryPath(Key);
  if (Path.empty() || !trusted(directory().c_str()) || !trusted(Path.c_str()))
    return false;
  auto B = MemoryBuffer::getFile(Path, false, false);
  if (!B)
    return false;
  StringRef Bytes = (*B)->getBuffer();
  if (Bytes.size() < HeaderBytes || !Bytes.starts_with(Magic))
    return false;
  XXH128_canonical_t H = hashOf(Bytes.drop_front(8 + 16));
  uint64_t KeyBytes;
  memcpy(&KeyBytes, Bytes.data() + 24, 8);
  if (memcmp(H.digest, Bytes.data() + 8, 16) || KeyBytes > Bytes.size() - HeaderBytes ||
      Bytes.substr(HeaderBytes, KeyBytes) != Key)
    return false;
  StringRef V = Bytes.drop_front(HeaderBytes + KeyBytes);
  Value.assign(V.begin(), V.end());
  utime(Path.c_str(), nullptr);
  return true;
}

void cacheWrite(StringRef Key, StringRef Value) {
  SmallString<128> Path = entryPath(Key), Directory = directory();
  if (Path.empty() || sys::fs::create_directories(Directory, true, sys::fs::owner_all) ||
      !trusted(Directory.c_str()))
    return;
  uint64_t KeyBytes = Key.size();
  std::string Body(reinterpret_cast<char *>(&KeyBytes), 8);
  Body.append(Key.data(), Key.size());
  Body.append(Value.data(), Value.size());
  XXH128_canonical_t H = hashOf(Body);
  int Fd;
  SmallString<128> Temporary;
  if (sys::fs::createUniqueFile(Path + ".%%%%%%%%", Fd, Temporary, sys::fs::OF_None,
                                sys::fs::owner_read | sys::fs::owner_write))
    return;
  raw_fd_ostream OS(Fd, true);
  OS.write(Magic, 8);
  OS.write(reinterpret_cast<char *>(H.digest), sizeof H.digest);
  OS << Body;
  OS.close();
  if (OS.has_error()) {
    OS.clear_error();
    sys::fs::remove(Temporary);
    return;
  }
  if (sys::fs::rename(Temporary, Path))
    sys::fs::remove(Temporary);
  shrink(Directory);
}

} // namespace hetckpt
