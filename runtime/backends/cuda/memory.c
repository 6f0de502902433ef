/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Device memory at given addresses.
 *
 * The arena's range of addresses is reserved once. Memory comes in pieces (cuMemCreate),
 * each mapped as a whole: NVIDIA's driver neither maps part of a piece nor unmaps part
 * of a mapping. Few large pieces map fast, small ones can be given back singly, so a
 * range is cut like this:
 *
 *   its first and last granule are pieces of their own, for the core shares those
 *   between allocations and gives back what lies between them;
 *   between them, pieces of 1 GiB where the range is larger than the core ever keeps
 *   unused and carves up again, and of 32 MiB where it is not.
 *
 * If the core gives back part of a piece all the same, the piece stays until all of it is
 * given back, and what was given back of it is handed out again when the core maps it.
 * Contents are unspecified either way.
 */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/common/timeline.h"

#define PIECE_LARGE ((uint64_t)1 << 30)
#define PIECE_SMALL ((uint64_t)32 << 20)
/* Larger ranges are never kept unused (runtime/core/heap.c). */
#define LARGE_RANGE ((uint64_t)256 << 20)

enum granule_state {
	GRANULE_NONE, /* no memory */
	GRANULE_USED, /* mapped by the core */
	GRANULE_KEPT, /* given back, but its piece is not */
	GRANULE_LOST  /* its piece could not be given back */
};

static cu_memory_properties properties(const struct hetckpt_device *device, bool exportable)
{
	cu_memory_properties p;

	memset(&p, 0, sizeof p);
	p.type = CU_MEM_PINNED;
	p.handle_types = exportable ? CU_MEM_POSIX_FD : 0;
	p.location.type = CU_MEM_DEVICE;
	p.location.id = device->ordinal;
	return p;
}

static uint64_t granule_of(const struct cuda_memory *memory, uint64_t address)
{
	return (address - memory->base) / HETCKPT_GRANULE;
}

/* ---- Pieces ------------------------------------------------------------- */

/* Index of the first piece that ends after address. */
static size_t piece_at(const struct cuda_memory *memory, uint64_t address)
{
	size_t low = 0, high = memory->pieces;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memory->piece[middle].address + memory->piece[middle].bytes <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Makes memory and maps it, not yet accessible. No check of the device: also tried out
   at open. */
static cu_result piece_make(struct hetckpt_device *device, uint64_t address, uint64_t bytes, bool exportable,
                            struct cuda_piece *piece)
{
	const struct cuda_driver *api = device->api;
	cu_memory_properties p = properties(device, exportable);
	cu_result result = api->memory_create(&piece->handle, bytes, &p, 0);

	if (result)
		return result;
	result = api->memory_map(address, bytes, 0, piece->handle, 0);
	if (result) {
		api->memory_release(piece->handle);
		return result;
	}
	piece->address = address;
	piece->bytes = bytes;
	piece->used = bytes / HETCKPT_GRANULE;
	piece->mapped = true;
	piece->serial = ++device->memory.serial;
	return CU_OK;
}

/* The handle keeps memory alive as the mapping does: both must go. May be called again. */
static cu_result piece_free(struct hetckpt_device *device, struct cuda_piece *piece)
{
	if (piece->mapped) {
		cu_result result = device->api->memory_unmap(piece->address, piece->bytes);

		if (result)
			return result;
		piece->mapped = false;
	}
	return device->api->memory_release(piece->handle);
}

static int room_for(struct cuda_memory *memory, size_t more)
{
	size_t room = memory->room ? memory->room : 64;
	void *grown;

	while (room < memory->pieces + more)
		room *= 2;
	if (room == memory->room)
		return 0;
	grown = realloc(memory->piece, room * sizeof *memory->piece);
	if (!grown)
		return -ENOMEM;
	memory->piece = grown;
	memory->room = room;
	return 0;
}

/* The size of the next piece of [address, end), which belongs to a range of that many
   bytes that starts at first. */
static uint64_t piece_bytes(uint64_t address, uint64_t end, uint64_t first)
{
	uint64_t large = end - first > LARGE_RANGE ? PIECE_LARGE : PIECE_SMALL;
	uint64_t left = end - address;

	if (address == first || left == HETCKPT_GRANULE)
		return HETCKPT_GRANULE;
	left -= HETCKPT_GRANULE; /* the last granule is a piece of its own */
	return left < large ? left : large;
}

/* ---- Map ------------------------------------------------------------------ */

/* Adds pieces for [address, end), which has no memory; *made of them, also on failure. */
static int add_pieces(struct hetckpt_device *device, uint64_t address, uint64_t end, size_t *made,
                      struct hetckpt_error *error)
{
	struct cuda_memory *memory = &device->memory;
	cu_access access = {.location = {.type = CU_MEM_DEVICE, .id = device->ordinal}, .flags = CU_MEM_READ_WRITE};
	uint64_t first = address;
	size_t at = piece_at(memory, address);

	*made = 0;
	while (address < end) {
		uint64_t bytes = piece_bytes(address, end, first);
		struct cuda_piece piece;
		cu_result result;

		if (room_for(memory, 1))
			return hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory", device->index);
		result = piece_make(device, address, bytes, memory->exportable, &piece);
		if (result) {
			size_t free_bytes = 0, total = 0;

			if (result != CU_OUT_OF_MEMORY || device->api->memory_info(&free_bytes, &total))
				return cuda_check(device, result, error, "cannot map %" PRIu64 " MiB at 0x%" PRIx64,
				                  bytes >> 20, address);
			return cuda_check(device, result, error,
				"out of device memory: %" PRIu64 " MiB wanted, with %" PRIu64 " to go %zu of %zu MiB free",
				(end - first) >> 20, (end - address) >> 20,
				free_bytes >> 20, total >> 20);
		}
		memmove(memory->piece + at + 1, memory->piece + at, (memory->pieces - at) * sizeof piece);
		memory->piece[at++] = piece;
		memory->pieces++;
		(*made)++;
		address += bytes;
	}
	return cuda_check(device, device->api->memory_access(first, end - first, &access, 1), error,
	                  "cannot make %" PRIu64 " MiB at 0x%" PRIx64 " accessible", (end - first) >> 20, first);
}

/* Takes used granules out of [address, end); frees pieces that have none left. Goes on
   after a failure, which is told. */
static int drop(struct hetckpt_device *device, uint64_t address, uint64_t end, struct hetckpt_error *error)
{
	struct cuda_memory *memory = &device->memory;
	size_t first = piece_at(memory, address), at = first, keep = first;
	int rc = 0;

	for (; at < memory->pieces && memory->piece[at].address < end; at++) {
		struct cuda_piece *piece = &memory->piece[at];
		uint64_t from = piece->address > address ? piece->address : address;
		uint64_t to = piece->address + piece->bytes < end ? piece->address + piece->bytes : end;
		int this = 0;

		for (uint64_t g = granule_of(memory, from); g < granule_of(memory, to); g++)
			if (memory->granule[g] == GRANULE_USED) {
				memory->granule[g] = GRANULE_KEPT;
				piece->used--;
			}
		if (!piece->used) {
			this = cuda_check(device, piece_free(device, piece), rc ? NULL : error,
				"cannot unmap %" PRIu64 " MiB at 0x%" PRIx64, piece->bytes >> 20, piece->address);
			rc = rc ? rc : this;
		}
		if (!piece->used)
			memset(memory->granule + granule_of(memory, piece->address), this ? GRANULE_LOST : GRANULE_NONE,
			       piece->bytes / HETCKPT_GRANULE);
		if (piece->used || this)
			memory->piece[keep++] = *piece; /* close tries those again that cannot be freed */
	}
	memmove(memory->piece + keep, memory->piece + at, (memory->pieces - at) * sizeof *memory->piece);
	memory->pieces -= at - keep;
	return rc;
}

static int check_range(const struct hetckpt_device *device, uint64_t address, uint64_t bytes,
                       struct hetckpt_error *error)
{
	const struct cuda_memory *memory = &device->memory;

	if (!bytes || address % HETCKPT_GRANULE || bytes % HETCKPT_GRANULE || address < memory->base ||
	    bytes > memory->bytes || address - memory->base > memory->bytes - bytes)
		return hetckpt_error_set(error, -EINVAL, 0,
			"cuda:%u: [0x%" PRIx64 ", +0x%" PRIx64 ") is not a range of whole granules in the arena",
			device->index, address, bytes);
	return 0;
}

/* Marks the granules of [from, to), which are all of one state, as used. */
static int take_run(struct hetckpt_device *device, uint64_t from, uint64_t to, struct hetckpt_error *error)
{
	struct cuda_memory *memory = &device->memory;
	struct hetckpt_error ignored;
	uint64_t begin = memory->base + from * HETCKPT_GRANULE, end = memory->base + to * HETCKPT_GRANULE;
	size_t made;
	int rc;

	if (memory->granule[from] == GRANULE_NONE) {
		rc = add_pieces(device, begin, end, &made, error);
		if (rc) {
			/* What was made so far is at the front; drop() goes by the states. */
			size_t at = piece_at(memory, begin);

			if (made)
				memset(memory->granule + from, GRANULE_USED,
				       (memory->piece[at + made - 1].address + memory->piece[at + made - 1].bytes - begin) /
				               HETCKPT_GRANULE);
			if (made)
				drop(device, begin, end, &ignored);
			return rc;
		}
	} else {
		for (uint64_t g = from; g < to; g++)
			memory->piece[piece_at(memory, memory->base + g * HETCKPT_GRANULE)].used++;
	}
	memset(memory->granule + from, GRANULE_USED, to - from);
	return 0;
}

int cuda_map(struct hetckpt_device *device, uint64_t address, uint64_t bytes, struct hetckpt_error *error)
{
	struct cuda_memory *memory = &device->memory;
	uint64_t begin = hetckpt_timeline_now();
	struct hetckpt_error ignored;
	uint64_t first, end, from, to;
	int rc = check_range(device, address, bytes, error);

	if (!rc)
		rc = cuda_enter(device, error);
	if (rc)
		return rc;
	first = from = granule_of(memory, address);
	end = first + bytes / HETCKPT_GRANULE;
	for (uint64_t g = first; g < end && !rc; g++)
		if (memory->granule[g] == GRANULE_USED)
			rc = hetckpt_error_set(error, -EEXIST, 0, "cuda:%u: 0x%" PRIx64 " is mapped already", device->index,
			                       memory->base + g * HETCKPT_GRANULE);
		else if (memory->granule[g] == GRANULE_LOST)
			rc = hetckpt_error_set(error, -EADDRINUSE, 0, "cuda:%u: what was at 0x%" PRIx64 " could not be unmapped",
			                       device->index, memory->base + g * HETCKPT_GRANULE);
	while (from < end && !rc) {
		for (to = from + 1; to < end && memory->granule[to] == memory->granule[from];)
			to++;
		rc = take_run(device, from, to, error);
		if (rc && from > first)
			drop(device, address, memory->base + from * HETCKPT_GRANULE, &ignored);
		from = to;
	}
	cuda_leave(device);
	hetckpt_timeline_step(begin, "%" PRIu64 " MiB of device memory mapped", bytes >> 20);
	return rc;
}

int cuda_unmap(struct hetckpt_device *device, uint64_t address, uint64_t bytes, struct hetckpt_error *error)
{
	struct cuda_memory *memory = &device->memory;
	int rc = check_range(device, address, bytes, error);

	if (!rc)
		rc = cuda_enter(device, error);
	if (rc)
		return rc;
	for (uint64_t g = 0; g < bytes / HETCKPT_GRANULE && !rc; g++)
		if (memory->granule[granule_of(memory, address) + g] != GRANULE_USED)
			rc = hetckpt_error_set(error, -EINVAL, 0, "cuda:%u: 0x%" PRIx64 " is not mapped", device->index,
			                       address + g * HETCKPT_GRANULE);
	if (!rc)
		rc = drop(device, address, address + bytes, error);
	cuda_leave(device);
	return rc;
}

/* ---- Open and close --------------------------------------------------------- */

static int reserve(struct hetckpt_device *device, uint64_t base, uint64_t bytes, struct hetckpt_error *error)
{
	cu_address got = 0;
	int rc = cuda_check(device, device->api->address_reserve(&got, bytes, 0, base, 0), error,
		"cannot reserve the arena's addresses [0x%" PRIx64 ", +%" PRIu64 " GiB)", base, bytes >> 30);

	if (rc)
		return rc;
	if (got != base) {
		device->api->address_free(got, bytes);
		return hetckpt_error_set(error, -EADDRINUSE, 0,
			"cuda:%u: the arena's addresses [0x%" PRIx64 ", +%" PRIu64 " GiB) are taken: the driver offered 0x%"
			PRIx64, device->index, base, bytes >> 30, (uint64_t)got);
	}
	device->memory.base = base;
	device->memory.bytes = bytes;
	return 0;
}

/* Some systems forbid to share memory between processes: find out, and do without. */
static int try_sharing(struct hetckpt_device *device, struct hetckpt_error *error)
{
	const struct cuda_driver *api = device->api;
	struct cuda_piece piece;
	int can = 0;
	cu_result result;

	if (!api->device_attribute(&can, CU_ATTR_VMM_POSIX_FD, device->ordinal) && can &&
	    !piece_make(device, device->memory.base, HETCKPT_GRANULE, true, &piece)) {
		device->memory.exportable = true;
		return cuda_check(device, piece_free(device, &piece), error, "cannot give memory back");
	}
	result = piece_make(device, device->memory.base, HETCKPT_GRANULE, false, &piece);
	if (!result)
		result = piece_free(device, &piece);
	return cuda_check(device, result, error, "cannot map device memory");
}

int cuda_memory_init(struct hetckpt_device *device, uint64_t base, uint64_t bytes, struct hetckpt_error *error)
{
	const struct cuda_driver *api = device->api;
	cu_memory_properties p = properties(device, false);
	size_t granularity = 0;
	int can = 0, rc;

	if (!bytes || base % HETCKPT_GRANULE || bytes % HETCKPT_GRANULE)
		return hetckpt_error_set(error, -EINVAL, 0, "cuda:%u: the arena is not whole granules", device->index);
	if (api->device_attribute(&can, CU_ATTR_VMM, device->ordinal) || !can)
		return hetckpt_error_set(error, -ENOTSUP, 0,
			"cuda:%u: %.200s cannot map memory at addresses of our choice", device->index, device->facts.name);
	rc = cuda_check(device, api->memory_granularity(&granularity, &p, CU_MEM_GRANULARITY_MINIMUM), error,
	                "cannot ask for the unit of memory");
	if (rc)
		return rc;
	if (!granularity || HETCKPT_GRANULE % granularity)
		return hetckpt_error_set(error, -ENOTSUP, 0, "cuda:%u: memory comes in units of %zu KiB, not of 2 MiB",
		                         device->index, granularity >> 10);
	/* Half a million bytes for the arena; pages appear as they are used. */
	device->memory.granule = calloc(bytes / HETCKPT_GRANULE, 1);
	if (!device->memory.granule)
		return hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory", device->index);
	rc = reserve(device, base, bytes, error);
	return rc ? rc : try_sharing(device, error);
}

void cuda_memory_destroy(struct hetckpt_device *device)
{
	struct cuda_memory *memory = &device->memory;
	size_t left = 0;

	for (size_t i = 0; i < memory->pieces; i++)
		if (piece_free(device, &memory->piece[i]))
			memory->piece[left++] = memory->piece[i];
	memory->pieces = left;
	if (memory->bytes && !device->api->address_free(memory->base, memory->bytes))
		memory->bytes = 0;
	if (memory->bytes)
		return; /* another try may follow */
	free(memory->piece);
	free(memory->granule);
	memset(memory, 0, sizeof *memory);
}

/* ---- Sharing ----------------------------------------------------------------- */

int cuda_share(struct hetckpt_device *device, uint64_t address, uint64_t bytes, bool open,
               struct hetckpt_share *shares, size_t room, size_t *count, struct hetckpt_error *error)
{
	struct cuda_memory *memory = &device->memory;
	size_t at, n = 0;
	int rc;

	if (!memory->exportable)
		return hetckpt_error_set(error, -ENOTSUP, 0, "cuda:%u: this system does not share device memory",
		                         device->index);
	rc = cuda_enter(device, error);
	if (rc)
		return rc;
	for (at = piece_at(memory, address); at < memory->pieces && memory->piece[at].address < address + bytes; at++)
		n++;
	*count = n;
	if (n > room) {
		rc = hetckpt_error_set(error, -ENOSPC, 0, "cuda:%u: %zu pieces of memory, room for %zu", device->index, n,
		                       room);
		goto out;
	}
	at -= n;
	for (size_t i = 0; i < n && !rc; i++) {
		const struct cuda_piece *piece = &memory->piece[at + i];

		shares[i] = (struct hetckpt_share){.address = piece->address, .bytes = piece->bytes,
		                                   .serial = piece->serial, .fd = -1};
		if (!open)
			continue;
		rc = cuda_check(device, device->api->memory_export(&shares[i].fd, piece->handle, CU_MEM_POSIX_FD, 0),
		                error, "cannot share %" PRIu64 " MiB at 0x%" PRIx64, piece->bytes >> 20, piece->address);
		for (size_t k = 0; rc && k < i; k++)
			close(shares[k].fd);
	}
out:
	cuda_leave(device);
	return rc;
}
