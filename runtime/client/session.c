/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Attaching to the session, and noticing that it is gone.
 *
 * States: NEW until the first call that needs the device; ATTACHED or DEAD after it;
 * FORKED in a child of an attached process. Each moves once, so a relaxed look at the state
 * is enough on the fast path.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hetckpt/abi.h"
#include "runtime/channel/control.h"
#include "runtime/channel/session.h"
#include "runtime/client/client.h"
#include "runtime/common/timeline.h"
#include "runtime/client/internal.h"

enum state { NEW, ATTACHED, DEAD, FORKED };

/* The worker may have to start and translate code before it answers. */
#define REQUEST_TIMEOUT_MS 600000

static _Atomic int state;
static _Atomic uint32_t epoch = 1;
static pthread_mutex_t attach_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t socket_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hetckpt_session session;
static int control = -1;

struct hetckpt_session *client_session(void) { return &session; }
uint32_t client_epoch(void) { return atomic_load_explicit(&epoch, memory_order_acquire); }
void client_epoch_raise(void) { atomic_fetch_add(&epoch, 1); }

/* Before main, and after it. */
__attribute__((constructor)) static void loaded(void)
{
	hetckpt_timeline_start("application");
	hetckpt_timeline_mark("runtime library loaded");
}

__attribute__((destructor)) static void ended(void)
{
	hetckpt_timeline_mark("the process exits");
}

/* A child shares the ring's memory but not its lock: it must keep its hands off. */
static void forked(void)
{
	if (atomic_load(&state) == ATTACHED)
		atomic_store(&state, FORKED);
}

static int attach(void)
{
	const char *path = getenv("HETCKPT_SESSION");
	json_t *request = NULL, *reply = NULL;
	int fds[HETCKPT_CONTROL_FDS], count = 0, fd = -1, result;

	if (!path || !path[0]) {
		client_say("no session: start the program with \"hetckpt run -- ./app\"");
		return -1;
	}
	result = hetckpt_control_connect(path, &fd);
	if (result) {
		client_say("cannot reach the session at %s (%s): start the program with \"hetckpt run -- ./app\"",
		           path, strerror(-result));
		return -1;
	}
	request = json_pack("{s:s, s:i, s:i}", "op", "attach", "pid", (int)getpid(), "abi",
	                    (int)HETCKPT_ABI_VERSION);
	result = request ? hetckpt_control_call(fd, request, NULL, 0, &reply, fds, &count,
	                                        REQUEST_TIMEOUT_MS, NULL, NULL) : -ENOMEM;
	if (result) {
		const char *why = json_string_value(json_object_get(reply, "error"));

		client_say("the session at %s refuses this program: %s", path, why ? why : strerror(-result));
		goto failed;
	}
	result = count ? hetckpt_session_open(&session, fds[0]) : -EPROTO;
	if (result) {
		client_say("the memory of the session at %s is unusable: %s", path, strerror(-result));
		goto failed;
	}
	result = client_command_start(&session);
	if (result) {
		client_say("no memory for the session");
		goto failed;
	}
	pthread_atfork(NULL, NULL, forked);
	control = fd;
	fd = -1;
failed:
	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (fd >= 0)
		close(fd);
	json_decref(request);
	json_decref(reply);
	return result;
}

bool client_attached(void)
{
	return atomic_load_explicit(&state, memory_order_acquire) == ATTACHED;
}

cudaError_t client_enter(void)
{
	cudaError_t error;
	int now = atomic_load_explicit(&state, memory_order_acquire);

	if (client_in_callback)
		return cudaErrorNotPermitted;
	if (now == NEW) {
		pthread_mutex_lock(&attach_lock);
		if (atomic_load(&state) == NEW) {
			uint64_t begin = hetckpt_timeline_now();

			atomic_store(&state, attach() ? DEAD : ATTACHED);
			hetckpt_timeline_step(begin, "attaches at the first call");
		}
		now = atomic_load(&state);
		pthread_mutex_unlock(&attach_lock);
	}
	if (now == FORKED) {
		client_say_once("this process was made by fork() from one that uses the device; a child must "
		                "exec, or its parent must fork before its first CUDA call");
		return cudaErrorInitializationError;
	}
	if (now != ATTACHED)
		return cudaErrorInitializationError;
	if (hetckpt_session_failed(&session) && client_lost(&error))
		return error;
	return client_async_error();
}

bool client_lost(cudaError_t *error)
{
	char message[HETCKPT_SESSION_MESSAGE_BYTES];
	uint32_t code;

	if (atomic_load(&state) != ATTACHED) {
		*error = cudaErrorInitializationError;
		return true;
	}
	if (!hetckpt_session_failure(&session, &code, message, sizeof message)) {
		*error = (cudaError_t)code;
		/* A kernel's fault is the program's own; the supervisor has said which it was. */
		if (!client_error_stays(*error))
			client_say_once("the device is lost: %s", message);
		return true;
	}
	if (hetckpt_control_hung_up(control)) {
		client_say_once("the session's supervisor has gone; start the program with \"hetckpt run -- ./app\"");
		atomic_store(&state, DEAD);
		*error = cudaErrorInitializationError;
		return true;
	}
	return false;
}

bool client_error_stays(cudaError_t error)
{
	switch (error) {
	case cudaErrorECCUncorrectable:
	case cudaErrorNvlinkUncorrectable:
	case cudaErrorContained:
	case cudaErrorIllegalAddress:
	case cudaErrorLaunchTimeout:
	case cudaErrorAssert:
	case cudaErrorHardwareStackError:
	case cudaErrorIllegalInstruction:
	case cudaErrorMisalignedAddress:
	case cudaErrorInvalidAddressSpace:
	case cudaErrorInvalidPc:
	case cudaErrorLaunchFailure:
	case cudaErrorTensorMemoryLeak:
	case cudaErrorUnknown:
		return true;
	default:
		return false;
	}
}

cudaError_t client_async_error(void)
{
	_Atomic uint32_t *word = &session.control->async_error;
	uint32_t code = atomic_load_explicit(word, memory_order_acquire);

	if (code && !client_error_stays((cudaError_t)code))
		atomic_compare_exchange_strong(word, &code, 0);
	return (cudaError_t)code;
}

cudaError_t client_request(const char *op, json_t *fields, int fd)
{
	json_t *reply = NULL;
	cudaError_t error = cudaSuccess;
	int result = -ENOMEM;

	if (!fields || json_object_set_new(fields, "op", json_string(op)))
		goto done;
	pthread_mutex_lock(&socket_lock);
	result = hetckpt_control_call(control, fields, &fd, fd >= 0, &reply, NULL, NULL,
	                              REQUEST_TIMEOUT_MS, NULL, NULL);
	pthread_mutex_unlock(&socket_lock);
done:
	if (result && (result == -ENOMEM || !client_lost(&error))) {
		const char *why = json_string_value(json_object_get(reply, "error"));

		client_say("%s: %s", op, why ? why : strerror(-result));
		error = result == -ENOMEM || result == -ENOSPC ? cudaErrorMemoryAllocation :
		        result == -ENOTSUP ? cudaErrorNotSupported : cudaErrorUnknown;
	}
	json_decref(reply);
	json_decref(fields);
	return error;
}
