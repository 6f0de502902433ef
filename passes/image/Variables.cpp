// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "image/Variables.h"
#include "Names.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Operator.h"
#include "llvm/Support/Alignment.h"

using namespace llvm;

namespace hetckpt {

static bool isVariable(const GlobalVariable &G) {
  unsigned AS = G.getAddressSpace();
  if ((AS != 1 && AS != 4 && AS != 0) || G.isDeclaration() ||
      G.getName().starts_with("llvm.") || G.getName().starts_with(names::Prefix))
    return false;
  return G.isExternallyInitialized() || !G.isConstant() || !G.hasLocalLinkage();
}

namespace {

/// Writes initialisers into the block's bytes.
class Writer {
public:
  Writer(const DataLayout &DL, VariableBlock &Block) : DL(DL), Block(Block) {}

  void write(const GlobalVariable &G, uint64_t At) {
    Name = G.getName();
    write(G.getInitializer(), At);
  }

private:
  void write(const Constant *C, uint64_t At);
  void bytes(const APInt &Bits, uint64_t At, uint64_t Count) {
    for (uint64_t I = 0; I < Count; ++I)
      Block.Data[At + I] = Bits.extractBitsAsZExtValue(
          std::min<unsigned>(8, Bits.getBitWidth() - 8 * I), 8 * I);
  }
  void pointer(const Constant *C, uint64_t At);

  const DataLayout &DL;
  VariableBlock &Block;
  StringRef Name; ///< of the variable at hand
};

} // namespace

void Writer::pointer(const Constant *C, uint64_t At) {
  APInt Offset(64, 0);
  const Value *Base = C->stripAndAccumulateConstantOffsets(DL, Offset, true);
  while (auto *Op = dyn_cast<ConstantExpr>(Base)) {
    if (Op->getOpcode() != Instruction::AddrSpaceCast)
      break;
    Base = Op->getOperand(0)->stripAndAccumulateConstantOffsets(DL, Offset, true);
  }
  if (auto *G = dyn_cast<GlobalVariable>(Base); G && isVariable(*G)) {
    Block.Relocations.push_back({At, G->getName().str(), Offset.getSExtValue()});
    return;
  }
  if (isa<ConstantPointerNull>(Base)) {
    bytes(Offset, At, 8);
    return;
  }
  // The number of a function.
  if (auto *Op = dyn_cast<ConstantExpr>(Base); Op && Op->getOpcode() == Instruction::IntToPtr)
    if (auto *N = dyn_cast<ConstantInt>(Op->getOperand(0))) {
      bytes(N->getValue().zextOrTrunc(64) + Offset, At, 8);
      return;
    }
  Block.Problems.push_back("variable " + demangle(Name) + " holds the address of " +
                           demangle(Base->getName()));
}

void Writer::write(const Constant *C, uint64_t At) {
  Type *Ty = C->getType();
  if (C->isNullValue() || isa<UndefValue>(C))
    return;
  if (auto *I = dyn_cast<ConstantInt>(C))
    return bytes(I->getValue(), At, DL.getTypeStoreSize(Ty));
  if (auto *F = dyn_cast<ConstantFP>(C))
    return bytes(F->getValueAPF().bitcastToAPInt(), At, DL.getTypeStoreSize(Ty));
  if (auto *S = dyn_cast<StructType>(Ty)) {
    const StructLayout *L = DL.getStructLayout(S);
    for (unsigned I = 0; I < S->getNumElements(); ++I)
      write(C->getAggregateElement(I), At + L->getElementOffset(I));
    return;
  }
  if (isa<ArrayType>(Ty) || isa<FixedVectorType>(Ty)) {
    Type *Element = Ty->isArrayTy() ? Ty->getArrayElementType()
                                    : cast<FixedVectorType>(Ty)->getElementType();
    uint64_t Count = Ty->isArrayTy() ? Ty->getArrayNumElements()
                                     : cast<FixedVectorType>(Ty)->getNumElements();
    uint64_t Size = DL.getTypeAllocSize(Element);
    for (uint64_t I = 0; I < Count; ++I)
      write(C->getAggregateElement(I), At + I * Size);
    return;
  }
  if (Ty->isPointerTy())
    return pointer(C, At);
  Block.Problems.push_back("variable " + demangle(Name) +
                           " holds what only the linker can compute");
}

VariableBlock layOutVariables(Module &M) {
  const DataLayout &DL = M.getDataLayout();
  VariableBlock Block;
  uint64_t At = 0;
  SmallVector<GlobalVariable *, 8> Order;
  for (GlobalVariable &G : M.globals())
    if (isVariable(G))
      Order.push_back(&G);
  for (GlobalVariable *G : Order) {
    // Vectors of doubles are read in units of 16 bytes whatever the type says.
    Align A = std::max({G->getAlign().valueOrOne(),
                        DL.getABITypeAlign(G->getValueType()), Align(8)});
    At = alignTo(At, A);
    uint64_t Bytes = DL.getTypeAllocSize(G->getValueType());
    Block.Variables.push_back({G->getName().str(), At, Bytes, A.value(),
                               G->getAddressSpace() == 4});
    At += Bytes;
  }
  Block.Data.assign(At, 0);
  Writer W(DL, Block);
  for (auto [G, V] : zip_equal(Order, Block.Variables))
    W.write(*G, V.Offset);
  return Block;
}

void declareVariables(Module &M, const VariableBlock &Block) {
  for (const Variable &V : Block.Variables) {
    GlobalVariable *G = M.getGlobalVariable(V.Name, /*AllowInternal=*/true);
    G->setInitializer(nullptr);
    G->setLinkage(GlobalValue::ExternalLinkage);
    G->setExternallyInitialized(false);
    G->setComdat(nullptr);
    G->setDSOLocal(false);
  }
}

} // namespace hetckpt
