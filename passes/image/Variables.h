// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The module's __device__ and __constant__ variables as one block of memory with a
// layout that every target shares.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <string>
#include <vector>

namespace llvm {
class GlobalVariable;
class Module;
} // namespace llvm

namespace hetckpt {

struct Variable {
  std::string Name;
  uint64_t Offset, Bytes, Align;
  bool Constant; ///< __constant__
};

/// An 8-byte word in the block that holds the address of Target + Addend.
struct Relocation {
  uint64_t Offset;
  std::string Target;
  int64_t Addend;
};

struct VariableBlock {
  std::vector<Variable> Variables;
  std::vector<Relocation> Relocations;
  std::vector<uint8_t> Data;        ///< initial contents
  std::vector<std::string> Problems; ///< initialisers that have no neutral form
};

/// Lays out M's variables. Tables that the compiler made (internal constants) are not
/// variables: they stay with the code.
VariableBlock layOutVariables(llvm::Module &M);

/// In the portable module: turns the variables into declarations.
void declareVariables(llvm::Module &M, const VariableBlock &Block);

} // namespace hetckpt
