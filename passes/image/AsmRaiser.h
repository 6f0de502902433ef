// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between the files that raise inline assembly: InlineAsm.cpp takes snippets apart and does
// integers and fences, AsmFloat.cpp floating point, AsmMemory.cpp loads, stores and
// atomics.
#pragma once

#include "image/InlineAsm.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstrTypes.h"

namespace hetckpt {

struct Statement {
  llvm::StringRef Opcode;
  llvm::SmallVector<llvm::StringRef, 5> Operands;
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

private:
  bool bind();
  bool step(const Statement &S);
  bool fence(Strings Parts);
  bool pair(const Statement &S);
  bool highestBit(const Statement &S);
  Value *build(StringRef Op, Strings Modifiers, StringRef Suffix, Type *Ty,
               llvm::ArrayRef<Value *> In);

  // AsmFloat.cpp; Parts: the opcode between its dots.
  bool floating(const Statement &S, Strings Parts);
  bool compare(const Statement &S, Strings Parts);
  bool select(const Statement &S, Strings Parts);
  bool convert(const Statement &S, Strings Parts);
  bool arithmetic(const Statement &S, StringRef Op, Strings Modifiers, Type *Ty);
  bool approximate(const Statement &S, StringRef Op, Strings Modifiers, Type *Ty);

  // AsmMemory.cpp
  bool memory(const Statement &S, Strings Parts);
  Value *address(StringRef Text, unsigned Space);

  /// S's operands from the second on, Count of them, all of type Ty.
  bool inputs(const Statement &S, Type *Ty, unsigned Count, llvm::SmallVectorImpl<Value *> &In);
  Value *operand(StringRef Text, Type *Ty);
  bool define(StringRef Name, Value *V);
  /// The same with what Make makes, of type Ty.
  bool define(StringRef Name, Type *Ty, llvm::function_ref<Value *()> Make);
  Type *typeOf(StringRef Suffix);
  Value *special(StringRef Name, Type *Ty);

  const llvm::CallBase &Call;
  llvm::IRBuilder<> *B;
  RaiseAsm Form;
  llvm::StringMap<Value *> Values; ///< $N or a register name
  llvm::SmallVector<Type *, 4> Results;
  Value *Carry = nullptr; ///< CC.CF, once this snippet has written it
};

} // namespace hetckpt
