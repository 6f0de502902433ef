// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which calls make a thread wait, and what they ask for.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;

namespace hetckpt::cpu {
namespace {

/// What the arguments of a vocabulary function are, in order: M mask or threads,
/// V value, L lane or barrier id, C clamp, - nothing.
struct Wait {
  StringLiteral Name;
  unsigned Op;
  StringLiteral Operands;
};

constexpr Wait Waits[] = {
    {"spin", HETCKPT_CPU_YIELD, ""},
    {"poll_block", HETCKPT_CPU_POLL_BLOCK, "-"},
    {"poll_warp", HETCKPT_CPU_POLL_WARP, "-"},
    {"barrier", HETCKPT_CPU_BAR_SYNC, "LM"},
    {"barrier_arrive", HETCKPT_CPU_BAR_ARRIVE, "LM"},
    {"barrier_red_popc", HETCKPT_CPU_BAR_POPC, "LMV"},
    {"barrier_red_and", HETCKPT_CPU_BAR_AND, "LMV"},
    {"barrier_red_or", HETCKPT_CPU_BAR_OR, "LMV"},
    {"syncwarp", HETCKPT_CPU_SYNCWARP, "M"},
    {"shfl_idx", HETCKPT_CPU_SHFL_IDX, "MVLC"},
    {"shfl_up", HETCKPT_CPU_SHFL_UP, "MVLC"},
    {"shfl_down", HETCKPT_CPU_SHFL_DOWN, "MVLC"},
    {"shfl_bfly", HETCKPT_CPU_SHFL_BFLY, "MVLC"},
    {"ballot", HETCKPT_CPU_BALLOT, "MV"},
    {"any", HETCKPT_CPU_ANY, "MV"},
    {"all", HETCKPT_CPU_ALL, "MV"},
    {"uni", HETCKPT_CPU_UNI, "MV"},
    {"match_any_i32", HETCKPT_CPU_MATCH_ANY, "MV"},
    {"match_any_i64", HETCKPT_CPU_MATCH_ANY, "MV"},
    {"match_all_i32", HETCKPT_CPU_MATCH_ALL, "MV"},
    {"match_all_i64", HETCKPT_CPU_MATCH_ALL, "MV"},
    {"activemask", HETCKPT_CPU_ACTIVEMASK, ""},
    {"redux_add", HETCKPT_CPU_REDUX_ADD, "MV"},
    {"redux_umin", HETCKPT_CPU_REDUX_UMIN, "MV"},
    {"redux_umax", HETCKPT_CPU_REDUX_UMAX, "MV"},
    {"redux_smin", HETCKPT_CPU_REDUX_SMIN, "MV"},
    {"redux_smax", HETCKPT_CPU_REDUX_SMAX, "MV"},
    {"redux_and", HETCKPT_CPU_REDUX_AND, "MV"},
    {"redux_or", HETCKPT_CPU_REDUX_OR, "MV"},
    {"redux_xor", HETCKPT_CPU_REDUX_XOR, "MV"},
};

const Wait *findWait(StringRef Name) {
  if (!Name.consume_front("__hetckpt_"))
    return nullptr;
  for (const Wait &W : Waits)
    if (Name == W.Name)
      return &W;
  return nullptr;
}

} // namespace

bool isWait(StringRef Callee) { return findWait(Callee) != nullptr; }

Expected<SmallVector<Site, 8>> findSites(llvm::Function &Thread) {
  SmallVector<Site, 8> Sites, Cuts;
  for (Instruction &I : instructions(Thread)) {
    auto *Call = dyn_cast<CallInst>(&I);
    llvm::Function *Callee = Call ? Call->getCalledFunction() : nullptr;
    if (Callee && Callee->getName() == CutName) {
      unsigned Number = cast<ConstantInt>(Call->getArgOperand(0))->getZExtValue();
      if (Cuts.size() <= Number)
        Cuts.resize(Number + 1);
      Cuts[Number].Call = Call;
      Cuts[Number].Op = OpCut;
      Cuts[Number].AtHeader = cast<ConstantInt>(Call->getArgOperand(1))->isOne();
      continue;
    }
    const Wait *W = Callee ? findWait(Callee->getName()) : nullptr;
    if (!W)
      continue;
    if (Call->arg_size() != W->Operands.size())
      return fail(EINVAL, "call of " + Callee->getName() + " with " + Twine(Call->arg_size()) +
                              " arguments instead of " + Twine(W->Operands.size()));
    Site S;
    S.Call = Call;
    S.Op = W->Op;
    for (unsigned N = 0; N < W->Operands.size(); N++) {
      switch (W->Operands[N]) {
      case 'M':
        S.Mask = N;
        break;
      case 'V':
        S.Value = N;
        break;
      case 'L':
        S.Lane = N;
        break;
      case 'C':
        S.Clamp = N;
        break;
      }
    }
    if (MDNode *MD = Call->getMetadata("hetckpt.line"))
      S.Line = mdconst::extract<ConstantInt>(MD->getOperand(0))->getZExtValue();
    Sites.push_back(S);
  }
  Sites.append(Cuts);
  return Sites;
}

} // namespace hetckpt::cpu
