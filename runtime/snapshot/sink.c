/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "sink.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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
	*sink = (struct hetckpt_snap_sink){ .io = io, .fd = fd, .writeback = writeback };
	sink->gather = malloc(GATHER);
	return sink->gather ? 0 : -ENOMEM;
}

void hetckpt_snap_sink_fini(struct hetckpt_snap_sink *sink)
{
	free(sink->gather);
	sink->gather = NULL;
}

int hetckpt_snap_sink_flush(struct hetckpt_snap_sink *sink)
{
	size_t bytes = sink->gathered;

	sink->gathered = 0;
	return bytes ? hetckpt_snap_write(sink->io, sink->fd, sink->gather, bytes) : 0;
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
		rc = hetckpt_snap_write(sink->io, sink->fd, data, bytes);
	} else {
		memcpy(sink->gather + sink->gathered, data, bytes);
		sink->gathered += bytes;
	}
	if (rc)
		return rc;
	sink->offset += bytes;
	if (sink->writeback && sink->offset - sink->gathered - sink->begun >= WRITEBACK) {
		uint64_t written = sink->offset - sink->gathered;

		/* A hint: where it cannot be followed, the final sync does it all. */
		sync_file_range(sink->fd, (off_t)sink->begun, (off_t)(written - sink->begun),
			SYNC_FILE_RANGE_WRITE);
		sink->begun = written;
	}
	return 0;
}
