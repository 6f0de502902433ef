/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * hetckpt-worker: serves one session on one device. Started by the supervisor; see
 * docs/sessions.md.
 */
#include "worker.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/common/log.h"
#include "runtime/common/timeline.h"

#define BACKEND(name) extern const struct hetckpt_backend hetckpt_backend_##name;
#ifdef HETCKPT_HAVE_CUDA
BACKEND(cuda)
#endif
#ifdef HETCKPT_HAVE_HIP
BACKEND(hip)
#endif
#ifdef HETCKPT_HAVE_LEVEL_ZERO
BACKEND(level_zero)
#endif
#ifdef HETCKPT_HAVE_OPENCL
BACKEND(opencl)
#endif
#ifdef HETCKPT_HAVE_CPU
BACKEND(cpu)
#endif

static const struct hetckpt_backend *const built_in[] = {
#ifdef HETCKPT_HAVE_CUDA
	&hetckpt_backend_cuda,
#endif
#ifdef HETCKPT_HAVE_HIP
	&hetckpt_backend_hip,
#endif
#ifdef HETCKPT_HAVE_LEVEL_ZERO
	&hetckpt_backend_level_zero,
#endif
#ifdef HETCKPT_HAVE_OPENCL
	&hetckpt_backend_opencl,
#endif
#ifdef HETCKPT_HAVE_CPU
	&hetckpt_backend_cpu,
#endif
	NULL
};

static int register_all(void)
{
	struct hetckpt_error error;

	for (unsigned i = 0; built_in[i]; i++)
		if (hetckpt_backend_register(built_in[i], &error)) {
			hetckpt_log(HETCKPT_LOG_ERROR, "%s", error.text);
			return -1;
		}
	return 0;
}

/* ---- Devices ----------------------------------------------------------- */

#define DEVICES_MAX 64

static int list_devices(bool json)
{
	json_t *devices = json_array(), *missing = json_array(), *all;

	for (unsigned i = 0; built_in[i]; i++)
		for (unsigned index = 0; index < DEVICES_MAX; index++) {
			struct hetckpt_device_facts facts = {0};
			struct hetckpt_error error = {0};
			char name[64];

			if (built_in[i]->probe(index, &facts, &error)) {
				if (!index)
					json_array_append_new(missing, json_pack("{s:s, s:s}", "backend",
						built_in[i]->name, "reason", error.text));
				break;
			}
			snprintf(name, sizeof name, "%s:%u", built_in[i]->name, index);
			json_array_append_new(devices, json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:I}",
				"device", name, "name", facts.name, "version", facts.version,
				"memory_bytes", (json_int_t)facts.total_bytes,
				"multiprocessors", (json_int_t)facts.sm_count,
				"major", (int)facts.major, "minor", (int)facts.minor,
				"shared_per_block", (json_int_t)facts.shared_per_block_optin));
		}
	all = json_pack("{s:o, s:o}", "devices", devices, "unavailable", missing);
	if (!all)
		return 1;
	if (json) {
		json_dumpf(all, stdout, JSON_INDENT(1));
		putchar('\n');
	} else {
		json_t *entry;
		size_t i;

		json_array_foreach(devices, i, entry)
			printf("%-10s %s\n", json_string_value(json_object_get(entry, "device")),
			       json_string_value(json_object_get(entry, "name")));
		json_array_foreach(missing, i, entry)
			printf("%-10s not available: %s\n", json_string_value(json_object_get(entry, "backend")),
			       json_string_value(json_object_get(entry, "reason")));
	}
	json_decref(all);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

/* The first device of the first back end that has one: GPUs before the CPU. */
static int choose_device(struct worker *worker, char *name, size_t size, struct hetckpt_error *error)
{
	struct hetckpt_device_facts facts;
	int rc = hetckpt_error_set(error, -ENODEV, 0, "this worker has no back end");

	for (unsigned i = 0; built_in[i]; i++) {
		rc = built_in[i]->probe(0, &facts, error);
		if (rc)
			continue;
		snprintf(name, size, "%s:0", built_in[i]->name);
		worker_event(worker, json_pack("{s:s, s:s}", "event", "device", "device", name));
		return 0;
	}
	return rc;
}

/* ---- Serving ----------------------------------------------------------- */

static int fail(struct worker *worker, const struct hetckpt_error *error)
{
	/* The supervisor tells people, in one line of its own. */
	if (worker_event(worker, json_pack("{s:s, s:s, s:i}", "event", "fault", "error", error->text,
	                                   "code", error->code)))
		hetckpt_log(HETCKPT_LOG_ERROR, "%s", error->text);
	return 1;
}

static int serve(struct worker *worker, const char *device, int session_fd)
{
	const struct hetckpt_backend *backend;
	struct hetckpt_core_host host;
	struct hetckpt_error error = {0};
	char chosen[64];
	const char *stress = getenv("HETCKPT_STRESS"), *variant = getenv("HETCKPT_VARIANT");
	uint64_t begin = hetckpt_timeline_now();
	pthread_t ring, progress;
	unsigned index;
	int rc;

	rc = hetckpt_session_open(&worker->session, session_fd);
	if (rc) {
		hetckpt_error_set(&error, rc, 0, "descriptor %d is no session's memory: %s", session_fd,
		                  strerror(-rc));
		return fail(worker, &error);
	}
	close(session_fd);
	if (!device) {
		rc = choose_device(worker, chosen, sizeof chosen, &error);
		device = chosen;
	}
	if (!rc)
		rc = hetckpt_backend_find(device, &backend, &index, &error);
	if (!rc) {
		worker->backend = backend->name;
		worker_host(worker, &host);
		rc = hetckpt_core_create(backend, index, 0, &host, &worker->core, &error);
		hetckpt_timeline_step(begin, "session and device opened");
	}
	if (!rc && variant && *variant)
		rc = hetckpt_core_variant_text(worker->core, variant, &error);
	if (!rc)
		rc = hetckpt_core_times(worker->core, getenv("HETCKPT_TIMES"), &error);
	if (!rc && stress && *stress)
		rc = hetckpt_core_stress_text(worker->core, stress, &error);
	/* A worker that will load a snapshot takes commands only from where that ends. */
	if (!rc && !worker->restore)
		rc = worker_claim(worker, &error);
	if (!rc && (pthread_create(&ring, NULL, worker_ring_main, worker) ||
	            pthread_create(&progress, NULL, worker_progress_main, worker)))
		rc = hetckpt_error_set(&error, -EAGAIN, 0, "cannot start a thread");
	if (rc)
		return fail(worker, &error);
	hetckpt_timeline_mark("ready");
	worker_event(worker, json_pack("{s:s, s:s}", "event", "ready", "device", device));
	worker_control(worker);
	return 0;
}

/* A device that hangs must not keep the worker from ending. */
static void end(struct worker *worker)
{
	uint64_t begin = hetckpt_timeline_now();
	struct hetckpt_pause_report report;
	struct hetckpt_error error;

	/* The tables are written at the end; that needs a device at rest. The
	   ring thread goes on, so nothing of the core may be taken away: leave that to the
	   end of the process. */
	hetckpt_core_pause(worker->core, 1000, &report, &error);
	hetckpt_core_tables_write(worker->core);
	hetckpt_timeline_step(begin, "device brought to rest; the process exits");
}

static int usage(void)
{
	fprintf(stderr, "usage: hetckpt-worker --session-fd N --control-fd N [--device NAME] [--restore]\n"
	                "       hetckpt-worker --list-devices [--json]\n"
	                "Started by hetckpt run; not meant to be started by hand.\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"session-fd", required_argument, NULL, 's'}, {"control-fd", required_argument, NULL, 'c'},
		{"device", required_argument, NULL, 'd'}, {"restore", no_argument, NULL, 'r'},
		{"list-devices", no_argument, NULL, 'l'}, {"json", no_argument, NULL, 'j'},
		{0},
	};
	static struct worker worker = {.control = -1};
	int session = -1, option, rc;
	const char *device = NULL;
	bool list = false, json = false;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
		switch (option) {
		case 's': session = atoi(optarg); break;
		case 'c': worker.control = atoi(optarg); break;
		case 'd': device = optarg; break;
		case 'r': worker.restore = true; break;
		case 'l': list = true; break;
		case 'j': json = true; break;
		default: return usage();
		}
	if (optind < argc || (!list && (session < 0 || worker.control < 0)))
		return usage();
	signal(SIGPIPE, SIG_IGN);
	if (register_all())
		return 1;
	if (list)
		return list_devices(json);
	hetckpt_timeline_start("worker");
	hetckpt_timeline_mark("main begins");
	pthread_mutex_init(&worker.ring_lock, NULL);
	pthread_mutex_init(&worker.send_lock, NULL);
	pthread_mutex_init(&worker.busy_lock, NULL);
	rc = serve(&worker, device, session);
	if (!rc)
		end(&worker);
	/* Not exit(): other threads are still at work, and the kernel frees the device. */
	_exit(rc);
}
