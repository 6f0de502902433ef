// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants that only one file can see (tables, strings, vtables of classes in unnamed
// namespaces) lie with the code, at another address on each device. That is fine for
// as long as they are only read. Once such an address is in memory (an object's
// pointer to its vtable, for one) it has to mean the same everywhere: then the constant becomes
// one of the module's variables, which lie in the arena.
//
//   @table = internal constant ...        @table = constant ...
//   store ptr @table, ptr %object    ->   store ptr @table, ptr %object
#include "transform/StoredTables.h"
#include "Names.h"
#include "transform/SharedPointers.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Operator.h"

using namespace llvm;

namespace hetckpt {

/// True if V, an address, may get where it is not known to be one of this table.
static bool isHandedOn(const Value &V, SmallPtrSetImpl<const Value *> &Seen) {
  if (!Seen.insert(&V).second)
    return false;
  return any_of(V.uses(), [&](const Use &U) {
    const User *By = U.getUser();
    if (isa<GEPOperator>(By) || isa<AddrSpaceCastOperator>(By) || isa<PHINode>(By) ||
        isa<SelectInst>(By))
      return isHandedOn(*By, Seen);
    if (isa<LoadInst>(By) || isa<ICmpInst>(By))
      return false;
    auto *Call = dyn_cast<CallBase>(By);
    if (!Call || !Call->isArgOperand(&U))
      return true;
    const Function *Callee = Call->getCalledFunction();
    if (!Callee)
      return true;
    if (Callee->isDeclaration()) // copies and messages
      return !isa<MemTransferInst>(Call) && Callee->getName() != "vprintf" &&
             Callee->getName() != "__assertfail";
    unsigned N = Call->getArgOperandNo(&U);
    return N >= Callee->arg_size() || isHandedOn(*Callee->getArg(N), Seen);
  });
}

void publishStoredTables(Module &M) {
  for (GlobalVariable &G : M.globals()) {
    SmallPtrSet<const Value *, 16> Seen;
    if (!liesWithCode(G) || G.getAddressSpace() == 4 || G.getName().starts_with("llvm.") ||
        G.getName().starts_with(names::Prefix) || !isHandedOn(G, Seen))
      continue;
    // Others than local ones are looked up by name.
    std::string Name = G.getName().str();
    for (char &C : Name)
      if (!isAlnum(C))
        C = '_';
    G.setName(Name.empty() ? "table" : Name);
    G.setLinkage(GlobalValue::ExternalLinkage);
    G.setUnnamedAddr(GlobalValue::UnnamedAddr::None);
  }
}

} // namespace hetckpt
