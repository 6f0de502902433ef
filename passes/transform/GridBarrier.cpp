// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// grid_group::sync() of CUDA's cooperative_groups.h. In the toolkit's form one thread of a
// block reads a word until it changes, while the others stand at a block barrier: a place
// that is not uniform, where a pause would hang. And the word is the driver's, found
// through environment registers: it would not be there after a resume.
//
//   sync_grids_wait(token, word)          becomes
//     if first thread of the block          do
//       while (word has not flipped);         open = first thread && word has flipped
//     barrier                               while !barrier_or(open)
//                                           fence
//
//   sync_grids_arrive(word)               the same steps, with neutral instructions
//   get_grid_workspace()                  the address of a variable of the module
//   reserved_shared_ptr()                 may be left out where nothing uses its result, an
//                                         address that only groups of several warps need
//
// All threads of a waiting block then go around one loop together, and its arrival is in
// memory that is saved. The count is that of the toolkit: block 0 adds 2^31 less the
// number of the others, which add 1 each, so bit 31 flips when all have arrived and the
// other bits are 0 again.
//
// Gaps: one cooperative launch of a module may run at a time, and is_valid() is true in
// other launches, too. Barriers of more than one device are not touched.
#include "transform/GridBarrier.h"
#include "transform/Frame.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace hetckpt {

namespace {

/// What the driver keeps for grid barriers, as a variable of the module.
constexpr StringLiteral Workspace = "hetckpt_grid_workspace";

/// Writes a new body for one of the library's functions.
class Body {
public:
  explicit Body(Function &F) : F(F), B(F.getContext()) {
    auto Linkage = F.getLinkage();
    F.deleteBody(); // makes it external
    F.setLinkage(Linkage);
    B.SetInsertPoint(block("entry"));
    if (DISubprogram *SP = F.getSubprogram())
      B.SetCurrentDebugLocation(DILocation::get(F.getContext(), SP->getLine(), 0, SP));
  }
  void arrive();
  void wait();
  void workspace();

private:
  BasicBlock *block(const Twine &Name) { return BasicBlock::Create(F.getContext(), Name, &F); }
  Value *sreg(const Twine &Name) {
    return callNamed(B, ("llvm.nvvm.read.ptx.sreg." + Name).str(), B.getInt32Ty());
  }
  /// True where all three of an id are 0.
  Value *isFirst(StringRef Id) {
    Value *Any = B.CreateOr(sreg(Id + ".x"), B.CreateOr(sreg(Id + ".y"), sreg(Id + ".z")));
    return B.CreateIsNull(Any);
  }
  void fence() { callNamed(B, "llvm.nvvm.membar.gl", B.getVoidTy()); }

  Function &F;
  IRBuilder<> B;
};

} // namespace

void Body::arrive() {
  Type *I32 = B.getInt32Ty();
  callNamed(B, "llvm.nvvm.barrier.cta.sync.all", B.getVoidTy(), {B.getInt32(0)})->setConvergent();
  BasicBlock *Entry = B.GetInsertBlock(), *Count = block("count"), *Done = block("done");
  B.CreateCondBr(isFirst("tid"), Count, Done);

  B.SetInsertPoint(Count);
  Value *Blocks =
      B.CreateMul(sreg("nctaid.x"), B.CreateMul(sreg("nctaid.y"), sreg("nctaid.z")));
  Value *Rest = B.CreateSub(B.getInt32(1u << 31), B.CreateSub(Blocks, B.getInt32(1)));
  Value *Share = B.CreateSelect(isFirst("ctaid"), Rest, B.getInt32(1));
  fence();
  Value *Before = B.CreateAtomicRMW(AtomicRMWInst::Add, F.getArg(0), Share, Align(4),
                                    AtomicOrdering::Monotonic,
                                    F.getContext().getOrInsertSyncScopeID("device"));
  B.CreateBr(Done);

  B.SetInsertPoint(Done);
  PHINode *Token = B.CreatePHI(I32, 2);
  Token->addIncoming(B.getInt32(0), Entry);
  Token->addIncoming(Before, Count);
  B.CreateRet(Token);
}

void Body::wait() {
  BasicBlock *Loop = block("loop"), *Look = block("look"),
             *Vote = block("vote"), *Done = block("done");
  Value *First = isFirst("tid");
  B.CreateBr(Loop);

  B.SetInsertPoint(Loop);
  B.CreateCondBr(First, Look, Vote);

  B.SetInsertPoint(Look);
  LoadInst *Now = B.CreateAlignedLoad(B.getInt32Ty(), F.getArg(1), Align(4));
  Now->setAtomic(AtomicOrdering::Monotonic, F.getContext().getOrInsertSyncScopeID("device"));
  Value *Flipped = B.CreateICmpSLT(B.CreateXor(Now, F.getArg(0)), B.getInt32(0));
  B.CreateBr(Vote);

  B.SetInsertPoint(Vote);
  PHINode *Open = B.CreatePHI(B.getInt1Ty(), 2);
  Open->addIncoming(B.getFalse(), Loop);
  Open->addIncoming(Flipped, Look);
  CallInst *All = callNamed(B, "llvm.nvvm.barrier.cta.red.or.all", B.getInt1Ty(),
                            {B.getInt32(0), Open});
  All->setConvergent();
  B.CreateCondBr(All, Done, Loop);

  B.SetInsertPoint(Done);
  fence();
  B.CreateRetVoid();
}

/// The toolkit's structure: its own size, and the word of the barrier.
void Body::workspace() {
  Module &M = *F.getParent();
  Type *I32 = B.getInt32Ty();
  auto *Ty = StructType::get(I32, I32);
  auto *G = M.getGlobalVariable(Workspace, /*AllowInternal=*/true);
  if (!G)
    G = new GlobalVariable(M, Ty, /*isConstant=*/false, GlobalValue::InternalLinkage,
                           ConstantStruct::get(Ty, B.getInt32(8), B.getInt32(0)),
                           Workspace, nullptr, GlobalValue::NotThreadLocal,
                           /*AddressSpace=*/1);
  B.CreateRet(B.CreateAddrSpaceCast(G, F.getReturnType()));
}

/// Assembly that might not return stays where it is, used or not.
static void allowRemoval(Function &F) {
  for (BasicBlock &BB : F)
    for (Instruction &I : BB)
      if (auto *Call = dyn_cast<CallBase>(&I); Call && Call->isInlineAsm())
        Call->addFnAttr(Attribute::WillReturn);
}

bool replaceGridBarrier(Module &M) {
  bool Changed = false;
  for (Function &F : M) {
    StringRef Name = F.getName();
    if (F.isDeclaration() || !Name.starts_with("_ZN18cooperative_groups"))
      continue;
    if (Name.ends_with("19reserved_shared_ptrEv"))
      allowRemoval(F);
    void (Body::*Write)() = Name.ends_with("17sync_grids_arriveEPVj")  ? &Body::arrive
                            : Name.ends_with("15sync_grids_waitEjPVj") ? &Body::wait
                            : Name.ends_with("18get_grid_workspaceEv") ? &Body::workspace
                                                                       : nullptr;
    if (!Write)
      continue;
    Body New(F);
    (New.*Write)();
    Changed = true;
  }
  return Changed;
}

} // namespace hetckpt
