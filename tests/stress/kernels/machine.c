/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "machine.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "table.h"

const char *const machine_mode_name[MACHINE_MODES] = {"undisturbed", "slices", "every poll", "random"};

#define ROUNDS_MAX 2000000u

uint64_t machine_random(uint64_t *state)
{
	uint64_t x = *state ? *state : 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(2);
}

/* Device memory lies in the arena: by that pointers to it are known. */
static void *region(size_t bytes)
{
	static uint64_t next = 0x200000000000ull;
	void *p = mmap((void *)(uintptr_t)next, bytes, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		die("memory in the arena", strerror(errno));
	next += (bytes + 0x1fffff) & ~(uint64_t)0x1fffff;
	return p;
}

static void *read_file(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	char *data = NULL;
	size_t n = 0, room = 0, got;

	if (!f)
		die(path, "cannot be opened");
	do {
		if (n == room) {
			room = room ? 2 * room : 65536;
			data = realloc(data, room);
			if (!data)
				die(path, "too large");
		}
		got = fread(data + n, 1, room - n, f);
		n += got;
	} while (got);
	fclose(f);
	*bytes = n;
	return data;
}

/* A copy of its own: its code and tables lie elsewhere, as they do on another device. */
static const struct hetckpt_cpu_module *load(const char *name, const void *data, size_t bytes)
{
	int fd = memfd_create("code", MFD_CLOEXEC);
	const struct hetckpt_cpu_module *code;
	char path[64];
	void *library;

	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		die(name, "cannot be copied");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		die(name, dlerror());
	code = dlsym(library, HETCKPT_CPU_MODULE_SYMBOL);
	if (!code || code->abi != HETCKPT_ABI_VERSION)
		die(name, "is not a module of this ABI");
	return code; /* fd stays open: two copies must not share a name */
}

void machine_open(struct machine *m, const char *image, const char *code)
{
	char error[HETCKPT_STATEMAP_ERROR] = "";
	size_t bytes;
	void *data = read_file(image, &bytes);

	memset(m, 0, sizeof *m);
	if (hetckpt_image_open(data, bytes, &m->image, error, sizeof error) ||
	    hetckpt_map_parse_image(m->image, &m->map, error, sizeof error))
		die(image, error);
	free(data);
	data = read_file(code, &bytes);
	for (int i = 0; i < 2; i++)
		m->code[i] = load(code, data, bytes);
	free(data);
	m->out = region(MACHINE_OUT_BYTES);
	m->in = region(MACHINE_IN_BYTES);
	m->acc = region(MACHINE_ACC_BYTES);
	m->flags = region(HETCKPT_FLAG_BYTES);
	m->variables = region(m->map->variable_bytes + 1);
}

/* ---- Memory that kernels see --------------------------------------------- */

static void memory_reset(struct machine *m)
{
	uint64_t state = 0x5eed;

	memset(m->out, 0, MACHINE_OUT_BYTES);
	memset(m->acc, 0, MACHINE_ACC_BYTES);
	for (size_t i = 0; i < MACHINE_IN_BYTES / 4; i++) {
		uint32_t word = (uint32_t)(machine_random(&state) >> 20);

		memcpy(m->in + 4 * i, &word, 4);
	}
	memset(m->variables, 0, m->map->variable_bytes);
	if (m->image->data_bytes)
		memcpy(m->variables, m->image->data, m->image->data_bytes);
	for (uint32_t i = 0; i < m->map->relocations; i++) {
		const struct hetckpt_map_relocation *r = &m->map->relocation[i];
		uint64_t address = (uintptr_t)m->variables + m->map->variable[r->target].offset + (uint64_t)r->addend;

		memcpy(m->variables + r->offset, &address, 8);
	}
}

size_t machine_memory_bytes(const struct machine *m)
{
	return MACHINE_OUT_BYTES + MACHINE_IN_BYTES + MACHINE_ACC_BYTES + m->map->variable_bytes;
}

void machine_memory_copy(const struct machine *m, unsigned char *to)
{
	memcpy(to, m->out, MACHINE_OUT_BYTES);
	memcpy(to += MACHINE_OUT_BYTES, m->in, MACHINE_IN_BYTES);
	memcpy(to += MACHINE_IN_BYTES, m->acc, MACHINE_ACC_BYTES);
	memcpy(to + MACHINE_ACC_BYTES, m->variables, m->map->variable_bytes);
}

size_t machine_memory_compare(const struct machine *m, const unsigned char *with, const char **area)
{
	const struct { const char *name; const unsigned char *at; size_t bytes; } part[] = {
		{"output", m->out, MACHINE_OUT_BYTES},
		{"input", m->in, MACHINE_IN_BYTES},
		{"accumulators", m->acc, MACHINE_ACC_BYTES},
		{"variables", m->variables, m->map->variable_bytes},
	};

	for (size_t p = 0; p < sizeof part / sizeof *part; with += part[p++].bytes) {
		if (!memcmp(part[p].at, with, part[p].bytes))
			continue;
		*area = part[p].name;
		for (size_t i = 0;; i++)
			if (part[p].at[i] != with[i])
				return i;
	}
	return SIZE_MAX;
}

/* ---- Running blocks -------------------------------------------------------- */

static uint64_t parameters(const struct machine *m, const struct hetckpt_map_kernel *kernel, unsigned char *to)
{
	uint64_t pointer[3] = {(uintptr_t)m->out, (uintptr_t)m->in, (uintptr_t)m->acc};

	for (uint32_t i = 0; i < kernel->params; i++) {
		const struct hetckpt_map_param *p = &kernel->param[i];

		if (i < 3 && p->bytes == 8)
			memcpy(to + p->offset, &pointer[i], 8);
		else if (p->bytes == 4)
			memcpy(to + p->offset, &m->launch.n, 4);
		else
			for (uint32_t b = 0; b < p->bytes; b++)
				to[p->offset + b] = (unsigned char)(1 + (b * 37 + m->launch.n) % 61);
	}
	return ((uint64_t)kernel->param_bytes + 7) / 8 * 8;
}

static const struct hetckpt_cpu_function *find(const struct hetckpt_cpu_module *code, const char *prefix,
                                               const char *name)
{
	size_t n = strlen(prefix);

	for (uint32_t i = 0; i < code->functions; i++)
		if (!strncmp(code->function[i].name, prefix, n) && !strcmp(code->function[i].name + n, name))
			return &code->function[i];
	return NULL;
}

/* The function that runs now. The scheduler calls it through a wrapper that moves the
   flag, so that random pauses are the same each time for the same seed. */
static struct {
	const struct hetckpt_cpu_function *real;
	uint32_t *flag; /* NULL: leave it alone */
	uint64_t random;
} running;

static void toss(void)
{
	uint64_t r = machine_random(&running.random);

	running.flag[0] = r % 3 ? HETCKPT_FLAG_RUN : HETCKPT_FLAG_PAUSE_STARTED;
	if (r % 16 == 1)
		running.flag[0] = HETCKPT_FLAG_PAUSE;
}

static uint32_t wrapper(struct hetckpt_cpu_block *b, uint32_t site, uint32_t first, uint32_t count)
{
	uint32_t r;

	if (running.flag)
		toss();
	r = running.real->run(b, site, first, count);
	if (running.flag)
		toss();
	return r;
}

struct run {
	struct machine *m;
	struct cpu_launch launch;
	struct hetckpt_kernel kernel;
	struct hetckpt_device device;
	struct hetckpt_module module;
	struct hetckpt_cpu_function function;
	struct cpu_slot slot;
	_Alignas(16) unsigned char params[8192];   /* as they should be */
	_Alignas(16) unsigned char place[2][8192]; /* where they are: elsewhere in each launch */
	struct machine_result *result;
	uint64_t record; /* offset of the launch record in params */
	uint64_t random;
};

static void run_open(struct run *r, struct machine *m, const struct hetckpt_map_kernel *kernel, uint64_t seed,
                     struct machine_result *result)
{
	memset(r, 0, sizeof *r);
	r->m = m;
	r->result = result;
	r->random = seed;
	r->kernel.module = &r->module;
	r->kernel.function = &r->function;
	r->kernel.name = kernel->name;
	r->kernel.signature = kernel->name;
	/* From far shorter strips than planned to far longer ones. */
	for (unsigned i = 0; i < HETCKPT_CPU_PACES; i++)
		r->kernel.pace[i] = 1u << machine_random(&r->random) % 20;
	r->module.variables = (uintptr_t)m->variables;
	r->launch.device = &r->device;
	r->launch.kernel = &r->kernel;
	memcpy(r->launch.block, m->launch.block, sizeof r->launch.block);
	r->launch.threads = m->launch.block[0] * m->launch.block[1] * m->launch.block[2];
	r->launch.dynamic_shared = m->launch.dynamic_shared;
	memset(m->flags, 0, HETCKPT_FLAG_BYTES);
	memory_reset(m);
}

static int run_select(struct run *r, const char *prefix, enum hetckpt_variant variant)
{
	const struct hetckpt_cpu_function *f = find(r->m->code[r->result->rounds & 1], prefix, r->kernel.name);

	if (!f) {
		snprintf(r->result->error, sizeof r->result->error, "the code has no %s%s", prefix, r->kernel.name);
		return -1;
	}
	running.real = f;
	r->function = *f;
	r->function.run = wrapper;
	r->kernel.variant = variant;
	return 0;
}

/* Runs one hardware block to its end (or until it has parked). */
static int run_block(struct run *r, uint64_t block)
{
	struct cpu_slot *slot = &r->slot;
	enum cpu_outcome outcome;

	if (cpu_slot_begin(slot, &r->launch, block)) {
		snprintf(r->result->error, sizeof r->result->error, "no memory for a block");
		return -1;
	}
	/* Nothing survives from the block before. */
	for (uint32_t i = 0; i < slot->block.shared_bytes; i++)
		slot->block.shared[i] = (char)machine_random(&r->random);
	memset(slot->block.frames, (int)(machine_random(&r->random) & 0xff),
	       (size_t)r->launch.threads * r->function.frame_bytes);
	running.flag = r->device.schedule ? (uint32_t *)(uintptr_t)slot->block.flag : NULL;
	if (!r->launch.record)
		running.flag = NULL;
	running.random = machine_random(&r->random);
	do {
		outcome = cpu_slot_run(slot);
	} while (outcome == CPU_BLOCK_YIELDS);
	if (outcome == CPU_BLOCK_FAULT)
		snprintf(r->result->error, sizeof r->result->error, "block %llu, threads start at %p: %s",
		         (unsigned long long)block, (void *)slot->block.frames,
		         slot->failure[0] ? slot->failure : "fault");
	cpu_slot_end(slot);
	return outcome == CPU_BLOCK_FAULT ? -1 : 0;
}

static void shuffle(struct run *r, uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	if (!r->device.schedule)
		return;
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = (uint32_t)(machine_random(&r->random) % i), t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
}

static int run_grid(struct run *r, uint32_t blocks)
{
	uint32_t *order = calloc(blocks, sizeof *order);
	int rc = order ? 0 : -1, here = r->result->rounds & 1;

	memcpy(r->place[here], r->params, sizeof r->params);
	memset(r->place[!here], 0xc5, sizeof r->params);
	r->launch.params = (const char *)r->place[here];
	if (r->launch.record)
		r->launch.record = (const void *)(r->place[here] + r->record);

	if (order)
		shuffle(r, order, blocks);
	r->launch.total = blocks;
	for (uint32_t i = 0; i < blocks && !rc; i++)
		rc = run_block(r, order[i]);
	free(order);
	r->result->rounds++;
	return rc;
}

static uint32_t grid_blocks(const struct machine *m)
{
	return m->launch.grid[0] * m->launch.grid[1] * m->launch.grid[2];
}

void machine_run_original(struct machine *m, const struct hetckpt_map_kernel *kernel, uint64_t seed,
                          struct machine_result *result)
{
	struct run r;

	run_open(&r, m, kernel, seed ? seed : 1, result);
	r.device.schedule = seed;
	memcpy(r.launch.grid, m->launch.grid, sizeof r.launch.grid);
	parameters(m, kernel, r.params);
	if (!run_select(&r, "", HETCKPT_VARIANT_ORIGINAL))
		run_grid(&r, grid_blocks(m));
	cpu_slot_free(&r.slot);
}

/* One block a launch, in random order. */
static int run_slices(struct run *r, struct hetckpt_launch *record)
{
	uint32_t blocks = grid_blocks(r->m), *order = calloc(blocks, sizeof *order);
	int rc = order ? 0 : -1;

	r->device.schedule = r->random;
	if (order)
		shuffle(r, order, blocks);
	r->device.schedule = 0;
	for (uint32_t i = 0; i < blocks && !rc; i++) {
		for (int d = 0; d < 3; d++)
			r->launch.grid[d] = 1;
		record->base[0] = order[i] % record->grid[0];
		record->base[1] = order[i] / record->grid[0] % record->grid[1];
		record->base[2] = order[i] / record->grid[0] / record->grid[1];
		rc = run_grid(r, 1);
	}
	free(order);
	return rc;
}

void machine_run(struct machine *m, const struct hetckpt_map_kernel *kernel, enum machine_mode mode,
                 uint64_t seed, struct machine_result *result)
{
	struct hetckpt_launch *record;
	struct table *park = NULL, *resume = NULL;
	uint32_t word = mode == MACHINE_EVERY ? HETCKPT_FLAG_PAUSE_STARTED : HETCKPT_FLAG_RUN, blocks, count;
	struct run r;

	run_open(&r, m, kernel, seed, result);
	r.record = parameters(m, kernel, r.params);
	record = (void *)(r.params + r.record);
	memcpy(record->grid, m->launch.grid, sizeof record->grid);
	memcpy(r.launch.grid, m->launch.grid, sizeof r.launch.grid);
	record->flags = (uintptr_t)m->flags;
	record->dynamic_shared = m->launch.dynamic_shared;
	record->variables = (uintptr_t)m->variables;
	r.launch.record = record;
	r.device.schedule = mode == MACHINE_RANDOM ? seed : 0;
	for (uint32_t i = 0; i < HETCKPT_FLAG_LINES; i++)
		memcpy(m->flags + i * HETCKPT_FLAG_STRIDE, &word, 4);
	blocks = grid_blocks(m);
	if (run_select(&r, HETCKPT_RUN_PREFIX, HETCKPT_VARIANT_RUN))
		goto out;
	park = table_make(kernel, &m->launch, blocks);
	record->frames = table_address(park);
	if (mode == MACHINE_SLICES ? run_slices(&r, record) : run_grid(&r, blocks))
		goto out;
	if (!kernel->polls) {
		if (table_count(park))
			snprintf(result->error, sizeof result->error, "a kernel without polls parked");
		goto out;
	}
	/* What is parked moves to a fresh table, and the resume variant goes on from that. */
	while ((count = table_count(park))) {
		if (result->rounds > ROUNDS_MAX) {
			snprintf(result->error, sizeof result->error, "still parked after %u rounds", ROUNDS_MAX);
			break;
		}
		resume = table_move(park, &r.random, result);
		table_free(park);
		park = table_make(kernel, &m->launch, count);
		if (result->error[0] || run_select(&r, HETCKPT_RESUME_PREFIX, HETCKPT_VARIANT_RESUME))
			break;
		record->frames = table_address(park);
		record->resume = table_address(resume);
		record->list = table_list(resume);
		record->count = count;
		r.launch.grid[0] = count;
		r.launch.grid[1] = r.launch.grid[2] = 1;
		if (run_grid(&r, count))
			break;
		table_free(resume);
		resume = NULL;
	}
out:
	table_free(park);
	table_free(resume);
	cpu_slot_free(&r.slot);
}
