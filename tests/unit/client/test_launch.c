/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "tests/unit/client/client_test.h"

/* ---- Launches ---------------------------------------------------------- */

void launches(void)
{
	struct cudaFuncAttributes fa;
	cudaLaunchConfig_t config;
	cudaLaunchAttribute attribute;
	int host[100], *d, blocks, n = 100;
	unsigned char skewed = 0xab;
	long long by = 3;
	void *arguments[] = {&d, &skewed, &by, &n};
	const void *kernel;
	dim3 grid, block;
	size_t shared;
	cudaStream_t stream;

	start();
	OK(cudaMalloc((void **)&d, sizeof host));
	OK(cudaMemset(d, 0, sizeof host));
	/* As the compiler writes it. */
	CHECK_INT(__cudaPushCallConfiguration(dims(4, 5, 6), dims(7, 8, 9), 10, (cudaStream_t)0), 0);
	CHECK_INT(__cudaPushCallConfiguration(dims(1, 1, 1), dims(2, 1, 1), 0, cudaStreamPerThread), 0);
	OK(__cudaPopCallConfiguration(&grid, &block, &shared, &stream));
	CHECK_INT(block.x, 2);
	CHECK(stream == cudaStreamPerThread);
	OK(__cudaPopCallConfiguration(&grid, &block, &shared, &stream));
	CHECK_INT(grid.z, 6);
	CHECK_INT(block.y, 8);
	CHECK_INT(shared, 10);
	CHECK_INT(__cudaPopCallConfiguration(&grid, &block, &shared, &stream), cudaErrorMissingConfiguration);
	OK(launch_add(d, 3, 100, 0));
	OK(__cudaGetKernel(&kernel, add_stub));
	OK(__cudaLaunchKernel(kernel, dims(1, 1, 1), dims(32, 1, 1), arguments, 0, 0));
	memset(&config, 0, sizeof config);
	memset(&attribute, 0, sizeof attribute);
	config.gridDim = dims(1, 1, 1);
	config.blockDim = dims(32, 1, 1);
	config.attrs = &attribute;
	config.numAttrs = 1;
	attribute.id = cudaLaunchAttributeCooperative;
	attribute.val.cooperative = 1;
	OK(cudaLaunchKernelExC(&config, add_stub, arguments));
	OK(cudaMemcpy(host, d, sizeof host, cudaMemcpyDeviceToHost));
	for (int i = 0; i < 100; i++)
		CHECK_INT(host[i], 9);
	/* More blocks than fit at once: 64 of 32 threads on each of 3 multiprocessors. */
	config.gridDim = dims(8, 8, 3);
	OK(cudaLaunchKernelExC(&config, nothing_stub, NULL));
	config.gridDim = dims(8, 8 * 3 + 1, 1);
	CHECK_INT(cudaLaunchKernelExC(&config, nothing_stub, NULL), cudaErrorCooperativeLaunchTooLarge);
	config.gridDim = dims(1, 1, 1);
	CHECK_INT(fake_count(HETCKPT_MSG_OCCUPANCY), 2);
	attribute.id = cudaLaunchAttributeClusterDimension;
	attribute.val.clusterDim.x = 2;
	attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
	CHECK_INT(cudaLaunchKernelExC(&config, add_stub, arguments), cudaErrorNotSupported);
	/* What CUDA refuses at once. */
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(0, 1, 1), dims(1, 1, 1), NULL, 0, 0), cudaErrorInvalidConfiguration);
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(1, 1, 65), NULL, 0, 0), cudaErrorInvalidConfiguration);
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(64, 17, 1), NULL, 0, 0), cudaErrorInvalidConfiguration);
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 65536, 1), dims(1, 1, 1), NULL, 0, 0), cudaErrorInvalidConfiguration);
	CHECK_INT(cudaLaunchKernel(add_stub, dims(1, 1, 1), dims(1024, 1, 1), arguments, 0, 0), cudaErrorLaunchOutOfResources);
	CHECK_INT(cudaLaunchKernel(other_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 0, 0), cudaErrorInvalidDeviceFunction);
	CHECK_INT(cudaLaunchKernel(unknown_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 0, 0), cudaErrorInvalidDeviceFunction);
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 0, (cudaStream_t)arguments),
	          cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaPeekAtLastError(), cudaErrorInvalidResourceHandle);
	OK(cudaLaunchKernel(nothing_stub, dims(2, 2, 2), dims(1, 1, 1), NULL, 0, 0));
	CHECK_INT(cudaGetLastError(), cudaErrorInvalidResourceHandle);
	/* Dynamic shared memory beyond what the kernel has asked for. */
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 50 << 10, 0), cudaErrorInvalidValue);
	OK(cudaFuncSetAttribute(nothing_stub, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 << 10));
	OK(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 50 << 10, 0));
	CHECK_INT(cudaFuncSetAttribute(nothing_stub, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10), cudaErrorInvalidValue);
	OK(cudaFuncGetAttributes(&fa, nothing_stub));
	CHECK_INT(fa.maxDynamicSharedSizeBytes, 64 << 10);
	CHECK_INT(fa.numRegs, 32);
	CHECK_INT(fa.maxThreadsPerBlock, 1024);
	CHECK_INT(fa.sharedSizeBytes, 128);
	CHECK_INT(fa.ptxVersion, 70);
	OK(cudaFuncSetCacheConfig(add_stub, cudaFuncCachePreferL1));
	OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add_stub, 256, 0));
	CHECK_INT(blocks, 8);
	OK(cudaOccupancyAvailableDynamicSMemPerBlock(&shared, add_stub, 2, 256));
	CHECK_INT(shared, 64 << 10);
	CHECK_INT(fake_count(HETCKPT_MSG_FUNCTION_GET), 3);
	CHECK_INT(fake_modules(), 1);
}

/* A busy program commits without system calls, and a full ring holds it back. */
void many_launches(void)
{
	uint64_t before;
	int *d, host;

	start();
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMemset(d, 0, 4));
	OK(launch_add(d, 1, 1, 0));
	OK(cudaDeviceSynchronize());
	before = fake_system_calls();
	for (int i = 0; i < 50000; i++)
		OK(launch_add(d, 1, 1, 0));
	/* The worker may have dozed off a few times on a loaded machine. */
	CHECK(fake_system_calls() - before < 25000);
	OK(cudaMemcpy(&host, d, 4, cudaMemcpyDeviceToHost));
	CHECK_INT(host, 50001);
}

static void *open_ring_later(void *unused)
{
	usleep(30000);
	fake_close_ring(false);
	return NULL;
}

void full_ring(void)
{
	pthread_t thread;
	int *d, host;

	start();
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMemset(d, 0, 4));
	OK(launch_add(d, 1, 1, 0));
	fake_close_ring(true);
	pthread_create(&thread, NULL, open_ring_later, NULL);
	for (int i = 0; i < 5000; i++)
		OK(launch_add(d, 1, 1, 0));
	CHECK_INT(pthread_join(thread, NULL), 0);
	OK(cudaMemcpy(&host, d, 4, cudaMemcpyDeviceToHost));
	CHECK_INT(host, 5001);
}

/* ---- Streams, events, host functions ------------------------------------ */

void streams_and_events(void)
{
	cudaEvent_t a, b, quiet;
	cudaStream_t s, t;
	unsigned flags;
	int least, greatest, priority;
	float ms = -1;

	start();
	OK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
	CHECK(greatest <= least);
	OK(cudaStreamCreateWithPriority(&s, cudaStreamNonBlocking, greatest - 3));
	OK(cudaStreamCreate(&t));
	OK(cudaStreamGetFlags(s, &flags));
	CHECK_INT(flags, cudaStreamNonBlocking);
	OK(cudaStreamGetPriority(s, &priority));
	CHECK_INT(priority, greatest);
	CHECK_INT(cudaStreamCreateWithFlags(&t, 8), cudaErrorInvalidValue);
	OK(cudaEventCreate(&a));
	OK(cudaEventCreateWithFlags(&b, cudaEventBlockingSync));
	OK(cudaEventCreateWithFlags(&quiet, cudaEventDisableTiming));
	CHECK_INT(cudaEventCreateWithFlags(&quiet, cudaEventInterprocess | cudaEventDisableTiming), cudaErrorNotSupported);
	OK(cudaEventQuery(a)); /* never recorded: done */
	CHECK_INT(cudaEventElapsedTime(&ms, a, b), cudaErrorInvalidResourceHandle);
	OK(cudaEventRecord(a, s));
	OK(cudaStreamSynchronize(s));
	fake_hold(true);
	usleep(3000);
	OK(cudaEventRecord(b, s));
	OK(cudaStreamWaitEvent(t, b, 0));
	CHECK_INT(cudaEventQuery(b), cudaErrorNotReady);
	CHECK_INT(cudaStreamQuery(s), cudaErrorNotReady);
	OK(cudaEventQuery(a));
	CHECK_INT(cudaGetLastError(), cudaErrorNotReady);
	fake_hold(false);
	OK(cudaEventSynchronize(b));
	OK(cudaStreamQuery(s));
	OK(cudaEventElapsedTime(&ms, a, b));
	CHECK(ms >= 2.9f && ms < 10000);
	CHECK_INT(cudaEventElapsedTime(&ms, a, quiet), cudaErrorInvalidResourceHandle);
	OK(cudaStreamSynchronize(cudaStreamLegacy));
	OK(cudaStreamSynchronize(cudaStreamPerThread));
	OK(cudaStreamDestroy(s));
	CHECK_INT(cudaStreamSynchronize(s), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaStreamDestroy(s), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaStreamDestroy(0), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaEventRecord((cudaEvent_t)t, 0), cudaErrorInvalidResourceHandle);
	OK(cudaEventDestroy(a));
	CHECK_INT(cudaEventDestroy(a), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaEventRecord(0, 0), cudaErrorInvalidResourceHandle);
}

static _Atomic int calls, wrong;
static cudaStream_t seen_stream;

static void count_call(void *data)
{
	if (calls++ != (int)(intptr_t)data)
		wrong++;
	/* CUDA may not be called from here, and says so. */
	if (cudaDeviceSynchronize() != cudaErrorNotPermitted)
		wrong++;
}

static void callback(cudaStream_t stream, cudaError_t status, void *data)
{
	seen_stream = stream;
	calls += status ? 1000 : 1;
}

void host_functions(void)
{
	cudaStream_t s, t;
	int *d, host;

	start();
	OK(cudaStreamCreate(&s));
	OK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMemset(d, 0, 4));
	/* More than may be pending at once, between kernels. */
	for (intptr_t i = 0; i < 1500; i++) {
		OK(cudaLaunchHostFunc(s, count_call, (void *)i));
		OK(launch_add(d, 1, 1, s));
	}
	OK(cudaStreamSynchronize(s));
	CHECK_INT(calls, 1500);
	CHECK_INT(wrong, 0);
	OK(cudaMemcpy(&host, d, 4, cudaMemcpyDeviceToHost));
	CHECK_INT(host, 1500);
	calls = 0;
	OK(cudaStreamAddCallback(t, callback, NULL, 0));
	OK(cudaDeviceSynchronize());
	CHECK_INT(calls, 1);
	CHECK(seen_stream == t);
	CHECK_INT(cudaStreamAddCallback(t, callback, NULL, 1), cudaErrorInvalidValue);
	CHECK_INT(cudaLaunchHostFunc(t, NULL, NULL), cudaErrorInvalidValue);
}

/* The ring is full of launches behind a host function: its end must still get through. */
static void wait_for_flag(void *data)
{
	while (!*(_Atomic bool *)data)
		usleep(100);
}

static void *raise_flag_later(void *data)
{
	usleep(50000);
	*(_Atomic bool *)data = true;
	return NULL;
}

void host_function_behind_full_ring(void)
{
	_Atomic bool flag = false;
	pthread_t thread;
	cudaStream_t s;
	int *d, host;

	start();
	OK(cudaStreamCreate(&s));
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMemset(d, 0, 4));
	OK(cudaLaunchHostFunc(s, wait_for_flag, &flag));
	pthread_create(&thread, NULL, raise_flag_later, &flag);
	for (int i = 0; i < 10000; i++)
		OK(launch_add(d, 1, 1, s));
	OK(cudaStreamSynchronize(s));
	OK(cudaMemcpy(&host, d, 4, cudaMemcpyDeviceToHost));
	CHECK_INT(host, 10000);
	pthread_join(thread, NULL);
}

/* ---- Threads ----------------------------------------------------------- */

#define THREADS 6

static void *thread_work(void *number)
{
	unsigned seed = (unsigned)(intptr_t)number * 7919u + 1;
	cudaStream_t s;

	OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
	for (int round = 0; round < 40; round++) {
		size_t n = 1 + rand_r(&seed) % (round % 8 ? 50000 : 5 * MIB / 4);
		int *d, *h = malloc(n * sizeof *h);
		cudaEvent_t e;
		float ms;

		for (size_t i = 0; i < n; i++)
			h[i] = (int)i;
		OK(cudaMalloc((void **)&d, n * sizeof *d));
		OK(cudaEventCreate(&e));
		OK(cudaMemcpyAsync(d, h, n * sizeof *d, cudaMemcpyHostToDevice, s));
		OK(launch_add(d, round, (int)n, s));
		OK(cudaEventRecord(e, s));
		OK(cudaEventSynchronize(e));
		OK(cudaEventElapsedTime(&ms, e, e));
		OK(cudaMemcpyAsync(h, d, n * sizeof *d, cudaMemcpyDeviceToHost, s));
		for (size_t i = 0; i < n; i++)
			CHECK_INT(h[i], (int)i + round);
		OK(cudaEventDestroy(e));
		OK(cudaFree(d));
		/* Each thread has its own last error. */
		CHECK_INT(cudaPeekAtLastError(), cudaSuccess);
		if ((intptr_t)number == 0) {
			CHECK_INT(cudaFree(h), cudaErrorInvalidValue);
			CHECK_INT(cudaGetLastError(), cudaErrorInvalidValue);
		}
		free(h);
	}
	OK(cudaStreamSynchronize(cudaStreamPerThread));
	OK(cudaStreamDestroy(s));
	return NULL;
}

void threads(void)
{
	pthread_t thread[THREADS];

	start();
	for (intptr_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_create(&thread[i], NULL, thread_work, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_INT(pthread_join(thread[i], NULL), 0);
	OK(cudaDeviceSynchronize());
	CHECK_INT(fake_staging_used(), 0);
	CHECK_INT(fake_modules(), 1);
	/* A stream a thread, made and destroyed. */
	CHECK_INT(fake_count(HETCKPT_MSG_STREAM_CREATE), 2 * THREADS);
	CHECK_INT(fake_count(HETCKPT_MSG_STREAM_DESTROY), 2 * THREADS);
}
