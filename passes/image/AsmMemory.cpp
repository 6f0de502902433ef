// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads, stores and atomics of inline assembly, as CUDA's headers of half precision have
// them. What speaks of caches makes no difference to what is read. Loads that are asked
// for again and again (.cv, or volatile assembly) are not raised: a loop could wait on
// them, unseen.
#include "image/AsmRaiser.h"
#include "llvm/IR/InlineAsm.h"

using namespace llvm;

namespace hetckpt {

/// [REGISTER]: a pointer into address space Space.
Value *Raiser::address(StringRef Text, unsigned Space) {
  if (!Text.consume_front("[") || !Text.consume_back("]"))
    return nullptr;
  Type *Pointer = PointerType::get(Call.getContext(), Space);
  Value *V = Values.lookup(Text.trim());
  bool Is = V && V->getType()->isPointerTy();
  if (!Is && !(V = operand(Text.trim(), Type::getInt64Ty(Call.getContext()))))
    return nullptr;
  if (!B)
    return Constant::getNullValue(Pointer);
  return Is ? B->CreateAddrSpaceCast(V, Pointer) : B->CreateIntToPtr(V, Pointer);
}

/// ld.global[.CACHE].TYPE, st.global[.CACHE].TYPE, atom[.global].add.noftz.TYPE
bool Raiser::memory(const Statement &S, ArrayRef<StringRef> Parts) {
  Type *Ty = typeOf(Parts.back());
  if (!Ty || Parts.size() < 3 || Form == RaiseAsm::Native)
    return false;
  bool Global = Parts[1] == "global";
  unsigned Space = Global ? 1 : 0;
  auto Modifiers = Parts.drop_front(Global ? 2 : 1).drop_back();
  Align Natural(Ty->getPrimitiveSizeInBits() / 8);
  if (Parts[0] == "atom") {
    if (Modifiers.size() != 2 || Modifiers[0] != "add" || Modifiers[1] != "noftz" ||
        !Ty->isFPOrFPVectorTy() || S.Operands.size() != 3)
      return false;
    Value *P = address(S.Operands[1], Space), *V = operand(S.Operands[2], Ty);
    return P && V && define(S.Operands[0], Ty, [&] {
      return B->CreateAtomicRMW(AtomicRMWInst::FAdd, P, V, Natural, AtomicOrdering::Monotonic);
    });
  }
  bool Load = Parts[0] == "ld";
  for (StringRef M : Modifiers)
    if (!is_contained({"ca", "cg", "cs"}, M) && !(Load ? M == "nc" : M == "wb" || M == "wt"))
      return false;
  if (!Global || S.Operands.size() != 2)
    return false;
  Value *P = address(S.Operands[Load ? 1 : 0], Space);
  if (Load)
    return P && !cast<InlineAsm>(Call.getCalledOperand())->hasSideEffects() &&
           define(S.Operands[0], Ty, [&] { return B->CreateAlignedLoad(Ty, P, Natural); });
  Value *V = operand(S.Operands[1], Ty);
  if (P && V && B)
    B->CreateAlignedStore(V, P, Natural, /*isVolatile=*/true);
  return P && V;
}

} // namespace hetckpt
