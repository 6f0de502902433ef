/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory pools. Memory is taken from the device at once and given back as soon as the stream has
 * come to the free, so a pool keeps nothing: it is a limit, a few settings, and a count.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/client/client.h"

struct CUmemPoolHandle_st {
	struct CUmemPoolHandle_st *next;
	bool destroyed; /* the program's handle is no longer good */
	uint64_t allocations, used, used_high, reserved_high, limit, threshold;
	int reuse[3];   /* by attribute, from cudaMemPoolReuseFollowEventDependencies */
};

static struct CUmemPoolHandle_st standard = {.reuse = {1, 1, 1}};
static struct CUmemPoolHandle_st *pools = &standard; /* all there are; the standard one comes last */
static struct CUmemPoolHandle_st *current = &standard;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* With the lock held. */
static bool is_pool(cudaMemPool_t pool)
{
	for (struct CUmemPoolHandle_st *p = pools; p; p = p->next)
		if (p == pool)
			return !p->destroyed;
	return false;
}

/* With the lock held: what nobody can name any more goes. */
static void drop(struct CUmemPoolHandle_st *pool)
{
	struct CUmemPoolHandle_st **link = &pools;

	if (!pool->destroyed || pool->allocations)
		return;
	while (*link != pool)
		link = &(*link)->next;
	*link = pool->next;
	free(pool);
}

static cudaError_t check_device(int device)
{
	cudaError_t error = client_enter();

	return error ? error : client_device_check(device);
}

/* ---- Allocating ---------------------------------------------------------- */

void client_pool_freed(const struct client_range *range)
{
	if (!range->pool)
		return;
	pthread_mutex_lock(&lock);
	range->pool->used -= range->bytes;
	range->pool->allocations--;
	drop(range->pool);
	pthread_mutex_unlock(&lock);
}

/* pool NULL: the device's current one. */
static cudaError_t take(cudaMemPool_t pool, uint64_t bytes, struct client_range *range)
{
	cudaError_t error = cudaSuccess;

	pthread_mutex_lock(&lock);
	if (!pool)
		pool = current;
	if (!is_pool(pool)) {
		error = cudaErrorInvalidValue;
	} else if (pool->limit && (bytes > pool->limit || pool->used > pool->limit - bytes)) {
		error = cudaErrorMemoryAllocation;
	} else {
		pool->allocations++;
		pool->used += bytes;
		if (pool->used_high < pool->used)
			pool->used_high = pool->used;
		if (pool->reserved_high < pool->used)
			pool->reserved_high = pool->used;
		range->pool = pool;
		range->bytes = bytes;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

static cudaError_t pool_alloc(void **address, size_t bytes, cudaMemPool_t pool, cudaStream_t stream)
{
	struct client_range range = {.kind = CLIENT_RANGE_DEVICE};
	uint32_t number;
	cudaError_t error = address ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		error = client_stream_number(stream, &number);
	if (error == cudaErrorStreamCaptureUnsupported)
		client_say_once("cudaMallocAsync in a stream that is being captured is not supported");
	if (error)
		return error;
	*address = NULL;
	if (!bytes)
		return cudaSuccess;
	error = take(pool, bytes, &range);
	if (error)
		return error;
	/* At once rather than in stream order, which a program cannot tell apart. */
	error = client_device_alloc(&range);
	if (error)
		client_pool_freed(&range);
	else
		*address = (void *)range.address;
	return error;
}

CLIENT_EXPORT cudaError_t cudaMallocAsync(void **address, size_t bytes, cudaStream_t stream)
{
	return client_result(pool_alloc(address, bytes, NULL, stream));
}

CLIENT_EXPORT cudaError_t cudaMallocAsync_ptsz(void **address, size_t bytes, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMallocAsync_ptsz(void **address, size_t bytes, cudaStream_t stream)
{
	return cudaMallocAsync(address, bytes, client_per_thread(stream));
}

CLIENT_EXPORT cudaError_t cudaMallocFromPoolAsync(void **address, size_t bytes, cudaMemPool_t pool,
                                                  cudaStream_t stream)
{
	return client_result(pool ? pool_alloc(address, bytes, pool, stream) : cudaErrorInvalidValue);
}

CLIENT_EXPORT cudaError_t cudaMallocFromPoolAsync_ptsz(void **address, size_t bytes, cudaMemPool_t pool,
                                                       cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMallocFromPoolAsync_ptsz(void **address, size_t bytes, cudaMemPool_t pool,
                                                       cudaStream_t stream)
{
	return cudaMallocFromPoolAsync(address, bytes, pool, client_per_thread(stream));
}

/* ---- Pools --------------------------------------------------------------- */

CLIENT_EXPORT cudaError_t cudaMemPoolCreate(cudaMemPool_t *result, const struct cudaMemPoolProps *props)
{
	struct CUmemPoolHandle_st *pool;
	cudaError_t error;

	if (!result || !props || props->allocType != cudaMemAllocationTypePinned ||
	    props->location.type != cudaMemLocationTypeDevice)
		return client_result(cudaErrorInvalidValue);
	/* Memory that another process could be given a handle of. */
	if (props->handleTypes != cudaMemHandleTypeNone)
		return client_result(cudaErrorNotSupported);
	error = check_device(props->location.id);
	if (error)
		return client_result(error);
	pool = calloc(1, sizeof *pool);
	if (!pool)
		return client_result(cudaErrorMemoryAllocation);
	pool->limit = props->maxSize;
	for (int i = 0; i < 3; i++)
		pool->reuse[i] = 1;
	pthread_mutex_lock(&lock);
	pool->next = pools;
	pools = pool;
	pthread_mutex_unlock(&lock);
	*result = pool;
	return client_result(cudaSuccess);
}

/* What was allocated from it stays until it is freed. */
CLIENT_EXPORT cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool)
{
	cudaError_t error = client_enter();

	if (error)
		return client_result(error);
	pthread_mutex_lock(&lock);
	if (is_pool(pool) && pool != &standard) {
		if (current == pool)
			current = &standard;
		pool->destroyed = true;
		drop(pool);
	} else {
		error = cudaErrorInvalidValue;
	}
	pthread_mutex_unlock(&lock);
	return client_result(error);
}

void client_pools_reset(void)
{
	pthread_mutex_lock(&lock);
	while (pools != &standard) {
		struct CUmemPoolHandle_st *pool = pools;

		pools = pool->next;
		free(pool);
	}
	standard = (struct CUmemPoolHandle_st){.reuse = {1, 1, 1}};
	current = &standard;
	pthread_mutex_unlock(&lock);
}

CLIENT_EXPORT cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device)
{
	cudaError_t error = pool ? check_device(device) : cudaErrorInvalidValue;

	if (!error)
		*pool = &standard;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaDeviceGetMemPool(cudaMemPool_t *pool, int device)
{
	cudaError_t error = pool ? check_device(device) : cudaErrorInvalidValue;

	if (!error) {
		pthread_mutex_lock(&lock);
		*pool = current;
		pthread_mutex_unlock(&lock);
	}
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaDeviceSetMemPool(int device, cudaMemPool_t pool)
{
	cudaError_t error = check_device(device);

	if (error)
		return client_result(error);
	pthread_mutex_lock(&lock);
	if (is_pool(pool))
		current = pool;
	else
		error = cudaErrorInvalidValue;
	pthread_mutex_unlock(&lock);
	return client_result(error);
}

/* ---- Settings ------------------------------------------------------------ */

/* The number behind an attribute, or NULL. With the lock held. */
static uint64_t *number_of(cudaMemPool_t pool, enum cudaMemPoolAttr attribute)
{
	switch (attribute) {
	case cudaMemPoolAttrReleaseThreshold:
		return &pool->threshold;
	case cudaMemPoolAttrReservedMemCurrent:
	case cudaMemPoolAttrUsedMemCurrent:
		return &pool->used;
	case cudaMemPoolAttrReservedMemHigh:
		return &pool->reserved_high;
	case cudaMemPoolAttrUsedMemHigh:
		return &pool->used_high;
	default:
		return NULL;
	}
}

static int *reuse_of(cudaMemPool_t pool, enum cudaMemPoolAttr attribute)
{
	int at = (int)attribute - (int)cudaMemPoolReuseFollowEventDependencies;

	return at >= 0 && at < 3 ? &pool->reuse[at] : NULL;
}

CLIENT_EXPORT cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr attribute, void *value)
{
	cudaError_t error = value ? client_enter() : cudaErrorInvalidValue;

	if (error)
		return client_result(error);
	pthread_mutex_lock(&lock);
	if (!is_pool(pool))
		error = cudaErrorInvalidValue;
	else if (number_of(pool, attribute))
		memcpy(value, number_of(pool, attribute), sizeof(uint64_t));
	else if (reuse_of(pool, attribute))
		memcpy(value, reuse_of(pool, attribute), sizeof(int));
	else
		error = cudaErrorInvalidValue;
	pthread_mutex_unlock(&lock);
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr attribute, void *value)
{
	cudaError_t error = value ? client_enter() : cudaErrorInvalidValue;
	uint64_t number = 0;

	if (error)
		return client_result(error);
	pthread_mutex_lock(&lock);
	if (!is_pool(pool)) {
		error = cudaErrorInvalidValue;
	} else if (reuse_of(pool, attribute)) {
		memcpy(reuse_of(pool, attribute), value, sizeof(int));
	} else if (attribute == cudaMemPoolAttrReleaseThreshold) {
		memcpy(&pool->threshold, value, sizeof pool->threshold);
	} else if (attribute == cudaMemPoolAttrReservedMemHigh || attribute == cudaMemPoolAttrUsedMemHigh) {
		/* A high-water mark can be taken back to the present, by writing 0. */
		memcpy(&number, value, sizeof number);
		if (number)
			error = cudaErrorInvalidValue;
		else
			*number_of(pool, attribute) = pool->used;
	} else {
		error = cudaErrorInvalidValue;
	}
	pthread_mutex_unlock(&lock);
	return client_result(error);
}

/* Nothing is kept that could be given back. */
CLIENT_EXPORT cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep)
{
	cudaError_t error = client_enter();

	if (error)
		return client_result(error);
	pthread_mutex_lock(&lock);
	if (!is_pool(pool))
		error = cudaErrorInvalidValue;
	pthread_mutex_unlock(&lock);
	return client_result(error);
}

static cudaError_t check_access(cudaMemPool_t pool, const struct cudaMemLocation *location)
{
	cudaError_t error = client_enter();

	if (error)
		return error;
	pthread_mutex_lock(&lock);
	if (!is_pool(pool) || location->type != cudaMemLocationTypeDevice)
		error = cudaErrorInvalidValue;
	pthread_mutex_unlock(&lock);
	return error ? error : client_device_check(location->id);
}

/* The only device owns the memory, and cannot be shut out from it. */
CLIENT_EXPORT cudaError_t cudaMemPoolSetAccess(cudaMemPool_t pool, const struct cudaMemAccessDesc *list, size_t count)
{
	cudaError_t error = list || !count ? cudaSuccess : cudaErrorInvalidValue;

	for (size_t i = 0; i < count && !error; i++) {
		error = check_access(pool, &list[i].location);
		if (!error && list[i].flags != cudaMemAccessFlagsProtReadWrite)
			error = cudaErrorInvalidDevice;
	}
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaMemPoolGetAccess(enum cudaMemAccessFlags *flags, cudaMemPool_t pool,
                                               struct cudaMemLocation *location)
{
	cudaError_t error = flags && location ? check_access(pool, location) : cudaErrorInvalidValue;

	if (!error)
		*flags = cudaMemAccessFlagsProtReadWrite;
	return client_result(error);
}
