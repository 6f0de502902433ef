// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of the neutral vocabulary (docs/portable-image.md) that the pass itself
// emits or looks for.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace hetckpt::names {

inline constexpr llvm::StringLiteral Prefix = "__hetckpt_";
inline constexpr llvm::StringLiteral PollThread = "__hetckpt_poll_thread";
inline constexpr llvm::StringLiteral PollWarp = "__hetckpt_poll_warp";
inline constexpr llvm::StringLiteral PollBlock = "__hetckpt_poll_block";
inline constexpr llvm::StringLiteral PollEntry = "__hetckpt_poll_entry";
inline constexpr llvm::StringLiteral Due = "__hetckpt_due";
inline constexpr llvm::StringLiteral Pace = "__hetckpt_pace";
inline constexpr llvm::StringLiteral Leads = "__hetckpt_leads";
inline constexpr llvm::StringLiteral Spin = "__hetckpt_spin";
inline constexpr llvm::StringLiteral Barrier = "__hetckpt_barrier";
inline constexpr llvm::StringLiteral IsShared = "__hetckpt_is_shared";
inline constexpr llvm::StringLiteral IsPrivate = "__hetckpt_is_private";
inline constexpr llvm::StringLiteral SharedPrefix = "__hetckpt_shared_";
inline constexpr llvm::StringLiteral DynamicShared = "__hetckpt_dynamic_shared";
/// Metadata on a poll at the end of a strip: a target may read the flag when the
/// strip begins.
inline constexpr llvm::StringLiteral PollAhead = "hetckpt.ahead";
/// Metadata on a poll behind a strip: the site of the pace call whose answer it can correct, an
/// i32.
inline constexpr llvm::StringLiteral Paced = "hetckpt.paced";
/// Metadata on a select, the limit of a strip: true, or the loop's bound. Threads with the same bound may take
/// each other's.
inline constexpr llvm::StringLiteral AnyLimit = "hetckpt.limit";
/// Property of a loop that shall not be unrolled only because it was made a strip: what the assembler does is
/// no reason for other targets.
inline constexpr llvm::StringLiteral Strip = "hetckpt.strip";
/// Inside variants until they are finished: the logical block id and grid.
inline constexpr llvm::StringLiteral LogicalBlock[3] = {
    "__hetckpt_logical_ctaid_x", "__hetckpt_logical_ctaid_y",
    "__hetckpt_logical_ctaid_z"};
inline constexpr llvm::StringLiteral LogicalGrid[3] = {
    "__hetckpt_logical_nctaid_x", "__hetckpt_logical_nctaid_y",
    "__hetckpt_logical_nctaid_z"};

} // namespace hetckpt::names
