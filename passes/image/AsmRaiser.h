// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between the files that raise inline assembly: InlineAsm.cpp takes snippets apart and does
// integers and fences, AsmBits.cpp comparisons, choices and what puts bits together,
// AsmFloat.cpp floating point, AsmMemory.cpp loads, stores and atomics, AsmThreads.cpp
// operations of warps and blocks.
#pragma once

#include "image/InlineAsm.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstrTypes.h"
#include <optional>

namespace hetckpt {

struct Statement {
  llvm::StringRef Opcode;
  llvm::SmallVector<llvm::StringRef, 5> Operands;
  llvm::StringRef Guard; ///< register after @, or empty
  bool Unless = false;   ///< it was @!
};

/// Runs a snippet, building IR. With no builder it goes the same way with a constant of the
/// right type in place of each value: what is refused is refused by both.
class Raiser {
  using StringRef = llvm::StringRef;
  using Strings = llvm::ArrayRef<llvm::StringRef>;
  using Type = llvm::Type;
  using Value = llvm::Value;

public:
  Raiser(const llvm::CallBase &Call, llvm::IRBuilder<> *B, RaiseAsm Form)
      : Call(Call), B(B), Form(Form) {}

  bool run();
  Value *result();

  /// After run(): where the snippet reads what another thread may write, and would have to
  /// read again until it does. Invariant says which operands are the same each time.
  bool waits(llvm::function_ref<bool(const Value *)> Invariant) const;

private:
  bool bind();
  bool step(const Statement &S);
  bool guarded(const Statement &S);
  bool fence(Strings Parts);
  bool pair(const Statement &S);
  bool highestBit(const Statement &S);
  Value *build(StringRef Op, Strings Modifiers, StringRef Suffix, Type *Ty,
               llvm::ArrayRef<Value *> In);

  // AsmBits.cpp; Parts: the opcode between its dots.
  bool compare(const Statement &S, Strings Parts);
  bool select(const Statement &S, Strings Parts);
  bool wideProduct(const Statement &S, Strings Parts);
  bool dotProduct(const Statement &S, Strings Parts);
  bool lanes(const Statement &S, Strings Parts);
  bool bits(const Statement &S, Strings Parts);

  // AsmFloat.cpp
  bool floating(const Statement &S, Strings Parts);
  bool convert(const Statement &S, Strings Parts);
  bool arithmetic(const Statement &S, StringRef Op, Strings Modifiers, Type *Ty);
  bool approximate(const Statement &S, StringRef Op, Strings Modifiers, Type *Ty);

  // AsmMemory.cpp
  struct Access;
  bool memory(const Statement &S, Strings Parts);
  bool load(const Statement &S, const Access &A, Value *P);
  bool store(const Statement &S, const Access &A, Value *P);
  bool atomic(const Statement &S, const Access &A, Value *P);
  Value *address(StringRef Text, unsigned Space);
  bool copyAsync(const Statement &S, Strings Parts); // from "async" on

  // AsmThreads.cpp
  bool threads(const Statement &S, Strings Parts);
  bool warp(const Statement &S, Strings Parts);
  bool barrier(const Statement &S, Strings Parts);
  Value *intrinsic(const llvm::Twine &Name, Type *Result, llvm::ArrayRef<Value *> Args);

  /// S's operands from the second on, Count of them, all of type Ty.
  bool inputs(const Statement &S, Type *Ty, unsigned Count, llvm::SmallVectorImpl<Value *> &In);
  Value *operand(StringRef Text, Type *Ty);
  /// A number that is known, whatever its type.
  std::optional<uint64_t> constant(StringRef Text);
  /// As operand, or the low bits of a register that is wider.
  Value *low(StringRef Text, Type *Ty);
  /// The same, or the opposite after "!".
  Value *predicate(StringRef Text);
  bool define(StringRef Name, Value *V);
  /// The same with what Make makes, of type Ty.
  bool define(StringRef Name, Type *Ty, llvm::function_ref<Value *()> Make);
  /// The same with an integer, for a register that may be wider.
  bool defineLow(StringRef Name, Value *V, bool Signed);
  Type *typeOf(StringRef Suffix);
  Value *special(StringRef Name, Type *Ty);

  const llvm::CallBase &Call;
  llvm::IRBuilder<> *B;
  RaiseAsm Form;
  llvm::StringMap<Value *> Values; ///< $N or a register name
  llvm::SmallVector<Type *, 4> Results;
  Value *Carry = nullptr; ///< CC.CF, once this snippet has written it
  bool Acts = false;      ///< a statement did more than compute
  bool Matters = false;   ///< a statement that others must see through
  bool Rereads = false;   ///< a statement that a loop can wait with
  llvm::SmallVector<const Value *, 1> Compared; ///< what compare-and-swaps expect
};

/// True if all bits of a value of type From fit one of type To, and the other way round.
bool sameBits(llvm::Type *From, llvm::Type *To);

} // namespace hetckpt
