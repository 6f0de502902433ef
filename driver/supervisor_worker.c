/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "supervisor.h"
#include "supervisor_inside.h"

#include "command.h"
#include "runtime/common/log.h"
#include "runtime/common/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Opening a device and translating a module may both take long on a busy machine. */
#define READY_MS 120000
#define MODULE_MS 600000
#define END_MS 3000

/* ---- The device is lost ------------------------------------------------ */

/* On a worker's reader thread: its device failed, or the process is gone unasked. */
static void lost(void *context, struct hetckpt_worker_link *link, const char *why, uint32_t cuda)
{
	struct hetckpt_supervisor *sv = context;
	const char *path;
	char text[HETCKPT_SESSION_MESSAGE_BYTES];
	bool present, ending;

	pthread_mutex_lock(&sv->lock);
	/* A fault of the last kernel, which the application has seen and ended with. */
	ending = link == sv->worker && sv->state == HETCKPT_STATE_ENDING && cuda;
	present = link == sv->worker && sv->state != HETCKPT_STATE_ENDING &&
		  sv->state != HETCKPT_STATE_FAILED;
	if (present) {
		path = json_string_value(json_object_get(sv->last_checkpoint, "path"));
		if (path)
			snprintf(text, sizeof text,
				 "%.150s; device memory is lost. To finish the last checkpoint: "
				 "hetckpt restore %.250s --export DIR", why, path);
		else
			snprintf(text, sizeof text,
				 "%.300s; device memory is lost, and there is no checkpoint", why);
		snprintf(sv->failure, sizeof sv->failure, "%.*s", (int)sizeof sv->failure - 1, text);
		sv->state = HETCKPT_STATE_FAILED;
		/* Under lock: renew could replace the memory otherwise. A kernel's fault stays what
		   it was: the application must not see another error according to which of its
		   calls came before this. */
		hetckpt_session_fail(&sv->memory, cuda, text);
		pthread_cond_broadcast(&sv->changed);
	}
	pthread_mutex_unlock(&sv->lock);
	if (present) {
		hetckpt_fail(0, "session %s: %s", sv->entry.id, text);
		hetckpt_supervisor_wake(sv);
	} else if (ending) {
		hetckpt_fail(0, "session %s: %s", sv->entry.id, why);
	}
}

/* ---- Starting and replacing -------------------------------------------- */

int hetckpt_supervisor_worker_spawn(struct hetckpt_supervisor *sv, const char *device,
				    bool restore, struct hetckpt_worker_link **out,
				    struct hetckpt_error *error)
{
	struct hetckpt_worker_options options = {
		.program = sv->worker_program,
		.device = device,
		.session_fd = sv->memory.fd,
		.restore = restore,
		.lost = lost,
		.context = sv,
	};
	uint64_t begin = hetckpt_timeline_now();
	int rc = hetckpt_worker_start(&options, out, error);

	hetckpt_timeline_step(begin, "worker process made");
	return rc;
}

int hetckpt_supervisor_worker_ready(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
				    const struct hetckpt_worker_wait *wait,
				    struct hetckpt_error *error)
{
	struct hetckpt_worker_wait longer = {.silence_ms = READY_MS};
	uint64_t begin = hetckpt_timeline_now();
	int rc;

	if (wait) {
		longer.tick = wait->tick;
		longer.context = wait->context;
	}
	rc = hetckpt_worker_ready_wait(link, &longer, error);
	if (!rc && sv->stress)
		rc = hetckpt_worker_call(link, json_deep_copy(sv->stress), NULL, 0, NULL, NULL,
					 error);
	if (rc)
		hetckpt_worker_end(link, 0);
	hetckpt_timeline_step(begin, "waits for the worker's device");
	return rc;
}

int hetckpt_supervisor_worker_start(struct hetckpt_supervisor *sv, const char *device,
				    bool restore, const struct hetckpt_worker_wait *wait,
				    struct hetckpt_worker_link **out,
				    struct hetckpt_error *error)
{
	int rc = hetckpt_supervisor_worker_spawn(sv, device, restore, out, error);

	if (rc)
		return rc;
	rc = hetckpt_supervisor_worker_ready(sv, *out, wait, error);
	if (rc) {
		hetckpt_worker_unref(*out);
		*out = NULL;
	}
	return rc;
}

int hetckpt_supervisor_hand_over(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
				 const struct hetckpt_worker_wait *wait,
				 struct hetckpt_error *error)
{
	struct hetckpt_worker_wait longer = {.silence_ms = MODULE_MS};
	int rc = 0;

	if (wait) {
		longer.tick = wait->tick;
		longer.context = wait->context;
	}
	/* The lists change only inside operations, and this runs in one. */
	for (size_t i = 0; !rc && i < sv->host_count; i++)
		rc = hetckpt_worker_call(link,
					 json_pack("{s:s, s:I, s:I}", "op", "host", "address",
						   (json_int_t)sv->hosts[i].address, "bytes",
						   (json_int_t)sv->hosts[i].bytes),
					 &sv->hosts[i].fd, 1, NULL, &longer, error);
	for (size_t i = 0; !rc && i < sv->module_count; i++)
		rc = hetckpt_worker_call(link,
					 json_pack("{s:s, s:I, s:I}", "op", "module", "module",
						   (json_int_t)sv->modules[i].number, "bytes",
						   (json_int_t)sv->modules[i].bytes),
					 &sv->modules[i].fd, 1, NULL, &longer, error);
	return rc;
}

bool hetckpt_supervisor_stage(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			      int64_t bytes, const char *bulk, const struct hetckpt_requester *who,
			      json_t *facts)
{
	/* Tens of GiB take a while to touch; the worker reports progress meanwhile. */
	struct hetckpt_worker_wait wait = hetckpt_inside_wait(who, HETCKPT_INSIDE_STATE_MS);
	struct hetckpt_error why;
	json_t *request, *reply = NULL;

	if (sv->stage_fd < 0)
		return false;
	request = json_pack("{s:s, s:I, s:s}", "op", "stage", "bytes", (json_int_t)bytes, "bulk",
			    bulk ? bulk : "file");
	if (request && sv->stage_limit >= 0)
		json_object_set_new(request, "limit", json_integer(sv->stage_limit));
	if (hetckpt_worker_call(link, request, &sv->stage_fd, 1, &reply, &wait, &why)) {
		hetckpt_log(HETCKPT_LOG_INFO, "no stage: %s", why.text);
		return false;
	}
	if (facts)
		hetckpt_inside_merge(facts, reply);
	else
		json_decref(reply);
	return true;
}

void hetckpt_supervisor_worker_replace(struct hetckpt_supervisor *sv,
				       struct hetckpt_worker_link *link)
{
	struct hetckpt_session_entry entry;
	struct hetckpt_worker_link *old;

	pthread_mutex_lock(&sv->lock);
	old = sv->worker;
	sv->worker = link;
	snprintf(sv->entry.device, sizeof sv->entry.device, "%s", hetckpt_worker_device(link));
	entry = sv->entry;
	pthread_cond_broadcast(&sv->changed);
	pthread_mutex_unlock(&sv->lock);
	if (hetckpt_registry_publish(&entry, NULL))
		hetckpt_fail(0, "session %s: cannot write %s/session.json", entry.id, entry.folder);
	if (old) {
		hetckpt_worker_end(old, END_MS);
		hetckpt_worker_unref(old);
	}
}

struct hetckpt_worker_link *hetckpt_supervisor_worker(struct hetckpt_supervisor *sv,
						      struct hetckpt_error *error)
{
	struct hetckpt_worker_link *link = NULL;

	pthread_mutex_lock(&sv->lock);
	if (sv->state == HETCKPT_STATE_FAILED)
		hetckpt_error_set(error, -ENODEV, 0, "%s", sv->failure);
	else if (!sv->worker || sv->state == HETCKPT_STATE_ENDING)
		hetckpt_error_set(error, -ESHUTDOWN, 0, "the session is ending");
	else
		link = hetckpt_worker_ref(sv->worker);
	pthread_mutex_unlock(&sv->lock);
	return link;
}

/* ---- What the application handed over ---------------------------------- */

int hetckpt_supervisor_module_add(struct hetckpt_supervisor *sv, int64_t number, int64_t bytes,
				  int fd, struct hetckpt_error *error)
{
	struct hetckpt_handed_module *more;

	for (size_t i = 0; i < sv->module_count; i++)
		if (sv->modules[i].number == number)
			return hetckpt_error_set(error, -EEXIST, 0, "module %lld is there already",
						 (long long)number);
	more = realloc(sv->modules, (sv->module_count + 1) * sizeof *more);
	if (!more)
		return hetckpt_error_set(error, -ENOMEM, 0, "no memory for a module");
	sv->modules = more;
	more[sv->module_count++] = (struct hetckpt_handed_module){number, bytes, fd};
	return 0;
}

int hetckpt_supervisor_module_remove(struct hetckpt_supervisor *sv, int64_t number)
{
	for (size_t i = 0; i < sv->module_count; i++) {
		if (sv->modules[i].number != number)
			continue;
		close(sv->modules[i].fd);
		sv->modules[i] = sv->modules[--sv->module_count];
		return 0;
	}
	return -ENOENT;
}

int hetckpt_supervisor_host_add(struct hetckpt_supervisor *sv, int64_t address, int64_t bytes,
				int fd, struct hetckpt_error *error)
{
	const int64_t low = 0x1f0000000000, high = low + ((int64_t)1 << 40);
	struct hetckpt_handed_host *more;

	if (address < low || bytes <= 0 || address > high || bytes > high - address ||
	    address % 4096)
		return hetckpt_error_set(error, -EINVAL, 0,
					 "page-locked buffer of %lld bytes at 0x%llx lies outside its window",
					 (long long)bytes, (unsigned long long)address);
	for (size_t i = 0; i < sv->host_count; i++)
		if (address < sv->hosts[i].address + sv->hosts[i].bytes &&
		    sv->hosts[i].address < address + bytes)
			return hetckpt_error_set(error, -EEXIST, 0,
						 "page-locked buffer at 0x%llx overlaps another",
						 (unsigned long long)address);
	more = realloc(sv->hosts, (sv->host_count + 1) * sizeof *more);
	if (!more)
		return hetckpt_error_set(error, -ENOMEM, 0, "no memory for a page-locked buffer");
	sv->hosts = more;
	more[sv->host_count++] = (struct hetckpt_handed_host){address, bytes, fd};
	return 0;
}

int hetckpt_supervisor_host_remove(struct hetckpt_supervisor *sv, int64_t address)
{
	for (size_t i = 0; i < sv->host_count; i++) {
		if (sv->hosts[i].address != address)
			continue;
		close(sv->hosts[i].fd);
		sv->hosts[i] = sv->hosts[--sv->host_count];
		return 0;
	}
	return -ENOENT;
}

int hetckpt_supervisor_renew(struct hetckpt_supervisor *sv, struct hetckpt_error *error)
{
	struct hetckpt_session fresh, old;
	struct hetckpt_worker_link *link;
	char device[sizeof sv->entry.device];
	int rc;

	rc = hetckpt_session_create(&fresh, 0, 0, 0);
	if (rc)
		return hetckpt_error_set(error, rc, 0, "cannot make session memory: %s",
					 strerror(-rc));
	/* The old worker belongs to the old memory: its end says nothing about the new one. */
	hetckpt_worker_expect_end(sv->worker, true);
	pthread_mutex_lock(&sv->lock);
	old = sv->memory;
	sv->memory = fresh;
	snprintf(device, sizeof device, "%s", sv->entry.device);
	pthread_mutex_unlock(&sv->lock);
	while (sv->module_count)
		hetckpt_supervisor_module_remove(sv, sv->modules[0].number);
	while (sv->host_count)
		hetckpt_supervisor_host_remove(sv, sv->hosts[0].address);
	rc = hetckpt_supervisor_worker_start(sv, device, false, NULL, &link, error);
	if (!rc)
		hetckpt_supervisor_worker_replace(sv, link);
	pthread_mutex_lock(&sv->lock);
	if (rc) {
		sv->memory = old;
	} else {
		sv->state = HETCKPT_STATE_RUNNING;
		sv->failure[0] = 0;
		sv->used = false;
		json_decref(sv->last_checkpoint);
		sv->last_checkpoint = NULL;
	}
	pthread_mutex_unlock(&sv->lock);
	hetckpt_session_close(rc ? &fresh : &old);
	if (rc)
		hetckpt_worker_expect_end(sv->worker, false);
	return rc;
}
