// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "image/StateMap.h"
#include "hetckpt/abi.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/xxhash.h"

using namespace llvm;

namespace hetckpt {

static json::Array writeParams(const Function &F, uint64_t &Bytes) {
  const DataLayout &DL = F.getDataLayout();
  json::Array Params;
  uint64_t At = 0;
  for (const Argument &A : F.args()) {
    Type *Ty = A.hasByValAttr() ? A.getParamByValType() : A.getType();
    Align Alignment = A.hasByValAttr() ? A.getParamAlign().valueOrOne()
                                       : DL.getABITypeAlign(Ty);
    At = alignTo(At, Alignment);
    uint64_t Size = DL.getTypeAllocSize(Ty);
    Params.push_back(json::Object{{"offset", At}, {"bytes", Size},
                                  {"align", Alignment.value()}});
    At += Size;
  }
  Bytes = At;
  return Params;
}

/// "x,y,z" of a launch bound attribute as a product.
static uint64_t maxThreads(const Function &F) {
  StringRef Text = F.getFnAttribute("nvvm.maxntid").getValueAsString();
  if (Text.empty())
    return 0;
  uint64_t Product = 1;
  SmallVector<StringRef, 3> Parts;
  Text.split(Parts, ',');
  for (StringRef P : Parts) {
    uint64_t N;
    if (P.trim().getAsInteger(10, N))
      return 0;
    Product *= N;
  }
  return Product;
}

static json::Value orNull(const std::string &Text) {
  return Text.empty() ? json::Value(nullptr) : json::Value(Text);
}

static json::Object writeSafepoint(const Safepoint &SP, const Function &F) {
  json::Object O{{"id", SP.Id}, {"kind", SP.Kind}};
  if (const DILocation *L = SP.Loc.get()) {
    O["file"] = L->getFilename().str();
    O["line"] = L->getLine();
    O["column"] = L->getColumn();
    if (DISubprogram *S = L->getScope()->getSubprogram())
      O["function"] = S->getName().str();
  } else {
    O["file"] = nullptr;
    O["line"] = 0;
    O["column"] = 0;
    O["function"] = demangle(F.getName());
  }
  json::Array Slots;
  for (const LiveValue &LV : SP.Live)
    for (const Slot &S : LV.Slots)
      Slots.push_back(json::Object{{"class", S.Class},
                                   {"index", S.Index},
                                   {"type", S.Type},
                                   {"kind", S.Kind},
                                   {"name", orNull(S.Name)}});
  O["slots"] = std::move(Slots);
  json::Array Private;
  for (const LivePrivate &P : SP.Private)
    Private.push_back(json::Object{{"object", P.Number},
                                   {"bytes", P.Bytes},
                                   {"class", 8},
                                   {"index", P.Index},
                                   {"name", orNull(P.Name)}});
  O["private"] = std::move(Private);
  return O;
}

static json::Object writeKernel(const Kernel &K) {
  const Function &F = *K.Original;
  uint64_t ParamBytes = 0;
  json::Object O{{"name", F.getName().str()}, {"signature", demangle(F.getName())}};
  bool Pausable = K.PauseScope.has_value();
  O["pausable"] = Pausable;
  O["reason"] = orNull(K.Reason);
  if (Pausable)
    O["scope"] = scopeName(*K.PauseScope);
  O["waits"] = K.Waits;
  O["polls"] = K.Polls;
  O["params"] = writeParams(F, ParamBytes);
  O["param_bytes"] = ParamBytes;
  O["static_shared"] = K.SharedBytes;
  O["shared_align"] = K.SharedAlign;
  O["dynamic_shared"] = K.DynamicShared != nullptr;
  json::Array Shared;
  for (const Kernel::SharedVariable &V : K.SharedVariables)
    Shared.push_back(
        json::Object{{"name", V.Name}, {"offset", V.Offset}, {"bytes", V.Bytes}});
  O["shared_variables"] = std::move(Shared);
  O["max_threads"] = maxThreads(F);
  O["slots"] = json::Object{
      {"8", K.Count8}, {"4", K.Count4}, {"2", K.Count2}, {"1", K.Count1}};
  O["frame_bytes"] = K.frameBytes();
  json::Array Safepoints;
  for (const Safepoint &SP : K.Safepoints)
    Safepoints.push_back(writeSafepoint(SP, F));
  O["safepoints"] = std::move(Safepoints);

  // JSON objects are printed with sorted keys, so equal entries hash alike.
  std::string Text;
  raw_string_ostream(Text) << json::Value(json::Object(O));
  XXH128_hash_t H = xxh3_128bits(
      ArrayRef(reinterpret_cast<const uint8_t *>(Text.data()), Text.size()));
  O["hash"] = utohexstr(H.high64, true, 16) + utohexstr(H.low64, true, 16);
  return O;
}

std::string writeStateMap(const Module &M, const std::vector<Kernel> &Kernels,
                          const VariableBlock &Variables) {
  json::Object Map{{"abi", HETCKPT_ABI_VERSION},
                   {"module", M.getSourceFileName()},
                   {"variable_bytes", Variables.Data.size()}};
  json::Array Vars, Relocations, Entries;
  for (const Variable &V : Variables.Variables)
    Vars.push_back(json::Object{{"name", V.Name},
                                {"offset", V.Offset},
                                {"bytes", V.Bytes},
                                {"align", V.Align},
                                {"constant", V.Constant}});
  for (const Relocation &R : Variables.Relocations)
    Relocations.push_back(json::Object{
        {"offset", R.Offset}, {"target", R.Target}, {"addend", R.Addend}});
  for (const Kernel &K : Kernels)
    Entries.push_back(writeKernel(K));
  Map["variables"] = std::move(Vars);
  Map["relocations"] = std::move(Relocations);
  Map["kernels"] = std::move(Entries);
  std::string Text;
  raw_string_ostream(Text) << json::Value(std::move(Map));
  return Text;
}

} // namespace hetckpt
