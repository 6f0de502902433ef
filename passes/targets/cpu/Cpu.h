// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CPU target: a portable image's code becomes x86-64 object code that exports
// one struct hetckpt_cpu_module (include/hetckpt/abi.h). The steps, in order, one
// file each:
//
//   Arithmetic  what x86-64 or LLVM's optimiser would do differently from a GPU
//   Flatten     one address space; module variables bound; a context for each call
//   Vocabulary  ids, fences, classification, services
//   Thread      a function for one thread of a kernel
//   Waits       finds and numbers the sites at which threads wait
//   Undefined   what threads without work carry along; called by the next
//   Loops       inner loops change places with the loop over threads
//   Combine     atomic additions of such loops are collected; called by the one before and the next but three
//   Pace        how long strips are of such loops that poll
//   Uniform     what is the same in all threads
//   Remat       what need not be kept
//   Split       thread function with sites -> state machine with frames
//   Threads     loop over the threads of a block around that
//   Tiles       a cut loop from its first iteration to its last for a few threads at a time
//   Beside      rows of neighbouring blocks one behind the other
//   Table       the exported module record
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class DominatorTree;
class Loop;
}

namespace hetckpt::cpu {

/// What the state map says about a kernel.
struct KernelLayout {
  llvm::SmallVector<uint32_t, 8> ParamOffsets;
  uint32_t ParamBytes = 0;
  uint32_t StaticShared = 0;
};

/// What the state map says about the module, as far as code depends on it.
struct ModuleLayout {
  llvm::StringMap<uint64_t> Variables; ///< offset in the module's block
  llvm::StringMap<KernelLayout> Kernels; ///< by name of the original
};

/// Arguments that every function has in front of its own: the block, the thread's
/// coordinates, and its linear id.
enum ContextArg { ArgBlock, ArgX, ArgY, ArgZ, ArgTid, ContextArgs };

/// One variant of a kernel on its way through the steps.
struct Variant {
  std::string Name;
  /// An array in the frames, one element a thread. The step function takes the address of
  /// the thread's element as an argument, behind the site.
  struct Slot {
    llvm::Type *Ty;
    uint64_t Bytes;
    uint64_t Offset;                   ///< of the array, a thread
    llvm::Align A;
    llvm::SmallVector<uint32_t, 4> At; ///< sites behind which what it holds is needed
  };
  llvm::SmallVector<Slot, 16> Slots;
  /// Values that the step function takes as arguments, behind those, because they are the
  /// same for all threads of a range.
  struct Uniform {
    llvm::Type *Ty;
    int Slot;                           ///< where it is kept; -1: it is the block's value[]
    bool Likely;                        ///< the same as a rule, but to be compared
    llvm::SmallVector<uint32_t, 4> At;  ///< sites at which it is needed
  };
  llvm::SmallVector<Uniform, 8> Uniforms;
  llvm::Function *Thread = nullptr; ///< i32 (context): runs one thread
  llvm::Function *Run = nullptr;    ///< hetckpt_cpu_function.run
  llvm::Function *Beside = nullptr; ///< hetckpt_cpu_beside_fn; may be null
  llvm::GlobalVariable *Sites = nullptr;
  uint32_t SiteCount = 0;  ///< at which the runtime decides
  uint32_t CutCount = 0;   ///< and cuts, which are numbered behind these
  /// For each cut the loop that has to become vector code because of it, or "".
  llvm::SmallVector<std::string, 4> CutLoops;
  uint64_t Combining = 0;  ///< cuts from which threads go on through a loop that collects additions, a bit each
  uint64_t Keeping = 0;    ///< cuts from which threads may go on before what is collected has gone to memory
  uint64_t Pacing = 0;     ///< cuts at which strips begin whose length is measured, a bit each
  uint32_t CombinerAt = 0; ///< offset of the word by which it finds their table, a thread
  uint32_t FrameBytes = 0;
  uint32_t StaticShared = 0;
  uint32_t ParamBytes = 0;
  std::string Refused; ///< why it cannot be translated: launches of it say so and fail
};

/// An error of the whole translation, with -errno and one line.
llvm::Error fail(int Errno, const llvm::Twine &Message);

// Arithmetic.cpp
/// Makes arithmetic mean the same bits as on a GPU: floating-point operations, and what C++ leaves
/// undefined of integers.
void lowerArithmetic(llvm::Module &M);

// Wrap.cpp
/// Lets signed integers of F wrap round where they are data.
void letDataWrap(llvm::Function &F);

/// How the reason begins why a function cannot be translated, for who launches what comes to it.
inline constexpr char NoCode[] = "no code for the CPU: ";

// Flatten.cpp
/// Moves In to the data layout of TM. Kernels become functions like all others,
/// listed in Kernels.
llvm::Expected<std::unique_ptr<llvm::Module>>
flatten(llvm::Module &In, const ModuleLayout &Layout, llvm::TargetMachine &TM,
        llvm::SmallVectorImpl<llvm::Function *> &Kernels);

// Vocabulary.cpp
/// Lowers everything of the vocabulary that makes no thread wait or end. What is
/// neither known nor in the support functions ends the thread that calls it.
llvm::Error lowerVocabulary(llvm::Module &M,
                            llvm::function_ref<bool(llvm::StringRef)> HasSupport);
/// True for the vocabulary's functions that end a thread.
bool isEnd(llvm::StringRef Callee);

// Thread.cpp
/// A thread function is called as its variant, with this behind.
inline constexpr char ThreadSuffix[] = ".thread";
/// Makes the thread function of each kernel: parameters loaded from the block's buffer,
/// everything that waits or ends the thread inlined. The kernels themselves go. One for which
/// that cannot be done is refused, which harms no other.
llvm::Error makeThreads(llvm::Module &M, llvm::ArrayRef<llvm::Function *> Kernels,
                        const ModuleLayout &Layout, llvm::SmallVectorImpl<Variant> &Out);

/// Makes F.Thread a function that ends each thread with F.Refused as the reason.
void refuse(Variant &F);

// Waits.cpp
/// A call that says where a loop changes places with the loop over threads: its number, and whether at the header.
inline constexpr char CutName[] = "__hetckpt_cut";
/// A call at which a thread waits.
struct Site {
  llvm::CallInst *Call = nullptr;
  unsigned Op = 0; ///< enum hetckpt_cpu_op
  /// Which arguments of the call they are; -1: none.
  int Value = -1, Mask = -1, Lane = -1, Clamp = -1;
  bool AtHeader = false; ///< of a cut
  unsigned Line = 0;

  llvm::Value *operand(int Index) const {
    return Index < 0 ? nullptr : Call->getArgOperand(Index);
  }
};
/// Op of cuts, which the runtime never sees.
inline constexpr unsigned OpCut = ~0u;
/// True for the vocabulary's functions that make a thread wait.
bool isWait(llvm::StringRef Callee);
/// Sites first, cuts behind them in their order.
llvm::Expected<llvm::SmallVector<Site, 8>> findSites(llvm::Function &Thread);

// Loops.cpp
/// True if threads may come to A in any order, with the same memory in the end and nobody
/// any the wiser: it only changes memory, and by what can change places.
bool commutes(const llvm::AtomicRMWInst &A);
/// True behind a branch that says so: what a thread does when it parks. Its time is nothing beside the
/// translation of another state of each thread.
bool isRare(const llvm::BasicBlock &B, const llvm::DominatorTree &DT);
/// On both accesses of such a one that has become a plain load and store.
inline constexpr char CommutesMetadata[] = "hetckpt.commutes";
/// On loads of the pause flag, and of the pace: they change while a block runs, but are no part of what a kernel computes.
inline constexpr char FlagMetadata[] = "hetckpt.flag";

// Undefined.cpp
/// Gives undefined incoming values of phis the one value that is defined.
void defineUndefined(llvm::Function &Thread);

// Loops.cpp
/// Cuts inner loops for which it looks worth while, except those named in Leave. Returns,
/// in the order of the cuts, the name of the loop whose header a cut is in, or "" for a loop
/// that has not to become vector code and for a cut behind one. *Combining: see Variant.
llvm::SmallVector<std::string, 4> cutLoops(llvm::Function &Thread, const llvm::StringSet<> &Leave,
                                           uint64_t *Combining);

// Combine.cpp
/// Has the threads of L, which is going to be cut, collect their atomic additions, if there are any and it
/// can be done.
bool combine(llvm::Loop &L);
/// Makes room for the word by which they find the table, once frames are known.
void findTable(Variant &F);

// Pace.cpp
/// Asked where a strip begins, for how many iterations it has.
inline constexpr char PaceName[] = "__hetckpt_pace";
/// On loads of the pace.
inline constexpr char PaceMetadata[] = "hetckpt.pace";
/// Answers what asks for the length of strips, now that it is known which loops are cut. *Pacing: see Variant.
void answerPaces(llvm::Function &Thread, uint64_t *Pacing);

// Uniform.cpp
/// On a select that may give any thread what it gives another one whose false value is the same.
inline constexpr char AnyLimitMetadata[] = "hetckpt.limit";
struct Divergence {
  /// The same in all threads that came by the same sites.
  llvm::SmallPtrSet<const llvm::Instruction *, 32> Uniform;
  /// Phis at which threads meet that came different ways.
  llvm::SmallPtrSet<const llvm::Instruction *, 32> Joins;
  /// Made in a loop that threads leave at different times, and used behind it.
  llvm::SmallPtrSet<const llvm::Instruction *, 32> Uneven;
};
Divergence findDivergence(llvm::Function &Thread, llvm::ArrayRef<Site> Sites);
/// True if all threads that wait together get the same answer.
bool answersAlike(unsigned Op);

// Remat.cpp
/// Instructions needed to compute V again from arguments and constants; over Budget if
/// that is too many or impossible. Those in Entry are at hand everywhere.
unsigned rematCost(llvm::Value *V, unsigned Budget, const llvm::BasicBlock *Entry);
/// True if V, which can be computed again, changes from thread to thread of a row by the
/// same step, or not at all: a loop over threads then needs no instruction for it.
bool linearInX(llvm::Value *V, unsigned Depth);
llvm::Value *rematerialise(llvm::Value *V, llvm::IRBuilder<> &B,
                           llvm::DenseMap<llvm::Value *, llvm::Value *> &Done,
                           const llvm::BasicBlock *Entry);

/// Finds what a value is but for a uniform.
class BaseFinder {
public:
  /// Likely: also looks past loops that threads may leave at different times, and where
  /// different ways meet. Then what I differs by is the same in threads that went together.
  BaseFinder(const Divergence &D, const llvm::BasicBlock *Entry, bool Likely)
      : D(D), Entry(Entry), Likely(Likely) {}
  /// A value that can be computed again and from which I differs by a uniform; or null.
  /// For a pointer it may be an integer: bytes from a uniform pointer.
  llvm::Value *find(llvm::Instruction *I);

private:
  bool uniform(llvm::Value *V) const;
  llvm::Value *offsetBase(llvm::GetElementPtrInst &G);

  const Divergence &D;
  const llvm::BasicBlock *Entry;
  bool Likely;
  llvm::DenseMap<llvm::Value *, llvm::Value *> Offsets;
};

// Split.cpp
/// Turns F.Thread into i32 (context, i32 site, slots, uniforms) that runs from one site to
/// the next.
llvm::Error splitAtSites(Variant &F, llvm::ArrayRef<Site> Sites);

// Threads.cpp
/// Makes F.Run from F.Thread.
void makeRun(Variant &F);
/// The step function for one site that it is entered at: i32 (context, slots, uniforms), with
/// those that it uses.
struct Entered {
  llvm::Function *Body = nullptr;
  uint32_t Site = 0;
  llvm::SmallVector<const Variant::Slot *, 16> Slots;
  llvm::SmallVector<const Variant::Uniform *, 8> Uniforms;
};
// Combine.cpp
/// True if threads may go on by Body while additions are collected: if it is a poll between two such loops, say. Body then
/// sees to it that all has gone to memory before it does anything else.
bool keepsTable(const Variant &F, const Entered &E);

// Threads.cpp
/// V, of which the optimiser knows no more than that it is from Least to what a block may
/// have: scalar evolution then sees how small it is, and cannot compute it again inside the loop.
llvm::Value *bounded(llvm::IRBuilder<> &B, llvm::Value *V, uint32_t Least, const llvm::Twine &Name);
/// The size of the block in dimension I.
llvm::Value *blockSize(llvm::IRBuilder<> &B, llvm::Value *Block, unsigned I, const llvm::Twine &Name);
/// The address of S's array in the frames.
llvm::Value *slotArray(llvm::IRBuilder<> &B, llvm::Value *Block, const Variant::Slot &S);
/// Marks the loop with latch Latch and blocks Body as one whose iterations are independent.
/// Hints: further properties of the loop.
void markIndependent(llvm::BranchInst &Latch, llvm::ArrayRef<llvm::BasicBlock *> Body,
                     llvm::ArrayRef<llvm::Metadata *> Hints);

// Tiles.cpp
/// Functions u32 (block, first, count) that have threads go on from the header of a loop until they
/// have left it.
struct Tiles {
  llvm::Function *All;  ///< that are all there, whatever their states say
  llvm::Function *Some; ///< whose states say so
};
/// E is entered at the cut in the header. Plain and Masked are the loops over threads that do one
/// iteration: of all, and of those that are there.
Tiles makeTiles(Variant &V, const Entered &E, llvm::Function &Plain, llvm::Function &Masked);

// Beside.cpp
/// Makes F.Beside from F.Thread, which has no sites, if that can be.
void makeBeside(Variant &F);

// Table.cpp
void emitTable(llvm::Module &M, llvm::ArrayRef<Variant> Functions);

// Block.cpp
/// Loads a field of the struct hetckpt_cpu_block B that does not change during run().
llvm::Value *loadField(llvm::IRBuilderBase &B, llvm::Value *Block, size_t Offset,
                       llvm::Type *Ty, const llvm::Twine &Name);

// Compile.cpp
struct Options {
  std::string Target = "native"; ///< x86-64-v2, v3, v4, or native
  std::string Kernel;            ///< only this one and its variants; empty: all
  bool Time = false;
};
using Bytes = llvm::SmallVector<char, 0>;
/// Names the machine that code is made for, features included: part of cache keys.
std::string targetIdentity(llvm::StringRef Target);
/// All steps: In in the neutral vocabulary to object files that belong together. Uses all
/// processors. EmitLlvm, if not null, gets the text of their modules before code generation.
llvm::Error compile(std::unique_ptr<llvm::Module> In, const ModuleLayout &Layout,
                    const Options &Opts, std::vector<Bytes> &Objects, std::string *EmitLlvm);

} // namespace hetckpt::cpu
