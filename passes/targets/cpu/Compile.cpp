// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All steps in their order, LLVM's optimiser, and code generation.
//
// The module is lowered as a whole. Then each variant of a kernel is split, optimised and made
// code for by itself, in a context of its own, so that several processors share the work, and so
// that a loop that was cut in vain costs no more than its own variant again. A last object
// holds the table of all.
#include "Cpu.h"
#include "Support.h"
#include "WarpStep.h"

#include "hetckpt/abi.h"

#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/ADCE.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

using namespace llvm;

namespace hetckpt::cpu {
namespace {

struct Cpu {
  std::string Name, Features;
};

/// Warnings of optimisations that were asked for and not done are nothing to a user.
struct NoWarnings : DiagnosticHandler {
  bool handleDiagnostics(const DiagnosticInfo &Info) override {
    return Info.getSeverity() != DS_Error;
  }
};

Expected<Cpu> chooseCpu(StringRef Target) {
  Cpu C;
  if (Target == "native") {
    C.Name = sys::getHostCPUName().str();
    std::vector<std::string> List;
    for (const auto &F : sys::getHostCPUFeatures())
      List.push_back((F.second ? "+" : "-") + F.first().str());
    llvm::sort(List);
    C.Features = join(List, ",");
  } else if (Target == "x86-64-v2" || Target == "x86-64-v3" || Target == "x86-64-v4") {
    C.Name = Target.str();
  } else {
    return fail(EINVAL, "unknown CPU \"" + Target + "\": x86-64-v2, x86-64-v3, x86-64-v4 or native");
  }
  return C;
}

Expected<std::unique_ptr<TargetMachine>> makeMachine(const Cpu &C) {
  static std::once_flag Once;
  std::call_once(Once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  });
  Triple T("x86_64-unknown-linux-gnu");
  std::string Message;
  const llvm::Target *Target = TargetRegistry::lookupTarget(T, Message);
  if (!Target)
    return fail(ENOTSUP, "this LLVM cannot make code for x86-64: " + Message);
  TargetOptions O;
  O.AllowFPOpFusion = FPOpFusion::Strict;
  O.ExceptionModel = ExceptionHandling::None;
  return std::unique_ptr<TargetMachine>(Target->createTargetMachine(
      T, C.Name, C.Features, O, Reloc::PIC_, std::nullopt, CodeGenOptLevel::Aggressive));
}

/// Everything that LLVM's pass managers need, in the order in which it must die.
struct Passes {
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager Components;
  ModuleAnalysisManager Modules;
  PassBuilder Builder;

  explicit Passes(TargetMachine *TM) : Builder(TM, tuning()) {
    Builder.registerModuleAnalyses(Modules);
    Builder.registerCGSCCAnalyses(Components);
    Builder.registerFunctionAnalyses(Functions);
    Builder.registerLoopAnalyses(Loops);
    Builder.crossRegisterProxies(Loops, Functions, Components, Modules);
  }

  static PipelineTuningOptions tuning() {
    PipelineTuningOptions O;
    O.LoopVectorization = true;
    O.SLPVectorization = true;
    O.LoopInterleaving = true;
    return O;
  }

  void clean(llvm::Function &F) {
    FunctionPassManager P;
    P.addPass(SROAPass(SROAOptions::ModifyCFG));
    P.addPass(EarlyCSEPass(true));
    P.addPass(SimplifyCFGPass());
    P.addPass(InstCombinePass());
    P.addPass(ADCEPass());
    P.addPass(SimplifyCFGPass());
    P.run(F, Functions);
    Functions.invalidate(F, PreservedAnalyses::none());
  }
};

/// What the machine's features are is decided once, for our code and the support
/// functions alike, so that the one can be inlined into the other.
void setMachine(Module &M, const Cpu &C) {
  for (llvm::Function &F : M) {
    if (F.isIntrinsic())
      continue;
    for (const char *Name : {"target-cpu", "target-features", "tune-cpu", "frame-pointer",
                             "min-legal-vector-width", "stack-protector-buffer-size"})
      F.removeFnAttr(Name);
    F.addFnAttr("target-cpu", C.Name);
    if (!C.Features.empty())
      F.addFnAttr("target-features", C.Features);
  }
}

Expected<std::unique_ptr<Module>> loadSupport(LLVMContext &Ctx, const DataLayout &DL) {
  StringRef Bytes(hetckpt_cpu_support, hetckpt_cpu_support_end - hetckpt_cpu_support);
  auto M = parseBitcodeFile(MemoryBufferRef(Bytes, "support.bc"), Ctx);
  if (!M)
    return M.takeError();
  (*M)->setTargetTriple(Triple("x86_64-unknown-linux-gnu"));
  (*M)->setDataLayout(DL);
  for (NamedMDNode &N : make_early_inc_range((*M)->named_metadata()))
    (*M)->eraseNamedMetadata(&N);
  return M;
}

/// Functions that code generation may call for types that are in the module; nothing
/// calls them before.
SmallVector<StringRef, 8> libcalls(const Module &M) {
  bool Half = false, BFloat = false, Wide = false;
  for (const llvm::Function &F : M)
    for (const Instruction &I : instructions(F)) {
      auto Look = [&](const Type *T) {
        T = T->getScalarType();
        Half |= T->isHalfTy();
        BFloat |= T->isBFloatTy();
        Wide |= T->isIntegerTy() && T->getIntegerBitWidth() > 64;
      };
      Look(I.getType());
      for (const Use &U : I.operands())
        Look(U->getType());
    }
  SmallVector<StringRef, 8> Names;
  if (Half)
    Names.append({"__extendhfsf2", "__truncsfhf2", "__truncdfhf2"});
  if (BFloat)
    Names.append({"__truncsfbf2", "__truncdfbf2"});
  if (Wide)
    Names.append({"__udivti3", "__umodti3", "__divti3", "__modti3"});
  return Names;
}

Error linkSupport(Module &M, std::unique_ptr<Module> Support) {
  SmallVector<GlobalValue *, 8> Keep;
  SmallVector<StringRef, 8> Calls = libcalls(M);
  // For loops that are yet to be made; unused ones go later.
  for (const char *Name : {"__hetckpt_cpu_alike", "__hetckpt_cpu_fill", "__hetckpt_cpu_find",
                           "__hetckpt_cpu_drive", "__hetckpt_cpu_count", "__hetckpt_cpu_settle",
                           "__hetckpt_cpu_combine", "__hetckpt_cpu_look", "__hetckpt_cpu_empty"})
    M.getOrInsertFunction(Name, Support->getFunction(Name)->getFunctionType());
  for (StringRef Name : Calls)
    M.getOrInsertFunction(Name, Support->getFunction(Name)->getFunctionType());
  SmallVector<std::string, 64> Names;
  for (llvm::Function &F : *Support)
    if (!F.isDeclaration())
      Names.push_back(F.getName().str());
  if (Linker::linkModules(M, std::move(Support), Linker::LinkOnlyNeeded))
    return fail(EINVAL, "the support functions cannot be linked");
  for (const std::string &N : Names)
    if (llvm::Function *F = M.getFunction(N); F && !F->isDeclaration())
      F->setLinkage(GlobalValue::InternalLinkage);
  for (StringRef Name : Calls) {
    // Each variant's object brings its own.
    llvm::Function *F = M.getFunction(Name);
    F->setLinkage(GlobalValue::WeakODRLinkage);
    F->setVisibility(GlobalValue::HiddenVisibility);
    Keep.push_back(F);
  }
  appendToCompilerUsed(M, Keep);
  return Error::success();
}

/// Names the first thing that LLVM's verifier finds.
Error check(const Module &M, const char *When) {
  std::string Text;
  raw_string_ostream OS(Text);
  if (!verifyModule(M, &OS))
    return Error::success();
  std::replace(Text.begin(), Text.end(), '\n', ' ');
  return fail(EINVAL, Twine("invalid code ") + When + ": " + Text);
}

/// Adds the loops of F to Leave that were cut and did not become vector code. True if there are
/// any. Where a second try is in vain too, all loops of the function are left.
bool leaveScalar(Module &M, const Variant &F, StringSet<> &Leave) {
  bool Any = false, Again = !Leave.empty();
  for (unsigned N = 0; N < F.CutLoops.size(); N++) {
    if (F.CutLoops[N].empty())
      continue;
    uint32_t Site = HETCKPT_CPU_FIRST_SITE + F.SiteCount + N;
    llvm::Function *Loop = M.getFunction((F.Name + ".tiles." + Twine(Site)).str());
    bool Vector = false;
    if (Loop)
      for (Instruction &I : instructions(*Loop))
        Vector |= I.getType()->isVectorTy();
    if (!Vector) {
      Any = true;
      Leave.insert(Again ? StringRef(F.Name) : StringRef(F.CutLoops[N]));
    }
  }
  return Any;
}

class Stopwatch {
public:
  explicit Stopwatch(std::string *Lines) : Lines(Lines), Last(std::chrono::steady_clock::now()) {}
  void lap(const Twine &What) {
    if (!Lines)
      return;
    auto Now = std::chrono::steady_clock::now();
    raw_string_ostream(*Lines) << format("%8.1f ms  ",
                                         std::chrono::duration<double, std::milli>(Now - Last).count())
                               << What << "\n";
    Last = Now;
  }

private:
  std::string *Lines;
  std::chrono::steady_clock::time_point Last;
};

/// A variant on its way, and what became of it.
struct Part {
  Variant Facts; ///< without pointers into a module
  bool HasSites = false, HasBeside = false;
  size_t Size = 0; ///< instructions
  Bytes Object;
  std::string Llvm, Times, Problem;
  std::error_code Code; ///< of the problem
};

Error emit(Module &M, TargetMachine &TM, Bytes &Object, std::string *Text) {
  if (Text) {
    raw_string_ostream OS(*Text);
    M.print(OS, nullptr);
  }
  legacy::PassManager CodeGen;
  raw_svector_ostream OS(Object);
  if (TM.addPassesToEmitFile(CodeGen, OS, nullptr, CodeGenFileType::ObjectFile))
    return fail(ENOTSUP, "this LLVM cannot write x86-64 objects");
  CodeGen.run(M);
  return Error::success();
}

/// Everything after lowering for one variant of those in Lowered. Object stays empty if a loop was
/// cut in vain, which is then in Leave.
Error compileVariant(StringRef Lowered, const Cpu &C, bool Text, Stopwatch &Watch,
                     StringSet<> &Leave, Part &P) {
  LLVMContext Ctx;
  Ctx.setDiagnosticHandler(std::make_unique<NoWarnings>());
  auto TM = makeMachine(C);
  if (!TM)
    return TM.takeError();
  auto Parsed = parseBitcodeFile(MemoryBufferRef(Lowered, "lowered"), Ctx);
  if (!Parsed)
    return Parsed.takeError();
  Module &M = **Parsed;
  Variant F = P.Facts;
  F.Thread = M.getFunction(F.Name + ThreadSuffix);
  for (llvm::Function &Other : make_early_inc_range(M))
    if (&Other != F.Thread && Other.getName().ends_with(ThreadSuffix) && Other.use_empty())
      Other.eraseFromParent();
  auto Support = loadSupport(Ctx, M.getDataLayout());
  if (!Support)
    return Support.takeError();
  if (Error E = linkSupport(M, std::move(*Support)))
    return E;
  setMachine(M, C);

  Passes Optimiser(TM->get());
  if (!F.Refused.empty())
    refuse(F);
  Optimiser.clean(*F.Thread);
  F.CutLoops = cutLoops(*F.Thread, Leave, &F.Combining);
  answerPaces(*F.Thread, &F.Pacing);
  auto Sites = findSites(*F.Thread);
  if (!Sites)
    return Sites.takeError();
  if (!Sites->empty()) {
    if (Error E = splitAtSites(F, *Sites))
      return E;
    findTable(F);
    Optimiser.clean(*F.Thread);
  }
  makeRun(F);
  for (GlobalValue *G : {cast<GlobalValue>(F.Run), cast_or_null<GlobalValue>(F.Beside),
                         cast_or_null<GlobalValue>(F.Sites)})
    if (G) {
      G->setLinkage(GlobalValue::ExternalLinkage);
      G->setVisibility(GlobalValue::HiddenVisibility);
    }
  setMachine(M, C);
  if (Error E = check(M, "after threads were split"))
    return E;
  Watch.lap("splitting " + F.Name);

  Optimiser.Functions.clear();
  Optimiser.Builder.buildPerModuleDefaultPipeline(OptimizationLevel::O3).run(M, Optimiser.Modules);
  Watch.lap("optimising " + F.Name);
  if (leaveScalar(M, F, Leave))
    return Error::success();
  if (Error E = emit(M, **TM, P.Object, Text ? &P.Llvm : nullptr))
    return E;
  Watch.lap("code generation " + F.Name);
  P.HasSites = F.Sites;
  P.HasBeside = F.Beside;
  P.Facts = std::move(F);
  P.Facts.Thread = P.Facts.Run = P.Facts.Beside = nullptr;
  P.Facts.Sites = nullptr;
  return Error::success();
}

void finish(StringRef Lowered, const Cpu &C, bool Text, bool Time, Part &P) {
  Stopwatch Watch(Time ? &P.Times : nullptr);
  StringSet<> Leave;
  // Once more where a choice turned out to be wrong; each time there are fewer to make.
  // What cannot be translated is refused where it is launched, and not with all others.
  while (P.Object.empty() && P.Problem.empty())
    if (Error E = compileVariant(Lowered, C, Text, Watch, Leave, P))
      handleAllErrors(std::move(E), [&](const ErrorInfoBase &I) {
        (P.Facts.Refused.empty() ? P.Facts.Refused : P.Problem) = I.message();
        P.Code = I.convertToErrorCode();
      });
}

/// Calls Do(0) to Do(Count - 1) on all processors.
void onAll(size_t Count, function_ref<void(size_t)> Do) {
  std::atomic<size_t> Next{0};
  auto Work = [&] {
    for (size_t I; (I = Next++) < Count;)
      Do(I);
  };
  std::vector<std::thread> Helpers;
  for (size_t I = 1; I < std::min<size_t>(Count, std::thread::hardware_concurrency()); I++)
    Helpers.emplace_back(Work);
  Work();
  for (std::thread &T : Helpers)
    T.join();
}

/// The record that names what is in the other objects.
Error compileTable(MutableArrayRef<Part> Parts, TargetMachine &TM, Bytes &Object, std::string *Text) {
  LLVMContext Ctx;
  Module M("table", Ctx);
  M.setTargetTriple(TM.getTargetTriple());
  M.setDataLayout(TM.createDataLayout());
  auto *Type = FunctionType::get(llvm::Type::getVoidTy(Ctx), false);
  SmallVector<Variant, 16> Functions;
  for (Part &P : Parts) {
    Variant F = P.Facts;
    F.Run = llvm::Function::Create(Type, GlobalValue::ExternalLinkage, F.Name + ".run", M);
    F.Run->setVisibility(GlobalValue::HiddenVisibility);
    if (P.HasBeside) {
      F.Beside = llvm::Function::Create(Type, GlobalValue::ExternalLinkage, F.Name + ".beside", M);
      F.Beside->setVisibility(GlobalValue::HiddenVisibility);
    }
    if (P.HasSites) {
      F.Sites = new GlobalVariable(M, llvm::Type::getInt32Ty(Ctx), true, GlobalValue::ExternalLinkage,
                                   nullptr, F.Name + ".sites");
      F.Sites->setVisibility(GlobalValue::HiddenVisibility);
    }
    Functions.push_back(std::move(F));
  }
  emitTable(M, Functions);
  if (Error E = check(M, "of the table"))
    return E;
  return emit(M, TM, Object, Text);
}

} // namespace

std::string targetIdentity(StringRef Target) {
  Expected<Cpu> C = chooseCpu(Target);
  if (!C) {
    consumeError(C.takeError());
    return Target.str();
  }
  return "x86_64 " + C->Name + " " + C->Features;
}

/// Inline assembly that has no neutral form becomes a call of a function that no target has,
/// which ends the thread that comes to it (lowerVocabulary). A kernel that never does so
/// runs, and so do the other kernels of the file.
static void nameInlineAssembly(Module &M) {
  for (llvm::Function &F : M)
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallInst>(&I); Call && Call->isInlineAsm())
        Call->setCalledFunction(llvm::Function::Create(
            Call->getFunctionType(), GlobalValue::ExternalLinkage,
            "inline assembly of " + demangle(F.getName()), M));
}

/// Other kernels than this one and its variants become declarations that nobody calls.
static Error keepKernel(Module &M, StringRef Kernel) {
  const std::string Run = (HETCKPT_RUN_PREFIX + Kernel).str(), Resume = (HETCKPT_RESUME_PREFIX + Kernel).str();
  bool Found = false;
  for (llvm::Function &F : M) {
    if (F.isDeclaration() || F.getCallingConv() != CallingConv::PTX_Kernel)
      continue;
    if (F.getName() == Kernel || F.getName() == Run || F.getName() == Resume) {
      Found = true;
      continue;
    }
    F.deleteBody();
    F.setComdat(nullptr);
    F.setCallingConv(CallingConv::C);
  }
  return Found ? Error::success() : fail(ENOENT, "no kernel " + Kernel);
}

/// The module in the machine's terms: a thread function for each kernel.
static Error lower(std::unique_ptr<Module> In, const ModuleLayout &Layout, TargetMachine &TM,
                   std::vector<Part> &Parts, Bytes &Lowered) {
  if (Error E = check(*In, "in the image"))
    return E;
  nameInlineAssembly(*In);
  keepInStep(*In);
  SmallVector<llvm::Function *, 16> Kernels;
  auto Flat = flatten(*In, Layout, TM, Kernels);
  if (!Flat)
    return Flat.takeError();
  Module &M = **Flat;
  auto Support = loadSupport(M.getContext(), M.getDataLayout());
  if (!Support)
    return Support.takeError();
  lowerArithmetic(M);
  if (Error E = lowerVocabulary(M, [&](StringRef Name) {
        llvm::Function *F = (*Support)->getFunction(Name);
        return F && !F->isDeclaration();
      }))
    return E;
  SmallVector<Variant, 16> Functions;
  if (Error E = makeThreads(M, Kernels, Layout, Functions))
    return E;
  if (Error E = check(M, "before threads are split"))
    return E;
  for (Variant &F : Functions) {
    Part P;
    P.Size = F.Thread->getInstructionCount();
    P.Facts = std::move(F);
    P.Facts.Thread = nullptr;
    Parts.push_back(std::move(P));
  }
  raw_svector_ostream OS(Lowered);
  WriteBitcodeToFile(M, OS);
  return Error::success();
}

Error compile(std::unique_ptr<Module> In, const ModuleLayout &Layout, const Options &Opts,
              std::vector<Bytes> &Objects, std::string *EmitLlvm) {
  std::string Times;
  Stopwatch Watch(Opts.Time ? &Times : nullptr);
  Expected<Cpu> C = chooseCpu(Opts.Target);
  if (!C)
    return C.takeError();
  auto TM = makeMachine(*C);
  if (!TM)
    return TM.takeError();
  std::vector<Part> Parts;
  Bytes Lowered;
  if (!Opts.Kernel.empty())
    if (Error E = keepKernel(*In, Opts.Kernel))
      return E;
  if (Error E = lower(std::move(In), Layout, **TM, Parts, Lowered))
    return E;
  Watch.lap("lowering");

  // The largest first, so that none is left for the end.
  SmallVector<Part *, 16> Order;
  for (Part &P : Parts)
    Order.push_back(&P);
  llvm::sort(Order, [](Part *A, Part *B) { return A->Size > B->Size; });
  onAll(Order.size(), [&](size_t I) {
    finish(StringRef(Lowered.data(), Lowered.size()), *C, EmitLlvm, Opts.Time, *Order[I]);
  });
  Watch.lap("variants, all together");
  for (Part &P : Parts)
    if (!P.Problem.empty())
      return createStringError(P.Code, P.Problem);
  Bytes Table;
  std::string Text;
  if (Error E = compileTable(Parts, **TM, Table, EmitLlvm ? &Text : nullptr))
    return E;
  for (Part &P : Parts) {
    Objects.push_back(std::move(P.Object));
    if (EmitLlvm)
      *EmitLlvm += P.Llvm;
    if (Opts.Time)
      errs() << P.Times;
  }
  Objects.push_back(std::move(Table));
  if (EmitLlvm)
    *EmitLlvm += Text;
  if (Opts.Time)
    errs() << Times;
  return Error::success();
}

} // namespace hetckpt::cpu
