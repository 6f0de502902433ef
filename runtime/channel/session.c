/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "runtime/channel/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hetckpt/abi.h"
#include "runtime/channel/futex.h"
#include "runtime/channel/ring.h"

#define PAGE 4096u
#define LIMIT (1ull << 40) /* no part of a session is anywhere near this */
#define DEVICES_UNAVAILABLE 46u /* cudaErrorDevicesUnavailable */

_Static_assert(sizeof(struct hetckpt_session_control) <= PAGE, "control fits a page");
_Static_assert(sizeof(struct hetckpt_reply_slot) % 64 == 0, "slots share no cache line");

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* The layout follows from three sizes, so an opener recomputes and compares it. */
static int layout_compute(struct hetckpt_session_control *c, uint64_t ring_bytes,
                          uint64_t staging_bytes, uint32_t reply_slots)
{
	if (ring_bytes < HETCKPT_MSG_MAX_BYTES + PAGE || ring_bytes >= LIMIT ||
	    (ring_bytes & (ring_bytes - 1)) || !staging_bytes || staging_bytes >= LIMIT ||
	    staging_bytes % HETCKPT_STAGING_CHUNK || !reply_slots || reply_slots > 65536)
		return -EINVAL;
	memcpy(c->magic, HETCKPT_SESSION_MAGIC, sizeof c->magic);
	c->abi = HETCKPT_ABI_VERSION;
	c->reply_slots = reply_slots;
	c->ring_bytes = ring_bytes;
	c->staging_bytes = staging_bytes;
	c->staging_words_offset = PAGE;
	c->reply_offset = c->staging_words_offset +
	                  page_up(staging_bytes / HETCKPT_STAGING_CHUNK * sizeof(uint32_t));
	c->ring_offset = c->reply_offset +
	                 page_up((uint64_t)reply_slots * sizeof(struct hetckpt_reply_slot));
	c->staging_offset = c->ring_offset + ring_bytes;
	c->total_bytes = c->staging_offset + page_up(staging_bytes);
	return 0;
}

/* Maps everything but the ring in file order, and the ring twice in a row. */
static int session_map(struct hetckpt_session *s, int fd, const struct hetckpt_session_control *c)
{
	unsigned char *base = MAP_FAILED, *ring = MAP_FAILED;
	int result = 0;

	base = mmap(NULL, c->total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		goto failed;
	ring = mmap(NULL, 2 * c->ring_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring == MAP_FAILED)
		goto failed;
	for (int half = 0; half < 2; half++)
		if (mmap(ring + half * c->ring_bytes, c->ring_bytes, PROT_READ | PROT_WRITE,
		         MAP_SHARED | MAP_FIXED, fd, (off_t)c->ring_offset) == MAP_FAILED)
			goto failed;
	s->control = (struct hetckpt_session_control *)base;
	s->staging_word = (_Atomic uint32_t *)(base + c->staging_words_offset);
	s->reply = (struct hetckpt_reply_slot *)(base + c->reply_offset);
	s->ring = ring;
	s->staging = base + c->staging_offset;
	s->total_bytes = c->total_bytes;
	s->ring_bytes = c->ring_bytes;
	s->staging_bytes = c->staging_bytes;
	s->reply_slots = c->reply_slots;
	s->fd = fd;
	return 0;
failed:
	result = -errno;
	if (ring != MAP_FAILED)
		munmap(ring, 2 * c->ring_bytes);
	if (base != MAP_FAILED)
		munmap(base, c->total_bytes);
	return result;
}

int hetckpt_session_create(struct hetckpt_session *session, uint64_t ring_bytes,
                           uint64_t staging_bytes, uint32_t reply_slots)
{
	struct hetckpt_session_control layout;
	int fd = -1, result;

	memset(session, 0, sizeof *session);
	memset(&layout, 0, sizeof layout);
	session->fd = -1;
	result = layout_compute(&layout, ring_bytes ? ring_bytes : HETCKPT_SESSION_RING_BYTES,
	                        staging_bytes ? staging_bytes : HETCKPT_SESSION_STAGING_BYTES,
	                        reply_slots ? reply_slots : HETCKPT_SESSION_REPLY_SLOTS);
	if (result)
		return result;
	fd = memfd_create("hetckpt-session", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	/* Sealed, so that no peer can shrink the file and make others fault. */
	if (ftruncate(fd, (off_t)layout.total_bytes) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		result = -errno;
		goto failed;
	}
	result = session_map(session, fd, &layout);
	if (result)
		goto failed;
	memcpy(session->control, &layout, sizeof layout);
	return 0;
failed:
	close(fd);
	session->fd = -1;
	return result;
}

int hetckpt_session_open(struct hetckpt_session *session, int fd)
{
	struct hetckpt_session_control found, wanted;
	struct stat file;
	int seals, own = -1, result;

	memset(session, 0, sizeof *session);
	session->fd = -1;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return -errno;
	if (fstat(own, &file)) {
		result = -errno;
		goto failed;
	}
	memset(&wanted, 0, sizeof wanted);
	seals = fcntl(own, F_GET_SEALS);
	if (pread(own, &found, sizeof found, 0) != (ssize_t)sizeof found || seals < 0 ||
	    !(seals & F_SEAL_SHRINK) || memcmp(found.magic, HETCKPT_SESSION_MAGIC, sizeof found.magic)) {
		result = -EPROTO;
		goto failed;
	}
	if (found.abi != HETCKPT_ABI_VERSION) {
		result = -EPROTONOSUPPORT;
		goto failed;
	}
	if (layout_compute(&wanted, found.ring_bytes, found.staging_bytes, found.reply_slots) ||
	    memcmp(&found, &wanted, offsetof(struct hetckpt_session_control, tail)) ||
	    (uint64_t)file.st_size != wanted.total_bytes) {
		result = -EPROTO;
		goto failed;
	}
	result = session_map(session, own, &wanted);
	if (!result)
		return 0;
failed:
	close(own);
	return result;
}

void hetckpt_session_close(struct hetckpt_session *session)
{
	if (session->control) {
		munmap(session->ring, 2 * session->ring_bytes);
		munmap(session->control, session->total_bytes);
		close(session->fd);
	}
	memset(session, 0, sizeof *session);
	session->fd = -1;
}

/* ---- Errors ------------------------------------------------------------ */

void hetckpt_session_fail(struct hetckpt_session *session, uint32_t code, const char *message)
{
	struct hetckpt_session_control *c = session->control;
	uint32_t none = 0;

	if (!atomic_compare_exchange_strong(&c->device_error, &none, HETCKPT_FAILING))
		return;
	atomic_store(&c->device_code, code ? code : DEVICES_UNAVAILABLE);
	snprintf(c->device_message, sizeof c->device_message, "%s", message ? message : "device lost");
	atomic_store(&c->device_error, HETCKPT_FAILED);
	hetckpt_futex_ring(&c->doorbell);
	hetckpt_futex_ring(&c->space_bell);
	hetckpt_futex_ring(&c->staging_bell);
	hetckpt_futex_ring(&c->notify_bell);
	/* Reply slots keep their state; their sleepers wake and look for the failure. */
	for (uint32_t i = 0; i < session->reply_slots; i++)
		hetckpt_futex_wake(&session->reply[i].state, INT_MAX);
}

int hetckpt_session_failure(const struct hetckpt_session *session, uint32_t *code, char *message,
                            size_t bytes)
{
	const struct hetckpt_session_control *c = session->control;

	if (!hetckpt_session_failed(session))
		return -ENOENT;
	if (code)
		*code = atomic_load(&c->device_code);
	if (message && bytes)
		snprintf(message, bytes, "%.*s", (int)sizeof c->device_message, c->device_message);
	return 0;
}

void hetckpt_session_raise(struct hetckpt_session *session, uint32_t code)
{
	uint32_t none = 0;

	atomic_compare_exchange_strong(&session->control->async_error, &none, code);
}
