/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What compiled code registers before main: fat binaries, kernels, variables. A fat binary
 * goes to the worker when one of its kernels or variables is first used.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/client/client.h"
#include "runtime/common/timeline.h"
#include "runtime/fatbin/fatbin.h"

struct client_module {
	const void *container;
	uint64_t bytes;
	uint64_t number;         /* of this loading; 0: not loaded */
	uint32_t epoch;
	unsigned refused;        /* cudaError_t of a failed loading */
	const char *managed;     /* a managed variable: cannot be loaded */
	bool broken;             /* not a fat binary */
};

struct variable {
	const void *host;
	const char *name;
	struct client_module *module;
	uint32_t epoch;          /* in which address and bytes were asked */
	uint64_t address, bytes;
	struct variable *next;
};

/* ---- Tables by host address -------------------------------------------- */

#define BUCKETS 1024u

static struct client_function *_Atomic functions[BUCKETS];
static struct variable *_Atomic variables[BUCKETS];
/* Guards insertion, removal and loading. Lookups of functions go without: entries are
   only added in front, and removed when their module is unregistered, after which the
   program cannot name them any more. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned bucket_of(const void *host)
{
	return (unsigned)(((uintptr_t)host >> 4) * 0x9e3779b97f4a7c15ull >> 54) % BUCKETS;
}

static struct client_function *function_find(const void *host)
{
	struct client_function *f = atomic_load_explicit(&functions[bucket_of(host)], memory_order_acquire);

	while (f && f->host != host)
		f = f->next;
	return f;
}

static struct variable *variable_find(const void *host)
{
	struct variable *v = atomic_load_explicit(&variables[bucket_of(host)], memory_order_acquire);

	while (v && v->host != host)
		v = v->next;
	return v;
}

/* ---- Registration ------------------------------------------------------ */

void **__cudaRegisterFatBinary(void *wrapper);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
char __cudaInitModule(void **handle);
void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                            int thread_limit, void *tid, void *bid, void *block, void *grid, int *warp);
void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external,
                       size_t bytes, int constant, int global);
void __cudaRegisterManagedVar(void **handle, void **host, char *device, const char *name, int external,
                              size_t bytes, int constant, int global);

CLIENT_EXPORT void **__cudaRegisterFatBinary(void *wrapper)
{
	struct client_module *module = calloc(1, sizeof *module);

	if (!module) {
		client_say("no memory to register a fat binary");
		abort();
	}
	/* Said when it is used: a program may register code that it never runs. */
	module->broken = hetckpt_fatbin_unwrap(wrapper, &module->container, &module->bytes) != 0;
	return (void **)module;
}

CLIENT_EXPORT void __cudaRegisterFatBinaryEnd(void **handle)
{
	/* Loading is lazy, so the end of registration means nothing. */
}

CLIENT_EXPORT char __cudaInitModule(void **handle)
{
	return 1;
}

CLIENT_EXPORT void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                                          int thread_limit, void *tid, void *bid, void *block,
                                          void *grid, int *warp)
{
	struct client_function *f = calloc(1, sizeof *f);
	unsigned b = bucket_of(host);

	if (!f)
		return; /* a launch says that the function is not registered */
	f->host = host;
	f->name = name;
	f->module = (struct client_module *)handle;
	pthread_mutex_lock(&lock);
	f->next = functions[b];
	atomic_store_explicit(&functions[b], f, memory_order_release);
	pthread_mutex_unlock(&lock);
}

CLIENT_EXPORT void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external,
                                     size_t bytes, int constant, int global)
{
	struct variable *v = calloc(1, sizeof *v);
	unsigned b = bucket_of(host);

	if (!v)
		return;
	v->host = host;
	v->name = name;
	v->module = (struct client_module *)handle;
	pthread_mutex_lock(&lock);
	v->next = variables[b];
	atomic_store_explicit(&variables[b], v, memory_order_release);
	pthread_mutex_unlock(&lock);
}

CLIENT_EXPORT void __cudaRegisterManagedVar(void **handle, void **host, char *device, const char *name,
                                            int external, size_t bytes, int constant, int global)
{
	((struct client_module *)handle)->managed = name;
}

CLIENT_EXPORT void __cudaUnregisterFatBinary(void **handle)
{
	struct client_module *module = (struct client_module *)handle;
	struct hetckpt_msg_module body = {0};
	cudaError_t error;

	if (!module)
		return;
	pthread_mutex_lock(&lock);
	for (unsigned b = 0; b < BUCKETS; b++) {
		struct client_function *f, *next_f, *kept_f = NULL;
		struct variable *v, *next_v, *kept_v = NULL;

		for (f = functions[b]; f; f = next_f) {
			next_f = f->next;
			if (f->module == module) {
				free(f->param);
				free(f);
			} else {
				f->next = kept_f;
				kept_f = f;
			}
		}
		functions[b] = kept_f;
		for (v = variables[b]; v; v = next_v) {
			next_v = v->next;
			if (v->module == module) {
				free(v);
			} else {
				v->next = kept_v;
				kept_v = v;
			}
		}
		variables[b] = kept_v;
	}
	if (module->number && module->epoch == client_epoch())
		body.module = module->number;
	pthread_mutex_unlock(&lock);
	hetckpt_timeline_mark("a module is unregistered");
	/* At the program's end this costs a message; the supervisor cleans up anyway. */
	if (body.module && client_attached() && !client_lost(&error))
		client_send(HETCKPT_MSG_MODULE_UNLOAD, 0, &body, sizeof body);
	free(module);
}

/* ---- Loading ----------------------------------------------------------- */

/* Copies the fat binary into a memfd and hands it to the supervisor. */
static cudaError_t module_hand_over(struct client_module *module, uint64_t number)
{
	cudaError_t error = cudaErrorMemoryAllocation;
	const char *from = module->container;
	uint64_t done = 0;
	int fd;

	fd = memfd_create("hetckpt-module", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error;
	while (done < module->bytes) {
		ssize_t n = write(fd, from + done, module->bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			goto done;
		done += (uint64_t)n;
	}
	error = client_request("module", json_pack("{s:I, s:I}", "module", (json_int_t)number, "bytes",
	                                           (json_int_t)module->bytes), fd);
done:
	close(fd);
	return error;
}

/* With the lock held. */
static cudaError_t module_load(struct client_module *module)
{
	static uint64_t last;
	struct hetckpt_msg_module body;
	cudaError_t error;
	uint64_t begin;

	if (module->number && module->epoch == client_epoch())
		return module->refused;
	if (module->broken) {
		client_say_once("a fat binary of this program is damaged or of an unknown version");
		return cudaErrorInvalidKernelImage;
	}
	if (module->managed) {
		client_say_once("__managed__ variables are not supported (%s); use cudaMallocManaged",
		                module->managed);
		return cudaErrorNotSupported;
	}
	body.module = ++last;
	begin = hetckpt_timeline_now();
	error = module_hand_over(module, body.module);
	hetckpt_timeline_step(begin, "module %d handed over, %d KiB", (int)last, (int)(module->bytes >> 10));
	begin = hetckpt_timeline_now();
	if (!error)
		error = client_call(HETCKPT_MSG_MODULE_LOAD, 0, &body, sizeof body, NULL, 0, NULL, 0);
	hetckpt_timeline_step(begin, "waits for module %d to be loaded", (int)last);
	module->number = body.module;
	module->epoch = client_epoch();
	module->refused = error;
	return error;
}

/* Sends a request for a name of a module. */
static cudaError_t name_call(uint32_t type, struct client_module *module, const char *name, void *reply,
                             uint32_t reply_bytes)
{
	struct hetckpt_msg_name body = {.module = module->number, .length = (uint32_t)strlen(name)};

	return client_call(type, 0, &body, sizeof body, name, body.length, reply, reply_bytes);
}

/* With the lock held: asks the worker about a kernel. */
static cudaError_t function_ask(struct client_function *f)
{
	struct hetckpt_reply_function *reply;
	cudaError_t error;

	error = module_load(f->module);
	if (error)
		return error;
	reply = malloc(sizeof *reply);
	if (!reply)
		return cudaErrorMemoryAllocation;
	error = name_call(HETCKPT_MSG_FUNCTION_GET, f->module, f->name, reply, sizeof *reply);
	if (error)
		goto done;
	if (reply->params > sizeof reply->param / sizeof *reply->param) {
		error = cudaErrorInvalidKernelImage;
		goto done;
	}
	for (uint32_t i = 0; i < reply->params; i++) {
		if (reply->param[i].offset > reply->param_bytes ||
		    reply->param[i].bytes > reply->param_bytes - reply->param[i].offset) {
			error = cudaErrorInvalidKernelImage;
			goto done;
		}
	}
	free(f->param);
	f->param = malloc((reply->params + 1) * sizeof *f->param);
	if (!f->param) {
		error = cudaErrorMemoryAllocation;
		goto done;
	}
	memcpy(f->param, reply->param, reply->params * sizeof *f->param);
	f->handle = reply->function;
	f->param_bytes = reply->param_bytes;
	f->params = reply->params;
	f->static_shared = reply->static_shared;
	f->max_threads = reply->max_threads;
	f->registers = reply->registers;
	f->local_bytes = reply->local_bytes;
	f->const_bytes = reply->const_bytes;
	f->arch = reply->arch;
	f->max_dynamic_shared = reply->max_dynamic_shared;
	__atomic_store_n(&f->epoch, client_epoch(), __ATOMIC_RELEASE);
done:
	free(reply);
	return error;
}

cudaError_t client_function_get(const void *host, struct client_function **function)
{
	struct client_function *f = function_find(host);
	cudaError_t error = cudaSuccess;

	if (!f)
		return cudaErrorInvalidDeviceFunction;
	if (__atomic_load_n(&f->epoch, __ATOMIC_ACQUIRE) != client_epoch()) {
		pthread_mutex_lock(&lock);
		if (f->epoch != client_epoch())
			error = function_ask(f);
		pthread_mutex_unlock(&lock);
	}
	*function = f;
	return error;
}

cudaError_t client_variable_get(const void *host, uint64_t *address, uint64_t *bytes)
{
	cudaError_t error = cudaSuccess;
	struct variable *v;

	pthread_mutex_lock(&lock);
	v = variable_find(host);
	if (!v) {
		error = cudaErrorInvalidSymbol;
	} else if (v->epoch != client_epoch()) {
		uint64_t reply[2];

		error = module_load(v->module);
		if (!error)
			error = name_call(HETCKPT_MSG_VARIABLE_GET, v->module, v->name, reply, sizeof reply);
		if (!error) {
			struct client_range range = {reply[0], reply[1], CLIENT_RANGE_VARIABLE, 0, reply[0], NULL};

			v->address = reply[0];
			v->bytes = reply[1];
			error = client_range_add(&range);
		}
		if (!error)
			v->epoch = client_epoch();
	}
	if (!error) {
		*address = v->address;
		*bytes = v->bytes;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

/* ---- Symbols ----------------------------------------------------------- */

CLIENT_EXPORT cudaError_t cudaGetSymbolAddress(void **address, const void *symbol)
{
	cudaError_t error = client_enter();
	uint64_t at = 0, bytes;

	if (!error && !address)
		error = cudaErrorInvalidValue;
	if (!error)
		error = client_variable_get(symbol, &at, &bytes);
	if (!error)
		*address = (void *)at;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaGetSymbolSize(size_t *size, const void *symbol)
{
	cudaError_t error = client_enter();
	uint64_t at, bytes = 0;

	if (!error && !size)
		error = cudaErrorInvalidValue;
	if (!error)
		error = client_variable_get(symbol, &at, &bytes);
	if (!error)
		*size = bytes;
	return client_result(error);
}
