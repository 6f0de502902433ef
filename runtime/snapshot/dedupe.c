/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "dedupe.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 1024u

struct entry {
	struct hetckpt_snap_key key; /* length 0: free, for no chunk is empty */
	uint64_t number;             /* lowest chunk that claimed it */
	uint64_t offset;             /* 0: not stored yet, for no block starts there */
	uint32_t stored, method;
};

struct hetckpt_snap_dedupe {
	pthread_mutex_t lock;
	size_t slots, used; /* slots is a power of two */
	struct entry *entry;
};

struct hetckpt_snap_dedupe *hetckpt_snap_dedupe_create(void)
{
	struct hetckpt_snap_dedupe *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->slots = SLOTS_FIRST;
	table->entry = calloc(table->slots, sizeof(table->entry[0]));
	if (!table->entry) {
		free(table);
		return NULL;
	}
	pthread_mutex_init(&table->lock, NULL);
	return table;
}

void hetckpt_snap_dedupe_free(struct hetckpt_snap_dedupe *table)
{
	if (!table)
		return;
	pthread_mutex_destroy(&table->lock);
	free(table->entry);
	free(table);
}

static bool key_equal(const struct hetckpt_snap_key *a, const struct hetckpt_snap_key *b)
{
	return a->guard == b->guard && a->length == b->length &&
		memcmp(a->hash.byte, b->hash.byte, sizeof(a->hash.byte)) == 0;
}

/* The entry of key, or the free one where it belongs. Half of them are free. */
static struct entry *lookup(struct entry *entry, size_t slots, const struct hetckpt_snap_key *key)
{
	size_t i = key->guard & (slots - 1);

	while (entry[i].key.length && !key_equal(&entry[i].key, key))
		i = (i + 1) & (slots - 1);
	return &entry[i];
}

static int grow(struct hetckpt_snap_dedupe *table)
{
	size_t slots = table->slots * 2, i;
	struct entry *entry = calloc(slots, sizeof(entry[0]));

	if (!entry)
		return -ENOMEM;
	for (i = 0; i < table->slots; i++)
		if (table->entry[i].key.length)
			*lookup(entry, slots, &table->entry[i].key) = table->entry[i];
	free(table->entry);
	table->entry = entry;
	table->slots = slots;
	return 0;
}

int hetckpt_snap_dedupe_claim(struct hetckpt_snap_dedupe *table, const struct hetckpt_snap_key *key,
	uint64_t number)
{
	struct entry *entry;
	int rc = 0;

	pthread_mutex_lock(&table->lock);
	entry = lookup(table->entry, table->slots, key);
	if (entry->key.length) {
		rc = entry->number < number;
		if (!rc)
			entry->number = number;
		goto out;
	}
	if (table->used >= table->slots / 2) {
		rc = grow(table);
		if (rc)
			goto out;
		entry = lookup(table->entry, table->slots, key);
	}
	*entry = (struct entry){ .key = *key, .number = number };
	table->used++;
out:
	pthread_mutex_unlock(&table->lock);
	return rc;
}

bool hetckpt_snap_dedupe_find(struct hetckpt_snap_dedupe *table, const struct hetckpt_snap_key *key,
	struct hetckpt_snap_chunk *chunk)
{
	struct entry *entry;
	bool found;

	pthread_mutex_lock(&table->lock);
	entry = lookup(table->entry, table->slots, key);
	found = entry->key.length && entry->offset;
	if (found) {
		chunk->offset = entry->offset;
		chunk->stored = entry->stored;
		chunk->method = entry->method;
		chunk->hash = key->hash;
	}
	pthread_mutex_unlock(&table->lock);
	return found;
}

void hetckpt_snap_dedupe_stored(struct hetckpt_snap_dedupe *table, const struct hetckpt_snap_key *key,
	const struct hetckpt_snap_chunk *chunk)
{
	struct entry *entry;

	pthread_mutex_lock(&table->lock);
	entry = lookup(table->entry, table->slots, key);
	if (entry->key.length) {
		entry->offset = chunk->offset;
		entry->stored = chunk->stored;
		entry->method = chunk->method;
	}
	pthread_mutex_unlock(&table->lock);
}
