// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Code that stores a thread's frame when it parks and loads it when it resumes.
// The layout is that of include/hetckpt/abi.h.
#pragma once

#include "Kernel.h"
#include "llvm/IR/IRBuilder.h"

namespace hetckpt {

/// Values that park and resume code in one kernel variant share.
class FrameCode {
public:
  /// Launch: address of the launch record in this variant.
  FrameCode(Kernel &K, llvm::Function &F, llvm::Value *Launch);

  /// Fills SP.Park: finds the block's group, stores the safepoint id, every slot
  /// and private array, and the block's shared memory; returns.
  void emitPark(Safepoint &SP);

  /// Fills BB so that a thread which has not begun parks with HETCKPT_SP_START.
  void emitParkAtStart(llvm::BasicBlock *BB);

  /// In a resume variant, at B: address of group Group of the table to resume from.
  llvm::Value *resumeGroup(llvm::IRBuilder<> &B, llvm::Value *Group);
  /// Safepoint id of this thread in a group.
  llvm::Value *loadSafepoint(llvm::IRBuilder<> &B, llvm::Value *Group);
  /// Copies the block's shared memory back; all threads of the block take part.
  /// Ends the current block; B continues in a new one.
  void loadShared(llvm::IRBuilder<> &B, llvm::Value *Group);
  /// Loads a live value; Shape: the value in this variant, for its type.
  llvm::Value *loadValue(llvm::IRBuilder<> &B, llvm::Value *Group,
                         const LiveValue &LV);
  /// Restores the content of a private array.
  void loadPrivate(llvm::IRBuilder<> &B, llvm::Value *Group,
                   const LivePrivate &P, llvm::AllocaInst *Object);

  /// Objects of this variant by object number (the run variant's by default).
  llvm::SmallVector<llvm::AllocaInst *, 4> Objects;

  /// Loads field of type Ty at Offset of the launch record.
  llvm::Value *launchField(llvm::IRBuilder<> &B, unsigned Offset, llvm::Type *Ty);
  llvm::Value *linearThread(llvm::IRBuilder<> &B);
  llvm::Value *threadCount(llvm::IRBuilder<> &B);
  llvm::Value *linearBlock(llvm::IRBuilder<> &B);

private:
  llvm::Value *slotAddress(llvm::IRBuilder<> &B, llvm::Value *Group,
                           unsigned Class, unsigned Index);
  llvm::Value *areaOffset(llvm::IRBuilder<> &B, unsigned Class);
  llvm::Value *encodePointer(llvm::IRBuilder<> &B, llvm::Value *P, const Slot &S);
  llvm::Value *decodePointer(llvm::IRBuilder<> &B, llvm::Value *Bits,
                             llvm::Type *Ty, llvm::StringRef Kind);
  llvm::Value *sharedOffset(llvm::IRBuilder<> &B, llvm::Value *P);
  llvm::Value *sharedAddress(llvm::IRBuilder<> &B, llvm::Value *Offset);
  llvm::Value *privateBits(llvm::IRBuilder<> &B, llvm::Value *P,
                           llvm::ArrayRef<unsigned> May);
  llvm::Value *privateAddress(llvm::IRBuilder<> &B, llvm::Value *Bits);
  llvm::Value *claimGroup(llvm::IRBuilder<> &B);
  void copyPrivate(llvm::IRBuilder<> &B, llvm::Value *Group, const LivePrivate &P,
                   llvm::AllocaInst *Object, bool Save);
  void copyShared(llvm::IRBuilder<> &B, llvm::Value *Group, bool Save);
  void countPresent(llvm::IRBuilder<> &B, llvm::Value *Group, llvm::Value *&Rank,
                    llvm::Value *&Here);
  llvm::Value *global(llvm::IRBuilder<> &B, llvm::Value *Address);

  Kernel &K;
  llvm::Function &F;
  llvm::Value *Launch;
  llvm::Module &M;
};

/// Calls a function of the neutral vocabulary or an LLVM intrinsic by name.
llvm::CallInst *callNamed(llvm::IRBuilder<> &B, llvm::StringRef Name,
                          llvm::Type *Result,
                          llvm::ArrayRef<llvm::Value *> Args = {});

} // namespace hetckpt
