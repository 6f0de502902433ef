// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the pass knows about one kernel, filled in step by step: analyses decide,
// transforms act, the state map writes it all down.
#pragma once

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/DebugLoc.h"
#include "llvm/IR/Instructions.h"
#include <optional>
#include <string>

namespace hetckpt {

/// The smallest group of threads with no dependence between its members but
/// through global memory: it pauses together.
enum class Scope { Thread, Warp, Block };

const char *scopeName(Scope S);

/// One value, or leaf of an aggregate value, in a frame.
struct Slot {
  unsigned Class = 0; ///< bytes: 8, 4, 2 or 1
  unsigned Index = 0; ///< among the slots of its class
  std::string Type;   ///< as in the state map
  std::string Kind;   ///< value, global, shared, generic, private
  std::string Name;   ///< source variable, or empty
  /// A pointer's: the private objects that it may point into; empty: any.
  llvm::SmallVector<unsigned, 2> Objects;
};

/// A value that lives across a safepoint, with its slots in leaf order.
struct LiveValue {
  llvm::Value *V = nullptr;
  llvm::SmallVector<Slot, 1> Slots;
};

/// A private array that lives across a safepoint, saved by content.
struct LivePrivate {
  llvm::AllocaInst *Object = nullptr;
  unsigned Number = 0; ///< object number within the kernel
  uint64_t Bytes = 0;
  unsigned Index = 0;  ///< first slot of class 8
  std::string Name;
};

/// A point where a whole scope may leave the kernel and come back.
///
///   Poll:  %p = call i32 @__hetckpt_poll_...(ptr %launch)
///          br (%p != 0), Park, Cont
///   Park:  store the frame; ret void
///   Cont:  the point at which the kernel goes on
struct Safepoint {
  unsigned Id = 0;
  llvm::BasicBlock *Park = nullptr;
  llvm::BasicBlock *Cont = nullptr;
  llvm::DebugLoc Loc;
  std::string Kind; ///< loop or wait
  llvm::SmallVector<LiveValue, 8> Live;
  llvm::SmallVector<llvm::Value *, 8> Remat; ///< recomputed on resume
  llvm::SmallVector<LivePrivate, 2> Private;
};

struct Kernel {
  llvm::Function *Original = nullptr;
  llvm::Function *Run = nullptr;
  llvm::Function *Resume = nullptr;
  std::optional<Scope> PauseScope; ///< empty: cannot pause, see Reason
  std::string Reason;
  bool Waits = false;
  bool Polls = false;
  llvm::SmallVector<Safepoint, 8> Safepoints;
  /// Slots a frame has of each class, maximum over safepoints.
  unsigned Count8 = 0, Count4 = 0, Count2 = 0, Count1 = 0;
  /// Static shared memory: one structure for the kernel and its variants.
  llvm::GlobalVariable *Shared = nullptr;
  uint64_t SharedBytes = 0;
  uint64_t SharedAlign = 16;
  struct SharedVariable {
    std::string Name;
    uint64_t Offset, Bytes;
  };
  llvm::SmallVector<SharedVariable, 4> SharedVariables;
  llvm::GlobalVariable *DynamicShared = nullptr;
  /// Private objects of the run variant, by object number.
  llvm::SmallVector<llvm::AllocaInst *, 4> Objects;

  unsigned frameBytes() const {
    return 8 * Count8 + 4 * Count4 + 2 * Count2 + Count1;
  }
};

} // namespace hetckpt
