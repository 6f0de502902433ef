// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inline assembly by which the threads of a warp or a block meet, as CUB writes it. Analyses
// know NVVM's intrinsics for these, so that is what the module's own code gets, too, before
// anything else looks at it:
//
//   shfl.sync.up.b32 r|p, x, b, c, m     llvm.nvvm.shfl.sync.up.i32p
//   vote.ballot.sync.b32 r, p, m         llvm.nvvm.vote.ballot.sync
//   barrier.sync 1, n                    llvm.nvvm.barrier.cta.sync.count
//
// Gaps: elect, operations without .sync, what is done by a cluster.
#include "image/AsmRaiser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace hetckpt {

Value *Raiser::intrinsic(const Twine &Name, Type *Result, ArrayRef<Value *> Args) {
  if (!B)
    return Result->isVoidTy() ? nullptr : Constant::getNullValue(Result);
  SmallVector<Type *, 4> Types;
  for (Value *A : Args)
    Types.push_back(A->getType());
  FunctionCallee Callee = B->GetInsertBlock()->getModule()->getOrInsertFunction(
      ("llvm.nvvm." + Name).str(), FunctionType::get(Result, Types, false));
  CallInst *New = B->CreateCall(Callee, Args);
  if (cast<Function>(Callee.getCallee())->isConvergent())
    New->setConvergent();
  return New;
}

bool Raiser::warp(const Statement &S, ArrayRef<StringRef> Parts) {
  LLVMContext &C = Call.getContext();
  Type *I1 = Type::getInt1Ty(C), *I32 = Type::getInt32Ty(C);
  Type *Pair = StructType::get(I32, I1);
  ArrayRef<StringRef> Names(S.Operands);
  StringRef Op = Parts[0], Suffix = Parts.back();
  // d|p: a value and a predicate.
  auto Both = [&](Value *V) {
    auto [To, Predicate] = Names[0].split('|');
    Value *R = B ? B->CreateExtractValue(V, 0) : Constant::getNullValue(I32);
    Value *P = B ? B->CreateExtractValue(V, 1) : Constant::getNullValue(I1);
    return define(To.trim(), R) && define(Predicate.trim(), P);
  };

  if (Op == "activemask")
    return Suffix == "b32" && Names.size() == 1 &&
           define(Names[0], intrinsic("activemask", I32, {}));
  if (Op == "bar") { // bar.warp.sync
    Value *Mask = Parts.size() == 3 && Suffix == "sync" && Names.size() == 1
                      ? operand(Names[0], I32)
                      : nullptr;
    if (Mask)
      intrinsic("bar.warp.sync", Type::getVoidTy(C), {Mask});
    return Mask;
  }
  if (Parts.size() != 4 || Names.size() < 3)
    return false;
  bool Two = Names[0].contains('|');
  Value *Mask = operand(Names.back(), I32);
  if (!Mask)
    return false;
  if (Op == "shfl" && Parts[1] == "sync" && Suffix == "b32" && Names.size() == 5 &&
      is_contained({"up", "down", "bfly", "idx"}, Parts[2])) {
    Value *V = operand(Names[1], I32), *Lane = operand(Names[2], I32);
    Value *Clamp = operand(Names[3], I32);
    if (!V || !Lane || !Clamp)
      return false;
    std::string Name = ("shfl.sync." + Parts[2] + (Two ? ".i32p" : ".i32")).str();
    Value *R = intrinsic(Name, Two ? Pair : I32, {Mask, V, Lane, Clamp});
    return Two ? Both(R) : define(Names[0], R);
  }
  if (Names.size() != 3)
    return false;
  // The assembler takes vote.sync.ballot and vote.ballot.sync.
  if (Op == "vote" && (Parts[1] == "sync" || Parts[2] == "sync")) {
    StringRef Mode = Parts[1] == "sync" ? Parts[2] : Parts[1];
    Value *P = predicate(Names[1]);
    bool Ballot = Mode == "ballot" && Suffix == "b32";
    if (!P || (!Ballot && !(Suffix == "pred" && is_contained({"any", "all", "uni"}, Mode))))
      return false;
    return define(Names[0], intrinsic("vote." + Mode + ".sync", Ballot ? I32 : I1, {Mask, P}));
  }
  if (Op == "match" && Parts[2] == "sync" && (Suffix == "b32" || Suffix == "b64")) {
    Value *V = operand(Names[1], typeOf(Suffix));
    std::string Width = ("i" + Suffix.drop_front()).str();
    if (!V)
      return false;
    if (Parts[1] == "any")
      return define(Names[0], intrinsic("match.any.sync." + Width, I32, {Mask, V}));
    if (Parts[1] != "all")
      return false;
    Value *R = intrinsic("match.all.sync." + Width + "p", Pair, {Mask, V});
    return Two ? Both(R) : define(Names[0], I32, [&] { return B->CreateExtractValue(R, 0); });
  }
  if (Op == "redux" && Parts[1] == "sync") {
    Value *V = operand(Names[1], I32);
    bool Order = Parts[2] == "min" || Parts[2] == "max", Unsigned = Suffix == "u32";
    if (!V || !is_contained({"u32", "s32", "b32"}, Suffix) ||
        !(Order || is_contained({"add", "and", "or", "xor"}, Parts[2])))
      return false;
    std::string Name = ("redux.sync." + Twine(Order && Unsigned ? "u" : "") + Parts[2]).str();
    return define(Names[0], intrinsic(Name, I32, {V, Mask}));
  }
  return false;
}

/// bar.sync id[, threads], bar.arrive, bar.red.OP; barrier[.cta]. likewise.
bool Raiser::barrier(const Statement &S, ArrayRef<StringRef> Parts) {
  LLVMContext &C = Call.getContext();
  Type *I1 = Type::getInt1Ty(C), *I32 = Type::getInt32Ty(C);
  bool Aligned = Parts[0] == "bar";
  SmallVector<StringRef, 4> Words;
  for (StringRef W : Parts.drop_front())
    if (W == "aligned")
      Aligned = true;
    else if (W != "cta")
      Words.push_back(W);
  bool Reduces = Words.size() == 3 && Words[0] == "red" &&
                 is_contained({"popc", "and", "or"}, Words[1]);
  if (!Reduces && (Words.size() != 1 || (Words[0] != "sync" && Words[0] != "arrive")))
    return false;
  ArrayRef<StringRef> Names(S.Operands);
  if (Names.size() < 1u + 2 * Reduces)
    return false;
  StringRef To = Reduces ? Names[0] : "", Vote = Reduces ? Names.back() : "";
  if (Reduces)
    Names = Names.drop_front().drop_back();
  bool Counted = Names.size() == 2;
  if (Names.size() > 2 || (Words[0] == "arrive" && !Counted))
    return false;
  SmallVector<Value *, 3> Args;
  for (StringRef N : Names)
    Args.push_back(operand(N, I32));
  Type *Result = Type::getVoidTy(C);
  if (Reduces) {
    Args.push_back(predicate(Vote));
    Result = Words[1] == "popc" ? I32 : I1;
  }
  if (is_contained(Args, nullptr))
    return false;
  std::string Name = "barrier.cta." + Words[0].str() + (Reduces ? "." + Words[1].str() : "") +
                     (Aligned ? ".aligned" : "") + (Counted ? ".count" : ".all");
  Value *V = intrinsic(Name, Result, Args);
  return !Reduces || define(To, V);
}

bool Raiser::threads(const Statement &S, ArrayRef<StringRef> Parts) {
  LLVMContext &C = Call.getContext();
  StringRef Op = Parts[0];
  if (Form != RaiseAsm::Adopted)
    return false;
  Acts = Matters = true;
  bool Block = Op == "barrier" || (Op == "bar" && (Parts.size() < 2 || Parts[1] != "warp"));
  if (Block)
    return barrier(S, Parts);
  if (Op == "nanosleep") {
    Value *Time = S.Operands.size() == 1 ? operand(S.Operands[0], Type::getInt32Ty(C)) : nullptr;
    if (Time)
      intrinsic("nanosleep", Type::getVoidTy(C), {Time});
    return Time;
  }
  if (Op != "exit" && Op != "trap")
    return warp(S, Parts);
  if (!S.Operands.empty() || Parts.size() != 1)
    return false;
  if (Op == "exit")
    intrinsic("exit", Type::getVoidTy(C), {});
  else if (B)
    B->CreateIntrinsic(Intrinsic::trap, {});
  return true;
}

} // namespace hetckpt
