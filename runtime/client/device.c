/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The one device, and the process's settings for it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/client/client.h"
#include "runtime/client/graph.h"

/* What programs see, whatever it runs on: a session may move while it is open. */
#define BUS_ID "0000:00:00.0"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hetckpt_reply_device info;
static _Atomic bool known;

static _Atomic unsigned device_flags = cudaDeviceMapHost;
static _Atomic int cache_config = cudaFuncCachePreferNone;
static const size_t standard_limits[3] = {1024, 1 << 20, 8 << 20}; /* stack, printf, heap */
static _Atomic size_t limits[3] = {1024, 1 << 20, 8 << 20};

cudaError_t client_device_info(const struct hetckpt_reply_device **out)
{
	cudaError_t error = cudaSuccess;

	/* Asked once: a program that has planned its launches by one device's numbers keeps
	   them when it is moved to another. */
	if (!atomic_load_explicit(&known, memory_order_acquire)) {
		pthread_mutex_lock(&lock);
		if (!known) {
			error = client_call(HETCKPT_MSG_DEVICE_INFO, 0, NULL, 0, NULL, 0, &info, sizeof info);
			info.name[sizeof info.name - 1] = 0;
			atomic_store_explicit(&known, !error, memory_order_release);
		}
		pthread_mutex_unlock(&lock);
	}
	*out = &info;
	return error;
}

cudaError_t client_device_check(int device)
{
	return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

/* ---- Which device ------------------------------------------------------ */

CLIENT_EXPORT cudaError_t cudaGetDeviceCount(int *count)
{
	cudaError_t error;

	if (!count)
		return client_result(cudaErrorInvalidValue);
	error = client_enter();
	*count = error ? 0 : 1;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaSetDevice(int device)
{
	cudaError_t error = client_enter();

	return client_result(error ? error : client_device_check(device));
}

CLIENT_EXPORT cudaError_t cudaGetDevice(int *device)
{
	cudaError_t error = device ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		*device = 0;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaInitDevice(int device, unsigned int settings, unsigned int flags)
{
	cudaError_t error = client_enter();

	return client_result(error ? error : client_device_check(device));
}

CLIENT_EXPORT cudaError_t cudaSetValidDevices(int *devices, int count)
{
	cudaError_t error = client_enter();

	if (!error && (count < 0 || (count && !devices)))
		error = cudaErrorInvalidValue;
	for (int i = 0; !error && i < count; i++)
		error = client_device_check(devices[i]);
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaChooseDevice(int *device, const struct cudaDeviceProp *prop)
{
	cudaError_t error = device && prop ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		*device = 0;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaSetDeviceFlags(unsigned int flags)
{
	const unsigned schedule = cudaDeviceScheduleSpin | cudaDeviceScheduleYield | cudaDeviceScheduleBlockingSync;
	unsigned how = flags & schedule;
	cudaError_t error = client_enter();

	if (!error && (flags & ~(schedule | cudaDeviceMapHost | cudaDeviceLmemResizeToMax) || how & (how - 1)))
		error = cudaErrorInvalidValue;
	if (!error)
		device_flags = flags | cudaDeviceMapHost;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaGetDeviceFlags(unsigned int *flags)
{
	cudaError_t error = flags ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		*flags = device_flags;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaDeviceGetPCIBusId(char *bus_id, int length, int device)
{
	cudaError_t error = bus_id && length > 0 ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		error = client_device_check(device);
	if (!error)
		snprintf(bus_id, (size_t)length, "%s", BUS_ID);
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaDeviceGetByPCIBusId(int *device, const char *bus_id)
{
	cudaError_t error = device && bus_id ? client_enter() : cudaErrorInvalidValue;

	/* With and without the domain. */
	if (!error && strcasecmp(bus_id, BUS_ID) && strcasecmp(bus_id, strchr(BUS_ID, ':') + 1))
		error = cudaErrorInvalidDevice;
	if (!error)
		*device = 0;
	return client_result(error);
}

/* ---- Peers: there is nobody else --------------------------------------- */

CLIENT_EXPORT cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int other)
{
	cudaError_t error = can ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		error = client_device_check(device);
	if (!error)
		error = client_device_check(other);
	if (!error)
		*can = 0;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaDeviceEnablePeerAccess(int other, unsigned int flags)
{
	cudaError_t error = client_enter();

	return client_result(error ? error : cudaErrorInvalidDevice);
}

CLIENT_EXPORT cudaError_t cudaDeviceDisablePeerAccess(int other)
{
	cudaError_t error = client_enter();

	return client_result(error ? error : cudaErrorPeerAccessNotEnabled);
}

CLIENT_EXPORT cudaError_t cudaDeviceGetP2PAttribute(int *value, enum cudaDeviceP2PAttr attribute, int from, int to)
{
	cudaError_t error = value ? client_enter() : cudaErrorInvalidValue;

	return client_result(error ? error : cudaErrorInvalidDevice);
}

/* ---- Settings ---------------------------------------------------------- */

CLIENT_EXPORT cudaError_t cudaDeviceGetLimit(size_t *value, enum cudaLimit limit)
{
	cudaError_t error = value ? client_enter() : cudaErrorInvalidValue;

	if (!error && (unsigned)limit > cudaLimitMallocHeapSize)
		error = cudaErrorUnsupportedLimit;
	if (!error)
		*value = limits[limit];
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaDeviceSetLimit(enum cudaLimit limit, size_t value)
{
	/* A device rounds up; 0 would mean that nobody has set the limit. */
	struct hetckpt_msg_limit body = {.limit = (uint32_t)limit, .value = value ? value : 1};
	cudaError_t error = client_enter();

	if (!error && (unsigned)limit > cudaLimitMallocHeapSize)
		error = cudaErrorUnsupportedLimit;
	if (!error)
		error = client_call(HETCKPT_MSG_DEVICE_LIMIT, 0, &body, sizeof body, NULL, 0, NULL, 0);
	if (!error)
		limits[limit] = value;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaDeviceSetCacheConfig(enum cudaFuncCache config)
{
	cudaError_t error = (unsigned)config > cudaFuncCachePreferEqual ? cudaErrorInvalidValue : client_enter();

	if (!error)
		cache_config = config;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaDeviceGetCacheConfig(enum cudaFuncCache *config)
{
	cudaError_t error = config ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		*config = (enum cudaFuncCache)cache_config;
	return client_result(error);
}

cudaError_t cudaDeviceSetSharedMemConfig(enum cudaSharedMemConfig config);
CLIENT_EXPORT cudaError_t cudaDeviceSetSharedMemConfig(enum cudaSharedMemConfig config)
{
	return client_result((unsigned)config > cudaSharedMemBankSizeEightByte ? cudaErrorInvalidValue :
	                     client_enter());
}

cudaError_t cudaDeviceGetSharedMemConfig(enum cudaSharedMemConfig *config);
CLIENT_EXPORT cudaError_t cudaDeviceGetSharedMemConfig(enum cudaSharedMemConfig *config)
{
	cudaError_t error = config ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		*config = cudaSharedMemBankSizeFourByte;
	return client_result(error);
}

cudaError_t cudaCtxResetPersistingL2Cache(void);
CLIENT_EXPORT cudaError_t cudaCtxResetPersistingL2Cache(void)
{
	return client_result(client_enter());
}

CLIENT_EXPORT cudaError_t cudaDeviceReset(void)
{
	struct client_range removed;
	cudaError_t error = client_enter();

	/* After a kernel's fault a reset is what helps, so that error does not stop it. */
	if (error && !client_attached())
		return client_result(error);
	error = client_call(HETCKPT_MSG_DEVICE_RESET, 0, NULL, 0, NULL, 0, NULL, 0);
	if (error)
		return client_result(error);
	client_epoch_raise();
	client_capture_reset();
	for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++)
		limits[i] = standard_limits[i];
	while (client_range_pop(CLIENT_RANGE_DEVICE, &removed) || client_range_pop(CLIENT_RANGE_VARIABLE, &removed))
		;
	client_pools_reset();
	client_pinned_reset();
	return cudaSuccess;
}

/* ---- Versions and profiling -------------------------------------------- */

CLIENT_EXPORT cudaError_t cudaDriverGetVersion(int *version)
{
	if (!version)
		return client_result(cudaErrorInvalidValue);
	*version = client_cudart_version;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaRuntimeGetVersion(int *version)
{
	return cudaDriverGetVersion(version);
}

CLIENT_EXPORT cudaError_t cudaProfilerStart(void)
{
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaProfilerStop(void)
{
	return cudaSuccess;
}
