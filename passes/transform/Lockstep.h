// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "analysis/Polls.h"
#include "transform/StripMine.h"

namespace hetckpt {

/// Strip-mines L, whose threads run different numbers of iterations, so that all
/// threads of the scope go through its strips together: see Lockstep.cpp. From: as
/// found by findLockstepRegion. Strip, Boundary and Iterations as for stripMine; every
/// thread passes Boundary equally often.
StripMined lockstepStripMine(llvm::Loop &L, const CountedLoop &Counted,
                             const Stride &By, Scope S, const LockstepRegion &From,
                             llvm::DominatorTree &DT);

} // namespace hetckpt
