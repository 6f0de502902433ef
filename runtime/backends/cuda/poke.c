/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Poke: words into device memory past everything that runs.
 *
 * A copy engine writes them from a small page-locked buffer, in a stream of its own that
 * has the highest priority (queues get at most the one below, so they share no hardware
 * channel with it). Kernels read the words past the L1 cache, and the copy has gone to
 * the L2 cache, where all multiprocessors look, when its event is reached.
 *
 * Copies of the queues may keep the same copy engine busy; they are handed to it in
 * parts (transfer.c), between which this one gets its turn.
 */
#include "device.h"
#include "runtime/common/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Images that a poke can write one after the other: copies of one stream are done in order. */
#define POKE_IMAGES 2u
/* Then it is no longer a matter of microseconds, and a core is better used otherwise. */
#define SPIN_NS 1000000u
#define NAP_NS 20000u
/* How long the watcher hurries after a poke. */
#define HURRY_NS 2000000u

int cuda_poke_init(struct hetckpt_device *device, struct hetckpt_error *error)
{
	const struct cuda_driver *api = device->api;
	struct cuda_poke *poke = &device->poke;
	int lowest = 0, highest = 0;
	void *buffer = NULL;
	cu_result result = api->context_priorities(&lowest, &highest);

	if (!result)
		result = api->stream_create(&poke->stream, CU_STREAM_NO_DEFAULT_SYNC, highest);
	if (!result)
		result = api->event_create(&poke->event, CU_EVENT_NO_TIMING);
	if (!result)
		result = api->host_alloc(&buffer, POKE_IMAGES * HETCKPT_FLAG_BYTES, CU_HOST_PORTABLE);
	poke->buffer = buffer;
	if (!result) {
		/* Flags for launches that nobody pauses. */
		result = api->memory_alloc(&device->no_flags, HETCKPT_FLAG_BYTES);
		memset(poke->buffer, 0, HETCKPT_FLAG_BYTES);
	}
	if (!result)
		result = api->copy_in(device->no_flags, poke->buffer, HETCKPT_FLAG_BYTES, poke->stream);
	if (!result)
		result = api->stream_sync(poke->stream);
	device->priority_lowest = lowest;
	device->priority_highest = highest < lowest ? highest + 1 : highest;
	return cuda_check(device, result, error, "cannot set up the way past the queues");
}

void cuda_poke_destroy(struct hetckpt_device *device)
{
	const struct cuda_driver *api = device->api;
	struct cuda_poke *poke = &device->poke;

	if (device->no_flags)
		api->memory_free(device->no_flags);
	if (poke->buffer)
		api->host_free(poke->buffer);
	if (poke->event)
		api->event_destroy(poke->event);
	if (poke->stream)
		api->stream_destroy(poke->stream);
	device->no_flags = 0;
	poke->buffer = NULL;
	poke->event = NULL;
	poke->stream = NULL;
}

int cuda_poke(struct hetckpt_device *device, uint64_t address, const void *source, size_t bytes, unsigned images,
              struct hetckpt_error *error)
{
	const struct cuda_driver *api = device->api;
	struct cuda_poke *poke = &device->poke;
	uint64_t asked = hetckpt_timeline_now(), begin, filled;
	cu_result result;
	int rc;

	if (!bytes || bytes % 4 || bytes > HETCKPT_FLAG_BYTES || address % 4 || !images || images > POKE_IMAGES)
		return hetckpt_error_set(error, -EINVAL, 0, "cuda:%u: poke of %zu bytes at 0x%" PRIx64, device->index,
		                         bytes, address);
	rc = cuda_enter(device, error);
	if (rc)
		return rc;
	pthread_mutex_lock(&poke->lock);
	memcpy(poke->buffer, source, images * bytes);
	filled = hetckpt_timeline_now();
	result = CU_OK;
	for (unsigned i = 0; i < images && !result; i++)
		result = api->copy_in(address, poke->buffer + i * bytes, bytes, poke->stream);
	if (!result)
		result = api->event_record(poke->event, poke->stream);
	/* Kernels are about to park; see watcher.c. Without the lock a signal may be missed,
	   then the watcher looks after its pause. */
	begin = cuda_now();
	atomic_store(&device->hurry_until, begin + HURRY_NS);
	pthread_cond_signal(&device->wake);
	while (!result && (result = api->event_query(poke->event)) == CU_NOT_READY) {
		result = CU_OK;
		if (cuda_now() - begin > SPIN_NS)
			nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
		else
			cuda_relax();
		/* A device that has failed may never get there. */
		if (atomic_load(&device->failed))
			break;
	}
	pthread_mutex_unlock(&poke->lock);
	hetckpt_timeline_step(asked, "poke: ready after %" PRIu64 " ns, handed over after %" PRIu64, filled - asked, begin - asked);
	rc = cuda_check(device, result, error, "cannot set %zu bytes at 0x%" PRIx64, bytes, address);
	if (!rc)
		rc = cuda_failed(device, error);
	cuda_leave(device);
	return rc;
}
