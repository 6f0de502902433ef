// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One address space.
//
// A GPU has several; on a CPU a pointer is a pointer. Types cannot be changed in
// place, so every function is cloned into a new module with its types mapped:
//
//   define ptx_kernel void @k(ptr addrspace(1) %p)   define internal void @k(ptr %b,
//                                                      i32 %x, i32 %y, i32 %z, i32 %tid, ptr %p)
//     %v = load i32, ptr addrspace(1) @counter   ->    %g = load ptr, (%b + globals)
//     ...                                              %v = load i32, ptr (%g + offset of counter)
//
// A pointer to shared memory as an integer is its offset in the block's shared
// area, as on a GPU, because frames hold such offsets.
//
// Gap: a vector of shared pointers converted to integers is refused.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/IR/AttributeMask.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/NoFolder.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/LowerAtomic.h"
#include "llvm/Transforms/Utils/ValueMapper.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

constexpr unsigned SpaceShared = 3;

/// Maps types of the GPU module to types without address spaces.
class TypeFlattener : public ValueMapTypeRemapper {
public:
  Type *remapType(Type *T) override {
    auto It = Known.find(T);
    if (It != Known.end())
      return It->second;
    Type *R = make(T);
    Known[T] = R;
    return R;
  }

private:
  Type *make(Type *T) {
    if (auto *P = dyn_cast<PointerType>(T))
      return PointerType::get(P->getContext(), 0);
    if (auto *A = dyn_cast<ArrayType>(T))
      return ArrayType::get(remapType(A->getElementType()), A->getNumElements());
    if (auto *V = dyn_cast<VectorType>(T))
      return VectorType::get(remapType(V->getElementType()), V->getElementCount());
    if (auto *S = dyn_cast<StructType>(T)) {
      if (S->isOpaque())
        return S;
      SmallVector<Type *, 8> Elements;
      bool Changed = false;
      for (Type *E : S->elements()) {
        Elements.push_back(remapType(E));
        Changed |= Elements.back() != E;
      }
      if (!Changed)
        return S;
      if (S->isLiteral())
        return StructType::get(T->getContext(), Elements, S->isPacked());
      return StructType::create(T->getContext(), Elements, S->getName(), S->isPacked());
    }
    if (auto *F = dyn_cast<FunctionType>(T)) {
      SmallVector<Type *, 8> Params;
      for (Type *P : F->params())
        Params.push_back(remapType(P));
      return FunctionType::get(remapType(F->getReturnType()), Params, F->isVarArg());
    }
    return T;
  }

  DenseMap<Type *, Type *> Known;
};

class Flattener {
public:
  Flattener(Module &In, const ModuleLayout &Layout, TargetMachine &TM)
      : In(In), Layout(Layout), Ctx(In.getContext()) {
    Out = std::make_unique<Module>(In.getModuleIdentifier(), Ctx);
    Out->setTargetTriple(TM.getTargetTriple());
    Out->setDataLayout(TM.createDataLayout());
  }

  Error run(SmallVectorImpl<llvm::Function *> &Kernels);
  std::unique_ptr<Module> Out;

private:
  bool sameLayout(Type *T);
  std::string problemOf(llvm::Function &F);
  void refuse(llvm::Function &F, const Twine &Problem);
  Error declareVariable(GlobalVariable &G);
  void declareFunction(llvm::Function &F);
  void cloneBody(llvm::Function &F);
  Error mapInitializers();
  Expected<Constant *> mapConstant(Constant *C, const GlobalVariable &Owner);
  void addContext(CallInst &Call);
  FunctionType *withContext(FunctionType *T);
  Error bindVariables();

  Module &In;
  const ModuleLayout &Layout;
  LLVMContext &Ctx;
  TypeFlattener Types;
  ValueToValueMapTy Map;
  DenseMap<Type *, bool> Checked;
  SmallPtrSet<llvm::Function *, 16> Bodies; ///< new ones that take a context
  /// Stand-ins for what is not at an address known to the compiler.
  struct Stand {
    GlobalVariable *G;
    size_t Field;    ///< of the block: base address
    uint64_t Offset; ///< from there
  };
  SmallVector<Stand, 16> Stands;
};

/// Constant expressions in operands become instructions, so that each can be
/// changed for itself.
void expandConstants(llvm::Function &F) {
  SmallVector<Instruction *, 64> Work;
  for (Instruction &I : instructions(F))
    Work.push_back(&I);
  while (!Work.empty()) {
    Instruction *I = Work.pop_back_val();
    for (Use &U : I->operands()) {
      auto *C = dyn_cast<Constant>(U.get());
      if (!C || (!isa<ConstantExpr>(C) && !isa<ConstantAggregate>(C)))
        continue;
      Instruction *At = I;
      if (auto *Phi = dyn_cast<PHINode>(I))
        At = Phi->getIncomingBlock(U)->getTerminator();
      Instruction *New = nullptr;
      if (auto *CE = dyn_cast<ConstantExpr>(C)) {
        New = CE->getAsInstruction();
        New->insertBefore(At->getIterator());
        Work.push_back(New);
      } else {
        bool Plain = true;
        for (Value *Op : C->operands())
          Plain &= isa<ConstantData>(Op);
        if (Plain || isa<LandingPadInst>(I) || isa<SwitchInst>(I))
          continue;
        Value *Agg = PoisonValue::get(C->getType());
        IRBuilder<NoFolder> B(At);
        for (unsigned N = 0; N < C->getNumOperands(); N++) {
          Value *Op = C->getOperand(N);
          Agg = C->getType()->isVectorTy() ? B.CreateInsertElement(Agg, Op, N)
                                           : B.CreateInsertValue(Agg, Op, N);
          Work.push_back(cast<Instruction>(Agg));
        }
        New = cast<Instruction>(Agg);
      }
      if (auto *Phi = dyn_cast<PHINode>(I)) {
        // A predecessor that is listed twice must bring the same value.
        BasicBlock *From = Phi->getIncomingBlock(U);
        for (unsigned N = 0; N < Phi->getNumIncomingValues(); N++)
          if (Phi->getIncomingBlock(N) == From)
            Phi->setIncomingValue(N, New);
      } else {
        U.set(New);
      }
    }
  }
}

/// True if T's parts are where they are on a GPU.
bool Flattener::sameLayout(Type *T) {
  if (!T->isSized())
    return true;
  if (auto It = Checked.find(T); It != Checked.end())
    return It->second;
  const DataLayout &From = In.getDataLayout();
  const DataLayout &To = Out->getDataLayout();
  Type *N = Types.remapType(T);
  bool Same = From.getTypeAllocSize(T) == To.getTypeAllocSize(N);
  if (auto *S = dyn_cast<StructType>(T); S && Same) {
    const StructLayout *A = From.getStructLayout(S);
    const StructLayout *B = To.getStructLayout(cast<StructType>(N));
    for (unsigned I = 0; I < S->getNumElements(); I++)
      Same &= A->getElementOffset(I) == B->getElementOffset(I) && sameLayout(S->getElementType(I));
  } else if (auto *A = dyn_cast<ArrayType>(T); A && Same) {
    Same = sameLayout(A->getElementType());
  }
  Checked[T] = Same;
  return Same;
}

/// Why F cannot be translated, or "".
std::string Flattener::problemOf(llvm::Function &F) {
  for (Instruction &I : instructions(F)) {
    // Frames, parameters and variables hold data at the GPU layout's offsets.
    Type *T = I.getType();
    if (auto *G = dyn_cast<GetElementPtrInst>(&I))
      T = G->getSourceElementType();
    else if (auto *A = dyn_cast<AllocaInst>(&I))
      T = A->getAllocatedType();
    else if (auto *S = dyn_cast<StoreInst>(&I))
      T = S->getValueOperand()->getType();
    if (!sameLayout(T)) {
      std::string Name;
      raw_string_ostream(Name) << *T;
      return "has type " + Name + ", which is laid out differently on x86-64";
    }
    Type *P = isa<PtrToIntInst>(I)   ? I.getOperand(0)->getType()
              : isa<IntToPtrInst>(I) ? I.getType()
                                     : nullptr;
    if (P && P->isVectorTy() && P->getPointerAddressSpace() == SpaceShared)
      return "converts a vector of shared pointers to integers";
    if (isa<CallBase>(I) && !isa<CallInst>(I))
      return "has exceptions";
  }
  return "";
}

/// A thread that comes to F ends with the reason, by way of a function that no target has.
void Flattener::refuse(llvm::Function &F, const Twine &Problem) {
  auto Linkage = F.getLinkage();
  F.deleteBody(); // makes it external
  F.setLinkage(Linkage);
  F.setComdat(nullptr);
  IRBuilder<> B(BasicBlock::Create(Ctx, "entry", &F));
  B.CreateCall(llvm::Function::Create(FunctionType::get(B.getVoidTy(), false),
                                      GlobalValue::ExternalLinkage,
                                      NoCode + demangle(F.getName()) + " " + Problem, In));
  B.CreateUnreachable();
}

FunctionType *Flattener::withContext(FunctionType *T) {
  Type *I32 = Type::getInt32Ty(Ctx);
  SmallVector<Type *, 12> Params = {PointerType::get(Ctx, 0), I32, I32, I32, I32};
  Params.append(T->param_begin(), T->param_end());
  return FunctionType::get(T->getReturnType(), Params, T->isVarArg());
}

void Flattener::declareFunction(llvm::Function &F) {
  auto *T = cast<FunctionType>(Types.remapType(F.getFunctionType()));
  if (F.isIntrinsic() && !F.getName().starts_with("llvm.nvvm.")) {
    auto *New = llvm::Function::Create(T, GlobalValue::ExternalLinkage, F.getName(), *Out);
    if (auto Renamed = Intrinsic::remangleIntrinsicFunction(New)) {
      if (*Renamed != New) {
        New->eraseFromParent();
        New = *Renamed;
      }
    }
    Map[&F] = New;
    return;
  }
  if (F.isDeclaration()) {
    std::string Name = F.getName().str();
    if (F.isIntrinsic()) {
      Name = "__hetckpt_" + Name.substr(strlen("llvm."));
      for (char &C : Name)
        if (C == '.')
          C = '_';
    }
    FunctionCallee New = Out->getOrInsertFunction(Name, T);
    Map[&F] = New.getCallee();
    return;
  }
  auto *New = llvm::Function::Create(withContext(T), GlobalValue::InternalLinkage,
                                     F.getName(), *Out);
  for (unsigned I = 0; I < F.arg_size(); I++) {
    New->getArg(ContextArgs + I)->setName(F.getArg(I)->getName());
    Map[F.getArg(I)] = New->getArg(ContextArgs + I);
  }
  static const char *const Names[] = {"block", "x", "y", "z", "tid"};
  for (unsigned I = 0; I < ContextArgs; I++)
    New->getArg(I)->setName(Names[I]);
  Map[&F] = New;
  Bodies.insert(New);
}

Error Flattener::declareVariable(GlobalVariable &G) {
  StringRef Name = G.getName();
  if (Name.starts_with("llvm."))
    return Error::success();
  Type *T = Types.remapType(G.getValueType());
  if (G.getAddressSpace() == SpaceShared || !G.hasInitializer()) {
    auto *New = new GlobalVariable(*Out, T, false, GlobalValue::ExternalLinkage, nullptr, Name);
    Map[&G] = New;
    if (Name == "__hetckpt_dynamic_shared") {
      Stands.push_back({New, offsetof(hetckpt_cpu_block, dynamic), 0});
    } else if (G.getAddressSpace() == SpaceShared) {
      if (!Name.starts_with("__hetckpt_shared_"))
        return fail(EINVAL, "shared variable " + Name + " has no place in the state map");
      Stands.push_back({New, offsetof(hetckpt_cpu_block, shared), 0});
    } else {
      auto It = Layout.Variables.find(Name);
      if (It == Layout.Variables.end())
        return fail(EINVAL, "variable " + Name +
                                " is not in the state map; if it is in another file: files' device code "
                                "cannot be linked together");
      Stands.push_back({New, offsetof(hetckpt_cpu_block, globals), It->second});
    }
    return Error::success();
  }
  if (!G.isConstant())
    return fail(EINVAL, "variable " + Name + " is defined in the code instead of the state map");
  auto *New = new GlobalVariable(*Out, T, true, GlobalValue::InternalLinkage, nullptr, Name);
  New->setAlignment(G.getAlign());
  New->setUnnamedAddr(G.getUnnamedAddr());
  Map[&G] = New;
  return Error::success();
}

Expected<Constant *> Flattener::mapConstant(Constant *C, const GlobalVariable &Owner) {
  Type *T = Types.remapType(C->getType());
  if (auto *G = dyn_cast<GlobalValue>(C)) {
    auto *New = dyn_cast_or_null<GlobalVariable>(Map.lookup(G));
    if (New && New->isConstant())
      return New;
    if (auto *F = dyn_cast_or_null<llvm::Function>(Map.lookup(G)))
      return F;
    return fail(ENOTSUP, "constant " + Owner.getName() + " holds the address of " +
                             G->getName() + ", which is not known before the module is loaded");
  }
  if (isa<ConstantPointerNull>(C) || isa<ConstantAggregateZero>(C))
    return Constant::getNullValue(T);
  if (isa<PoisonValue>(C))
    return PoisonValue::get(T);
  if (isa<UndefValue>(C))
    return UndefValue::get(T);
  if (isa<ConstantData>(C))
    return C;
  SmallVector<Constant *, 8> Ops;
  for (Value *Op : C->operands()) {
    Expected<Constant *> N = mapConstant(cast<Constant>(Op), Owner);
    if (!N)
      return N.takeError();
    Ops.push_back(*N);
  }
  if (auto *S = dyn_cast<StructType>(T))
    return ConstantStruct::get(S, Ops);
  if (auto *A = dyn_cast<ArrayType>(T))
    return ConstantArray::get(A, Ops);
  if (isa<ConstantVector>(C))
    return ConstantVector::get(Ops);
  if (auto *CE = dyn_cast<ConstantExpr>(C)) {
    if (CE->getOpcode() == Instruction::AddrSpaceCast)
      return Ops[0];
    if (auto *G = dyn_cast<GEPOperator>(CE))
      return ConstantExpr::getGetElementPtr(Types.remapType(G->getSourceElementType()), Ops[0],
                                            ArrayRef<Constant *>(Ops).drop_front(),
                                            G->getNoWrapFlags());
    return CE->getWithOperands(Ops, T);
  }
  return fail(ENOTSUP, "initial value of constant " + Owner.getName());
}

Error Flattener::mapInitializers() {
  for (GlobalVariable &G : In.globals()) {
    auto *New = dyn_cast_or_null<GlobalVariable>(Map.lookup(&G));
    if (!New || !New->isConstant())
      continue;
    Expected<Constant *> C = mapConstant(G.getInitializer(), G);
    if (!C)
      return C.takeError();
    New->setInitializer(*C);
  }
  return Error::success();
}

/// Calls of the module's own functions, and calls through pointers, pass the
/// caller's context on.
void Flattener::addContext(CallInst &Call) {
  llvm::Function *Caller = Call.getFunction();
  SmallVector<Value *, 12> Args;
  for (unsigned I = 0; I < ContextArgs; I++)
    Args.push_back(Caller->getArg(I));
  Args.append(Call.arg_begin(), Call.arg_end());
  AttributeList Old = Call.getAttributes();
  SmallVector<AttributeSet, 12> ArgAttrs(ContextArgs);
  for (unsigned I = 0; I < Call.arg_size(); I++)
    ArgAttrs.push_back(Old.getParamAttrs(I));
  CallInst *New = CallInst::Create(withContext(Call.getFunctionType()), Call.getCalledOperand(),
                                   Args, "", Call.getIterator());
  New->setAttributes(AttributeList::get(Ctx, Old.getFnAttrs(), Old.getRetAttrs(), ArgAttrs));
  New->copyMetadata(Call);
  if (isa<FPMathOperator>(New))
    New->copyFastMathFlags(&Call);
  New->takeName(&Call);
  Call.replaceAllUsesWith(New);
  Call.eraseFromParent();
}

/// A block is run by one thread of the machine, from its start to its pause and from its
/// resumption to its end, and that changes from one thread of the block to another at sites
/// only. Nobody else reaches shared memory. So what is atomic for the block, warps included,
/// needs no more than not to be taken apart, and the machine's program order is stronger
/// than any order that can be asked for. Volatile, so that loops over threads with such an
/// access are never vectorised, and one that waits for another thread is not thought idle.
/// Generic pointers keep real atomics, which mix with these: it is one thread.
/// Marked (Loops.cpp) where it makes no difference which thread comes first.
void lowerSharedAtomic(Instruction &I) {
  IRBuilder<> B(&I);
  Value *P = I.getOperand(0), *Result;
  auto Load = [&](Type *T, Align A) { return B.CreateAlignedLoad(T, P, A, /*isVolatile=*/true); };
  if (auto *X = dyn_cast<AtomicCmpXchgInst>(&I)) {
    Value *Old = Load(X->getCompareOperand()->getType(), X->getAlign());
    Value *Same = B.CreateICmpEQ(Old, X->getCompareOperand());
    B.CreateAlignedStore(B.CreateSelect(Same, X->getNewValOperand(), Old), P, X->getAlign(), true);
    Result = B.CreateInsertValue(PoisonValue::get(X->getType()), Old, 0);
    Result = B.CreateInsertValue(Result, Same, 1);
  } else {
    auto *A = cast<AtomicRMWInst>(&I);
    Result = Load(A->getType(), A->getAlign());
    Value *New = buildAtomicRMWValue(A->getOperation(), B, Result, A->getValOperand());
    StoreInst *Store = B.CreateAlignedStore(New, P, A->getAlign(), true);
    if (commutes(*A))
      for (Instruction *Access : {cast<Instruction>(Result), cast<Instruction>(Store)})
        Access->setMetadata(CommutesMetadata, MDNode::get(I.getContext(), {}));
  }
  I.replaceAllUsesWith(Result);
  I.eraseFromParent();
}

void Flattener::cloneBody(llvm::Function &F) {
  auto *New = cast<llvm::Function>(Map[&F]);
  expandConstants(F);
  SmallVector<Instruction *, 8> SharedCasts, SharedAtomics;
  for (Instruction &I : instructions(F)) {
    Type *P = isa<PtrToIntInst>(I)   ? I.getOperand(0)->getType()
              : isa<IntToPtrInst>(I) ? I.getType()
                                     : nullptr;
    if (P && P->getPointerAddressSpace() == SpaceShared)
      SharedCasts.push_back(&I);
    if (isa<AtomicRMWInst>(I) || isa<AtomicCmpXchgInst>(I))
      if (I.getOperand(0)->getType()->getPointerAddressSpace() == SpaceShared)
        SharedAtomics.push_back(&I);
  }

  SmallVector<ReturnInst *, 4> Returns;
  CloneFunctionInto(New, &F, Map, CloneFunctionChangeType::DifferentModule, Returns, "", nullptr,
                    &Types);
  New->setLinkage(GlobalValue::InternalLinkage);
  New->setVisibility(GlobalValue::DefaultVisibility);
  New->setCallingConv(CallingConv::C);
  New->setComdat(nullptr);
  // Attributes that speak of a GPU, name arguments by their place, or would keep what waits from being inlined.
  AttributeMask Drop;
  for (Attribute A : New->getAttributes().getFnAttrs())
    if (A.isStringAttribute() && !A.getKindAsString().starts_with("denormal-fp-math"))
      Drop.addAttribute(A.getKindAsString());
  for (auto K : {Attribute::OptimizeNone, Attribute::Convergent, Attribute::NoInline,
                 Attribute::Memory, Attribute::AlwaysInline, Attribute::StackProtect,
                 Attribute::StackProtectStrong, Attribute::WillReturn, Attribute::NoSync,
                 Attribute::Speculatable, Attribute::AllocSize})
    Drop.addAttribute(K);
  New->removeFnAttrs(Drop);
  New->addFnAttr(Attribute::NoUnwind);

  IRBuilder<> B(Ctx);
  for (Instruction *Old : SharedCasts) {
    auto *I = cast<Instruction>(Map[Old]);
    B.SetInsertPoint(I);
    Value *Base = loadField(B, New->getArg(ArgBlock), offsetof(hetckpt_cpu_block, shared),
                            PointerType::get(Ctx, 0), "shared");
    Value *R;
    if (isa<PtrToIntInst>(I)) {
      Type *I64 = B.getInt64Ty();
      // Not the builder's: it would fold the cast of a variable into a constant, and those
      // cannot be bound to the block's memory.
      Value *Whole = B.Insert(new PtrToIntInst(I->getOperand(0), I64));
      R = B.CreateSub(Whole, B.CreatePtrToInt(Base, I64));
      R = B.CreateZExtOrTrunc(R, I->getType());
    } else {
      R = B.CreateGEP(B.getInt8Ty(), Base, B.CreateZExtOrTrunc(I->getOperand(0), B.getInt64Ty()));
    }
    I->replaceAllUsesWith(R);
    I->eraseFromParent();
  }

  for (Instruction *Old : SharedAtomics)
    lowerSharedAtomic(*cast<Instruction>(Map[Old]));

  for (Instruction &I : make_early_inc_range(instructions(New))) {
    if (isa<AddrSpaceCastInst>(I)) {
      I.replaceAllUsesWith(I.getOperand(0));
      I.eraseFromParent();
    } else if (auto *Call = dyn_cast<CallInst>(&I)) {
      Call->setCallingConv(CallingConv::C);
      Call->removeFnAttr(Attribute::Convergent);
      Call->removeFnAttr(Attribute::AllocSize);
      Call->setTailCallKind(CallInst::TCK_None);
      auto *Callee = dyn_cast<llvm::Function>(Call->getCalledOperand());
      if (!Callee || Bodies.contains(Callee))
        addContext(*Call);
    } else if (auto *A = dyn_cast<AtomicRMWInst>(&I)) {
      A->setSyncScopeID(SyncScope::System);
    } else if (auto *X = dyn_cast<AtomicCmpXchgInst>(&I)) {
      X->setSyncScopeID(SyncScope::System);
    } else if (auto *L = dyn_cast<LoadInst>(&I)) {
      if (L->isAtomic())
        L->setAtomic(L->getOrdering(), SyncScope::System);
    } else if (auto *S = dyn_cast<StoreInst>(&I)) {
      if (S->isAtomic())
        S->setAtomic(S->getOrdering(), SyncScope::System);
    } else if (auto *Fn = dyn_cast<FenceInst>(&I)) {
      Fn->setSyncScopeID(SyncScope::System);
    }
  }
}

Error Flattener::bindVariables() {
  for (Stand &S : Stands) {
    DenseMap<llvm::Function *, Value *> Address;
    SmallVector<Use *, 16> Uses;
    for (Use &U : S.G->uses())
      Uses.push_back(&U);
    for (Use *U : Uses) {
      auto *I = dyn_cast<Instruction>(U->getUser());
      if (!I)
        return fail(ENOTSUP, "a constant holds the address of variable " + S.G->getName());
      Value *&A = Address[I->getFunction()];
      if (!A) {
        llvm::Function *F = I->getFunction();
        IRBuilder<> B(&*F->getEntryBlock().getFirstNonPHIOrDbgOrAlloca());
        A = loadField(B, F->getArg(ArgBlock), S.Field, PointerType::get(Ctx, 0), S.G->getName());
        if (S.Offset)
          A = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), A, S.Offset, S.G->getName());
      }
      U->set(A);
    }
    S.G->eraseFromParent();
  }
  return Error::success();
}

/// Lines outlive debug information where a message may want them.
void keepLines(Module &M) {
  Type *I32 = Type::getInt32Ty(M.getContext());
  for (llvm::Function &F : M)
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallInst>(&I); Call && Call->getDebugLoc())
        if (llvm::Function *Callee = Call->getCalledFunction(); Callee && isWait(Callee->getName()))
          Call->setMetadata("hetckpt.line",
                            MDNode::get(M.getContext(),
                                        ConstantAsMetadata::get(ConstantInt::get(
                                            I32, Call->getDebugLoc().getLine()))));
}

Error Flattener::run(SmallVectorImpl<llvm::Function *> &Kernels) {
  keepLines(In);
  StripDebugInfo(In);
  for (llvm::Function &F : make_early_inc_range(In))
    if (std::string Problem = problemOf(F); !Problem.empty())
      refuse(F, Problem);
  for (GlobalVariable &G : In.globals())
    if (Error E = declareVariable(G))
      return E;
  if (!In.alias_empty())
    return fail(ENOTSUP, "alias " + In.alias_begin()->getName() + " in the code");
  for (llvm::Function &F : In)
    declareFunction(F);
  if (Error E = mapInitializers())
    return E;
  for (llvm::Function &F : In) {
    if (F.isDeclaration())
      continue;
    cloneBody(F);
    if (F.getCallingConv() == CallingConv::PTX_Kernel)
      Kernels.push_back(cast<llvm::Function>(Map[&F]));
  }
  return bindVariables();
}

} // namespace

Expected<std::unique_ptr<Module>> flatten(Module &In, const ModuleLayout &Layout,
                                          TargetMachine &TM,
                                          SmallVectorImpl<llvm::Function *> &Kernels) {
  Flattener F(In, Layout, TM);
  if (Error E = F.run(Kernels))
    return E;
  return std::move(F.Out);
}

} // namespace hetckpt::cpu
