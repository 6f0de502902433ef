// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A thread function becomes a state machine that returns where it waits and is
// entered again behind that:
//
//   %v = ...                          entry: switch %site [START: begin] [2: cont]
//   call @__hetckpt_barrier(0, 0)     begin: %v = ...
//   use %v                      ->           store %v, frame.v[tid]
//                                            ret 2
//                                     cont:  %v' = load frame.v[tid]
//                                            use %v'
//
// A frame is an array a value, one element a thread, so that a loop over threads reads
// and writes them as vectors. Values that are cheap to compute from arguments and the
// block's record are computed again instead. Private arrays that are left lie in the
// frame whole.
//
// Where a thread's elements are it is told by whoever calls the step function, who may keep
// them elsewhere for a while (Tiles.cpp).
//
// A value that is the same in all threads that came the same way is not reloaded by each;
// whoever calls the step function for a range of threads does so once (Uniform.cpp).
//
// A value's element is written where the value is made, unless that is in a deeper
// loop than the waits that it lives across; then before each of these.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/PostOrderIterator.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

constexpr unsigned RematLimit = 10; // instructions to compute a value again
/// The same for what a loop over threads computes with its counter, or once a row.
constexpr unsigned LinearLimit = 40;

class Splitter {
public:
  Splitter(Variant &Out, ArrayRef<Site> Sites)
      : Out(Out), F(*Out.Thread), Sites(Sites), DL(F.getParent()->getDataLayout()),
        Ctx(F.getContext()) {}

  Error run();

private:
  struct Spilled {
    AllocaInst *Home = nullptr; ///< promoted to a register in the end
    int Slot = -1;              ///< none: computed again
    bool Uniform = false;       ///< reloaded by the caller, once for a range
    WeakTrackingVH Base; ///< only the difference from that is kept; may be a private array,
                         ///< whose place is taken by its address in the frame
    bool Likely = false; ///< which is a uniform as a rule only
    Instruction *Next = nullptr; ///< what followed its definition
    /// Copies of the base at the definition, before and behind each site of Across.
    Value *BaseAtDef = nullptr;
    SmallVector<Value *, 8> BaseBefore, BaseBehind;
    Value *Loaded = nullptr;    ///< what stands for that until there is an argument
    bool AtDef = false;
    SmallVector<unsigned, 8> Across; ///< sites
  };

  Instruction *addStand(Type *T, const Twine &Name);
  Value *addUniform(Type *T, int Slot, bool Likely, ArrayRef<uint32_t> At);
  void cutAtSites();
  void requestAndAnswer();
  void computeLiveness();
  bool liveBehind(const Instruction *V, const Instruction *Def) const;
  void shareSlots();
  void demote(Instruction *I, Spilled &S);
  Error layOut();
  void dispatch();

  Variant &Out;
  llvm::Function &F;
  ArrayRef<Site> Sites;
  const DataLayout &DL;
  LLVMContext &Ctx;

  SmallVector<BasicBlock *, 16> Before, Cont;
  MapVector<Instruction *, Spilled> Spills;
  DenseMap<Instruction *, unsigned> Numbers;         ///< of values used outside their block
  DenseMap<const BasicBlock *, BitVector> LiveOut;   ///< by number
  BasicBlock *Entry = nullptr;
  SmallVector<AllocaInst *, 4> Privates;
  Divergence Shape;
  /// Stand-ins for arguments that do not exist yet, in the order of Out.Slots and Out.Uniforms.
  SmallVector<Instruction *, 16> Addresses, Stands;
  DenseMap<AllocaInst *, uint64_t> PrivateOffset;
  uint64_t PrivateBytes = 0;
};

/// What the step function will get as an argument.
Instruction *Splitter::addStand(Type *T, const Twine &Name) {
  return new FreezeInst(PoisonValue::get(T), Name, Entry->getTerminator()->getIterator());
}

Value *Splitter::addUniform(Type *T, int Slot, bool Likely, ArrayRef<uint32_t> At) {
  Out.Uniforms.push_back({T, Slot, Likely, SmallVector<uint32_t, 4>(At)});
  Stands.push_back(addStand(T, "uniform"));
  return Stands.back();
}

void Splitter::cutAtSites() {
  for (const Site &S : Sites) {
    BasicBlock *B = S.Call->getParent();
    Cont.push_back(B->splitBasicBlock(S.Call->getIterator(), "cont"));
    Before.push_back(nullptr);
  }
  // Only now: a block with two sites was cut twice.
  for (unsigned I = 0; I < Sites.size(); I++)
    Before[I] = Cont[I]->getSinglePredecessor();
}

/// Writes what a site asks for before the cut, and reads the answer behind it in
/// place of the call.
void Splitter::requestAndAnswer() {
  Type *I32 = Type::getInt32Ty(Ctx);
  Value *Block = F.getArg(ArgBlock);
  auto Element = [&](IRBuilder<> &B, size_t Field) {
    Value *Base = loadField(B, Block, Field, B.getPtrTy(), "");
    return B.CreateInBoundsGEP(I32, Base, B.CreateZExt(F.getArg(ArgTid), B.getInt64Ty()));
  };
  for (unsigned N = 0; N < Sites.size(); N++) {
    const Site &S = Sites[N];
    IRBuilder<> B(Before[N]->getTerminator());
    // Looked up now: an operand may be the answer of a site that was dealt with before.
    Value *Operand = S.operand(S.Value), *Mask = S.operand(S.Mask);
    Value *Lane = S.operand(S.Lane), *Clamp = S.operand(S.Clamp);
    auto Put = [&](size_t Field, Value *V) { B.CreateStore(V, Element(B, Field)); };
    if (Value *V = Operand) {
      if (V->getType()->getIntegerBitWidth() == 64) {
        Put(offsetof(hetckpt_cpu_block, extra), B.CreateTrunc(B.CreateLShr(V, 32), I32));
        V = B.CreateTrunc(V, I32);
      }
      Put(offsetof(hetckpt_cpu_block, value), B.CreateZExt(V, I32));
    }
    if (Mask && !isa<ConstantInt>(Mask))
      Put(offsetof(hetckpt_cpu_block, mask), Mask);
    if (Lane && !isa<ConstantInt>(Lane))
      Put(offsetof(hetckpt_cpu_block, lane), Lane);
    if (Clamp && !isa<ConstantInt>(Clamp))
      Put(offsetof(hetckpt_cpu_block, clamp), Clamp);

    Type *T = S.Call->getType();
    B.SetInsertPoint(S.Call);
    Value *R = nullptr;
    auto Get = [&](size_t Field) -> Value * {
      if (!answersAlike(S.Op))
        return B.CreateLoad(I32, Element(B, Field));
      // Not the argument itself: that is another value behind the next site.
      Value *V = addUniform(I32, -1, false, {HETCKPT_CPU_FIRST_SITE + N});
      return B.Insert(new FreezeInst(V));
    };
    if (T->isIntegerTy(32)) {
      R = Get(offsetof(hetckpt_cpu_block, value));
    } else if (T->isIntegerTy(1)) {
      R = B.CreateICmpNE(Get(offsetof(hetckpt_cpu_block, value)), B.getInt32(0));
    } else if (T->isStructTy()) {
      R = B.CreateInsertValue(PoisonValue::get(T), Get(offsetof(hetckpt_cpu_block, value)), 0);
      R = B.CreateInsertValue(
          R, B.CreateICmpNE(Get(offsetof(hetckpt_cpu_block, extra)), B.getInt32(0)), 1);
      for (User *U : make_early_inc_range(S.Call->users()))
        if (auto *X = dyn_cast<ExtractValueInst>(U); X && X->getNumIndices() == 1) {
          // The element itself, so that no aggregate lives across the next site.
          auto *In = cast<InsertValueInst>(R);
          Value *E = X->getIndices()[0] == 1 ? In->getInsertedValueOperand()
                                             : cast<InsertValueInst>(In->getAggregateOperand())
                                                   ->getInsertedValueOperand();
          X->replaceAllUsesWith(E);
          X->eraseFromParent();
        }
    }
    if (R) {
      if (answersAlike(S.Op))
        for (auto I = S.Call->getParent()->begin(); &*I != S.Call; ++I)
          Shape.Uniform.insert(&*I);
      S.Call->replaceAllUsesWith(R);
    }
    S.Call->eraseFromParent();
  }
  // Room for reloads in front of everything. What a site ends may be what another began.
  for (BasicBlock *C : Cont)
    C->splitBasicBlock(C->begin(), "resumed");
  for (unsigned N = 0; N < Cont.size(); N++)
    Before[N] = Cont[N]->getSinglePredecessor();
}

/// Which instructions live across which site.
void Splitter::computeLiveness() {
  DenseMap<Instruction *, unsigned> &Index = Numbers;
  SmallVector<Instruction *, 64> Values;
  for (Instruction &I : instructions(F)) {
    if (isa<AllocaInst>(I) || I.getType()->isVoidTy() || I.getParent() == Entry)
      continue;
    for (User *U : I.users())
      if (cast<Instruction>(U)->getParent() != I.getParent() || isa<PHINode>(U)) {
        Index[&I] = Values.size();
        Values.push_back(&I);
        break;
      }
  }
  DenseMap<BasicBlock *, BitVector> Use, Def, In;
  for (BasicBlock &B : F) {
    BitVector U(Values.size()), D(Values.size());
    for (Instruction &I : B) {
      if (!isa<PHINode>(I))
        for (Value *Op : I.operands())
          if (auto *J = dyn_cast<Instruction>(Op))
            if (auto It = Index.find(J); It != Index.end() && !D[It->second])
              U.set(It->second);
      if (auto It = Index.find(&I); It != Index.end())
        D.set(It->second);
    }
    Use[&B] = std::move(U);
    Def[&B] = std::move(D);
    In[&B] = Use[&B];
  }
  SmallVector<BasicBlock *, 64> Order(post_order(&F.getEntryBlock()));
  for (bool Changed = true; Changed;) {
    Changed = false;
    for (BasicBlock *B : Order) {
      BitVector Live(Values.size());
      for (BasicBlock *S : successors(B)) {
        Live |= In[S];
        for (PHINode &P : S->phis())
          if (auto *J = dyn_cast<Instruction>(P.getIncomingValueForBlock(B)))
            if (auto It = Index.find(J); It != Index.end())
              Live.set(It->second);
      }
      LiveOut[B] = Live;
      Live.reset(Def[B]);
      Live |= Use[B];
      if (Live != In[B]) {
        In[B] = std::move(Live);
        Changed = true;
      }
    }
  }
  for (unsigned N = 0; N < Cont.size(); N++)
    for (unsigned I : In[Cont[N]].set_bits())
      Spills[Values[I]].Across.push_back(N);
}

/// True if V is still wanted when Def, which V dominates or is in one block with, has been made.
bool Splitter::liveBehind(const Instruction *V, const Instruction *Def) const {
  const BasicBlock *B = Def->getParent();
  if (V->getParent() == B && isa<PHINode>(V) && isa<PHINode>(Def))
    return true;
  if (V->getParent() == B && Def->comesBefore(V))
    return false;
  if (auto Out = LiveOut.find(B); Out != LiveOut.end() && Out->second[Numbers.lookup(V)])
    return true;
  return any_of(V->users(), [&](const User *U) {
    auto *I = cast<Instruction>(U);
    return I->getParent() == B && !isa<PHINode>(I) && I != Def && Def->comesBefore(I);
  });
}

/// Values that become one another by phis get one slot, where no two are wanted at a time:
///
///   loop:                                    x, what it becomes and what is left of it behind the
///     %x = phi [%x0, pre], [%x1, latch]      loop lie in one place. A thread that leaves the loop
///     ...                                    then leaves it as it is, where else the others would
///   behind:                                  carry a place along for what it took with it.
///     %last = phi [%x, loop], [%x1, latch]
///
/// Not what a cut loop never changes: it would be read anew in each iteration.
void Splitter::shareSlots() {
  DominatorTree DT(F);
  LoopInfo LI(DT);
  auto Changes = [&](Instruction *I, const Spilled &S) {
    return none_of(S.Across, [&](unsigned N) {
      Loop *L = Sites[N].Op == OpCut && Sites[N].AtHeader ? LI.getLoopFor(Cont[N]) : nullptr;
      return L && !L->contains(I);
    });
  };
  // Values that are phis of each other, whether they are kept or not.
  EquivalenceClasses<Instruction *> Webs;
  for (Instruction &I : instructions(F))
    if (auto *P = dyn_cast<PHINode>(&I))
      for (Value *V : P->incoming_values())
        if (auto *J = dyn_cast<Instruction>(V))
          Webs.unionSets(P, J);
  // Slots with all values in them.
  MapVector<Instruction *, SmallVector<int, 4>> Shared;
  DenseMap<int, SmallVector<Instruction *, 4>> Members;
  for (auto &[I, S] : Spills) {
    if (S.Slot < 0 || !Changes(I, S))
      continue;
    auto Web = Webs.findLeader(I);
    if (Web == Webs.member_end())
      continue;
    auto Fits = [&, I = I, &S = S](Instruction *J) {
      const Spilled &T = Spills[J];
      if (Out.Slots[S.Slot].Ty != Out.Slots[T.Slot].Ty || S.Base != T.Base)
        return false;
      return !(DT.dominates(I, J) && liveBehind(I, J)) && !(DT.dominates(J, I) && liveBehind(J, I)) &&
             !(I->getParent() == J->getParent() && isa<PHINode>(I) && isa<PHINode>(J));
    };
    int *Found = find_if(Shared[*Web], [&](int Slot) { return all_of(Members[Slot], Fits); });
    if (Found == Shared[*Web].end()) {
      Shared[*Web].push_back(S.Slot);
    } else {
      append_range(Out.Slots[*Found].At, Out.Slots[S.Slot].At);
      Out.Slots[S.Slot].At.clear();
      S.Slot = *Found;
    }
    Members[S.Slot].push_back(I);
  }
  // The others move up.
  SmallVector<int, 32> Now(Out.Slots.size(), -1);
  SmallVector<Variant::Slot, 16> Kept;
  for (unsigned N = 0; N < Out.Slots.size(); N++)
    if (!Out.Slots[N].At.empty()) {
      Now[N] = Kept.size();
      Kept.push_back(Out.Slots[N]);
    }
  Out.Slots = std::move(Kept);
  for (auto &[I, S] : Spills)
    if (S.Slot >= 0)
      S.Slot = Now[S.Slot];
}

/// Puts I in memory: a store behind it, a load before each use. Promotion undoes that
/// where no site lies between.
void Splitter::demote(Instruction *I, Spilled &S) {
  S.Home = new AllocaInst(I->getType(), 0, I->getName() + ".home", Entry->getTerminator()->getIterator());
  SmallVector<Use *, 16> Uses;
  for (Use &U : I->uses())
    Uses.push_back(&U);
  DenseMap<std::pair<PHINode *, BasicBlock *>, Value *> PhiLoads;
  for (Use *U : Uses) {
    auto *User = cast<Instruction>(U->getUser());
    if (auto *P = dyn_cast<PHINode>(User)) {
      BasicBlock *From = P->getIncomingBlock(*U);
      Value *&L = PhiLoads[{P, From}];
      if (!L)
        L = new LoadInst(I->getType(), S.Home, I->getName(), From->getTerminator()->getIterator());
      U->set(L);
    } else {
      U->set(new LoadInst(I->getType(), S.Home, I->getName(), User->getIterator()));
    }
  }
  BasicBlock::iterator At = isa<PHINode>(I) ? I->getParent()->getFirstInsertionPt()
                                            : std::next(I->getIterator());
  new StoreInst(I, S.Home, At);
}

Error Splitter::layOut() {
  uint64_t Align16 = 16;
  for (AllocaInst *A : Privates) {
    std::optional<TypeSize> Bytes = A->getAllocationSize(DL);
    if (!Bytes)
      return fail(ENOTSUP, "has a private array of variable size");
    Align16 = std::max<uint64_t>(Align16, A->getAlign().value());
    if (A->getAlign().value() > 64)
      return fail(ENOTSUP, "has a private array aligned to more than 64 bytes");
    PrivateBytes = alignTo(PrivateBytes, A->getAlign());
    PrivateOffset[A] = PrivateBytes;
    PrivateBytes += Bytes->getFixedValue();
  }
  PrivateBytes = alignTo(PrivateBytes, Align16);
  uint64_t Offset = PrivateBytes;
  SmallVector<Variant::Slot *, 32> Order;
  for (Variant::Slot &S : Out.Slots)
    Order.push_back(&S);
  stable_sort(Order, [](auto *A, auto *B) { return A->A > B->A; });
  for (Variant::Slot *S : Order) {
    // Only the first areas may need more than 16: frames are 64-aligned, but an
    // area's start is a multiple of the number of threads.
    S->A = std::min(S->A, Align(16));
    S->Offset = Offset;
    Offset += S->Bytes;
  }
  Offset = alignTo(Offset, 16);
  if (Offset > (64u << 20))
    return fail(E2BIG, "needs " + Twine(Offset) + " bytes of frame a thread");
  Out.FrameBytes = Offset;
  return Error::success();
}

void Splitter::dispatch() {
  // A new function, with the site, slots and uniforms as further arguments.
  SmallVector<Type *, 32> Params(F.getFunctionType()->params());
  Params.push_back(Type::getInt32Ty(Ctx));
  Params.append(Out.Slots.size(), PointerType::get(Ctx, 0));
  for (const Variant::Uniform &U : Out.Uniforms)
    Params.push_back(U.Ty);
  auto *New = llvm::Function::Create(FunctionType::get(F.getReturnType(), Params, false),
                                     GlobalValue::InternalLinkage, Out.Name + ".step",
                                     F.getParent());
  New->copyAttributesFrom(&F);
  New->splice(New->begin(), &F);
  for (unsigned I = 0; I < ContextArgs; I++) {
    New->getArg(I)->takeName(F.getArg(I));
    F.getArg(I)->replaceAllUsesWith(New->getArg(I));
  }
  Argument *SiteArg = New->getArg(ContextArgs);
  SiteArg->setName("site");
  Argument *Next = SiteArg + 1;
  for (auto *List : {&Addresses, &Stands})
    for (Instruction *Stand : *List) {
      Next->takeName(Stand);
      Stand->replaceAllUsesWith(Next++);
      Stand->eraseFromParent();
    }
  BasicBlock *Begin = Entry->getSingleSuccessor();
  BasicBlock *None = BasicBlock::Create(Ctx, "none", New);
  new UnreachableInst(Ctx, None);
  Entry->getTerminator()->eraseFromParent();
  auto *Switch = SwitchInst::Create(SiteArg, None, Sites.size() + 1, Entry);
  IRBuilder<> B(Ctx);
  Switch->addCase(B.getInt32(HETCKPT_CPU_START), Begin);
  for (unsigned N = 0; N < Sites.size(); N++) {
    ConstantInt *Number = B.getInt32(HETCKPT_CPU_FIRST_SITE + N);
    Before[N]->getTerminator()->eraseFromParent();
    ReturnInst::Create(Ctx, Number, Before[N]);
    Switch->addCase(Number, Cont[N]);
  }
  F.eraseFromParent();
  Out.Thread = New;
}

Error Splitter::run() {
  Shape = findDivergence(F, Sites);
  cutAtSites();
  Entry = BasicBlock::Create(Ctx, "dispatch", &F, &F.getEntryBlock());
  BranchInst::Create(Entry->getNextNode(), Entry);
  requestAndAnswer();
  for (Instruction &I : instructions(F))
    if (auto *A = dyn_cast<AllocaInst>(&I))
      Privates.push_back(A);
  // What lifetime markers say holds for a stack slot, not for a frame.
  for (Instruction &I : make_early_inc_range(instructions(F)))
    if (I.isLifetimeStartOrEnd())
      I.eraseFromParent();
  computeLiveness();

  DominatorTree DT(F);
  LoopInfo LI(DT);

  // Decide first, on the code as it is.
  BaseFinder Bases(Shape, Entry, false), LikelyBases(Shape, Entry, true);
  for (auto &[I, S] : Spills) {
    unsigned Limit = linearInX(I, 16) ? LinearLimit : RematLimit;
    if (rematCost(I, Limit, Entry) <= Limit)
      continue;
    S.Uniform = Shape.Uniform.contains(I);
    if (!S.Uniform)
      S.Base = Bases.find(I);
    if (!S.Uniform && !S.Base && Out.CutCount) {
      S.Base = LikelyBases.find(I);
      S.Likely = S.Base != nullptr;
    }
    Type *T = I->getType()->isIntegerTy(1) ? Type::getInt8Ty(Ctx) : I->getType();
    if (S.Base && T->isPointerTy() && S.Base->getType()->isPointerTy())
      T = Type::getInt64Ty(Ctx);
    S.Slot = Out.Slots.size();
    Out.Slots.push_back({T, DL.getTypeAllocSize(T).getFixedValue(), 0, DL.getABITypeAlign(T), {}});
    for (unsigned N : S.Across)
      Out.Slots.back().At.push_back(HETCKPT_CPU_FIRST_SITE + N);
    unsigned Shallowest = ~0u;
    for (unsigned N : S.Across)
      Shallowest = std::min(Shallowest, LI.getLoopDepth(Before[N]));
    S.AtDef = LI.getLoopDepth(I->getParent()) <= Shallowest;
  }
  if (Out.CutCount)
    shareSlots();
  if (Error E = layOut())
    return E;

  // Addresses of the thread's elements and private arrays.
  IRBuilder<> B(Entry->getTerminator());
  for (unsigned N = 0; N < Out.Slots.size(); N++)
    Addresses.push_back(addStand(B.getPtrTy(), "slot"));
  Value *Tid = B.CreateZExt(F.getArg(ArgTid), B.getInt64Ty());
  Value *Frames = loadField(B, F.getArg(ArgBlock), offsetof(hetckpt_cpu_block, frames), B.getPtrTy(), "frames");
  for (AllocaInst *A : Privates) {
    Value *P = B.CreateInBoundsGEP(B.getInt8Ty(), Frames,
                                   B.CreateNUWMul(Tid, B.getInt64(PrivateBytes)));
    P = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), P, PrivateOffset[A], A->getName());
    A->replaceAllUsesWith(P);
    A->eraseFromParent();
  }

  for (auto &[I, S] : Spills) {
    if (S.Slot < 0 || (!S.Uniform && !S.Base))
      continue;
    const Variant::Slot &Kept = Out.Slots[S.Slot];
    SmallVector<uint32_t, 8> At;
    for (unsigned N : S.Across)
      At.push_back(HETCKPT_CPU_FIRST_SITE + N);
    S.Loaded = addUniform(Kept.Ty, S.Slot, S.Likely, At);
  }

  auto Spill = [&](IRBuilder<> &At, Spilled &S, Value *V, Value *B) {
    const Variant::Slot &L = Out.Slots[S.Slot];
    if (S.Base) {
      if (L.Ty->isPointerTy()) {
        At.CreateAlignedStore(At.CreateGEP(At.getInt8Ty(), V, At.CreateNeg(B)), Addresses[S.Slot], L.A);
        return;
      }
      if (V->getType()->isPointerTy()) {
        V = At.CreatePtrToInt(V, L.Ty);
        B = At.CreatePtrToInt(B, L.Ty);
      }
      V = At.CreateSub(V, B);
    } else if (V->getType() != L.Ty) {
      V = At.CreateZExt(V, L.Ty);
    }
    At.CreateAlignedStore(V, Addresses[S.Slot], L.A);
  };
  // Computing a value again needs the originals' operands: clone before uses change.
  SmallVector<DenseMap<Value *, Value *>, 16> Done(Cont.size());
  MapVector<std::pair<Instruction *, unsigned>, Value *> Clones;
  for (auto &[I, S] : Spills)
    if (S.Slot < 0)
      for (unsigned N : S.Across) {
        IRBuilder<> At(Cont[N]->getTerminator());
        Clones[{I, N}] = rematerialise(I, At, Done[N], Entry);
      }
  for (auto &[I, S] : Spills) {
    S.Next = isa<PHINode>(I) ? &*I->getParent()->getFirstInsertionPt() : I->getNextNode();
    if (!S.Base)
      continue;
    IRBuilder<> At(S.Next);
    DenseMap<Value *, Value *> Here;
    S.BaseAtDef = rematerialise(S.Base, At, Here, Entry);
    for (unsigned N : S.Across) {
      At.SetInsertPoint(Cont[N]->getTerminator());
      S.BaseBehind.push_back(rematerialise(S.Base, At, Done[N], Entry));
      At.SetInsertPoint(Before[N]->getTerminator());
      Here.clear();
      S.BaseBefore.push_back(S.AtDef ? nullptr : rematerialise(S.Base, At, Here, Entry));
    }
  }
  for (auto &[I, S] : Spills) {
    demote(I, S);
    if (S.Slot >= 0 && S.AtDef) {
      IRBuilder<> At(S.Next);
      Spill(At, S, I, S.BaseAtDef);
    }
    for (unsigned K = 0; K < S.Across.size(); K++) {
      unsigned N = S.Across[K];
      IRBuilder<> At(Ctx);
      if (S.Slot >= 0 && !S.AtDef) {
        At.SetInsertPoint(Before[N]->getTerminator());
        Spill(At, S, At.CreateLoad(I->getType(), S.Home), S.BaseBefore[K]);
      }
      At.SetInsertPoint(Cont[N]->getTerminator());
      Value *V;
      if (S.Slot >= 0) {
        const Variant::Slot &L = Out.Slots[S.Slot];
        V = S.Loaded ? S.Loaded : At.CreateAlignedLoad(L.Ty, Addresses[S.Slot], L.A, I->getName());
        if (S.Base) {
          Value *B = S.BaseBehind[K];
          if (L.Ty->isPointerTy())
            V = At.CreateGEP(At.getInt8Ty(), V, B);
          else
            V = I->getType()->isPointerTy() ? At.CreateGEP(At.getInt8Ty(), B, V) : At.CreateAdd(B, V);
        } else if (V->getType() != I->getType())
          V = At.CreateTrunc(V, I->getType());
      } else {
        V = Clones[{I, N}];
      }
      At.CreateStore(V, S.Home);
    }
  }
  dispatch();
  SmallVector<AllocaInst *, 64> Homes;
  for (auto &[I, S] : Spills)
    Homes.push_back(S.Home);
  DominatorTree NewDT(*Out.Thread);
  PromoteMemToReg(Homes, NewDT);
  return Error::success();
}

/// The constant part of the sites, for the runtime.
GlobalVariable *siteTable(Module &M, const Variant &F, ArrayRef<Site> Sites) {
  Type *I32 = Type::getInt32Ty(M.getContext());
  StructType *T = StructType::get(I32, I32, I32, I32, I32, I32);
  SmallVector<Constant *, 16> Rows;
  auto Fixed = [&](Value *V) -> Constant * {
    auto *C = dyn_cast_or_null<ConstantInt>(V);
    return C ? C : ConstantInt::get(I32, 0);
  };
  auto Varies = [](Value *V) { return V && !isa<ConstantInt>(V); };
  for (const Site &S : Sites) {
    unsigned V = 0;
    V |= Varies(S.operand(S.Mask)) ? HETCKPT_CPU_MASK_VARIES : 0;
    V |= Varies(S.operand(S.Lane)) ? HETCKPT_CPU_LANE_VARIES : 0;
    V |= Varies(S.operand(S.Clamp)) ? HETCKPT_CPU_CLAMP_VARIES : 0;
    V |= S.Value >= 0 && S.operand(S.Value)->getType()->isIntegerTy(64) ? HETCKPT_CPU_WIDE : 0;
    unsigned Op = S.Op;
    Rows.push_back(ConstantStruct::get(T, {ConstantInt::get(I32, Op), ConstantInt::get(I32, V),
                                           Fixed(S.operand(S.Mask)), Fixed(S.operand(S.Lane)), Fixed(S.operand(S.Clamp)),
                                           ConstantInt::get(I32, S.Line)}));
  }
  ArrayType *A = ArrayType::get(T, Rows.size());
  return new GlobalVariable(M, A, true, GlobalValue::PrivateLinkage, ConstantArray::get(A, Rows),
                            F.Name + ".sites");
}

} // namespace

Error splitAtSites(Variant &F, ArrayRef<Site> Sites) {
  static_assert(sizeof(hetckpt_cpu_site) == 24);
  F.CutCount = count_if(Sites, [](const Site &S) { return S.Op == OpCut; });
  F.SiteCount = Sites.size() - F.CutCount;
  // The table first: splitting erases the calls, and with them constant operands' users.
  F.Sites = siteTable(*F.Thread->getParent(), F, Sites.take_front(F.SiteCount));
  return Splitter(F, Sites).run();
}

} // namespace hetckpt::cpu
