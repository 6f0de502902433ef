/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "sink.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Pieces below DIRECT are gathered, so that thousands of small sections do not
   cost a call each; copying a larger piece costs more than a call. */
#define GATHER (256u << 10)
#define DIRECT (64u << 10)

/* Dirty pages that pile up until the final sync make it last as long as all the
   writing; begun early, it goes on beside the compression. */
#define WRITEBACK (32u << 20)

int hetckpt_snap_sink_init(struct hetckpt_snap_sink *sink, const struct hetckpt_snap_io *io, int fd,
	bool writeback)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	*sink = (struct hetckpt_snap_sink){ .io = io, .fd = fd, .writeback = writeback };
	/* A file that appends ignores offsets. */
	sink->places = io->pwrite && flags >= 0 && !(flags & O_APPEND) && !fstat(fd, &st) && S_ISREG(st.st_mode);
	sink->gather = malloc(GATHER);
	return sink->gather ? 0 : -ENOMEM;
}

void hetckpt_snap_sink_fini(struct hetckpt_snap_sink *sink)
{
	free(sink->gather);
	sink->gather = NULL;
}

/* Writes at the place that offset says, or next. */
static int write_next(struct hetckpt_snap_sink *sink, uint64_t offset, const void *data, size_t bytes)
{
	return sink->places ? hetckpt_snap_pwrite(sink->io, sink->fd, data, bytes, offset)
		: hetckpt_snap_write(sink->io, sink->fd, data, bytes);
}

int hetckpt_snap_sink_flush(struct hetckpt_snap_sink *sink)
{
	size_t bytes = sink->gathered;

	sink->gathered = 0;
	return bytes ? write_next(sink, sink->offset - bytes, sink->gather, bytes) : 0;
}

/* A hint: where it cannot be followed, the final sync does it all. */
static void begin_writeback(const struct hetckpt_snap_sink *sink, uint64_t offset, uint64_t bytes)
{
	sync_file_range(sink->fd, (off_t)offset, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
}

int hetckpt_snap_sink_put(struct hetckpt_snap_sink *sink, const void *data, size_t bytes)
{
	int rc = 0;

	if (bytes >= DIRECT || bytes > GATHER - sink->gathered) {
		rc = hetckpt_snap_sink_flush(sink);
		if (rc)
			return rc;
	}
	if (bytes >= DIRECT) {
		rc = write_next(sink, sink->offset, data, bytes);
	} else {
		memcpy(sink->gather + sink->gathered, data, bytes);
		sink->gathered += bytes;
	}
	if (rc)
		return rc;
	sink->offset += bytes;
	if (sink->writeback && !sink->places && sink->offset - sink->gathered - sink->begun >= WRITEBACK) {
		uint64_t written = sink->offset - sink->gathered;

		begin_writeback(sink, sink->begun, written - sink->begun);
		sink->begun = written;
	}
	return 0;
}

int hetckpt_snap_sink_claim(struct hetckpt_snap_sink *sink, size_t bytes, uint64_t *offset, bool *claimed)
{
	int rc;

	*claimed = sink->places && bytes >= DIRECT;
	if (!*claimed)
		return 0;
	rc = hetckpt_snap_sink_flush(sink);
	if (rc)
		return rc;
	*offset = sink->offset;
	sink->offset += bytes;
	return 0;
}

int hetckpt_snap_sink_fill(const struct hetckpt_snap_sink *sink, uint64_t offset, const void *data,
	size_t bytes)
{
	int rc = hetckpt_snap_pwrite(sink->io, sink->fd, data, bytes, offset);

	if (!rc && sink->writeback)
		begin_writeback(sink, offset, bytes);
	return rc;
}
