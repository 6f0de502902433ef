/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "tests/unit/client/client_test.h"

/* ---- Device ------------------------------------------------------------ */

void device(void)
{
	struct cudaDeviceProp p;
	char bus[32];
	int n = -1, value;
	size_t limit;
	unsigned flags;

	start();
	OK(cudaGetDeviceCount(&n));
	CHECK_INT(n, 1);
	OK(cudaSetDevice(0));
	CHECK_INT(cudaSetDevice(1), cudaErrorInvalidDevice);
	OK(cudaGetDevice(&n));
	CHECK_INT(n, 0);
	memset(&p, 0xee, sizeof p);
	OK(cudaGetDeviceProperties(&p, 0));
	CHECK(!strcmp(p.name, "Fake Device"));
	CHECK_INT(p.totalGlobalMem, 256 * MIB);
	CHECK_INT(p.multiProcessorCount, 3);
	CHECK_INT(p.warpSize, 32);
	CHECK_INT(p.major, 9);
	CHECK_INT(p.maxThreadsDim[2], 64);
	CHECK_INT(p.sharedMemPerBlockOptin, 96 << 10);
	CHECK_INT(p.memoryPoolsSupported, 1);
	CHECK_INT(p.managedMemory, 1);
	CHECK_INT(p.hostNumaId, -1);
	OK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
	CHECK_INT(value, 96 << 10);
	OK(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 0));
	CHECK_INT(value, 9);
	OK(cudaDeviceGetAttribute(&value, cudaDevAttrMemoryClockRate, 0));
	CHECK_INT(value, 2000);
	OK(cudaDeviceGetAttribute(&value, cudaDevAttrClusterLaunch, 0));
	CHECK_INT(value, 0);
	CHECK_INT(cudaDeviceGetAttribute(&value, (enum cudaDeviceAttr)5000, 0), cudaErrorInvalidValue);
	OK(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
	n = 5;
	OK(cudaDeviceGetByPCIBusId(&n, bus));
	CHECK_INT(n, 0);
	OK(cudaDeviceCanAccessPeer(&n, 0, 0));
	CHECK_INT(n, 0);
	OK(cudaDeviceGetLimit(&limit, cudaLimitStackSize));
	CHECK_INT(limit, 1024);
	OK(cudaDeviceSetLimit(cudaLimitStackSize, 16384));
	OK(cudaDeviceGetLimit(&limit, cudaLimitStackSize));
	CHECK_INT(limit, 16384);
	CHECK_INT(cudaDeviceSetLimit(cudaLimitStackSize, (size_t)1 << 40), cudaErrorInvalidValue);
	OK(cudaDeviceGetLimit(&limit, cudaLimitStackSize));
	CHECK_INT(limit, 16384);
	OK(cudaDeviceSetLimit(cudaLimitPrintfFifoSize, 12345));
	OK(cudaDeviceGetLimit(&limit, cudaLimitPrintfFifoSize));
	CHECK_INT(limit, 12345);
	CHECK_INT(cudaDeviceSetLimit(cudaLimitPersistingL2CacheSize, 1), cudaErrorUnsupportedLimit);
	OK(cudaSetDeviceFlags(cudaDeviceScheduleSpin));
	OK(cudaGetDeviceFlags(&flags));
	CHECK_INT(flags, cudaDeviceScheduleSpin | cudaDeviceMapHost);
	CHECK_INT(cudaSetDeviceFlags(cudaDeviceScheduleSpin | cudaDeviceScheduleYield), cudaErrorInvalidValue);
	OK(cudaRuntimeGetVersion(&n));
	CHECK_INT(n, 13000);
	OK(cudaDriverGetVersion(&n));
	CHECK_INT(n, 13000);
	OK(cudaProfilerStart());
	CHECK_INT(fake_count(HETCKPT_MSG_DEVICE_INFO), 1);
	CHECK_INT(fake_count(HETCKPT_MSG_DEVICE_LIMIT), 3);
}

void reset(void)
{
	size_t limit;
	cudaStream_t s;
	cudaEvent_t e;
	int *d, *h;

	start();
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMallocHost((void **)&h, 4));
	OK(cudaStreamCreate(&s));
	OK(cudaEventCreate(&e));
	OK(launch_add(d, 1, 1, cudaStreamPerThread));
	OK(cudaDeviceSetLimit(cudaLimitStackSize, 16384));
	OK(cudaDeviceReset());
	OK(cudaDeviceGetLimit(&limit, cudaLimitStackSize));
	CHECK_INT(limit, 1024);
	CHECK_INT(fake_buffers(), 0);
	CHECK_INT(cudaFree(d), cudaErrorInvalidValue);
	CHECK_INT(cudaFreeHost(h), cudaErrorInvalidValue);
	CHECK_INT(cudaStreamSynchronize(s), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaEventRecord(e, 0), cudaErrorInvalidResourceHandle);
	/* And everything can be made again. */
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMallocHost((void **)&h, 4));
	OK(cudaMemset(d, 0, 4));
	OK(launch_add(d, 1, 1, cudaStreamPerThread));
	OK(cudaMemcpyAsync(h, d, 4, cudaMemcpyDeviceToHost, cudaStreamPerThread));
	OK(cudaStreamSynchronize(cudaStreamPerThread));
	CHECK_INT(*h, 1);
	CHECK_INT(fake_modules(), 2);
	__cudaUnregisterFatBinary(handle);
	CHECK_INT(launch_add(d, 1, 1, 0), cudaErrorInvalidDeviceFunction);
}

/* ---- Errors ------------------------------------------------------------ */

void async_errors(void)
{
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	/* One that is forgotten once it has been told. */
	fake_raise(cudaErrorCooperativeLaunchTooLarge);
	CHECK_INT(cudaPeekAtLastError(), cudaErrorCooperativeLaunchTooLarge);
	CHECK_INT(cudaGetLastError(), cudaErrorCooperativeLaunchTooLarge);
	OK(cudaGetLastError());
	OK(cudaMemset(d, 0, 4));
	fake_raise(cudaErrorLaunchOutOfResources);
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorLaunchOutOfResources);
	OK(cudaDeviceSynchronize());
	CHECK_INT(cudaGetLastError(), cudaErrorLaunchOutOfResources);
	/* A kernel's fault is never forgotten. */
	fake_raise(cudaErrorIllegalAddress);
	CHECK_INT(cudaMemset(d, 0, 4), cudaErrorIllegalAddress);
	CHECK_INT(cudaGetLastError(), cudaErrorIllegalAddress);
	/* But programs clear errors until there is none. */
	for (int i = 0; cudaGetLastError(); i++)
		CHECK(i < 3);
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
	CHECK_INT(cudaMalloc((void **)&d, 4), cudaErrorIllegalAddress);
	CHECK(!strcmp(cudaGetErrorName(cudaErrorIllegalAddress), "cudaErrorIllegalAddress"));
	CHECK(!strcmp(cudaGetErrorName(cudaErrorNotReady), "cudaErrorNotReady"));
	CHECK(!strcmp(cudaGetErrorString(cudaSuccess), "no error"));
	CHECK(!strcmp(cudaGetErrorString((cudaError_t)12345), "unrecognized error code"));
}

static char *read_stderr(int fd)
{
	static char text[8192];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	CHECK(n >= 0);
	text[n] = 0;
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* Sends stderr to a file that can be read back. */
static int capture_stderr(void)
{
	FILE *f = tmpfile();

	CHECK(f);
	CHECK(dup2(fileno(f), 2) == 2);
	return fileno(f);
}

static _Atomic int told;

static void tell(cudaStream_t stream, cudaError_t status, void *data)
{
	told = (int)status;
}

void lost_device(void)
{
	int out = capture_stderr(), n;
	cudaStream_t s;
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaStreamCreate(&s));
	fake_hold(true);
	OK(cudaStreamAddCallback(s, tell, NULL, 0));
	fake_device_lost(cudaErrorDevicesUnavailable, "the worker for cpu:0 died of signal 9");
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorDevicesUnavailable);
	CHECK_INT(launch_add(d, 1, 1, 0), cudaErrorDevicesUnavailable);
	CHECK_INT(cudaGetDeviceCount(&n), cudaErrorDevicesUnavailable);
	for (int i = 0; i < 100 && !told; i++)
		usleep(10000);
	CHECK_INT(told, cudaErrorDevicesUnavailable);
	CHECK(strstr(read_stderr(out), "the device is lost: the worker for cpu:0 died of signal 9\n"));
	CHECK_INT(lines(read_stderr(out)), 1);
}

static void *wait_for_device(void *unused)
{
	return (void *)(intptr_t)cudaDeviceSynchronize();
}

void lost_while_waiting(void)
{
	pthread_t thread;
	void *result;
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	fake_hold(true);
	OK(launch_add(d, 1, 1, 0));
	CHECK_INT(pthread_create(&thread, NULL, wait_for_device, NULL), 0);
	usleep(20000);
	fake_device_lost(0, "gone");
	pthread_join(thread, &result);
	CHECK_INT((intptr_t)result, cudaErrorDevicesUnavailable);
}

void supervisor_dies(void)
{
	int out = capture_stderr();
	pthread_t thread;
	void *result;
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	fake_hold(true);
	OK(launch_add(d, 1, 1, 0));
	CHECK_INT(pthread_create(&thread, NULL, wait_for_device, NULL), 0);
	usleep(20000);
	fake_supervisor_die();
	pthread_join(thread, &result);
	CHECK_INT((intptr_t)result, cudaErrorInitializationError);
	CHECK_INT(launch_add(d, 1, 1, 0), cudaErrorInitializationError);
	CHECK(strstr(read_stderr(out), "supervisor has gone"));
	CHECK_INT(lines(read_stderr(out)), 1);
}

void no_session(void)
{
	int out = capture_stderr(), n = 7;
	void *d = &n;

	unsetenv("HETCKPT_SESSION");
	CHECK_INT(cudaGetDeviceCount(&n), cudaErrorInitializationError);
	CHECK_INT(n, 0);
	CHECK_INT(cudaMalloc(&d, 4), cudaErrorInitializationError);
	CHECK_INT(cudaGetLastError(), cudaErrorInitializationError);
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorInitializationError);
	CHECK_INT(lines(read_stderr(out)), 1);
	CHECK(strstr(read_stderr(out), "hetckpt run -- ./app"));
}

void dead_session(void)
{
	int out = capture_stderr(), n;

	setenv("HETCKPT_SESSION", "/nonexistent/control.sock", 1);
	CHECK_INT(cudaGetDeviceCount(&n), cudaErrorInitializationError);
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorInitializationError);
	CHECK_INT(lines(read_stderr(out)), 1);
	CHECK(strstr(read_stderr(out), "/nonexistent/control.sock"));
	CHECK(strstr(read_stderr(out), "hetckpt run -- ./app"));
}

void forked_child(void)
{
	int out = capture_stderr(), status;
	pid_t child;
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	child = fork();
	if (!child) {
		CHECK_INT(cudaMalloc((void **)&d, 4), cudaErrorInitializationError);
		CHECK_INT(cudaDeviceSynchronize(), cudaErrorInitializationError);
		__cudaUnregisterFatBinary(handle);
		_exit(0);
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	CHECK_INT(lines(read_stderr(out)), 1);
	CHECK(strstr(read_stderr(out), "fork()"));
	OK(cudaDeviceSynchronize());
}

int cudaArrayGetInfo_test(void) __asm__("cudaArrayGetInfo");
void missing_names(void)
{
	int out = capture_stderr();

	CHECK_INT(cudaArrayGetInfo_test(), cudaErrorNotSupported);
	CHECK_INT(cudaArrayGetInfo_test(), cudaErrorNotSupported);
	CHECK_INT(cudaGetLastError(), cudaErrorNotSupported);
	CHECK(!strcmp(read_stderr(out), "hetckpt: error: cudaArrayGetInfo is not supported\n"));
}
