// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What happens to a kernel before anything is decided about it.
//
// Shared memory becomes one structure a kernel, because a snapshot describes it by
// offsets from its base: the order in which an assembler lays out single variables
// is nobody's promise. The originals get the same structure, so a kernel and its
// variants are alike.
#include "transform/Prepare.h"
#include "transform/SharedPointers.h"
#include "Names.h"
#include "llvm/Analysis/AssumptionCache.h"
#include "llvm/Analysis/CycleAnalysis.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/InferAddressSpaces.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/FixIrreducible.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/LoopSimplify.h"
#include "llvm/Transforms/Utils/LowerSwitch.h"
#include "llvm/Transforms/Utils/ScalarEvolutionExpander.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

using namespace llvm;

namespace hetckpt {

GlobalVariable *unifyDynamicShared(Module &M) {
  SmallVector<GlobalVariable *, 4> Old;
  Align Most(16);
  for (GlobalVariable &G : M.globals())
    if (G.getAddressSpace() == 3 && G.isDeclaration()) {
      Old.push_back(&G);
      Most = std::max(Most, G.getAlign().valueOrOne());
    }
  if (Old.empty())
    return nullptr;
  auto *Ty = ArrayType::get(Type::getInt8Ty(M.getContext()), 0);
  auto *G = new GlobalVariable(M, Ty, false, GlobalValue::ExternalLinkage, nullptr,
                               names::DynamicShared, nullptr,
                               GlobalValue::NotThreadLocal, 3);
  G->setAlignment(Most);
  for (GlobalVariable *O : Old) {
    O->replaceAllUsesWith(G);
    O->eraseFromParent();
  }
  return G;
}

static bool mentions(const Constant *C, const GlobalVariable *G,
                     SmallPtrSetImpl<const Constant *> &Seen) {
  if (C == G)
    return true;
  if (isa<GlobalValue>(C) || !Seen.insert(C).second)
    return false;
  for (const Use &U : C->operands())
    if (auto *Inner = dyn_cast<Constant>(U); Inner && mentions(Inner, G, Seen))
      return true;
  return false;
}

static bool usesGlobal(const Function &F, const GlobalVariable *G) {
  SmallPtrSet<const Constant *, 16> Seen;
  for (const Instruction &I : instructions(F))
    for (const Use &U : I.operands())
      if (auto *C = dyn_cast<Constant>(U); C && mentions(C, G, Seen))
        return true;
  return false;
}

/// Functions that F calls, itself apart.
static void callees(Function &F, SmallPtrSetImpl<Function *> &Out) {
  for (Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<CallBase>(&I))
      if (Function *Callee = Call->getCalledFunction();
          Callee && !Callee->isDeclaration() && Out.insert(Callee).second)
        callees(*Callee, Out);
}

bool isRecursive(Function &F) {
  SmallPtrSet<Function *, 8> Below;
  callees(F, Below);
  return Below.count(&F);
}

void inlineCalls(Function &F) {
  // A recursive function is never inlined into itself: the depth of the chain that
  // produced a call site is bounded, what is left is reported by the scope.
  constexpr uint64_t MostInstructions = 1 << 17;
  uint64_t Size = F.getInstructionCount();
  for (unsigned Round = 0; Round < 64; ++Round) {
    SmallVector<CallBase *, 16> Calls;
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallBase>(&I)) {
        Function *Callee = Call->getCalledFunction();
        if (Callee && !Callee->isDeclaration() && Callee != &F && !isRecursive(*Callee))
          Calls.push_back(Call);
      }
    if (Calls.empty())
      return;
    bool Any = false;
    for (CallBase *Call : Calls) {
      Size += Call->getCalledFunction()->getInstructionCount();
      if (Size > MostInstructions)
        return;
      InlineFunctionInfo Info;
      Any |= InlineFunction(*Call, Info).isSuccess();
    }
    if (!Any)
      return;
  }
}

std::string gatherShared(Kernel &K, GlobalVariable *Dynamic) {
  Function &F = *K.Original;
  Module &M = *F.getParent();
  const DataLayout &DL = M.getDataLayout();
  SmallPtrSet<Function *, 8> Below;
  callees(F, Below);
  SmallVector<GlobalVariable *, 4> Shared;
  bool Nested = false;
  for (GlobalVariable &G : M.globals()) {
    if (G.getAddressSpace() != 3)
      continue;
    bool Inner = any_of(Below, [&](Function *B) { return usesGlobal(*B, &G); });
    Nested |= Inner;
    if (Inner || usesGlobal(F, &G)) {
      if (&G == Dynamic)
        K.DynamicShared = Dynamic;
      else
        Shared.push_back(&G);
    }
  }
  if (Nested) {
    inlineCalls(F);
    Below.clear();
    callees(F, Below);
    for (GlobalVariable *G : Shared)
      for (Function *B : Below)
        if (usesGlobal(*B, G))
          return ("shared memory is used in " + B->getName() +
                  ", which cannot be inlined")
              .str();
  }
  if (Shared.empty())
    return "";

  uint64_t At = 0;
  Align Most(16);
  for (GlobalVariable *G : Shared) {
    Align A = std::max(G->getAlign().valueOrOne(), DL.getABITypeAlign(G->getValueType()));
    Most = std::max(Most, A);
    At = alignTo(At, A);
    std::string Name = G->getName().str();
    uint64_t Bytes = DL.getTypeAllocSize(G->getValueType());
    K.SharedVariables.push_back({Name, At, Bytes});
    At += Bytes;
  }
  K.SharedBytes = alignTo(At, 16);
  K.SharedAlign = Most.value();
  auto *Ty = ArrayType::get(Type::getInt8Ty(M.getContext()), K.SharedBytes);
  K.Shared = new GlobalVariable(M, Ty, false, GlobalValue::InternalLinkage,
                                UndefValue::get(Ty),
                                names::SharedPrefix + F.getName(), nullptr,
                                GlobalValue::NotThreadLocal, 3);
  K.Shared->setAlignment(Most);
  ValueToValueMapTy Map;
  for (auto [G, V] : zip_equal(Shared, K.SharedVariables))
    Map[G] = ConstantExpr::getInBoundsGetElementPtr(
        Type::getInt8Ty(M.getContext()), K.Shared,
        ConstantInt::get(Type::getInt64Ty(M.getContext()), V.Offset));
  // Without the first flag debug information would be copied, compile unit included.
  RemapFunction(F, Map, RF_NoModuleLevelChanges | RF_IgnoreMissingLocals);
  for (GlobalVariable *G : Shared) {
    G->removeDeadConstantUsers();
    if (G->use_empty())
      G->eraseFromParent();
  }
  return "";
}

/// True if it is decided at run time whether a pointer points into A, a by-value
/// parameter: such a pointer says nothing on another device, where parameters lie
/// elsewhere.
static bool addressMerges(const Value *A) {
  return any_of(A->users(), [](const User *U) {
    if (isa<GetElementPtrInst>(U) || isa<CastInst>(U))
      return addressMerges(U);
    return !isa<LoadInst>(U) && !isa<IntrinsicInst>(U);
  });
}

/// A cycle that control flow enters at several blocks (gotos) is no loop to any analysis
/// here: it would not poll, a wait in it would hang a pause, and resuming would copy it.
static bool hasIrreducibleCycle(Function &F) {
  CycleInfo CI;
  CI.compute(F);
  SmallVector<const Cycle *, 8> Work(CI.toplevel_cycles());
  while (!Work.empty()) {
    const Cycle *C = Work.pop_back_val();
    if (!C->isReducible())
      return true;
    append_range(Work, C->children());
  }
  return false;
}

/// Unrolling leaves loops with two counters in step, one for the body and one for the end.
/// One is enough: the other would be a register in the loop and a value in every frame.
static void mergeCounters(Function &F) {
  DominatorTree DT(F);
  LoopInfo LI(DT);
  TargetLibraryInfoImpl TLII(F.getParent()->getTargetTriple());
  TargetLibraryInfo TLI(TLII);
  AssumptionCache AC(F);
  ScalarEvolution SE(F, TLI, AC, DT, LI);
  SmallVector<WeakTrackingVH, 8> Dead;
  for (Loop *L : LI.getLoopsInPreorder())
    if (L->getLoopPreheader() && L->getLoopLatch())
      SCEVExpander(SE, "counter").replaceCongruentIVs(L, &DT, Dead, nullptr);
  RecursivelyDeleteTriviallyDeadInstructionsPermissive(Dead, &TLI);
}

void normalise(Function &F) {
  bool Unoptimised = F.hasOptNone();
  F.removeFnAttr(Attribute::OptimizeNone);
  F.removeFnAttr(Attribute::NoInline);
  // A by-value parameter is private memory once it is written, or pointed to.
  for (Argument &A : F.args()) {
    if (!A.hasByValAttr() || A.use_empty() ||
        (A.onlyReadsMemory() && !addressMerges(&A)))
      continue;
    IRBuilder<> B(&*F.getEntryBlock().getFirstInsertionPt());
    Type *Ty = A.getParamByValType();
    AllocaInst *Copy = B.CreateAlloca(Ty, nullptr, A.getName() + ".copy");
    Copy->setAlignment(A.getParamAlign().valueOrOne());
    A.replaceAllUsesWith(Copy);
    B.CreateMemCpy(Copy, Copy->getAlign(), &A, A.getParamAlign(),
                   F.getDataLayout().getTypeAllocSize(Ty));
    A.addAttr(Attribute::ReadOnly);
  }

  PassBuilder PB;
  LoopAnalysisManager LAM;
  FunctionAnalysisManager FAM;
  CGSCCAnalysisManager CGAM;
  ModuleAnalysisManager MAM;
  PB.registerModuleAnalyses(MAM);
  PB.registerCGSCCAnalyses(CGAM);
  PB.registerFunctionAnalyses(FAM);
  PB.registerLoopAnalyses(LAM);
  PB.crossRegisterProxies(LAM, FAM, CGAM, MAM);
  FunctionPassManager FPM;
  if (hasIrreducibleCycle(F)) {
    FPM.addPass(LowerSwitchPass());
    FPM.addPass(FixIrreduciblePass());
  }
  FPM.addPass(SROAPass(SROAOptions::PreserveCFG));
  if (Unoptimised) {
    FPM.addPass(EarlyCSEPass());
    FPM.addPass(InstCombinePass());
    FPM.addPass(SimplifyCFGPass());
  }
  // Pointers that are known to point to shared memory say so by their type: frames
  // then hold offsets without asking at run time.
  FPM.addPass(InferAddressSpacesPass(0));
  FPM.run(F, FAM);
  indexSharedPointers(F);
  FAM.invalidate(F, PreservedAnalyses::none());
  FunctionPassManager Last;
  Last.addPass(InstCombinePass());
  Last.addPass(LoopSimplifyPass());
  Last.run(F, FAM);
  mergeCounters(F);
}

/// True if P may point to private or shared memory by what it is made of.
static bool isLocalAddress(const Value *P) {
  SmallVector<const Value *, 4> Objects;
  getUnderlyingObjects(P, Objects, nullptr, 16);
  for (const Value *O : Objects) {
    if (isa<AllocaInst>(O))
      return true;
    if (auto *G = dyn_cast<GlobalVariable>(O); G && G->getAddressSpace() == 3)
      return true;
    if (auto *Ty = dyn_cast<PointerType>(O->getType());
        Ty && (Ty->getAddressSpace() == 3 || Ty->getAddressSpace() == 5))
      return true;
  }
  return false;
}

/// The same for vectors and structures of pointers, by whatever they were put together
/// from.
static bool holdsLocalAddress(Value *Whole) {
  SmallVector<Value *, 8> Work{Whole};
  SmallPtrSet<Value *, 16> Seen;
  while (!Work.empty()) {
    Value *V = Work.pop_back_val();
    if (!Seen.insert(V).second)
      continue;
    if (V->getType()->isPointerTy()) {
      if (isLocalAddress(V))
        return true;
      continue;
    }
    // What comes out of memory or a call is no such address: none goes in.
    if (auto *U = dyn_cast<User>(V); U && !isa<LoadInst>(U) && !isa<CallBase>(U))
      append_range(Work, U->operands());
  }
  return false;
}

static bool holdsPointers(Type *Ty) {
  if (auto *A = dyn_cast<ArrayType>(Ty))
    return holdsPointers(A->getElementType());
  if (auto *S = dyn_cast<StructType>(Ty))
    return any_of(S->elements(), holdsPointers);
  return Ty->isPtrOrPtrVectorTy();
}

std::string findEscapes(Function &F) {
  for (Instruction &I : instructions(F)) {
    if (auto *A = dyn_cast<AllocaInst>(&I); A && !A->isStaticAlloca())
      return "private memory of variable size (alloca in a kernel)";
    Value *V = nullptr;
    if (auto *S = dyn_cast<StoreInst>(&I))
      V = S->getValueOperand();
    else if (auto *P = dyn_cast<PtrToIntInst>(&I))
      V = P->getPointerOperand();
    else if (auto *X = dyn_cast<AtomicCmpXchgInst>(&I))
      V = X->getNewValOperand();
    else if (auto *R = dyn_cast<AtomicRMWInst>(&I))
      V = R->getValOperand();
    if (!V || !holdsPointers(V->getType()) || !holdsLocalAddress(V))
      continue;
    return isa<PtrToIntInst>(I)
               ? "an address of private or shared memory is used as a number"
               : "an address of private or shared memory is stored in memory";
  }
  return "";
}

} // namespace hetckpt
