/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * golden.h - the content of the golden files, for who writes and who checks them.
 */
#ifndef HETCKPT_TEST_SNAPSHOT_GOLDEN_H
#define HETCKPT_TEST_SNAPSHOT_GOLDEN_H

#include <errno.h>

#include "helpers.h"

#define GOLDEN_MANIFEST "{\"format\":\"golden\",\"numbers\":[1,2,3]}"

struct golden_section {
	const char *name;
	uint32_t flags;
	enum test_content content;
	size_t bytes;
	uint64_t seed;
};

static const struct golden_section golden_sections[] = {
	{ "empty", 0, TEST_ZERO, 0, 0 },
	{ "one", 0, TEST_RANDOM, 1, 4 },
	{ "zero", HETCKPT_SECTION_REQUIRED, TEST_ZERO, 10000, 0 },
	{ "text", HETCKPT_SECTION_REQUIRED, TEST_TEXT, 5000, 1 },
	{ "text/again", 0, TEST_TEXT, 5000, 1 },
	{ "noise", 0, TEST_RANDOM, 200, 2 },
};
#define GOLDEN_SECTIONS (sizeof(golden_sections) / sizeof(golden_sections[0]))

/* Writes the golden content to fd. */
static inline void golden_write(int fd, enum hetckpt_compress compress)
{
	struct hetckpt_writer_options options = {
		.compress = compress, .level = 3, .threads = 1, .chunk_bytes = HETCKPT_CHUNK_MIN
	};
	struct hetckpt_writer *writer;
	size_t i;

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, NULL, &options, &writer));
	test_writer_ok(writer, hetckpt_writer_manifest_text(writer, GOLDEN_MANIFEST));
	for (i = 0; i < GOLDEN_SECTIONS; i++) {
		const struct golden_section *s = &golden_sections[i];
		unsigned char *data = test_content(s->content, s->bytes, s->seed, 0);

		test_writer_ok(writer, hetckpt_writer_add(writer, s->name, s->flags, data, s->bytes));
		free(data);
	}
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_close(writer);
}

/* The corrupt files: what they are made of good-zstd.hckpt by, and what is said. */
struct golden_bad {
	const char *name;
	int code;
	const char *message; /* part of it; from opening, or else from verifying */
};

static const struct golden_bad golden_bad[] = {
	{ "bad-magic", -EINVAL, "not a hetckpt snapshot" },
	{ "bad-version", -ENOTSUP, "made by another version" },
	{ "bad-manifest", -EBADMSG, "manifest: damaged, its hash differs" },
	{ "bad-content", -EBADMSG, "section 'text', chunk 0, at file offset" },
	{ "bad-index", -EBADMSG, "index: damaged, its hash differs" },
	{ "bad-overlap", -EBADMSG, "its block is not where it belongs" },
	{ "bad-trailer", -EBADMSG, "trailer: damaged, its hash differs" },
	{ "bad-truncated", -EBADMSG, "no trailer at the end" },
	{ "bad-trailing", -EBADMSG, "no trailer at the end" },
	{ "bad-empty", -EINVAL, "only 0 bytes long" },
	{ "bad-huge", -EBADMSG, "number of chunks does not fit the length" },
};
#define GOLDEN_BAD (sizeof(golden_bad) / sizeof(golden_bad[0]))

#endif
