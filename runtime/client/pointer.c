/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Questions about addresses, in the layout that is the same in all versions. */
#include "runtime/client/client.h"
#include "runtime/client/versions.h"

cudaError_t client_pointer_attributes(const void *address, struct client_pointer *p)
{
	struct client_range range;
	cudaError_t error = client_enter();

	if (error)
		return error;
	*p = (struct client_pointer){cudaMemoryTypeUnregistered, -2, NULL, (void *)address};
	client_range_find((uint64_t)address, &range);
	switch (range.kind) {
	case CLIENT_RANGE_DEVICE:
	case CLIENT_RANGE_VARIABLE:
		*p = (struct client_pointer){cudaMemoryTypeDevice, 0, (void *)address, NULL};
		break;
	case CLIENT_RANGE_PINNED:
		*p = (struct client_pointer){cudaMemoryTypeHost, 0, (void *)address, (void *)address};
		break;
	case CLIENT_RANGE_MANAGED:
		*p = (struct client_pointer){cudaMemoryTypeManaged, 0, (void *)address, (void *)address};
		break;
	case CLIENT_RANGE_REGISTERED:
		*p = (struct client_pointer){cudaMemoryTypeHost, 0, NULL, (void *)address};
		break;
	default:
		break;
	}
	return cudaSuccess;
}

cudaError_t client_managed_hint(const void *address, size_t bytes)
{
	struct client_range range;
	cudaError_t error = client_enter();

	if (error)
		return error;
	if (!bytes || !client_range_find((uint64_t)address, &range) || range.kind != CLIENT_RANGE_MANAGED ||
	    bytes > range.bytes - ((uint64_t)address - range.address))
		return cudaErrorInvalidValue;
	return cudaSuccess;
}
