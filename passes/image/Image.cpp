// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "image/Image.h"
#include "hetckpt/abi.h"
#include "image/Raise.h"
#include "image/StateMap.h"
#include "image/Variables.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"
#include <zstd.h>

using namespace llvm;

namespace hetckpt {

// Images are compressed once a build and decompressed at each start: a high level
// costs little at their size.
static constexpr int CompressionLevel = 15;

static hetckpt_image_part append(std::vector<uint8_t> &Out, ArrayRef<uint8_t> Raw) {
  std::vector<uint8_t> Packed(ZSTD_compressBound(Raw.size()));
  size_t Size = ZSTD_compress(Packed.data(), Packed.size(), Raw.data(), Raw.size(),
                              CompressionLevel);
  if (ZSTD_isError(Size))
    report_fatal_error(Twine("hetckpt: cannot compress the portable image: ") +
                       ZSTD_getErrorName(Size));
  while (Out.size() % 8)
    Out.push_back(0);
  hetckpt_image_part Part = {Out.size(), Size, Raw.size()};
  Out.insert(Out.end(), Packed.begin(), Packed.begin() + Size);
  return Part;
}

void embedImage(Module &M, const std::vector<Kernel> &Kernels,
                const VariableBlock &Variables) {
  for (const std::string &P : Variables.Problems)
    M.getContext().diagnose(DiagnosticInfoGeneric(
        "hetckpt: " + P + ", which is zero wherever the portable image is used",
        DS_Warning));
  std::string Map = writeStateMap(M, Kernels, Variables);

  std::unique_ptr<Module> Portable = CloneModule(M);
  declareVariables(*Portable, Variables);
  raiseModule(*Portable);
  // The state map has the names; lines are for messages.
  stripNonLineTableDebugInfo(*Portable);
  SmallVector<char, 0> Bitcode;
  raw_svector_ostream OS(Bitcode);
  WriteBitcodeToFile(*Portable, OS);

  std::vector<uint8_t> Bytes(sizeof(hetckpt_image_header));
  hetckpt_image_header Header = {};
  memcpy(Header.magic, HETCKPT_IMAGE_MAGIC, sizeof Header.magic);
  Header.abi = HETCKPT_ABI_VERSION;
  Header.header_bytes = sizeof Header;
  auto AsBytes = [](const auto &C) {
    return ArrayRef(reinterpret_cast<const uint8_t *>(C.data()), C.size());
  };
  Header.map = append(Bytes, AsBytes(Map));
  Header.ir = append(Bytes, AsBytes(Bitcode));
  Header.data = append(Bytes, Variables.Data);
  Header.total_bytes = Bytes.size();
  XXH128_hash_t H = xxh3_128bits(ArrayRef(Bytes).drop_front(sizeof Header));
  support::endian::write64be(Header.hash, H.high64);
  support::endian::write64be(Header.hash + 8, H.low64);
  memcpy(Bytes.data(), &Header, sizeof Header);

  auto *Init = ConstantDataArray::get(M.getContext(), ArrayRef<uint8_t>(Bytes));
  auto *G = new GlobalVariable(M, Init->getType(), /*isConstant=*/true,
                               GlobalValue::ExternalLinkage, Init,
                               HETCKPT_IMAGE_SYMBOL, nullptr,
                               GlobalValue::NotThreadLocal, 1);
  G->setAlignment(Align(8));
  // Several translation units linked into one device image each keep their own.
  G->setLinkage(GlobalValue::InternalLinkage);
  appendToUsed(M, {G});
}

} // namespace hetckpt
