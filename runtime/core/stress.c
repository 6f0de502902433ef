/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Stress modes: the pause protocol under load, with the application none the wiser.
 *
 * every-poll: the flag shows HETCKPT_FLAG_PAUSE_STARTED all the time, so every block parks
 * at each poll. Launches hand over only as many blocks as a frame table holds, and each
 * time one has been collected the round below is done. Every block makes progress in
 * every round, from one poll to the next, so the program ends.
 *
 * random: pauses at seeded random times, while something is on the device.
 *
 * A round: pause, save the state to memory, throw everything on the device away, load it
 * again, go on. It is the code of snapshot and restore, not an imitation of it. Rounds take
 * turns: straight into the snapshot; captured into a stage and written from there, as a
 * checkpoint does; left in the stage and taken over from there, as a migration does.
 */
#include "core_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "launch.h"
#include "runtime/common/log.h"

#define PERIOD_DEFAULT_US 2000

/* xorshift64*: the seed decides the schedule of pauses, as far as time can be reproduced. */
static uint64_t next_random(struct hetckpt_stress *stress)
{
	uint64_t x = stress->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	stress->random = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

static void schedule(struct hetckpt_stress *stress)
{
	/* Between nothing and twice the period: many pauses fall close together. */
	stress->next_ns = hetckpt_core_now() + next_random(stress) % (stress->period_us * 2000 + 1);
}

int hetckpt_core_stress(struct hetckpt_core *core, const char *mode, uint64_t seed,
                        uint64_t period_us, struct hetckpt_error *error)
{
	enum hetckpt_flag base = HETCKPT_FLAG_RUN;
	int chosen = HETCKPT_STRESS_OFF, rc = 0;
	struct hetckpt_pause_report report;
	bool was_paused;

	if (!strcmp(mode, "every-poll")) {
		chosen = HETCKPT_STRESS_EVERY_POLL;
		base = HETCKPT_FLAG_PAUSE_STARTED;
	} else if (!strcmp(mode, "random")) {
		chosen = HETCKPT_STRESS_RANDOM;
	} else if (strcmp(mode, "off")) {
		return hetckpt_error_set(error, -EINVAL, 0,
			"stress mode '%s': there are every-poll, random and off", mode);
	}
	/* What kernels see may only change while none runs (launch.c, 3.). */
	was_paused = hetckpt_core_paused(core);
	rc = hetckpt_core_pause(core, -1, &report, error);
	if (rc)
		return rc;
	hetckpt_core_enter(core);
	core->stress.mode = chosen;
	core->stress.seed = seed;
	core->stress.random = seed * 2 + 1;
	core->stress.period_us = period_us ? period_us : PERIOD_DEFAULT_US;
	core->stress.round = false;
	core->base = base;
	schedule(&core->stress);
	if (!was_paused)
		rc = hetckpt_pause_resume_locked(core, error);
	pthread_mutex_unlock(&core->lock);
	core->host.wake(core->host.context);
	return rc;
}

int hetckpt_core_stress_text(struct hetckpt_core *core, const char *text,
                             struct hetckpt_error *error)
{
	size_t length = strcspn(text, ":");
	uint64_t seed = 1, period = 0;
	char mode[16] = "", *end;

	if (length < sizeof mode)
		memcpy(mode, text, length);
	if (text[length] == ':') {
		seed = strtoull(text + length + 1, &end, 10);
		if (*end == ':')
			period = strtoull(end + 1, &end, 10);
		if (*end || end[-1] == ':')
			return hetckpt_error_set(error, -EINVAL, 0,
				"stress mode '%s' is not of the form every-poll or random[:SEED[:PERIOD_US]]", text);
	}
	return hetckpt_core_stress(core, mode, seed, period, error);
}

/* Waits, with the lock held, until the device is still. */
static int hold(struct hetckpt_core *core, struct hetckpt_error *error)
{
	int rc = hetckpt_pause_raise(core, error);

	if (rc)
		return rc;
	core->state = HETCKPT_CORE_PAUSING;
	while (core->state == HETCKPT_CORE_PAUSING && !core->failed) {
		uint64_t bell = hetckpt_core_bell(core);

		if (!hetckpt_executor_collect(core) && !hetckpt_pause_step(core))
			hetckpt_core_bell_wait(core, bell, 50);
	}
	if (core->failed)
		*error = core->failure;
	return core->failed ? core->failure.code : 0;
}

/* A stage of this worker's own, unless the session has given one. */
static int own_stage(struct hetckpt_core *core, struct hetckpt_error *error)
{
	int fd, rc;

	if (core->stage.base)
		return 0;
	fd = memfd_create("hetckpt-stress-stage", MFD_CLOEXEC);
	if (fd < 0)
		return hetckpt_error_set(error, -errno, 0, "cannot make a stage for a stress round: %s", strerror(errno));
	rc = hetckpt_stage_open(&core->stage, fd, HETCKPT_STAGE_AUTO, error);
	close(fd);
	return rc;
}

/* Saves the way that this round has; *elsewhere: contents are in the stage. */
static int save_round(struct hetckpt_core *core, int fd, bool *elsewhere, struct hetckpt_error *error)
{
	struct hetckpt_save_options options = {.raw = true, .without_host = true};
	unsigned way = core->captured || core->staging ? 0 : core->stress.rounds % 3;
	struct hetckpt_capture capture;
	int rc = way ? own_stage(core, error) : 0;

	*elsewhere = way == 2;
	if (rc)
		return rc;
	if (way != 1) {
		options.bulk = way == 2 ? HETCKPT_BULK_STAGE : HETCKPT_BULK_FILE;
		return hetckpt_save_locked(core, fd, &options, error);
	}
	rc = hetckpt_capture_list(core, true, &capture, error);
	if (!rc && hetckpt_capture_stage(&capture, true, error))
		hetckpt_log(HETCKPT_LOG_INFO, "a stress round without a stage: %s", error->text);
	if (!rc)
		rc = hetckpt_capture_put(&capture, fd, &options, false, error);
	hetckpt_capture_clear(&capture);
	return rc;
}

static int do_round(struct hetckpt_core *core, struct hetckpt_error *error)
{
	bool elsewhere;
	uint64_t taken;
	int fd, rc;

	rc = hold(core, error);
	if (rc)
		return rc;
	fd = memfd_create("hetckpt-stress", MFD_CLOEXEC);
	if (fd < 0)
		return hetckpt_error_set(error, -errno, 0, "cannot make memory for a stress round: %s",
		                         strerror(errno));
	rc = save_round(core, fd, &elsewhere, error);
	if (!rc) {
		hetckpt_core_close_state(core);
		rc = hetckpt_core_open_state(core, error);
	}
	if (!rc)
		rc = hetckpt_load_locked(core, fd, false, elsewhere, &taken, error);
	close(fd);
	if (!rc)
		rc = hetckpt_pause_resume_locked(core, error);
	return rc;
}

bool hetckpt_stress_step(struct hetckpt_core *core)
{
	struct hetckpt_stress *stress = &core->stress;
	struct hetckpt_error error = {0};
	bool due = false;

	/* A pause that somebody waits for comes first. */
	if (stress->busy || core->pausers || atomic_load(&core->stop))
		return false;
	if (stress->mode == HETCKPT_STRESS_EVERY_POLL)
		due = stress->round;
	else if (stress->mode == HETCKPT_STRESS_RANDOM)
		due = hetckpt_core_now() >= stress->next_ns && hetckpt_executor_in_flight(core);
	if (!due)
		return false;
	stress->busy = true;
	if (do_round(core, &error)) {
		if (!error.text[0])
			hetckpt_error_set(&error, -EIO, 0, "a stress round failed");
		hetckpt_core_fail(core, &error);
	}
	stress->busy = false;
	stress->round = false;
	stress->rounds++;
	schedule(stress);
	return true;
}

unsigned hetckpt_stress_sleep(struct hetckpt_core *core)
{
	uint64_t now;

	if (core->stress.mode != HETCKPT_STRESS_RANDOM || !core->unfinished)
		return 0;
	now = hetckpt_core_now();
	if (now >= core->stress.next_ns)
		return 1;
	return (unsigned)((core->stress.next_ns - now) / 1000 + 1);
}

void hetckpt_core_tables_write(struct hetckpt_core *core)
{
	hetckpt_core_enter(core);
	hetckpt_coverage_append(&core->coverage);
	hetckpt_times_append(&core->times);
	pthread_mutex_unlock(&core->lock);
}
