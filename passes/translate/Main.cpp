// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// hetckpt-translate: translates a portable image ahead of time, and shows how.
#include "translate.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static const char Usage[] =
    "usage: hetckpt-translate --target=TARGET IMAGE -o FILE [options]\n"
    "\n"
    "Makes code for a target from a portable image (or a file that contains one).\n"
    "\n"
    "  --target=TARGET  cpu, cpu:native, cpu:x86-64-v2, cpu:x86-64-v3 or cpu:x86-64-v4\n"
    "  -o FILE          where the code goes; - is standard output\n"
    "  --kernel=NAME    that kernel and its variants alone, by its name in the image\n"
    "  --map=FILE       state map (JSON), if IMAGE is LLVM IR in the neutral vocabulary\n"
    "  --emit-llvm      write the optimised LLVM IR instead of code\n"
    "  --no-cache       neither read nor write translations kept on disk\n"
    "  --time           say how long each step takes\n"
    "  --version        say which translator this is\n";

static bool readFile(const char *Path, std::vector<char> &Bytes) {
  FILE *F = fopen(Path, "rb");
  if (!F) {
    fprintf(stderr, "hetckpt-translate: %s: %s\n", Path, strerror(errno));
    return false;
  }
  char Block[65536];
  size_t N;
  while ((N = fread(Block, 1, sizeof Block, F)))
    Bytes.insert(Bytes.end(), Block, Block + N);
  bool Ok = !ferror(F);
  if (!Ok)
    fprintf(stderr, "hetckpt-translate: %s: %s\n", Path, strerror(errno));
  fclose(F);
  return Ok;
}

static bool writeFile(const char *Path, const void *Bytes, size_t N) {
  bool Std = !strcmp(Path, "-");
  FILE *F = Std ? stdout : fopen(Path, "wb");
  if (F && fwrite(Bytes, 1, N, F) == N && (Std ? !fflush(F) : !fclose(F)))
    return true;
  fprintf(stderr, "hetckpt-translate: %s: %s\n", Path, strerror(errno));
  if (!Std && F)
    remove(Path);
  return false;
}

static int usageError(const std::string &What) {
  fprintf(stderr, "hetckpt-translate: %s\nTry 'hetckpt-translate --help'.\n", What.c_str());
  return 2;
}

int main(int Count, char **Args) {
  const char *Image = nullptr, *Output = nullptr, *Map = nullptr, *Target = nullptr, *Kernel = nullptr;
  unsigned Flags = 0;
  for (int I = 1; I < Count; I++) {
    std::string A = Args[I];
    auto Value = [&](const char *Prefix) -> const char * {
      size_t N = strlen(Prefix);
      return A.compare(0, N, Prefix) ? nullptr : Args[I] + N;
    };
    if (A == "--help" || A == "-h") {
      fputs(Usage, stdout);
      return 0;
    } else if (A == "--version") {
      puts(hetckpt_translate_version());
      return 0;
    } else if (A == "--emit-llvm") {
      Flags |= HETCKPT_TRANSLATE_LLVM;
    } else if (A == "--time") {
      Flags |= HETCKPT_TRANSLATE_TIME | HETCKPT_TRANSLATE_FRESH;
    } else if (A == "--no-cache") {
      Flags |= HETCKPT_TRANSLATE_FRESH;
    } else if (A == "-o") {
      if (++I == Count)
        return usageError("-o needs a file");
      Output = Args[I];
    } else if (const char *T = Value("--target=")) {
      Target = T;
    } else if (const char *K = Value("--kernel=")) {
      Kernel = K;
    } else if (const char *M = Value("--map=")) {
      Map = M;
    } else if (A.size() > 1 && A[0] == '-') {
      return usageError("unknown option " + A);
    } else if (Image) {
      return usageError("more than one image: " + A);
    } else {
      Image = Args[I];
    }
  }
  if (!Image)
    return usageError("no image");
  if (!Output)
    return usageError("no output file (-o)");
  if (!Target)
    return usageError("no target (--target)");

  std::vector<char> In, MapText;
  if (!readFile(Image, In) || (Map && !readFile(Map, MapText)))
    return 1;
  hetckpt_translate_request R = {};
  R.size = sizeof R;
  R.input = In.data();
  R.input_bytes = In.size();
  R.map = MapText.data();
  R.map_bytes = MapText.size();
  R.target = Target;
  R.kernel = Kernel;
  R.flags = Flags;
  void *Code;
  size_t Bytes;
  char Error[HETCKPT_TRANSLATE_ERROR] = "";
  if (hetckpt_translate(&R, &Code, &Bytes, Error, sizeof Error)) {
    fprintf(stderr, "hetckpt-translate: %s: %s\n", Image, Error);
    return 1;
  }
  bool Ok = writeFile(Output, Code, Bytes);
  free(Code);
  return Ok ? 0 : 1;
}
