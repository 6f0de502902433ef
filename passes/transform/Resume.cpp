// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The resume variant: the whole kernel, plus an entry that leads each thread to the
// safepoint where it parked.
//
// Jumping from the entry into the middle of a loop would make the loop irreducible:
// slow on GPUs, refused by some compilers. So the rest of the interrupted iteration
// is peeled. For a safepoint in loops L1 > L2 > ... > Ld:
//
//   entry ──▶ restore ──▶ copy of Ld's body from the safepoint on
//                           │ back edge of Ld: header of the copy of Ld
//                           ▼ in the copy of L(d-1)'s body
//                         ... │ back edge of L1
//                             ▼
//                         header of L1 in the kernel itself
//
// The copy M_i holds L_i's blocks; an edge to block S leads to the copy of the
// innermost loop L_j (j <= i) that holds S, but to M_(j-1) if S is L_j's header,
// because a new iteration of L_j runs where L_j is a whole loop. M_0 is the kernel.
// Each M_i (i > 0) is one iteration of L_i: every loop is entered by its header.
//
// Values cross from the entry and from copy to copy, so all of them are demoted to
// stack slots before copying and promoted afterwards: SSA form is rebuilt by mem2reg
// and the steady state is the kernel's own code.
#include "transform/Resume.h"
#include "analysis/LiveState.h"
#include "hetckpt/abi.h"
#include "transform/Frame.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"
#include "Names.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt {

namespace {

class ResumeBuilder {
public:
  ResumeBuilder(Kernel &K, Function &F, Value *Launch, ValueToValueMapTy &Map)
      : K(K), F(F), Launch(Launch), Map(Map), Frames(K, F, Launch) {}

  SmallVector<Safepoint, 8> run();

private:
  void demote();
  BasicBlock *peel(BasicBlock *At, LoopInfo &LI);
  void openEntry();
  void hoistFree();
  void buildEntry(ArrayRef<BasicBlock *> Peeled);
  void fillRestore(BasicBlock *BB, const Safepoint &SP, Value *Group,
                   BasicBlock *Target);
  /// The location of a safepoint in this variant's own debug scope.
  DebugLoc locate(const Safepoint &SP) {
    return cast<BasicBlock>(Map[SP.Cont])->getTerminator()->getDebugLoc();
  }
  void computeLogicalIds(IRBuilder<> &B, Value *Block);
  void bindLogicalIds();

  Kernel &K;
  Function &F;
  Value *Launch;
  ValueToValueMapTy &Map;
  FrameCode Frames;
  SmallVector<AllocaInst *, 32> Demoted;
  DenseMap<Value *, AllocaInst *> Home; ///< value in F to its stack slot
  Value *Logical[6] = {};       ///< block id, then grid
  BasicBlock *Entry = nullptr;
  BasicBlock *Start = nullptr;  ///< the kernel's own first block
  Value *GroupIndex = nullptr;  ///< of this block's frame group, or none
  SmallPtrSet<Value *, 16> Free; ///< run variant's values that the entry computes
};

} // namespace

static bool escapesBlock(const Instruction &I) {
  for (const User *U : I.users()) {
    auto *UI = cast<Instruction>(U);
    if (UI->getParent() != I.getParent() || isa<PHINode>(UI))
      return true;
  }
  return false;
}

void ResumeBuilder::demote() {
  auto At = F.getEntryBlock().getFirstNonPHIOrDbgOrAlloca();
  auto *Marker = CastInst::CreateBitOrPointerCast(
      Constant::getNullValue(Type::getInt32Ty(F.getContext())),
      Type::getInt32Ty(F.getContext()), "slots", At);
  SmallVector<Instruction *, 64> Work;
  for (Instruction &I : instructions(F))
    if (!(isa<AllocaInst>(I) && I.getParent() == &F.getEntryBlock()) &&
        !I.getType()->isVoidTy() && !I.getType()->isTokenTy() && escapesBlock(I))
      Work.push_back(&I);
  for (Instruction *I : Work) {
    AllocaInst *Slot = DemoteRegToStack(*I, false, Marker->getIterator());
    if (!Slot)
      continue;
    Demoted.push_back(Slot);
    Home[I] = Slot;
  }
  SmallVector<PHINode *, 32> Phis;
  for (BasicBlock &BB : F)
    for (PHINode &Phi : BB.phis())
      Phis.push_back(&Phi);
  for (PHINode *Phi : Phis) {
    AllocaInst *Old = Home.lookup(Phi);
    Home.erase(Phi);
    // The value's own slot is what others read; Phi's identity goes away, so key
    // the slot by the run variant's value from here on.
    if (Old)
      for (auto It = Map.begin(), End = Map.end(); It != End; ++It)
        if (It->second == Phi) {
          Home[const_cast<Value *>(It->first)] = Old;
          break;
        }
    if (AllocaInst *Slot = DemotePHIToStack(Phi, Marker->getIterator()))
      Demoted.push_back(Slot);
  }
  Marker->eraseFromParent();
}

/// Copies what runs from block At to the header of the outermost loop around it.
/// Returns where to enter: the copy of At, or At itself outside loops.
BasicBlock *ResumeBuilder::peel(BasicBlock *At, LoopInfo &LI) {
  SmallVector<Loop *, 4> Chain; // Chain[i-1] = L_i
  for (Loop *L = LI.getLoopFor(At); L; L = L->getParentLoop())
    Chain.insert(Chain.begin(), L);
  SmallVector<ValueToValueMapTy *, 4> Copies; // Copies[i-1] = M_i
  SmallVector<std::unique_ptr<ValueToValueMapTy>, 4> Own;

  auto Target = [&](BasicBlock *S, unsigned Level) -> BasicBlock * {
    for (unsigned J = Level; J > 0; --J) {
      if (!Chain[J - 1]->contains(S))
        continue;
      if (S == Chain[J - 1]->getHeader())
        continue; // a new iteration belongs to M_(j-1), which may hold it too
      return cast<BasicBlock>((*Copies[J - 1])[S]);
    }
    return S;
  };
  // A header of L_j that is reached in M_(j-1) is an inner block of L_(j-1), so
  // going on with the next J finds it there.

  for (unsigned Level = 1; Level <= Chain.size(); ++Level) {
    Own.push_back(std::make_unique<ValueToValueMapTy>());
    Copies.push_back(Own.back().get());
    ValueToValueMapTy &M = *Copies.back();
    SmallVector<BasicBlock *, 16> New;
    for (BasicBlock *BB : Chain[Level - 1]->blocks()) {
      BasicBlock *Copy = CloneBasicBlock(BB, M, ".peel", &F);
      M[BB] = Copy;
      New.push_back(Copy);
    }
    // Within the copy, blocks map to themselves first; edges that leave it or start
    // another iteration are corrected below, from the original's successors.
    for (auto [BB, Copy] : zip_equal(Chain[Level - 1]->blocks(), New)) {
      for (Instruction &I : *Copy) {
        RemapDbgRecordRange(F.getParent(), I.getDbgRecordRange(), M,
                            RF_NoModuleLevelChanges | RF_IgnoreMissingLocals);
        if (I.isTerminator())
          continue;
        RemapInstruction(&I, M, RF_NoModuleLevelChanges | RF_IgnoreMissingLocals);
      }
      Instruction *T = Copy->getTerminator();
      for (unsigned Index = 0; Index < T->getNumSuccessors(); ++Index)
        T->setSuccessor(Index,
                        Target(BB->getTerminator()->getSuccessor(Index), Level));
      for (Use &U : T->operands())
        if (!isa<BasicBlock>(U))
          if (Value *V = M.lookup(U))
            U.set(V);
    }
  }
  if (Chain.empty())
    return At;
  return cast<BasicBlock>((*Copies.back())[At]);
}

void ResumeBuilder::computeLogicalIds(IRBuilder<> &B, Value *Block) {
  Type *I32 = B.getInt32Ty();
  Value *Grid[3], *Id[3];
  for (unsigned D = 0; D < 3; ++D)
    Grid[D] = Frames.launchField(B, offsetof(hetckpt_launch, grid) + 4 * D, I32);
  Id[0] = B.CreateURem(Block, Grid[0], "block.x");
  Value *Rest = B.CreateUDiv(Block, Grid[0]);
  Id[1] = B.CreateURem(Rest, Grid[1], "block.y");
  Id[2] = B.CreateUDiv(Rest, Grid[1], "block.z");
  for (unsigned D = 0; D < 3; ++D) {
    Logical[D] = Id[D];
    Logical[3 + D] = Grid[D];
  }
}

/// Puts the entry's ids in place of all calls for them, the frame code's included.
void ResumeBuilder::bindLogicalIds() {
  for (Instruction &I : make_early_inc_range(instructions(F))) {
    auto *Call = dyn_cast<CallInst>(&I);
    if (!Call || !Call->getCalledFunction())
      continue;
    StringRef Name = Call->getCalledFunction()->getName();
    for (unsigned D = 0; D < 3; ++D) {
      Value *V = Name == names::LogicalBlock[D]  ? Logical[D]
                 : Name == names::LogicalGrid[D] ? Logical[3 + D]
                                                 : nullptr;
      if (!V)
        continue;
      Call->replaceAllUsesWith(V);
      Call->eraseFromParent();
      break;
    }
  }
}

void ResumeBuilder::fillRestore(BasicBlock *BB, const Safepoint &SP,
                                Value *Group, BasicBlock *Target) {
  IRBuilder<> B(BB);
  B.SetCurrentDebugLocation(locate(SP));
  for (const LivePrivate &P : SP.Private)
    Frames.loadPrivate(B, Group, P, cast<AllocaInst>(Map[P.Object]));
  DenseMap<Value *, Value *> Restored; // run variant's value to value here
  auto Put = [&](Value *Original, Value *V) {
    Restored[Original] = V;
    Value *Here = Map[Original];
    AllocaInst *Slot = Home.lookup(Original);
    if (!Slot && Here)
      Slot = Home.lookup(Here);
    if (Slot)
      B.CreateStore(V, Slot);
  };
  for (const LiveValue &LV : SP.Live)
    Put(LV.V, Frames.loadValue(B, Group, LV));
  for (Value *V : SP.Remat) {
    if (Free.count(V)) {
      Restored[V] = Map[V];
      continue;
    }
    SmallVector<Instruction *, 8> Recipe;
    bool Ok = rematerialise(
        V, [&](const Value *X) { return Restored.count(X); }, Recipe);
    assert(Ok && "decided when the live state was computed");
    (void)Ok;
    for (Instruction *I : Recipe) {
      if (Restored.count(I))
        continue;
      Instruction *Copy = I->clone();
      for (Use &U : Copy->operands()) {
        if (Value *R = Restored.lookup(U.get()))
          U.set(R);
        else if (auto It = Map.find(U.get()); It != Map.end())
          U.set(It->second);
      }
      B.Insert(Copy);
      Copy->setDebugLoc(B.getCurrentDebugLocation());
      Restored[I] = Copy;
    }
    Put(V, Restored[V]);
  }
  B.CreateBr(Target);
}

/// Starts the entry: stack slots, this block's work, its logical ids.
void ResumeBuilder::openEntry() {
  LLVMContext &C = F.getContext();
  Start = &F.getEntryBlock();
  Entry = BasicBlock::Create(C, "resume.entry", &F, Start);
  // Private objects must lie in the entry block to be allocated once.
  for (Instruction &I : make_early_inc_range(*Start))
    if (auto *A = dyn_cast<AllocaInst>(&I); A && isa<Constant>(A->getArraySize()))
      A->moveBefore(*Entry, Entry->end());

  IRBuilder<> B(Entry);
  if (DISubprogram *SP = F.getSubprogram())
    B.SetCurrentDebugLocation(DILocation::get(C, SP->getLine(), 0, SP));
  Type *I32 = B.getInt32Ty(), *I64 = B.getInt64Ty();
  // This hardware block's work: list[hardware id]. Resume launches are
  // one-dimensional.
  Value *Hardware = callNamed(B, "llvm.nvvm.read.ptx.sreg.ctaid.x", I32);
  Value *List = Frames.launchField(B, offsetof(hetckpt_launch, list), I64);
  Value *Ref = B.CreateIntToPtr(
      B.CreateAdd(List, B.CreateMul(B.CreateZExt(Hardware, I64),
                                    B.getInt64(sizeof(hetckpt_block_ref)))),
      PointerType::get(C, 1));
  Value *Block = B.CreateLoad(I32, Ref, "logical");
  GroupIndex = B.CreateLoad(
      I32, B.CreateConstInBoundsGEP1_32(B.getInt8Ty(), Ref,
                                        offsetof(hetckpt_block_ref, group)));
  computeLogicalIds(B, Block);
  B.CreateBr(Start); // for now: keeps the function well-formed while it is rebuilt
}

/// Values that follow from arguments and ids alone are computed once, in the entry,
/// for both ways into the kernel. Left to the restore code they would meet the
/// kernel's own in phis, and what was an address with a constant offset would hold a
/// register of its own throughout the loops.
void ResumeBuilder::hoistFree() {
  SmallVector<Value *, 16> Order;
  for (const Safepoint &SP : K.Safepoints)
    for (Value *V : SP.Remat) {
      SmallVector<Instruction *, 8> Recipe;
      if (!Free.count(V) &&
          rematerialise(V, [](const Value *) { return false; }, Recipe)) {
        Free.insert(V);
        Order.push_back(V);
      }
    }
  IRBuilder<> B(Entry->getTerminator());
  B.SetCurrentDebugLocation(Entry->getTerminator()->getDebugLoc());
  DenseMap<Value *, Value *> Made;
  for (Value *V : Order) {
    SmallVector<Instruction *, 8> Recipe;
    rematerialise(V, [](const Value *) { return false; }, Recipe);
    for (Instruction *I : Recipe) {
      if (Made.count(I))
        continue;
      // A logical id has become the entry's own value.
      if (auto *Call = dyn_cast<CallBase>(I);
          Call && Call->getCalledFunction()->getName().starts_with("__hetckpt_logical_")) {
        Made[I] = Map[I];
        continue;
      }
      Instruction *Copy = I->clone();
      for (Use &U : Copy->operands()) {
        if (Value *R = Made.lookup(U.get()))
          U.set(R);
        else if (auto It = Map.find(U.get()); It != Map.end())
          U.set(It->second);
      }
      B.Insert(Copy);
      Copy->setDebugLoc(B.getCurrentDebugLocation());
      Made[I] = Copy;
    }
  }
  for (Value *V : Order) {
    auto *Old = dyn_cast_or_null<Instruction>(static_cast<Value *>(Map[V]));
    Value *New = Made[V];
    if (!Old || Old == New)
      continue;
    Old->replaceAllUsesWith(New);
    Old->eraseFromParent();
    Map[V] = New;
  }
}

void ResumeBuilder::buildEntry(ArrayRef<BasicBlock *> Peeled) {
  LLVMContext &C = F.getContext();
  Entry->getTerminator()->eraseFromParent();
  IRBuilder<> B(Entry);
  if (DISubprogram *SP = F.getSubprogram())
    B.SetCurrentDebugLocation(DILocation::get(C, SP->getLine(), 0, SP));
  Type *I32 = B.getInt32Ty();
  Value *Index = GroupIndex;

  auto *Framed = BasicBlock::Create(C, "framed", &F, Start);
  auto *Fresh = BasicBlock::Create(C, "fresh", &F, Start);
  auto *Return = BasicBlock::Create(C, "returned", &F);
  ReturnInst::Create(C, Return);
  Value *None = B.CreateICmpEQ(Index, B.getInt32(HETCKPT_NO_GROUP));
  B.CreateCondBr(None, Fresh, Framed);

  // A block that has not begun honours the flag before it begins, as in the run
  // variant; blocks with frames always get past their safepoint, so that every
  // resume makes progress.
  auto *ParkStart = BasicBlock::Create(C, "park.start", &F);
  {
    IRBuilder<> E(Fresh);
    E.SetCurrentDebugLocation(B.getCurrentDebugLocation());
    CallInst *Poll = callNamed(E, names::PollEntry, I32, {Launch});
    if (*K.PauseScope != Scope::Thread)
      Poll->setConvergent();
    SwitchInst *S = E.CreateSwitch(Poll, Start, 2);
    S->addCase(E.getInt32(1), Return);
    S->addCase(E.getInt32(2), ParkStart);
  }

  B.SetInsertPoint(Framed);
  Value *Group = Frames.resumeGroup(B, Index);
  if (*K.PauseScope == Scope::Block) {
    // Threads that had returned help to restore shared memory, then return again.
    Frames.loadShared(B, Group);
    callNamed(B, "llvm.nvvm.barrier.cta.sync.aligned.all", B.getVoidTy(),
              {B.getInt32(0)})
        ->setConvergent();
  }
  Value *Id = Frames.loadSafepoint(B, Group);
  SwitchInst *Switch = B.CreateSwitch(Id, Return, K.Safepoints.size() + 1);
  Switch->addCase(B.getInt32(HETCKPT_SP_START), Start);
  for (auto [SP, Target] : zip_equal(K.Safepoints, Peeled)) {
    auto *Restore = BasicBlock::Create(C, "restore." + std::to_string(SP.Id), &F,
                                       Start);
    fillRestore(Restore, SP, Group, Target);
    Switch->addCase(B.getInt32(SP.Id), Restore);
  }
  Frames.emitParkAtStart(ParkStart);
}

SmallVector<Safepoint, 8> ResumeBuilder::run() {
  for (unsigned I = 0; I < K.Objects.size(); ++I)
    Frames.Objects[I] = cast<AllocaInst>(Map[K.Objects[I]]);
  // What a resumed thread finds in a private object was stored there by the
  // restore code, outside of any lifetime the original marks.
  for (Instruction &I : make_early_inc_range(instructions(F)))
    if (I.isLifetimeStartOrEnd())
      I.eraseFromParent();

  openEntry();
  bindLogicalIds();
  hoistFree();
  demote();
  DominatorTree DT(F);
  LoopInfo LI(DT);
  SmallVector<BasicBlock *, 8> Peeled;
  for (Safepoint &SP : K.Safepoints)
    Peeled.push_back(peel(cast<BasicBlock>(Map[SP.Cont]), LI));

  SmallVector<Safepoint, 8> Result;
  // Park blocks have no successors and so lie outside all loops: copies of polls
  // lead to the same park blocks, and their state is in the same stack slots.
  for (Safepoint &SP : K.Safepoints) {
    Safepoint Here = SP;
    Here.Park = cast<BasicBlock>(Map[SP.Park]);
    Here.Cont = cast<BasicBlock>(Map[SP.Cont]);
    Here.Loc = locate(SP);
    // The frame code reads each value where it parks: from its stack slot, which
    // promotion turns into whatever reaches here.
    IRBuilder<> B(Here.Park->getTerminator());
    B.SetCurrentDebugLocation(Here.Loc);
    for (LiveValue &LV : Here.Live) {
      AllocaInst *Slot = Home.lookup(LV.V);
      if (!Slot)
        Slot = Home.lookup(Map[LV.V]);
      LV.V = Slot ? cast<Value>(B.CreateLoad(Slot->getAllocatedType(), Slot))
                  : cast<Value>(Map[LV.V]);
    }
    for (LivePrivate &P : Here.Private)
      P.Object = cast<AllocaInst>(Map[P.Object]);
    Result.push_back(std::move(Here));
  }
  // Park code first: it uses the logical ids that the entry defines.
  for (Safepoint &SP : Result)
    Frames.emitPark(SP);
  buildEntry(Peeled);
  bindLogicalIds();

  removeUnreachableBlocks(F);
  DT.recalculate(F);
  SmallVector<AllocaInst *, 32> Promotable;
  for (AllocaInst *A : Demoted)
    if (isAllocaPromotable(A))
      Promotable.push_back(A);
  PromoteMemToReg(Promotable, DT);
  return Result;
}

SmallVector<Safepoint, 8> buildResume(Kernel &K, Function &F, Value *Launch,
                                      ValueToValueMapTy &Map) {
  return ResumeBuilder(K, F, Launch, Map).run();
}

} // namespace hetckpt
