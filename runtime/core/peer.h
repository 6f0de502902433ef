/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * peer.h - device memory that goes straight from one worker's device to another's.
 *
 * The worker that will hand over shares its pieces early, while it runs; the one that will take
 * over opens them then, because that takes as long as mapping memory does. When the state is
 * saved, an allocation is left to the peer if all pieces that hold it were shared and are still
 * the same ones: a piece that was given back and mapped anew has another serial, and what is
 * at its address for the peer is old memory. All else goes another way.
 *
 * The first worker must stay as it is, paused, until the second has copied.
 *
 * For files of this folder only; called with the core's lock held.
 */
#ifndef HETCKPT_CORE_PEER_H
#define HETCKPT_CORE_PEER_H

#include "dev.h"

struct hetckpt_reached {
	uint64_t address, bytes;      /* in the other worker's arena */
	struct hetckpt_peer *peer;
};

struct hetckpt_peers {
	struct hetckpt_share *shared; /* given to the other worker, ascending; descriptors are gone */
	size_t shared_count;
	struct hetckpt_reached *reached; /* of the other worker, ascending */
	size_t reached_count, room;
};

/* Closes what was reached and forgets the rest. */
void hetckpt_peers_clear(struct hetckpt_peers *peers, struct hetckpt_dev *dev);

/*
 * The pieces of [base, base + bytes): *shares (free it; descriptors if open are the caller's to
 * close). -ENOTSUP: the back end, or the system, does not share.
 */
int hetckpt_peers_list(struct hetckpt_dev *dev, uint64_t base, uint64_t bytes, bool open,
                       struct hetckpt_share **shares, size_t *count, struct hetckpt_error *error);

/* True if [address, address + bytes) lies in pieces of now that are among those shared. */
bool hetckpt_peers_hold(const struct hetckpt_peers *peers, const struct hetckpt_share *now, size_t count,
                        uint64_t address, uint64_t bytes);

/* Copies from the other worker's address; -EINVAL: some of it was not reached. */
int hetckpt_peers_copy(const struct hetckpt_peers *peers, struct hetckpt_dev *dev, uint64_t from, uint64_t to,
                       uint64_t bytes, struct hetckpt_error *error);

#endif
