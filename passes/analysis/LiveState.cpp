// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "analysis/LiveState.h"
#include "Names.h"
#include "analysis/Scope.h"
#include "transform/SharedPointers.h"
#include "llvm/ADT/PostOrderIterator.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace hetckpt {

void flattenType(Type *Ty, SmallVectorImpl<Leaf> &Leaves) {
  auto Recurse = [&](Type *Inner, unsigned Index) {
    SmallVector<Leaf, 4> Sub;
    flattenType(Inner, Sub);
    for (Leaf &L : Sub) {
      L.Path.insert(L.Path.begin(), Index);
      Leaves.push_back(std::move(L));
    }
  };
  if (auto *S = dyn_cast<StructType>(Ty)) {
    for (unsigned I = 0; I < S->getNumElements(); ++I)
      Recurse(S->getElementType(I), I);
  } else if (auto *A = dyn_cast<ArrayType>(Ty)) {
    for (unsigned I = 0; I < A->getNumElements(); ++I)
      Recurse(A->getElementType(), I);
  } else if (auto *V = dyn_cast<FixedVectorType>(Ty)) {
    for (unsigned I = 0; I < V->getNumElements(); ++I)
      Recurse(V->getElementType(), I);
  } else {
    Leaves.push_back({Ty, {}});
  }
}

static bool isIdCall(const CallBase &Call) {
  const Function *Callee = Call.getCalledFunction();
  if (!Callee)
    return false;
  StringRef Name = Callee->getName();
  if (Name.starts_with("__hetckpt_logical_"))
    return true;
  if (!Name.consume_front("llvm.nvvm.read.ptx.sreg."))
    return false;
  // Not warpid and smid: they name hardware that changes.
  return Name.starts_with("tid.") || Name.starts_with("ntid.") ||
         Name.starts_with("laneid") || Name.starts_with("lanemask") ||
         Name.starts_with("warpsize");
}

bool isFreelyAvailable(const Value *V) {
  if (isa<Constant>(V) || isa<Argument>(V) || isa<MetadataAsValue>(V))
    return true;
  if (auto *A = dyn_cast<AllocaInst>(V))
    return A->isStaticAlloca();
  return false;
}

static bool isCheap(const Instruction &I) {
  if (I.mayHaveSideEffects() || I.getType()->isTokenTy())
    return false;
  if (auto *Call = dyn_cast<CallBase>(&I)) {
    if (isIdCall(*Call))
      return true;
    auto *II = dyn_cast<IntrinsicInst>(Call);
    if (!II || !II->doesNotAccessMemory() || II->isConvergent())
      return false;
    switch (II->getIntrinsicID()) {
    case Intrinsic::smax:
    case Intrinsic::smin:
    case Intrinsic::umax:
    case Intrinsic::umin:
    case Intrinsic::abs:
    case Intrinsic::fabs:
      return true;
    default:
      return false;
    }
  }
  if (auto *Load = dyn_cast<LoadInst>(&I)) {
    // Kernel parameters passed by value never change.
    auto *A = dyn_cast<Argument>(
        Load->getPointerOperand()->stripInBoundsConstantOffsets());
    return A && A->hasByValAttr() && A->onlyReadsMemory() && Load->isSimple();
  }
  switch (I.getOpcode()) {
  case Instruction::UDiv:
  case Instruction::SDiv:
  case Instruction::URem:
  case Instruction::SRem:
  case Instruction::FDiv:
  case Instruction::FRem:
    return false;
  default:
    return isa<BinaryOperator>(I) || isa<CastInst>(I) || isa<CmpInst>(I) ||
           isa<SelectInst>(I) || isa<GetElementPtrInst>(I) ||
           isa<UnaryOperator>(I);
  }
}

bool rematerialise(Value *V, function_ref<bool(const Value *)> Have,
                   SmallVectorImpl<Instruction *> &Order) {
  constexpr unsigned Limit = 12;
  auto *I = dyn_cast<Instruction>(V);
  if (!I || !isCheap(*I))
    return false;
  for (Value *Operand : I->operands()) {
    if (isFreelyAvailable(Operand) || Have(Operand) || isa<Function>(Operand) ||
        is_contained(Order, Operand))
      continue;
    if (!rematerialise(Operand, Have, Order) || Order.size() > Limit)
      return false;
  }
  Order.push_back(I);
  return Order.size() <= Limit;
}

namespace {

using ValueSet = SmallSetVector<Value *, 16>;

/// SSA liveness by the textbook: sets of instructions live at block entries.
class Liveness {
public:
  explicit Liveness(Function &F) {
    bool Changed = true;
    while (Changed) {
      Changed = false;
      for (BasicBlock *BB : post_order(&F)) {
        ValueSet Live = liveOut(*BB);
        for (Instruction &I : reverse(*BB)) {
          Live.remove(&I);
          if (!isa<PHINode>(I))
            for (Value *Operand : I.operands())
              if (tracked(Operand))
                Live.insert(Operand);
        }
        if (Live.size() != In[BB].size()) {
          In[BB] = std::move(Live);
          Changed = true;
        }
      }
    }
  }

  ValueSet liveIn(BasicBlock *BB) const {
    auto It = In.find(BB);
    return It == In.end() ? ValueSet() : It->second;
  }

private:
  static bool tracked(Value *V) { return isa<Instruction>(V) && !isa<AllocaInst>(V); }

  ValueSet liveOut(BasicBlock &BB) {
    ValueSet Out;
    for (BasicBlock *Succ : successors(&BB)) {
      for (Value *V : In[Succ])
        Out.insert(V);
      for (PHINode &Phi : Succ->phis()) {
        Value *V = Phi.getIncomingValueForBlock(&BB);
        if (tracked(V))
          Out.insert(V);
      }
    }
    return Out;
  }

  DenseMap<BasicBlock *, ValueSet> In;
};

/// Backward liveness of the contents of one private object: an access makes it
/// live, the start of its lifetime makes what was in it dead.
class ObjectLiveness {
public:
  explicit ObjectLiveness(AllocaInst &Object) {
    SmallVector<Value *, 8> Work{&Object};
    SmallPtrSet<Value *, 16> Seen;
    while (!Work.empty()) {
      Value *V = Work.pop_back_val();
      if (!Seen.insert(V).second)
        continue;
      for (User *U : V->users()) {
        auto *I = dyn_cast<Instruction>(U);
        if (!I)
          continue;
        if (isa<GetElementPtrInst>(I) || isa<CastInst>(I) || isa<PHINode>(I) ||
            isa<SelectInst>(I))
          Work.push_back(I);
        else if (auto *II = dyn_cast<IntrinsicInst>(I);
                 II && II->isLifetimeStartOrEnd()) {
          if (II->getIntrinsicID() == Intrinsic::lifetime_start)
            Starts.insert(I);
        } else {
          // Whatever else hands the address on (freeze, a mask, a structure): its
          // users are accesses too.
          Accesses.insert(I);
          if (!isa<LoadInst>(I) && !I->isAtomic() && !I->getType()->isVoidTy())
            Work.push_back(I);
        }
      }
    }
    bool Changed = true;
    while (Changed) {
      Changed = false;
      for (BasicBlock *BB : post_order(Object.getFunction())) {
        bool Is = false;
        for (BasicBlock *Succ : successors(BB))
          Is |= Live.count(Succ);
        for (Instruction &I : reverse(*BB)) {
          if (Accesses.count(&I))
            Is = true;
          if (Starts.count(&I))
            Is = false;
        }
        if (Is && Live.insert(BB).second)
          Changed = true;
      }
    }
  }

  bool isLiveIn(BasicBlock *BB) const { return Live.count(BB); }

private:
  SmallPtrSet<Instruction *, 8> Accesses, Starts;
  SmallPtrSet<BasicBlock *, 16> Live;
};

} // namespace

/// The variable that V itself is the value of.
static std::string ownName(Value *V) {
  SmallVector<DbgVariableRecord *, 4> Records;
  if (isa<AllocaInst>(V))
    findDbgUsers(V, Records);
  else
    findDbgValues(V, Records);
  for (DbgVariableRecord *R : Records)
    if (R->getVariable() && !R->hasArgList() &&
        (isa<AllocaInst>(V) || !R->getExpression()->isComplex()))
      return R->getVariable()->getName().str();
  return "";
}

/// The source variable behind V. Loops carry a variable through phis, and debug
/// records name only some of them: those next to V speak for it, nearest first.
static std::string sourceName(Value *V) {
  SmallVector<Value *, 8> Work{V};
  SmallPtrSet<Value *, 8> Seen;
  for (unsigned I = 0; I < Work.size() && I < 16; ++I) {
    Value *At = Work[I];
    if (!Seen.insert(At).second)
      continue;
    if (std::string Name = ownName(At); !Name.empty())
      return Name;
    for (User *U : At->users())
      if (isa<PHINode>(U))
        Work.push_back(U);
    if (auto *Phi = dyn_cast<PHINode>(At))
      for (Value *In : Phi->incoming_values())
        if (isa<Instruction>(In))
          Work.push_back(In);
  }
  return "";
}

static std::string pointerKind(Value *V, Type *Ty) {
  switch (cast<PointerType>(Ty)->getAddressSpace()) {
  case 1:
  case 4:
    return "global";
  case 3:
    return "shared";
  case 5:
    return "private";
  default:
    break;
  }
  // A kernel's pointer arguments cannot point to shared or private memory.
  if (V->getType() == Ty) {
    SmallVector<const Value *, 4> Objects;
    getUnderlyingObjects(V, Objects, nullptr, 16);
    bool Arguments = !Objects.empty();
    for (const Value *O : Objects) {
      auto *A = dyn_cast<Argument>(O);
      Arguments &= A && !A->hasByValAttr();
    }
    if (Arguments)
      return "global";
  }
  return "generic";
}

/// True if V may point into memory that has another address on each device.
static bool pointsToCode(Value *V) {
  SmallVector<const Value *, 4> Under;
  if (!V->getType()->isPointerTy())
    return false;
  getUnderlyingObjects(V, Under, nullptr, 16);
  return any_of(Under, [](const Value *O) {
    auto *G = dyn_cast<GlobalVariable>(O);
    return G && liesWithCode(*G);
  });
}

/// The private objects that V may point into, by number; empty: any of them.
static SmallVector<unsigned, 2> pointedObjects(Value *V, ArrayRef<AllocaInst *> All) {
  SmallVector<unsigned, 2> Out;
  SmallVector<const Value *, 4> Under;
  if (!V->getType()->isPointerTy())
    return Out;
  getUnderlyingObjects(V, Under, nullptr, 16);
  for (const Value *O : Under) {
    if (auto It = find(All, O); It != All.end())
      Out.push_back(It - All.begin());
    else if (!isa<Argument>(O) && !isa<GlobalValue>(O) && !isa<Constant>(O))
      return {}; // who knows
  }
  llvm::sort(Out);
  return Out;
}

/// One slot for a leaf; Class 0 if its type has no normal form.
static Slot slotFor(Value *V, const Leaf &L, const DataLayout &DL) {
  Slot S;
  S.Kind = "value";
  Type *Ty = L.Ty;
  if (auto *I = dyn_cast<IntegerType>(Ty)) {
    unsigned Bits = I->getBitWidth();
    S.Class = Bits <= 8 ? 1 : Bits <= 16 ? 2 : Bits <= 32 ? 4 : Bits <= 64 ? 8 : 0;
    S.Type = "i" + std::to_string(S.Class * 8);
  } else if (Ty->isHalfTy()) {
    S.Class = 2, S.Type = "f16";
  } else if (Ty->isBFloatTy()) {
    S.Class = 2, S.Type = "bf16";
  } else if (Ty->isFloatTy()) {
    S.Class = 4, S.Type = "f32";
  } else if (Ty->isDoubleTy()) {
    S.Class = 8, S.Type = "f64";
  } else if (Ty->isPointerTy()) {
    S.Class = 8, S.Type = "ptr";
    S.Kind = pointerKind(V, Ty);
  }
  return S;
}

std::string computeLiveState(Kernel &K, Function &F) {
  const DataLayout &DL = F.getDataLayout();
  Liveness Live(F);
  DominatorTree DT(F);
  DT.updateDFSNumbers();

  K.Objects.clear();
  SmallVector<ObjectLiveness, 4> ObjectLive;
  for (Instruction &I : F.getEntryBlock())
    if (auto *A = dyn_cast<AllocaInst>(&I)) {
      K.Objects.push_back(A);
      ObjectLive.emplace_back(*A);
    }

  for (Safepoint &SP : K.Safepoints) {
    ValueSet In = Live.liveIn(SP.Cont);
    SmallVector<Value *, 16> Order(In.begin(), In.end());
    // Operands before users, so that "carried anyway" is known when asked.
    auto Rank = [&](Value *V) {
      auto *I = cast<Instruction>(V);
      auto *Node = DT.getNode(I->getParent());
      return std::pair<unsigned, unsigned>(
          Node ? Node->getDFSNumIn() : 0,
          std::distance(I->getParent()->begin(), I->getIterator()));
    };
    llvm::stable_sort(Order, [&](Value *A, Value *B) { return Rank(A) < Rank(B); });

    SmallPtrSet<const Value *, 16> Carried;
    for (Value *V : Order) {
      SmallVector<Instruction *, 8> Recipe;
      if (rematerialise(V, [&](const Value *X) { return Carried.count(X); },
                        Recipe)) {
        SP.Remat.push_back(V);
        continue;
      }
      Carried.insert(V);
      LiveValue LV;
      LV.V = V;
      SP.Live.push_back(LV);
    }

    unsigned Used8 = 0, Used4 = 0, Used2 = 0, Used1 = 0;
    for (LiveValue &LV : SP.Live) {
      SmallVector<Leaf, 2> Leaves;
      flattenType(LV.V->getType(), Leaves);
      if (pointsToCode(LV.V))
        return "a pointer that may point into one of several constant tables is live "
               "across a safepoint";
      std::string Name = sourceName(LV.V);
      for (Leaf &L : Leaves) {
        Slot S = slotFor(LV.V, L, DL);
        switch (S.Class) {
        case 8:
          S.Index = Used8++;
          break;
        case 4:
          S.Index = Used4++;
          break;
        case 2:
          S.Index = Used2++;
          break;
        case 1:
          S.Index = Used1++;
          break;
        default: {
          std::string Text;
          raw_string_ostream OS(Text);
          OS << "a value of type " << *L.Ty << " is live across a safepoint";
          return Text;
        }
        }
        S.Name = Name;
        if (S.Type == "ptr")
          S.Objects = pointedObjects(LV.V, K.Objects);
        LV.Slots.push_back(std::move(S));
      }
    }
    for (auto [Number, Object] : enumerate(K.Objects)) {
      if (!ObjectLive[Number].isLiveIn(SP.Cont))
        continue;
      auto Size = Object->getAllocationSize(DL);
      if (!Size || Size->isScalable())
        return "a private array of variable size is live across a safepoint";
      LivePrivate P;
      P.Object = Object;
      P.Number = Number;
      P.Bytes = Size->getFixedValue();
      P.Index = Used8;
      P.Name = sourceName(Object);
      Used8 += (P.Bytes + 7) / 8;
      SP.Private.push_back(std::move(P));
    }
    K.Count8 = std::max(K.Count8, Used8);
    K.Count4 = std::max(K.Count4, Used4);
    K.Count2 = std::max(K.Count2, Used2);
    K.Count1 = std::max(K.Count1, Used1);
  }
  return "";
}

} // namespace hetckpt
