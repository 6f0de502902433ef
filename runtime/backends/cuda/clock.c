/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The device's time since open; see struct cuda_clock. */
#include "device.h"

#include <errno.h>
#include <string.h>

/* How old an anchor may get, and how long to wait for a new one. Its stream is otherwise
   empty, so that takes a few microseconds. */
#define ANCHOR_NS 2000000000u
#define ANCHOR_WAIT_NS 200000u

int cuda_clock_init(struct hetckpt_device *device, struct hetckpt_error *error)
{
	const struct cuda_driver *api = device->api;
	struct cuda_clock *clock = &device->clock;
	cu_result result = api->stream_create(&clock->stream, CU_STREAM_NO_DEFAULT_SYNC, device->priority_highest);

	if (!result)
		result = api->event_create(&clock->anchor, CU_EVENT_TIMING);
	if (!result)
		result = api->event_create(&clock->candidate, CU_EVENT_TIMING);
	if (!result)
		result = api->event_record(clock->anchor, clock->stream);
	if (!result)
		result = api->event_sync(clock->anchor);
	clock->anchor_host = cuda_now();
	return cuda_check(device, result, error, "cannot start the device's clock");
}

void cuda_clock_destroy(struct hetckpt_device *device)
{
	struct cuda_clock *clock = &device->clock;

	if (clock->candidate)
		device->api->event_destroy(clock->candidate);
	if (clock->anchor)
		device->api->event_destroy(clock->anchor);
	if (clock->stream)
		device->api->stream_destroy(clock->stream);
	memset(clock, 0, sizeof *clock);
}

/* Nanoseconds from the anchor to an event that is complete; negative if it was earlier. */
static int64_t since_anchor(struct hetckpt_device *device, cu_event event)
{
	float ms = 0;

	if (device->api->event_elapsed(&ms, device->clock.anchor, event))
		return 0;
	return (int64_t)((double)ms * 1e6);
}

static void renew_anchor(struct hetckpt_device *device)
{
	const struct cuda_driver *api = device->api;
	struct cuda_clock *clock = &device->clock;
	uint64_t now = cuda_now();
	cu_event old = clock->anchor;
	bool fresh = !clock->pending;
	cu_result result;

	if (fresh) {
		if (now - clock->anchor_host < ANCHOR_NS || api->event_record(clock->candidate, clock->stream))
			return;
		clock->candidate_host = now;
		clock->pending = true;
	}
	while ((result = api->event_query(clock->candidate)) == CU_NOT_READY && fresh &&
	       cuda_now() - now < ANCHOR_WAIT_NS)
		cuda_relax();
	/* One that takes long is adopted later, when somebody asks for the time again. */
	if (result)
		return;
	clock->anchor_ns += (uint64_t)since_anchor(device, clock->candidate);
	clock->anchor_host = clock->candidate_host;
	clock->anchor = clock->candidate;
	clock->candidate = old;
	clock->pending = false;
}

uint64_t cuda_clock_time(struct hetckpt_device *device, cu_event event)
{
	int64_t time;

	renew_anchor(device);
	time = (int64_t)device->clock.anchor_ns + since_anchor(device, event);
	return time > 0 ? (uint64_t)time : 0;
}
