// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a compiled module exports: struct hetckpt_cpu_module in abi.h, as constants, and what runs
// blocks side by side. The structs there have natural alignment, so the IR's do too.
#include "Cpu.h"

#include "hetckpt/abi.h"

#include "llvm/IR/Constants.h"

using namespace llvm;

namespace hetckpt::cpu {

static_assert(sizeof(hetckpt_cpu_function) == 40 && sizeof(hetckpt_cpu_module) == 16);

void emitTable(Module &M, ArrayRef<Variant> Functions) {
  LLVMContext &C = M.getContext();
  Type *I32 = Type::getInt32Ty(C);
  auto *Ptr = PointerType::get(C, 0);
  StructType *Row = StructType::get(Ptr, Ptr, Ptr, I32, I32, I32, I32);
  auto Number = [&](uint32_t N) { return ConstantInt::get(I32, N); };
  SmallVector<Constant *, 32> Rows, Beside;
  for (const Variant &F : Functions) {
    Constant *Text = ConstantDataArray::getString(C, F.Name);
    auto *Name = new GlobalVariable(M, Text->getType(), true, GlobalValue::PrivateLinkage, Text,
                                    "__hetckpt_name");
    Constant *Sites = F.Sites ? cast<Constant>(F.Sites) : ConstantPointerNull::get(Ptr);
    Rows.push_back(ConstantStruct::get(Row, {Name, F.Run, Sites, Number(F.SiteCount),
                                             Number(F.FrameBytes), Number(F.StaticShared),
                                             Number(F.ParamBytes)}));
  }
  for (const Variant &F : Functions)
    Beside.push_back(F.Beside ? cast<Constant>(F.Beside) : ConstantPointerNull::get(Ptr));
  ArrayType *Pointers = ArrayType::get(Ptr, Beside.size());
  new GlobalVariable(M, Pointers, true, GlobalValue::ExternalLinkage, ConstantArray::get(Pointers, Beside),
                     HETCKPT_CPU_BESIDE_SYMBOL);
  ArrayType *Array = ArrayType::get(Row, Rows.size());
  auto *Table = new GlobalVariable(M, Array, true, GlobalValue::PrivateLinkage,
                                   ConstantArray::get(Array, Rows), "__hetckpt_functions");
  StructType *Head = StructType::get(I32, I32, Ptr);
  Constant *Record = ConstantStruct::get(
      Head, {Number(HETCKPT_ABI_VERSION), Number(Functions.size()), Table});
  new GlobalVariable(M, Head, true, GlobalValue::ExternalLinkage, Record,
                     HETCKPT_CPU_MODULE_SYMBOL);
}

} // namespace hetckpt::cpu
