/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core_internal.h"

void hetckpt_peers_clear(struct hetckpt_peers *peers, struct hetckpt_dev *dev)
{
	for (size_t i = 0; i < peers->reached_count; i++)
		dev->ops->peer_close(dev->handle, peers->reached[i].peer);
	free(peers->reached);
	free(peers->shared);
	memset(peers, 0, sizeof *peers);
}

int hetckpt_peers_list(struct hetckpt_dev *dev, uint64_t base, uint64_t bytes, bool open,
                       struct hetckpt_share **shares, size_t *count, struct hetckpt_error *error)
{
	size_t room = 0;
	int rc;

	*shares = NULL;
	*count = 0;
	if (!dev->ops->share)
		return hetckpt_error_set(error, -ENOTSUP, 0, "devices like %.200s do not share memory", dev->facts.name);
	rc = dev->ops->share(dev->handle, base, bytes, false, NULL, 0, &room, error);
	if (rc && rc != -ENOSPC)
		return rc;
	*shares = calloc(room + 1, sizeof **shares);
	if (!*shares)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
	rc = dev->ops->share(dev->handle, base, bytes, open, *shares, room, count, error);
	if (rc) {
		free(*shares);
		*shares = NULL;
		*count = 0;
	}
	return rc;
}

static bool was_shared(const struct hetckpt_peers *peers, const struct hetckpt_share *piece)
{
	size_t low = 0, high = peers->shared_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (peers->shared[middle].address < piece->address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < peers->shared_count && peers->shared[low].address == piece->address &&
	       peers->shared[low].bytes == piece->bytes && peers->shared[low].serial == piece->serial;
}

bool hetckpt_peers_hold(const struct hetckpt_peers *peers, const struct hetckpt_share *now, size_t count,
                        uint64_t address, uint64_t bytes)
{
	uint64_t end = address + bytes;
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (now[middle].address + now[middle].bytes <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (; address < end; low++) {
		if (low == count || now[low].address > address || !was_shared(peers, &now[low]))
			return false;
		address = now[low].address + now[low].bytes;
	}
	return true;
}

int hetckpt_peers_copy(const struct hetckpt_peers *peers, struct hetckpt_dev *dev, uint64_t from, uint64_t to,
                       uint64_t bytes, struct hetckpt_error *error)
{
	size_t low = 0, high = peers->reached_count;
	int rc = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (peers->reached[middle].address + peers->reached[middle].bytes <= from)
			low = middle + 1;
		else
			high = middle;
	}
	for (; bytes && !rc; low++) {
		const struct hetckpt_reached *r = &peers->reached[low];
		uint64_t width;

		if (low == peers->reached_count || r->address > from)
			return hetckpt_error_set(error, -EINVAL, 0, "0x%" PRIx64 " is not in memory that the worker before shared",
			                         from);
		width = r->address + r->bytes - from < bytes ? r->address + r->bytes - from : bytes;
		rc = dev->ops->peer_copy(dev->service, r->peer, from - r->address, to, width, error);
		from += width;
		to += width;
		bytes -= width;
	}
	return rc;
}

/* ---- For the worker ---------------------------------------------------- */

int hetckpt_core_share(struct hetckpt_core *core, struct hetckpt_share **shares, size_t *count,
                       struct hetckpt_error *error)
{
	struct hetckpt_peers *peers = &core->peers;
	int rc;

	hetckpt_core_enter(core);
	free(peers->shared);
	peers->shared = NULL;
	peers->shared_count = 0;
	rc = hetckpt_peers_list(&core->dev, core->app.base, core->app.granules * HETCKPT_GRANULE, true, shares, count,
	                        error);
	if (!rc) {
		peers->shared = malloc((*count + 1) * sizeof **shares);
		if (peers->shared) {
			memcpy(peers->shared, *shares, *count * sizeof **shares);
			peers->shared_count = *count;
		} else {
			for (size_t i = 0; i < *count; i++)
				close((*shares)[i].fd);
			free(*shares);
			rc = hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
		}
	}
	pthread_mutex_unlock(&core->lock);
	return rc;
}

int hetckpt_core_reach(struct hetckpt_core *core, const struct hetckpt_share *share, struct hetckpt_error *error)
{
	struct hetckpt_peers *peers = &core->peers;
	const struct hetckpt_reached *last;
	struct hetckpt_peer *peer;
	int rc = 0;

	hetckpt_core_enter(core);
	last = peers->reached_count ? &peers->reached[peers->reached_count - 1] : NULL;
	if (!core->dev.ops->peer_open)
		rc = hetckpt_error_set(error, -ENOTSUP, 0, "devices like %.200s do not share memory", core->dev.facts.name);
	else if (!share->bytes || share->address + share->bytes < share->address ||
	         (last && share->address < last->address + last->bytes))
		rc = hetckpt_error_set(error, -EINVAL, 0, "shared memory at 0x%" PRIx64 " is not behind the piece before",
		                       share->address);
	if (!rc && peers->reached_count == peers->room) {
		size_t room = peers->room ? 2 * peers->room : 64;
		void *grown = realloc(peers->reached, room * sizeof *peers->reached);

		if (!grown)
			rc = hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
		else
			peers->reached = grown;
		peers->room = grown ? room : peers->room;
	}
	if (!rc)
		rc = core->dev.ops->peer_open(core->dev.handle, share, &peer, error);
	if (!rc)
		peers->reached[peers->reached_count++] = (struct hetckpt_reached){share->address, share->bytes, peer};
	pthread_mutex_unlock(&core->lock);
	return rc;
}

void hetckpt_core_reach_end(struct hetckpt_core *core)
{
	hetckpt_core_enter(core);
	hetckpt_peers_clear(&core->peers, &core->dev);
	pthread_mutex_unlock(&core->lock);
}
