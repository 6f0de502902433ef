// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A cut loop, run for a tile of neighbouring threads from its first iteration to its last,
// before the next tile begins:
//
//   for each tile of the block
//     copy what the loop carries along from the frames to the stack
//     do
//       for k = 0 ... threads in a tile: state[k] = step(..., x + k, ..., stack.v[k], ...)
//     while all are at the loop's header still
//     copy it back
//
// The number of threads in a tile is a constant. So once the loop over them has become vector
// code it is unrolled, the stack's arrays are indexed by constants only, and then they are
// registers: the loop carries vectors along as a loop in C would carry numbers. What is the
// same in all threads becomes a number, as only one element of its array is ever read.
//
// For that no store may depend on a branch: step keeps each slot in a variable and writes it
// at its end, with no matter what where nobody will want it.
//
// The order of threads' iterations changes once more, which is nobody's concern: see Loops.cpp.
// When a thread has left the loop the others go on in a second such loop that leaves the first
// as it is; threads that are too few for a tile, or that differ in what is likely to be the same,
// by the loops over threads that are there for other cuts. At the end no thread is at the loop's
// header, so that none can be seen beside one that has come further.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/ValueMapper.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

/// Threads in a tile: as many as rows of a block are often long. What a loop carries along should fit into registers.
constexpr unsigned Narrow = 16;
/// Where it carries nothing along, more: what is read in one iteration is then longer than a cache line, and the next
/// iteration is far away.
constexpr unsigned Wide = 64;
constexpr unsigned WideInstructions = 80; ///< of a loop that is made code for so often

bool isStored(const Argument &Slot) {
  return any_of(Slot.users(), [](const User *U) { return isa<StoreInst>(U); });
}

/// Gives each site that F returns a return of its own, where it is on a way of its own.
void splitReturns(llvm::Function &F) {
  SmallVector<ReturnInst *, 8> Work;
  for (BasicBlock &B : F)
    if (auto *R = dyn_cast<ReturnInst>(B.getTerminator()))
      Work.push_back(R);
  while (!Work.empty()) {
    ReturnInst *R = Work.pop_back_val();
    BasicBlock *Last = R->getParent();
    if (auto *S = dyn_cast<SelectInst>(R->getReturnValue())) {
      auto *True = BasicBlock::Create(F.getContext(), "own", &F);
      auto *False = BasicBlock::Create(F.getContext(), "own", &F);
      Work.push_back(ReturnInst::Create(F.getContext(), S->getTrueValue(), True));
      Work.push_back(ReturnInst::Create(F.getContext(), S->getFalseValue(), False));
      R->eraseFromParent();
      BranchInst::Create(True, False, S->getCondition(), Last);
      continue;
    }
    auto *Phi = dyn_cast<PHINode>(R->getReturnValue());
    if (!Phi || Phi->getParent() != Last)
      continue;
    // Nothing comes behind, so that what is in the block is used in it.
    for (BasicBlock *From : SmallSetVector<BasicBlock *, 8>(pred_begin(Last), pred_end(Last))) {
      ValueToValueMapTy Map;
      BasicBlock *Own = CloneBasicBlock(Last, Map, ".own", &F);
      for (PHINode &P : Last->phis()) {
        auto *Copy = cast<PHINode>(Map[&P]);
        Map[&P] = P.getIncomingValueForBlock(From);
        Copy->eraseFromParent();
      }
      for (Instruction &I : *Own)
        RemapInstruction(&I, Map, RF_NoModuleLevelChanges | RF_IgnoreMissingLocals);
      From->getTerminator()->replaceSuccessorWith(Last, Own);
      Work.push_back(cast<ReturnInst>(Own->getTerminator()));
    }
    DeleteDeadBlock(Last);
  }
}

/// Slots of Body become variables that are read when it begins and written when it returns.
void keepInVariables(const Entered &E) {
  llvm::Function &F = *E.Body;
  splitReturns(F);
  LLVMContext &C = F.getContext();
  SmallVector<ReturnInst *, 8> Returns;
  for (BasicBlock &B : F)
    if (auto *R = dyn_cast<ReturnInst>(B.getTerminator()))
      Returns.push_back(R);
  auto *End = BasicBlock::Create(C, "end", &F);
  IRBuilder<> B(End);
  PHINode *Result = B.CreatePHI(F.getReturnType(), Returns.size(), "result");
  for (ReturnInst *R : Returns)
    Result->addIncoming(R->getReturnValue(), R->getParent());
  for (unsigned I = 0; I < E.Slots.size(); I++) {
    const Variant::Slot &S = *E.Slots[I];
    Argument *A = F.getArg(ContextArgs + I);
    bool Stored = isStored(*A);
    SmallVector<Use *, 16> Uses;
    for (Use &U : A->uses())
      Uses.push_back(&U);
    B.SetInsertPoint(&F.getEntryBlock(), F.getEntryBlock().begin());
    AllocaInst *Home = B.CreateAlloca(S.Ty, nullptr, "home");
    for (Use *U : Uses)
      U->set(Home);
    Value *Dead = UndefValue::get(S.Ty);
    B.CreateAlignedStore(is_contained(S.At, E.Site) ? B.CreateAlignedLoad(S.Ty, A, S.A) : Dead, Home,
                         Home->getAlign());
    if (!Stored)
      continue;
    for (ReturnInst *R : Returns) {
      auto *Site = dyn_cast<ConstantInt>(R->getReturnValue());
      if (Site && !is_contained(S.At, Site->getZExtValue())) {
        B.SetInsertPoint(R);
        B.CreateAlignedStore(Dead, Home, Home->getAlign());
      }
    }
    B.SetInsertPoint(End);
    B.CreateAlignedStore(B.CreateAlignedLoad(S.Ty, Home, Home->getAlign()), A, S.A);
  }
  for (ReturnInst *R : Returns) {
    BranchInst::Create(End, R->getIterator());
    R->eraseFromParent();
  }
  B.SetInsertPoint(End);
  B.CreateRet(Result);
}

class TileMaker {
public:
  /// Threads for which there is no tile of Width go on by Plain or Masked.
  TileMaker(Variant &V, const Entered &E, llvm::Function &Plain, llvm::Function &Masked, unsigned Width)
      : V(V), E(E), Width(Width), Body(*E.Body), M(*Body.getParent()), C(M.getContext()), B(C), Plain(Plain),
        Masked(Masked) {
    for (unsigned I = 0; I < E.Slots.size(); I++)
      Locals.push_back({E.Slots[I], isStored(*Body.getArg(ContextArgs + I))});
    for (Instruction &I : instructions(Body))
      Looks |= I.hasMetadata(FlagMetadata);
  }

  Tiles make() {
    llvm::Function *Some = makeSome();
    return {makeAll(), Some};
  }
  bool carriesNothing() {
    return all_of(Locals, [&](const Local &L) {
      return !L.Stored || any_of(E.Uniforms, [&](const Variant::Uniform *U) { return kept(*U) == &L; });
    });
  }

private:
  llvm::Function *makeSome();
  llvm::Function *makeAll();

  struct Local {
    const Variant::Slot *S;
    bool Stored;
    Value *Array = nullptr, *Frame = nullptr; ///< on the stack; of the tile in the frames
  };

  Value *element(Value *Array, uint64_t Bytes, Value *At) {
    return B.CreateInBoundsGEP(ArrayType::get(B.getInt8Ty(), Bytes), Array, At);
  }
  Local *kept(const Variant::Uniform &U);
  Value *none(Value *Nx, Value *Count);
  llvm::Function *create(const Twine &Name);
  Value *fixed(const Variant::Uniform &U);
  Value *lane(Value *Array, Type *T, const Variant::Slot &S, Value *K) {
    return B.CreateAlignedLoad(T, element(Array, S.Bytes, K), S.A);
  }
  Value *bits(Value *X);
  Value *unite(const Variant::Uniform &U);
  /// A loop over the threads of a tile.
  struct Walk {
    BasicBlock *Before, *Head;
    PHINode *K;
    Value *X, *Tid;
  };
  Walk begin(const Twine &Name);
  void end(const Walk &W, BasicBlock *Behind);
  CallInst *step(const Walk &W, ArrayRef<Value *> Slots, ArrayRef<Value *> Uniforms);
  void allStay(ArrayRef<Value *> Fixed, BasicBlock *Spill, BasicBlock *Rest);
  void someStay(ArrayRef<Value *> Fixed, BasicBlock *Rest, BasicBlock *Spill);

  Variant &V;
  const Entered &E;
  const unsigned Width;
  llvm::Function &Body;
  Module &M;
  LLVMContext &C;
  IRBuilder<> B;
  llvm::Function &Plain, &Masked;
  llvm::Function *F = nullptr;
  SmallVector<Local, 16> Locals; ///< in the order of E's slots
  Value *Block = nullptr, *States = nullptr;
  Value *X0 = nullptr, *Base64 = nullptr, *Y = nullptr, *Z = nullptr;
  bool Looks = false; ///< at the pause flag
};

/// The array that keeps U, if the loop changes it.
TileMaker::Local *TileMaker::kept(const Variant::Uniform &U) {
  for (Local &L : Locals)
    if (L.S == &V.Slots[U.Slot])
      return &L;
  return nullptr;
}

/// U, if no iteration changes it.
Value *TileMaker::fixed(const Variant::Uniform &U) {
  if (kept(U))
    return nullptr;
  const Variant::Slot &S = V.Slots[U.Slot];
  return lane(slotArray(B, Block, S), U.Ty, S, B.CreateAdd(Base64, X0));
}

Value *TileMaker::bits(Value *X) {
  Type *T = X->getType();
  return T->isPointerTy() ? B.CreatePtrToInt(X, B.getInt64Ty())
                          : B.CreateBitCast(X, B.getIntNTy(T->getPrimitiveSizeInBits()));
}

TileMaker::Walk TileMaker::begin(const Twine &Name) {
  Walk W;
  W.Before = B.GetInsertBlock();
  W.Head = BasicBlock::Create(C, Name, F);
  B.CreateBr(W.Head);
  B.SetInsertPoint(W.Head);
  W.K = B.CreatePHI(B.getInt64Ty(), 2, "k");
  W.K->addIncoming(B.getInt64(0), W.Before);
  Value *X64 = B.CreateAdd(X0, W.K, "x64", true, true);
  W.X = B.CreateTrunc(X64, B.getInt32Ty(), "x", true, true);
  W.Tid = B.CreateTrunc(B.CreateAdd(Base64, X64, "tid64", true, true), B.getInt32Ty(), "tid", true, true);
  return W;
}

/// The way back, and on to Behind. Only what is there by now belongs to the loop.
void TileMaker::end(const Walk &W, BasicBlock *Behind) {
  BasicBlock *Last = B.GetInsertBlock();
  Value *KN = B.CreateAdd(W.K, B.getInt64(1), "k.next", true, true);
  W.K->addIncoming(KN, Last);
  BranchInst *Latch = B.CreateCondBr(B.CreateICmpULT(KN, B.getInt64(Width)), W.Head, Behind);
  B.SetInsertPoint(Behind);
  auto Name = [&](const char *Text) { return MDString::get(C, Text); };
  Metadata *One = ConstantAsMetadata::get(B.getInt32(1));
  // Unrolled only when it has become vector code: see above.
  Metadata *Vector = MDNode::get(C, {Name("llvm.loop.vectorize.followup_vectorized"),
                                     MDNode::get(C, Name("llvm.loop.unroll.full"))});
  DominatorTree DT(*F);
  SmallVector<BasicBlock *, 32> In;
  for (BasicBlock &BB : *F)
    if (DT.isReachableFromEntry(&BB) && DT.dominates(W.Head, &BB) && !DT.dominates(Behind, &BB))
      In.push_back(&BB);
  markIndependent(*Latch, In,
                  {MDNode::get(C, {Name("llvm.loop.interleave.count"), One}),
                   MDNode::get(C, Name("llvm.loop.unroll.disable")), Vector});
}

CallInst *TileMaker::step(const Walk &W, ArrayRef<Value *> Slots, ArrayRef<Value *> Uniforms) {
  SmallVector<Value *, 32> Args = {Block, W.X, Y, Z, W.Tid};
  Args.append(Slots.begin(), Slots.end());
  Args.append(Uniforms.begin(), Uniforms.end());
  return B.CreateCall(&Body, Args);
}

/// Begins an iteration. Something has to stand between it and the loop over threads: LLVM drops an
/// empty block there, takes both loops for one that goes on in two ways, and that one is not unrolled.
/// Looks: what others write, the flag, is not known from the iteration before.
void beginIteration(IRBuilder<> &B, bool Looks) {
  if (Looks)
    B.CreateCall(InlineAsm::get(FunctionType::get(B.getVoidTy(), false), "", "~{memory}", true));
  else
    B.CreateIntrinsic(Intrinsic::sideeffect, {});
}

/// From one iteration to the next while all threads stay; then to Rest if some do, else to Spill.
void TileMaker::allStay(ArrayRef<Value *> Fixed, BasicBlock *Spill, BasicBlock *Rest) {
  auto *Iteration = BasicBlock::Create(C, "iteration", F);
  auto *Passed = BasicBlock::Create(C, "passed", F);
  auto *Parted = BasicBlock::Create(C, "parted", F);
  B.CreateBr(Iteration);
  B.SetInsertPoint(Iteration);
  beginIteration(B, Looks);
  SmallVector<Value *, 8> Values(Fixed);
  for (unsigned I = 0; I < Values.size(); I++)
    if (!Values[I]) {
      const Variant::Uniform &U = *E.Uniforms[I];
      Values[I] = lane(kept(U)->Array, U.Ty, V.Slots[U.Slot], B.getInt64(0));
    }
  Walk W = begin("thread");
  auto Reduce = [&](Value *First) {
    PHINode *P = B.CreatePHI(First->getType(), 2);
    P->addIncoming(First, W.Before);
    return P;
  };
  B.SetInsertPoint(W.Head, std::next(W.K->getIterator()));
  PHINode *Some = Reduce(B.getFalse()), *All = Reduce(B.getTrue());
  // What is likely to be the same has changed by the same bits in all threads if the union and
  // the intersection of those are equal.
  struct Compared {
    const Variant::Uniform *U;
    Value *Before;
    PHINode *Any, *All;
  };
  SmallVector<Compared, 4> Likely;
  for (unsigned I = 0; I < Values.size(); I++)
    if (E.Uniforms[I]->Likely && !Fixed[I]) {
      Type *T = Values[I]->getType()->isPointerTy() ? B.getInt64Ty() : Values[I]->getType();
      Likely.push_back({E.Uniforms[I], Values[I], Reduce(Constant::getNullValue(T)),
                        Reduce(Constant::getAllOnesValue(T))});
    }
  B.SetInsertPoint(W.Head);
  SmallVector<Value *, 16> Slots;
  for (Local &L : Locals)
    Slots.push_back(element(L.Array, L.S->Bytes, W.K));
  CallInst *Call = step(W, Slots, Values);
  B.CreateStore(Call, B.CreateInBoundsGEP(B.getInt32Ty(), States, W.K));
  Value *Left = B.CreateICmpNE(Call, B.getInt32(E.Site));
  Value *SomeN = B.CreateOr(Some, Left), *AllN = B.CreateAnd(All, Left), *Over = SomeN;
  Some->addIncoming(SomeN, W.Head);
  All->addIncoming(AllN, W.Head);
  SmallVector<std::pair<Value *, Value *>, 4> Unions;
  for (Compared &N : Likely) {
    Value *Now = lane(kept(*N.U)->Array, N.U->Ty, V.Slots[N.U->Slot], W.K);
    Value *Change = B.CreateXor(bits(Now), bits(N.Before));
    Unions.push_back({B.CreateOr(N.Any, Change), B.CreateAnd(N.All, Change)});
    N.Any->addIncoming(Unions.back().first, W.Head);
    N.All->addIncoming(Unions.back().second, W.Head);
  }
  auto *Joined = BasicBlock::Create(C, "joined", F);
  B.CreateBr(Joined);
  // Into the walk's last block, which the phis are told of.
  for (PHINode &P : W.Head->phis())
    if (&P != W.K)
      P.replaceIncomingBlockWith(W.Head, Joined);
  B.SetInsertPoint(Joined);
  InlineFunctionInfo Info;
  InlineFunction(*Call, Info);
  end(W, Passed);
  for (auto &[Any, AllOf] : Unions)
    Over = B.CreateOr(Over, B.CreateICmpNE(Any, AllOf));
  B.CreateCondBr(Over, Parted, Iteration);
  B.SetInsertPoint(Parted);
  B.CreateCondBr(AllN, Spill, Rest);
}

/// The bits of U in the threads that are at the header, in all of which it is the same.
Value *TileMaker::unite(const Variant::Uniform &U) {
  auto *United = BasicBlock::Create(C, "united", F);
  Walk W = begin("unite");
  Type *T = B.getIntNTy(U.Ty->isPointerTy() ? 64 : U.Ty->getPrimitiveSizeInBits());
  B.SetInsertPoint(W.Head, std::next(W.K->getIterator()));
  PHINode *Any = B.CreatePHI(T, 2);
  Any->addIncoming(Constant::getNullValue(T), W.Before);
  B.SetInsertPoint(W.Head);
  Value *State = B.CreateLoad(B.getInt32Ty(), B.CreateInBoundsGEP(B.getInt32Ty(), States, W.K));
  Value *Now = bits(lane(kept(U)->Array, U.Ty, V.Slots[U.Slot], W.K));
  Value *Here = B.CreateICmpEQ(State, B.getInt32(E.Site));
  Value *AnyN = B.CreateOr(Any, B.CreateSelect(Here, Now, Constant::getNullValue(T)));
  Any->addIncoming(AnyN, W.Head);
  end(W, United);
  return U.Ty->isPointerTy() ? B.CreateIntToPtr(AnyN, U.Ty) : B.CreateBitCast(AnyN, U.Ty);
}

/// From one iteration to the next while some threads stay, beginning at Rest; then to Spill. What
/// the others have is written again as it was, so that no store depends on a branch.
void TileMaker::someStay(ArrayRef<Value *> Fixed, BasicBlock *Rest, BasicBlock *Spill) {
  auto *Passed = BasicBlock::Create(C, "rest.passed", F);
  Type *I32 = B.getInt32Ty();
  SmallVector<Value *, 16> Own;
  B.SetInsertPoint(&F->getEntryBlock(), F->getEntryBlock().begin());
  for (Local &L : Locals)
    Own.push_back(L.Stored ? B.CreateAlloca(L.S->Ty, nullptr, "own") : nullptr);
  B.SetInsertPoint(Rest);
  beginIteration(B, Looks);
  SmallVector<Value *, 8> Values(Fixed);
  for (unsigned I = 0; I < Values.size(); I++)
    if (!Values[I] && !E.Uniforms[I]->Likely && E.Uniforms[I]->Ty->isSingleValueType())
      Values[I] = unite(*E.Uniforms[I]);
  Walk W = begin("rest.thread");
  auto *Called = BasicBlock::Create(C, "rest.called", F);
  auto *Next = BasicBlock::Create(C, "rest.next", F);
  B.SetInsertPoint(W.Head, std::next(W.K->getIterator()));
  PHINode *Some = B.CreatePHI(B.getInt1Ty(), 2);
  Some->addIncoming(B.getFalse(), W.Before);
  B.SetInsertPoint(W.Head);
  Value *StateAt = B.CreateInBoundsGEP(I32, States, W.K);
  Value *Before = B.CreateLoad(I32, StateAt);
  SmallVector<Value *, 16> Slots;
  for (unsigned I = 0; I < Locals.size(); I++) {
    Local &L = Locals[I];
    if (Own[I])
      B.CreateStore(lane(L.Array, L.S->Ty, *L.S, W.K), Own[I]);
    Slots.push_back(Own[I] ? Own[I] : element(L.Array, L.S->Bytes, W.K));
  }
  // Each thread's own where nothing better is known.
  for (unsigned I = 0; I < Values.size(); I++)
    if (!Values[I])
      Values[I] = lane(kept(*E.Uniforms[I])->Array, E.Uniforms[I]->Ty, V.Slots[E.Uniforms[I]->Slot], W.K);
  B.CreateCondBr(B.CreateICmpEQ(Before, B.getInt32(E.Site)), Called, Next);
  B.SetInsertPoint(Called);
  CallInst *Call = step(W, Slots, Values);
  B.CreateBr(Next);
  B.SetInsertPoint(Next);
  PHINode *Now = B.CreatePHI(I32, 2);
  Now->addIncoming(Before, W.Head);
  Now->addIncoming(Call, Called);
  B.CreateStore(Now, StateAt);
  for (unsigned I = 0; I < Locals.size(); I++)
    if (Own[I])
      B.CreateAlignedStore(B.CreateLoad(Locals[I].S->Ty, Own[I]),
                           element(Locals[I].Array, Locals[I].S->Bytes, W.K), Locals[I].S->A);
  Value *SomeN = B.CreateOr(Some, B.CreateICmpEQ(Now, B.getInt32(E.Site)));
  Some->addIncoming(SomeN, Next);
  InlineFunctionInfo Info;
  InlineFunction(*Call, Info);
  end(W, Passed);
  B.CreateCondBr(SomeN, Rest, Spill);
}

/// True if there is no tile in rows of Nx threads, Count together. Threads that were apart go one
/// by one.
Value *TileMaker::none(Value *Nx, Value *Count) {
  Value *Together = loadField(B, Block, offsetof(hetckpt_cpu_block, together), B.getInt32Ty(), "together");
  return B.CreateOr(B.CreateICmpEQ(Together, B.getInt32(0)),
                    B.CreateICmpULT(B.CreateBinaryIntrinsic(Intrinsic::umin, Nx, Count), B.getInt32(Width)));
}

/// u32 (block, first, count)
llvm::Function *TileMaker::create(const Twine &Name) {
  Type *I32 = B.getInt32Ty();
  F = llvm::Function::Create(FunctionType::get(I32, {B.getPtrTy(), I32, I32}, false),
                             GlobalValue::InternalLinkage, Name, M);
  F->addFnAttr(Attribute::NoUnwind);
  // One copy: it is big, and called once a block.
  F->addFnAttr(Attribute::NoInline);
  Argument *A = F->getArg(0);
  A->setName("block");
  A->addAttr(Attribute::getWithDereferenceableBytes(C, sizeof(hetckpt_cpu_block)));
  A->addAttr(Attribute::getWithAlignment(C, Align(8)));
  F->getArg(1)->setName("first");
  F->getArg(2)->setName("count");
  Block = A;
  return F;
}

llvm::Function *TileMaker::makeSome() {
  Type *I32 = B.getInt32Ty(), *I64 = B.getInt64Ty();
  create(V.Name + (Width == Narrow ? ".tiles." : ".wide.") + Twine(E.Site));
  Argument *First = F->getArg(1), *Count = F->getArg(2);
  auto *Entry = BasicBlock::Create(C, "entry", F);
  auto *None = BasicBlock::Create(C, "none", F);
  auto *Rows = BasicBlock::Create(C, "rows", F);
  auto *Row = BasicBlock::Create(C, "row", F);
  auto *Tile = BasicBlock::Create(C, "tile", F);
  auto *Take = BasicBlock::Create(C, "take", F);
  auto *Taken = BasicBlock::Create(C, "taken", F);
  auto *Rest = BasicBlock::Create(C, "rest", F);
  auto *Spill = BasicBlock::Create(C, "spill", F);
  auto *NextTile = BasicBlock::Create(C, "tile.next", F);
  auto *RowEnd = BasicBlock::Create(C, "row.end", F);
  auto *Exit = BasicBlock::Create(C, "exit", F);
  ConstantInt *W = B.getInt32(Width), *Site = B.getInt32(E.Site);
  auto Support = [&](const char *Name) { return M.getFunction(Name); };

  B.SetInsertPoint(Entry);
  for (Local &L : Locals) {
    AllocaInst *A = B.CreateAlloca(ArrayType::get(L.S->Ty, Width), nullptr, "local");
    A->setAlignment(Align(64));
    L.Array = A;
  }
  AllocaInst *Stack = B.CreateAlloca(ArrayType::get(I32, Width), nullptr, "states");
  Stack->setAlignment(Align(64));
  States = Stack;
  Value *Nx = blockSize(B, Block, 0, "nx"), *Ny = blockSize(B, Block, 1, "ny");
  Value *AllStates = loadField(B, Block, offsetof(hetckpt_cpu_block, state), B.getPtrTy(), "states");
  B.CreateCondBr(none(Nx, Count), None, Rows);
  B.SetInsertPoint(None);
  B.CreateRet(B.CreateCall(&Masked, {Block, First, Count}));

  B.SetInsertPoint(Rows);
  Value *End = B.CreateAdd(First, Count, "end", true, true);
  Value *Row0 = B.CreateUDiv(First, Nx, "row0");
  Value *X00 = B.CreateURem(First, Nx, "x00");
  Value *Y0 = B.CreateURem(Row0, Ny, "y0"), *Z0 = B.CreateUDiv(Row0, Ny, "z0");
  B.CreateBr(Row);

  B.SetInsertPoint(Row);
  PHINode *R = B.CreatePHI(I32, 2, "r"), *Begin = B.CreatePHI(I32, 2, "begin");
  PHINode *YP = B.CreatePHI(I32, 2, "y"), *ZP = B.CreatePHI(I32, 2, "z");
  Y = YP;
  Z = ZP;
  R->addIncoming(Row0, Rows);
  Begin->addIncoming(X00, Rows);
  YP->addIncoming(Y0, Rows);
  ZP->addIncoming(Z0, Rows);
  Value *RowBase = B.CreateMul(R, Nx, "", true, true);
  Value *Stop = B.CreateBinaryIntrinsic(Intrinsic::umin, Nx, B.CreateSub(End, RowBase, "", true, true));
  B.CreateBr(Tile);

  B.SetInsertPoint(Tile);
  PHINode *X = B.CreatePHI(I32, 2, "x.first");
  X->addIncoming(Begin, Row);
  Value *Tid = B.CreateAdd(RowBase, X, "tid.first", true, true);
  Value *At = B.CreateZExt(Tid, I64);
  Value *StateAt = B.CreateInBoundsGEP(I32, AllStates, At);
  Value *XN = B.CreateAdd(X, W, "x.next", true, true);
  B.CreateCondBr(B.CreateICmpULE(XN, Stop), Take, RowEnd);

  // All must be there, and what is likely to be the same must be so.
  B.SetInsertPoint(Take);
  Value *Good = B.CreateICmpEQ(B.CreateCall(Support("__hetckpt_cpu_count"), {StateAt, W, Site}), W);
  for (const Variant::Uniform *U : E.Uniforms)
    if (U->Likely) {
      const Variant::Slot &S = V.Slots[U->Slot];
      Value *Same = B.CreateCall(Support("__hetckpt_cpu_alike"),
                                 {element(slotArray(B, Block, S), S.Bytes, At), W, B.getInt32(S.Bytes)});
      Good = B.CreateAnd(Good, B.CreateICmpEQ(Same, W));
    }
  B.CreateCondBr(Good, Taken, NextTile);

  B.SetInsertPoint(Taken);
  for (Local &L : Locals) {
    L.Frame = element(slotArray(B, Block, *L.S), L.S->Bytes, At);
    B.CreateLifetimeStart(L.Array);
    if (is_contained(L.S->At, E.Site))
      B.CreateMemCpy(L.Array, Align(64), L.Frame, L.S->A, L.S->Bytes * Width);
  }
  B.CreateLifetimeStart(States);
  Base64 = B.CreateZExt(bounded(B, RowBase, 0, "base"), I64);
  X0 = B.CreateZExt(bounded(B, X, 0, "x0"), I64);
  SmallVector<Value *, 8> Fixed;
  for (const Variant::Uniform *U : E.Uniforms)
    Fixed.push_back(fixed(*U));
  allStay(Fixed, Spill, Rest);
  someStay(Fixed, Rest, Spill);

  B.SetInsertPoint(Spill);
  for (Local &L : Locals) {
    if (L.Stored)
      B.CreateMemCpy(L.Frame, L.S->A, L.Array, Align(64), L.S->Bytes * Width);
    B.CreateLifetimeEnd(L.Array);
  }
  B.CreateMemCpy(StateAt, Align(4), States, Align(64), 4 * Width);
  B.CreateLifetimeEnd(States);
  B.CreateBr(NextTile);

  B.SetInsertPoint(NextTile);
  X->addIncoming(XN, NextTile);
  B.CreateBr(Tile);

  B.SetInsertPoint(RowEnd);
  Value *RN = B.CreateAdd(R, B.getInt32(1), "r.next", true, true);
  R->addIncoming(RN, RowEnd);
  Value *YN = B.CreateAdd(Y, B.getInt32(1), "y.next", true, true);
  Value *Wrap = B.CreateICmpUGE(YN, Ny);
  YP->addIncoming(B.CreateSelect(Wrap, B.getInt32(0), YN), RowEnd);
  ZP->addIncoming(B.CreateAdd(Z, B.CreateZExt(Wrap, I32), "z.next", true, true), RowEnd);
  Begin->addIncoming(B.getInt32(0), RowEnd);
  B.CreateCondBr(B.CreateICmpULT(B.CreateMul(RN, Nx, "", true, true), End), Row, Exit);

  B.SetInsertPoint(Exit);
  B.CreateRet(B.CreateCall(Support("__hetckpt_cpu_settle"), {Block, First, Count, &Masked, Site}));
  return F;
}

/// What makeSome() made, after the states were made to say that all are there.
llvm::Function *TileMaker::makeAll() {
  llvm::Function *Some = F;
  create(V.Name + (Width == Narrow ? ".all." : ".wide.all.") + Twine(E.Site));
  Argument *First = F->getArg(1), *Count = F->getArg(2);
  auto *Entry = BasicBlock::Create(C, "entry", F);
  auto *None = BasicBlock::Create(C, "none", F);
  auto *Tiles = BasicBlock::Create(C, "tiles", F);
  B.SetInsertPoint(Entry);
  B.CreateCondBr(none(blockSize(B, Block, 0, "nx"), Count), None, Tiles);
  B.SetInsertPoint(None);
  B.CreateRet(B.CreateCall(&Plain, {Block, First, Count}));
  B.SetInsertPoint(Tiles);
  Value *All = loadField(B, Block, offsetof(hetckpt_cpu_block, state), B.getPtrTy(), "states");
  B.CreateCall(M.getFunction("__hetckpt_cpu_fill"),
               {B.CreateInBoundsGEP(B.getInt32Ty(), All, B.CreateZExt(First, B.getInt64Ty())), Count,
                B.getInt32(E.Site)});
  B.CreateRet(B.CreateCall(Some, {Block, First, Count}));
  return F;
}

} // namespace

Tiles makeTiles(Variant &V, const Entered &E, llvm::Function &Plain, llvm::Function &Masked) {
  keepInVariables(E);
  Tiles T = TileMaker(V, E, Plain, Masked, Narrow).make();
  TileMaker Longer(V, E, *T.All, *T.Some, Wide);
  return Longer.carriesNothing() && E.Body->getInstructionCount() <= WideInstructions ? Longer.make() : T;
}

} // namespace hetckpt::cpu
