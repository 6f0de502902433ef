// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Function pointers that mean the same on every device.
//
// Device memory may hold addresses of functions: tables, vtables, callbacks that a kernel
// has stored. An address of code belongs to one module on one GPU. So a function's address
// becomes a number, everywhere, and a call through a pointer asks which number it is:
//
//   @table = global [2 x ptr] [ptr @add, ptr @mul]
//   -->    = global [2 x ptr] [ptr inttoptr (i64 ADD to ptr), ptr inttoptr (i64 MUL to ptr)]
//
//   %r = call i32 %f(i32 %x)
//   -->
//   switch (ptrtoint %f)  ADD:  %a = call i32 @add(i32 %x)
//                         MUL:  %m = call i32 @mul(i32 %x)
//                         else: trap
//   %r = phi [ %a ], [ %m ]
//
// The choice is complete, because the module is all device code that there is. And what kept
// a kernel from pausing inside has become direct calls, which its variants inline. A call
// through a vtable chooses among what is at that place of a vtable.
//
// Gaps: functions of another type than the call's are not tried (C++ does not define such a
// call). Numbers of functions of different modules may be equal, once in 2^39 pairs.
#include "transform/FunctionPointers.h"
#include "hetckpt/abi.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Operator.h"
#include "llvm/Support/xxhash.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/CallPromotionUtils.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;

namespace hetckpt {

namespace {

/// Functions whose addresses are values, with their numbers.
using Numbers = MapVector<Function *, ConstantInt *>;

/// What lies how far from the points of vtables that objects point to.
class VirtualTables {
public:
  explicit VirtualTables(Module &M) : DL(M.getDataLayout()) {
    for (GlobalVariable &G : M.globals())
      if (G.isConstant() && G.hasInitializer() &&
          (G.getName().starts_with("_ZTV") || G.getName().starts_with("_ZTC")))
        read(G);
  }

  using Functions = SmallSetVector<Function *, 4>;
  /// What Call can reach if it goes through a vtable; null where that is not known.
  const Functions *targets(const CallInst &Call) const;

private:
  void read(GlobalVariable &G);
  void findPoints(Value *V, int64_t Offset);
  void findFunctions(Constant *C, int64_t At);

  const DataLayout &DL;
  DenseMap<int64_t, Functions> Slots;
  bool Complete = true;
  // Of the vtable at hand:
  SmallSetVector<int64_t, 4> Points;
  DenseSet<std::pair<Value *, int64_t>> Seen;
  const Functions None;
};

} // namespace

void VirtualTables::read(GlobalVariable &G) {
  Points.clear();
  Seen.clear();
  findPoints(&G, 0);
  findFunctions(G.getInitializer(), 0);
}

/// Whoever does something else with V, Offset bytes into a vtable, than computing addresses
/// and reading entries hands the address on: objects may point there.
void VirtualTables::findPoints(Value *V, int64_t Offset) {
  constexpr unsigned Limit = 1000; // of a loop that walks along a vtable
  Complete &= Seen.size() < Limit;
  if (!Complete || !Seen.insert({V, Offset}).second)
    return;
  for (User *U : V->users()) {
    if (auto *G = dyn_cast<GEPOperator>(U)) {
      APInt More(64, 0);
      Complete &= G->accumulateConstantOffset(DL, More);
      findPoints(U, Offset + More.getSExtValue());
    } else if (isa<AddrSpaceCastOperator>(U) || isa<PHINode>(U) || isa<SelectInst>(U)) {
      findPoints(U, Offset);
    } else if (!isa<LoadInst>(U)) {
      Points.insert(Offset);
    }
  }
}

void VirtualTables::findFunctions(Constant *C, int64_t At) {
  if (auto *F = dyn_cast<Function>(C)) {
    for (int64_t Point : Points)
      Slots[At - Point].insert(F);
  } else if (auto *S = dyn_cast<ConstantStruct>(C)) {
    const StructLayout *L = DL.getStructLayout(S->getType());
    for (unsigned I = 0; I < S->getNumOperands(); ++I)
      findFunctions(S->getOperand(I), At + int64_t(L->getElementOffset(I)));
  } else if (auto *A = dyn_cast<ConstantArray>(C)) {
    int64_t Size = DL.getTypeAllocSize(A->getType()->getElementType());
    for (unsigned I = 0; I < A->getNumOperands(); ++I)
      findFunctions(A->getOperand(I), At + I * Size);
  }
}

const VirtualTables::Functions *VirtualTables::targets(const CallInst &Call) const {
  auto *Entry = dyn_cast<LoadInst>(Call.getCalledOperand());
  if (!Entry || !Complete)
    return nullptr;
  APInt Offset(64, 0);
  auto *Table = dyn_cast<LoadInst>(
      Entry->getPointerOperand()->stripAndAccumulateConstantOffsets(DL, Offset, true));
  MDNode *Tag = Table ? Table->getMetadata(LLVMContext::MD_tbaa) : nullptr;
  if (!Tag || !Tag->isTBAAVtableAccess())
    return nullptr;
  auto It = Slots.find(Offset.getSExtValue());
  return It == Slots.end() ? &None : &It->second;
}

/// A number for the function Name of M that no other of M's functions has. Functions keep
/// theirs from one compilation of a file to the next. Low bits stay 0: pointers to members
/// use them.
static uint64_t chooseNumber(const Module &M, StringRef Name, const Numbers &Taken) {
  uint64_t Hash = xxh3_64bits((M.getSourceFileName() + Twine('\n') + Name).str());
  for (;; Hash += HETCKPT_FUNCTION_ALIGN) {
    uint64_t N = HETCKPT_FUNCTION_BASE + Hash % HETCKPT_FUNCTION_BYTES / HETCKPT_FUNCTION_ALIGN *
                                             HETCKPT_FUNCTION_ALIGN;
    if (none_of(Taken, [&](const auto &T) { return T.second->equalsInt(N); }))
      return N;
  }
}

static Numbers numberFunctions(Module &M) {
  Numbers Out;
  for (Function &F : M)
    if (!F.isIntrinsic() && F.getCallingConv() != CallingConv::PTX_Kernel &&
        F.hasAddressTaken(nullptr, /*IgnoreCallbackUses=*/false, /*IgnoreAssumeLikeCalls=*/false,
                          /*IgnoreLLVMUsed=*/true, /*IgnoreARCAttachedCall=*/false,
                          /*IgnoreCastedDirectCall=*/true))
      Out[&F] = ConstantInt::get(Type::getInt64Ty(M.getContext()),
                                 chooseNumber(M, F.getName(), Out));
  return Out;
}

/// Makes Call, which goes through a pointer, the choice between Functions.
static void chooseFunction(CallInst &Call, const Numbers &Functions,
                           const VirtualTables &Tables) {
  const VirtualTables::Functions *Virtual = Tables.targets(Call);
  IRBuilder<> B(&Call);
  Value *Number = B.CreatePtrToInt(Call.getCalledOperand(), B.getInt64Ty());
  BasicBlock *Before = Call.getParent();
  BasicBlock *After = SplitBlock(Before, &Call);
  Function &Caller = *Before->getParent();
  LLVMContext &C = Caller.getContext();
  auto *Fault = BasicBlock::Create(C, "no.function", &Caller, After);
  Before->getTerminator()->eraseFromParent();
  B.SetInsertPoint(Before);
  B.SetCurrentDebugLocation(Call.getDebugLoc());
  SwitchInst *Choice = B.CreateSwitch(Number, Fault);
  auto *Result = Call.getType()->isVoidTy()
                     ? nullptr
                     : PHINode::Create(Call.getType(), 2, "", After->begin());
  for (auto [F, N] : Functions) {
    if ((Virtual && !Virtual->contains(F)) || F->isDeclaration() ||
        F->getFunctionType() != Call.getFunctionType() || !isLegalToPromote(Call, F))
      continue;
    auto *Case = BasicBlock::Create(C, "call." + F->getName(), &Caller, Fault);
    auto *Direct = cast<CallInst>(Call.clone());
    Direct->setCalledFunction(F);
    Direct->setCallingConv(F->getCallingConv());
    Direct->setTailCallKind(CallInst::TCK_None);
    Direct->setMetadata(LLVMContext::MD_callees, nullptr);
    Direct->insertInto(Case, Case->end());
    BranchInst::Create(After, Case);
    Choice->addCase(N, Case);
    if (Result)
      Result->addIncoming(Direct, Case);
  }
  B.SetInsertPoint(Fault);
  B.CreateIntrinsic(Intrinsic::trap, {});
  B.CreateUnreachable();
  bool Any = Choice->getNumCases();
  if (!Any)
    OptimizationRemarkEmitter(&Caller).emit(
        OptimizationRemarkMissed("hetckpt", "NoFunction", &Call)
        << "a call through a pointer always fails: no function of this file can be behind it");
  if (Result) {
    Result->takeName(&Call);
    Call.replaceAllUsesWith(Any ? cast<Value>(Result) : PoisonValue::get(Call.getType()));
    if (!Any)
      Result->eraseFromParent();
  }
  Call.eraseFromParent();
}

void resolveFunctionPointers(Module &M) {
  Numbers Functions = numberFunctions(M);
  VirtualTables Tables(M);
  SmallVector<CallInst *, 16> Calls;
  for (Function &F : M)
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallInst>(&I); Call && Call->isIndirectCall())
        Calls.push_back(Call);
  SmallSetVector<Function *, 8> Callers;
  for (CallInst *Call : Calls) {
    Callers.insert(Call->getFunction());
    chooseFunction(*Call, Functions, Tables);
  }
  for (Function *F : Callers)
    removeUnreachableBlocks(*F);

  removeFromUsedLists(M, [&](Constant *C) {
    auto *F = dyn_cast<Function>(C->stripPointerCasts());
    return F && Functions.contains(F);
  });
  for (auto [F, N] : Functions) {
    for (User *U : make_early_inc_range(F->users()))
      if (auto *E = dyn_cast<ConstantExpr>(U); E && E->getOpcode() == Instruction::PtrToInt)
        E->replaceAllUsesWith(ConstantInt::get(E->getType(), N->getZExtValue(), false, true));
    Constant *Pointer = ConstantExpr::getIntToPtr(N, F->getType());
    F->replaceUsesWithIf(Pointer, [](Use &U) {
      auto *Call = dyn_cast<CallBase>(U.getUser());
      return !Call || !Call->isCallee(&U);
    });
  }
}

} // namespace hetckpt
