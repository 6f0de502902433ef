// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Three kernels from one. The original stays; the run variant polls; the resume
// variant enters at safepoints. Both variants come from one clone, so that a
// safepoint has the same live values in the same slots in both.
#include "transform/Variants.h"
#include "Names.h"
#include "analysis/LiveState.h"
#include "analysis/Scope.h"
#include "hetckpt/abi.h"
#include "transform/Frame.h"
#include "transform/PlacePolls.h"
#include "transform/Prepare.h"
#include "transform/Resume.h"
#include "llvm/Analysis/AssumptionCache.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/ADCE.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <cstddef>

using namespace llvm;

namespace hetckpt {

static constexpr const char *PassName = "hetckpt";

Function *cloneWithLaunch(Function &F, const Twine &Name, ValueToValueMapTy &Map) {
  LLVMContext &C = F.getContext();
  SmallVector<Type *, 8> Params(F.getFunctionType()->params());
  Params.push_back(PointerType::get(C, 0));
  auto *New = Function::Create(
      FunctionType::get(F.getReturnType(), Params, false), F.getLinkage(),
      F.getAddressSpace(), Name, F.getParent());
  for (auto [Old, Fresh] : zip(F.args(), New->args())) {
    Fresh.setName(Old.getName());
    Map[&Old] = &Fresh;
  }
  SmallVector<ReturnInst *, 4> Returns;
  CloneFunctionInto(New, &F, Map, CloneFunctionChangeType::LocalChangesOnly, Returns);
  New->setCallingConv(F.getCallingConv());
  New->setVisibility(F.getVisibility());
  New->setDSOLocal(F.isDSOLocal());
  // Comdats are the original's business.
  New->setComdat(nullptr);
  Argument *Launch = New->getArg(New->arg_size() - 1);
  Launch->setName("launch");
  AttrBuilder A(C);
  A.addByValAttr(ArrayType::get(Type::getInt8Ty(C), HETCKPT_LAUNCH_BYTES));
  A.addAlignmentAttr(Align(8));
  A.addAttribute(Attribute::ReadOnly);
  A.addAttribute(Attribute::NoUndef);
  New->addParamAttrs(Launch->getArgNo(), A);
  return New;
}

/// Runs clean-up passes that leave loops as they are.
static void cleanUp(Function &F) {
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
  FPM.addPass(EarlyCSEPass());
  FPM.addPass(InstCombinePass());
  FPM.addPass(SimplifyCFGPass(SimplifyCFGOptions().needCanonicalLoops(true)));
  FPM.addPass(ADCEPass());
  FPM.run(F, FAM);
}

PollPlan planFunction(Function &F, Scope S) {
  DominatorTree DT(F);
  LoopInfo LI(DT);
  AssumptionCache AC(F);
  TargetLibraryInfoImpl TLII(F.getParent()->getTargetTriple());
  TargetLibraryInfo TLI(TLII);
  ScalarEvolution SE(F, TLI, AC, DT, LI);
  Uniformity U(F, S, LI, DT);
  return planPolls(F, S, LI, DT, SE, U);
}

/// Block ids and grid of the logical launch go by names of their own until a variant
/// is finished, so that live-state analysis knows them for what they are.
static void nameLogicalIds(Function &F) {
  for (Instruction &I : make_early_inc_range(instructions(F))) {
    auto *Call = dyn_cast<CallInst>(&I);
    if (!Call || !Call->getCalledFunction())
      continue;
    StringRef Name = Call->getCalledFunction()->getName();
    if (!Name.consume_front("llvm.nvvm.read.ptx.sreg."))
      continue;
    bool Grid = Name.consume_front("n");
    if (!Name.consume_front("ctaid.") || Name.size() != 1)
      continue;
    unsigned D = Name[0] - 'x';
    if (D > 2)
      continue;
    auto Callee = F.getParent()->getOrInsertFunction(
        Grid ? names::LogicalGrid[D] : names::LogicalBlock[D],
        Type::getInt32Ty(F.getContext()));
    auto *Fn = cast<Function>(Callee.getCallee());
    Fn->setDoesNotAccessMemory();
    Fn->setDoesNotThrow();
    Fn->addFnAttr(Attribute::WillReturn);
    Fn->addFnAttr(Attribute::Speculatable);
    Call->setCalledFunction(Callee);
  }
}

/// In the run variant: logical block = base of the slice + hardware block.
static void bindLogicalIds(Function &F, Value *Launch) {
  static constexpr const char *Sreg[3] = {"llvm.nvvm.read.ptx.sreg.ctaid.x",
                                          "llvm.nvvm.read.ptx.sreg.ctaid.y",
                                          "llvm.nvvm.read.ptx.sreg.ctaid.z"};
  for (Instruction &I : make_early_inc_range(instructions(F))) {
    auto *Call = dyn_cast<CallInst>(&I);
    if (!Call || !Call->getCalledFunction())
      continue;
    StringRef Name = Call->getCalledFunction()->getName();
    for (unsigned D = 0; D < 3; ++D) {
      bool Block = Name == names::LogicalBlock[D];
      if (!Block && Name != names::LogicalGrid[D])
        continue;
      IRBuilder<> B(Call);
      unsigned Offset = (Block ? offsetof(hetckpt_launch, base)
                               : offsetof(hetckpt_launch, grid)) + 4 * D;
      Value *V = B.CreateAlignedLoad(
          B.getInt32Ty(),
          B.CreateConstInBoundsGEP1_32(B.getInt8Ty(), Launch, Offset), Align(4));
      if (Block)
        V = B.CreateAdd(V, callNamed(B, Sreg[D], B.getInt32Ty()));
      Call->replaceAllUsesWith(V);
      Call->eraseFromParent();
      break;
    }
  }
}

/// First thing in a run variant: a block that sees the flag before it begins does not begin. Blocks
/// that never poll are short, and feel the look: they only look where a launch says which flag.
static void addEntryPoll(Kernel &K, Function &F, Value *Launch, FrameCode &Frames) {
  LLVMContext &C = F.getContext();
  BasicBlock *Start = &F.getEntryBlock();
  auto *Entry = BasicBlock::Create(C, "entry", &F, Start);
  for (Instruction &I : make_early_inc_range(*Start))
    if (auto *A = dyn_cast<AllocaInst>(&I); A && isa<Constant>(A->getArraySize()))
      A->moveBefore(*Entry, Entry->end());
  auto *Return = BasicBlock::Create(C, "unstarted", &F);
  ReturnInst::Create(C, Return);
  IRBuilder<> B(Entry);
  if (DISubprogram *SP = F.getSubprogram())
    B.SetCurrentDebugLocation(DILocation::get(C, SP->getLine(), 0, SP));
  if (!K.Polls) {
    auto *Look = BasicBlock::Create(C, "look", &F, Start);
    Value *Flags = B.CreateAlignedLoad(
        B.getInt64Ty(),
        B.CreateConstInBoundsGEP1_32(B.getInt8Ty(), Launch, offsetof(hetckpt_launch, flags)), Align(8));
    B.CreateCondBr(B.CreateIsNull(Flags), Start, Look, MDBuilder(C).createLikelyBranchWeights());
    B.SetInsertPoint(Look);
  }
  CallInst *Poll = callNamed(B, names::PollEntry, B.getInt32Ty(), {Launch});
  if (*K.PauseScope != Scope::Thread)
    Poll->setConvergent();
  SwitchInst *S = B.CreateSwitch(Poll, Start, 2);
  S->addCase(B.getInt32(1), Return);
  if (K.Polls) {
    auto *Park = BasicBlock::Create(C, "park.start", &F);
    S->addCase(B.getInt32(2), Park);
    Frames.emitParkAtStart(Park);
  }
}

/// Calls of the frame code's helper are inlined where they stand.
static void inlineHelpers(Function &F) {
  SmallVector<CallBase *, 8> Calls;
  for (Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<CallBase>(&I))
      if (Function *Callee = Call->getCalledFunction();
          Callee && !Callee->isDeclaration() &&
          Callee->getName().starts_with(names::Prefix))
        Calls.push_back(Call);
  for (CallBase *Call : Calls) {
    InlineFunctionInfo Info;
    InlineFunction(*Call, Info);
  }
}

static void reportPlan(Kernel &K, const PollPlan &Plan) {
  OptimizationRemarkEmitter ORE(K.Original);
  DiagnosticLocation At(K.Original->getSubprogram());
  BasicBlock *Entry = &K.Original->getEntryBlock();
  for (const MissedLoop &M : Plan.Missed)
    ORE.emit(OptimizationRemarkMissed(PassName, "NoSafepoint",
                                      M.Loc ? DiagnosticLocation(M.Loc) : At, Entry)
             << "no safepoint in this loop: " << M.Reason);
  if (Plan.WaitsApart)
    ORE.emit(OptimizationRemarkMissed(PassName, "WaitsApart", At, Entry)
             << K.Original->getName()
             << " has no polls: it waits on memory where a pause would hang; it "
                "pauses between kernels");
}

void buildVariants(Kernel &K) {
  Function &F = *K.Original;
  ValueToValueMapTy Map;
  Function *Run = cloneWithLaunch(F, Twine(HETCKPT_RUN_PREFIX) + F.getName(), Map);
  Value *Launch = Run->getArg(Run->arg_size() - 1);
  inlineCalls(*Run);
  normalise(*Run);
  auto Fail = [&](std::string Why) {
    K.Reason = std::move(Why);
    K.PauseScope.reset();
    K.Safepoints.clear();
    Run->replaceAllUsesWith(PoisonValue::get(Run->getType()));
    Run->eraseFromParent();
  };

  ScopeResult R = computeScope(*Run);
  if (!R.PauseScope)
    return Fail(R.Reason);
  K.PauseScope = R.PauseScope;
  if (std::string Why = findEscapes(*Run); !Why.empty())
    return Fail(Why);
  // What was marked before variables were in registers was marked on suspicion.
  for (Instruction &I : make_early_inc_range(instructions(*Run)))
    if (auto *Call = dyn_cast<CallInst>(&I); Call && Call->getCalledFunction() &&
                                             Call->getCalledFunction()->getName() == names::Spin)
      Call->eraseFromParent();
  markWaits(*Run);

  PollPlan Plan = planFunction(*Run, *K.PauseScope);
  reportPlan(K, Plan);
  K.Waits = Plan.Waits;
  nameLogicalIds(*Run);
  placePolls(K, *Run, Launch, Plan);
  K.Polls = !K.Safepoints.empty();
  if (std::string Why = computeLiveState(K, *Run); !Why.empty())
    return Fail(Why);
  K.Run = Run;

  FrameCode Frames(K, *Run, Launch);
  if (K.Polls) {
    ValueToValueMapTy Again;
    K.Resume = CloneFunction(Run, Again);
    K.Resume->setName(Twine(HETCKPT_RESUME_PREFIX) + F.getName());
    buildResume(K, *K.Resume, K.Resume->getArg(K.Resume->arg_size() - 1), Again);
    inlineHelpers(*K.Resume);
    cleanUp(*K.Resume);
    for (Safepoint &SP : K.Safepoints)
      Frames.emitPark(SP);
  }
  addEntryPoll(K, *Run, Launch, Frames);
  inlineHelpers(*Run);
  bindLogicalIds(*Run, Launch);
  cleanUp(*Run);

  OptimizationRemarkEmitter ORE(&F);
  ORE.emit(OptimizationRemark(PassName, "Pausable",
                              DiagnosticLocation(F.getSubprogram()),
                              &F.getEntryBlock())
           << ore::NV("Kernel", F.getName()) << " can pause: "
           << ore::NV("Scope", scopeName(*K.PauseScope)) << " scope, "
           << ore::NV("Safepoints", unsigned(K.Safepoints.size()))
           << " safepoints, " << ore::NV("Bytes", K.frameBytes())
           << " bytes a thread");
}

} // namespace hetckpt
