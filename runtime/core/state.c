/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Saving a core's state, in one step or in two with the stage between them (capture.h).
 */
#include "capture.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/common/log.h"

int hetckpt_save_locked(struct hetckpt_core *core, int fd, const struct hetckpt_save_options *options,
                        struct hetckpt_error *error)
{
	struct hetckpt_capture capture;
	uint64_t begin = hetckpt_core_now();
	struct hetckpt_error why;
	int rc = hetckpt_capture_list(core, options->without_host, &capture, error);

	if (!rc && options->bulk == HETCKPT_BULK_PEER)
		hetckpt_capture_peers(&capture);
	/* What the stage cannot hold goes through the file. */
	if (!rc && options->bulk != HETCKPT_BULK_FILE && hetckpt_capture_stage(&capture, false, &why))
		hetckpt_log(HETCKPT_LOG_INFO, "the state goes through the file: %s", why.text);
	if (!rc)
		rc = hetckpt_capture_put(&capture, fd, options, options->bulk != HETCKPT_BULK_FILE, error);
	if (options->report)
		*options->report = (struct hetckpt_capture_report){
			.bytes = capture.bytes, .staged_bytes = capture.staged_bytes,
			.peer_bytes = capture.peer_bytes,
			.seconds = (double)(hetckpt_core_now() - begin) / 1e9,
		};
	hetckpt_capture_clear(&capture);
	return rc;
}

/* Takes the lock, unless the device is lost. */
static int enter(struct hetckpt_core *core, struct hetckpt_error *error)
{
	hetckpt_core_enter(core);
	if (!core->failed)
		return 0;
	*error = core->failure;
	pthread_mutex_unlock(&core->lock);
	return core->failure.code ? core->failure.code : -EIO;
}

int hetckpt_core_save(struct hetckpt_core *core, int fd, const struct hetckpt_save_options *options,
                      struct hetckpt_error *error)
{
	int rc = enter(core, error);

	if (rc)
		return rc;
	rc = core->captured ? hetckpt_error_set(error, -EBUSY, 0, "a capture is still in the stage")
	                    : hetckpt_save_locked(core, fd, options, error);
	pthread_mutex_unlock(&core->lock);
	return rc;
}

int hetckpt_core_outline(struct hetckpt_core *core, int fd, struct hetckpt_error *error)
{
	struct hetckpt_save_options options = {.raw = true};
	struct hetckpt_capture capture;
	int rc = enter(core, error);

	if (rc)
		return rc;
	rc = hetckpt_capture_outline(core, &capture, error);
	if (!rc)
		rc = hetckpt_capture_put(&capture, fd, &options, false, error);
	hetckpt_capture_clear(&capture);
	pthread_mutex_unlock(&core->lock);
	return rc;
}

/* ---- In two steps ------------------------------------------------------ */

int hetckpt_core_stage_set(struct hetckpt_core *core, int fd, uint64_t limit, struct hetckpt_error *error)
{
	int rc;

	hetckpt_core_enter(core);
	hetckpt_stage_close(&core->stage, &core->dev);
	rc = hetckpt_stage_open(&core->stage, fd, limit, error);
	pthread_mutex_unlock(&core->lock);
	return rc;
}

int hetckpt_core_stage_prepare(struct hetckpt_core *core, uint64_t bytes, enum hetckpt_bulk bulk,
                               struct hetckpt_stage_report *report, struct hetckpt_error *error)
{
	uint64_t begin = hetckpt_core_now();
	bool more = true;
	int rc;

	hetckpt_core_enter(core);
	if (!bytes)
		bytes = hetckpt_capture_need(core, bulk);
	core->staging = true;
	pthread_mutex_unlock(&core->lock);
	/* A stress round keeps away from the stage meanwhile; nobody else could use it while the core
	   runs. So touching, which takes long, needs no lock. */
	rc = hetckpt_stage_touch(&core->stage, bytes, error);
	while (!rc && more) {
		hetckpt_core_enter(core);
		rc = hetckpt_stage_add(&core->stage, &core->dev, &more, error);
		pthread_mutex_unlock(&core->lock);
	}
	hetckpt_core_enter(core);
	core->staging = false;
	report->bytes = core->stage.ready;
	report->locked = hetckpt_stage_locked(&core->stage);
	pthread_mutex_unlock(&core->lock);
	report->seconds = (double)(hetckpt_core_now() - begin) / 1e9;
	return rc;
}

int hetckpt_core_capture(struct hetckpt_core *core, bool without_host, struct hetckpt_capture **out,
                         struct hetckpt_capture_report *report, struct hetckpt_error *error)
{
	struct hetckpt_capture *capture = calloc(1, sizeof *capture);
	uint64_t begin = hetckpt_core_now();
	int rc;

	if (!capture)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
	rc = enter(core, error);
	if (rc) {
		free(capture);
		return rc;
	}
	if (core->captured)
		rc = hetckpt_error_set(error, -EBUSY, 0, "a capture is still in the stage");
	if (!rc)
		rc = hetckpt_capture_list(core, without_host, capture, error);
	if (!rc)
		rc = hetckpt_capture_stage(capture, true, error);
	core->captured |= !rc;
	pthread_mutex_unlock(&core->lock);
	*report = (struct hetckpt_capture_report){
		.bytes = capture->bytes, .staged_bytes = capture->staged_bytes,
		.seconds = (double)(hetckpt_core_now() - begin) / 1e9,
	};
	if (rc) {
		hetckpt_capture_clear(capture);
		free(capture);
		return rc;
	}
	*out = capture;
	return 0;
}

int hetckpt_capture_write(struct hetckpt_capture *capture, int fd, const struct hetckpt_save_options *options,
                          struct hetckpt_error *error)
{
	return hetckpt_capture_put(capture, fd, options, false, error);
}

void hetckpt_capture_free(struct hetckpt_capture *capture)
{
	if (!capture)
		return;
	hetckpt_core_enter(capture->core);
	capture->core->captured = false;
	pthread_mutex_unlock(&capture->core->lock);
	hetckpt_capture_clear(capture);
	free(capture);
}
