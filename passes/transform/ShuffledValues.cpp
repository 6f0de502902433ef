// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transform/ShuffledValues.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/InstrTypes.h"

using namespace llvm;

namespace hetckpt {

static bool isShuffle(const CallBase &Call) {
  if (auto *Asm = dyn_cast<InlineAsm>(Call.getCalledOperand()))
    return StringRef(Asm->getAsmString()).contains("shfl.");
  const Function *Callee = Call.getCalledFunction();
  return Callee && Callee->getName().starts_with("llvm.nvvm.shfl.");
}

static void dropNoUndef(CallBase &Call) {
  for (unsigned N = 0; N < Call.arg_size(); ++N)
    Call.removeParamAttr(N, Attribute::NoUndef);
  Function *Callee = Call.getCalledFunction();
  // What the host gives a kernel, and what intrinsics ask for, stays as it is.
  if (!Callee || Callee->isIntrinsic() || Callee->getCallingConv() == CallingConv::PTX_Kernel)
    return;
  for (Argument &A : Callee->args())
    A.removeAttr(Attribute::NoUndef);
}

void admitUndefinedShuffles(Module &M) {
  // Functions with a shuffle in them, and what calls these.
  SmallSetVector<Function *, 16> Shuffling;
  for (Function &F : M)
    if (any_of(instructions(F), [](const Instruction &I) {
          auto *Call = dyn_cast<CallBase>(&I);
          return Call && isShuffle(*Call);
        }))
      Shuffling.insert(&F);
  for (unsigned N = 0; N < Shuffling.size(); ++N)
    for (User *U : Shuffling[N]->users())
      if (auto *Call = dyn_cast<CallBase>(U); Call && Call->getCalledFunction() == Shuffling[N]) {
        dropNoUndef(*Call);
        Shuffling.insert(Call->getFunction());
      }
  // On its way to the shuffle a value may go through conversions.
  for (Function *F : Shuffling)
    if (F->getCallingConv() != CallingConv::PTX_Kernel)
      for (Instruction &I : instructions(*F))
        if (auto *Call = dyn_cast<CallBase>(&I))
          dropNoUndef(*Call);
}

} // namespace hetckpt
