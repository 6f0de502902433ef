/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Page-locked host memory: which ranges the driver knows. */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "runtime/common/log.h"
#include "runtime/common/timeline.h"

int cuda_host_register(struct hetckpt_device *device, void *address, uint64_t bytes, struct hetckpt_error *error)
{
	struct cuda_host *host = &device->host;
	uint64_t begin = hetckpt_timeline_now();
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	if (host->ranges == host->room) {
		size_t room = host->room ? 2 * host->room : 16;
		void *grown = realloc(host->range, room * sizeof *host->range);

		if (!grown) {
			rc = hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory", device->index);
			goto out;
		}
		host->range = grown;
		host->room = room;
	}
	/* Known to all contexts, and kernels may use it at its own address. */
	rc = cuda_check(device,
		device->api->host_register(address, bytes, CU_HOST_PORTABLE | CU_HOST_DEVICEMAP), error,
		"cannot page-lock %" PRIu64 " MiB at 0x%" PRIxPTR, bytes >> 20, (uintptr_t)address);
	if (!rc)
		host->range[host->ranges++] = (struct cuda_host_range){(uintptr_t)address, bytes};
	hetckpt_timeline_step(begin, "%" PRIu64 " MiB of host memory page-locked", bytes >> 20);
out:
	cuda_leave(device);
	return rc;
}

void cuda_host_unregister(struct hetckpt_device *device, void *address)
{
	struct cuda_host *host = &device->host;
	struct hetckpt_error error;
	size_t i = 0;

	while (i < host->ranges && host->range[i].address != (uintptr_t)address)
		i++;
	/* The core also asks where registering failed. */
	if (i == host->ranges)
		return;
	host->range[i] = host->range[--host->ranges];
	if (cuda_enter(device, NULL))
		return;
	if (cuda_check(device, device->api->host_unregister(address), &error, "cannot unlock host memory at 0x%" PRIxPTR,
	               (uintptr_t)address))
		hetckpt_log(HETCKPT_LOG_WARN, "%s", error.text);
	cuda_leave(device);
}

bool cuda_host_registered(const struct hetckpt_device *device, uint64_t address, uint64_t bytes)
{
	for (size_t i = 0; i < device->host.ranges; i++) {
		const struct cuda_host_range *range = &device->host.range[i];

		if (address >= range->address && address - range->address <= range->bytes &&
		    bytes <= range->bytes - (address - range->address))
			return true;
	}
	return false;
}
