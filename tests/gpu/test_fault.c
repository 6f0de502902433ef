/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The CUDA back end when a kernel has broken the device, and after it. */
#include "gpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void round_of(struct gpu *g, unsigned round)
{
	struct hetckpt_kernel *wild, *fill;
	struct hetckpt_module *module;
	struct hetckpt_marker *before, *after, *later;
	struct nap_params nap = {g->base + 4096, 50000000, 1};
	struct fill_params params;
	struct test_module m;
	uint64_t stray = g->base + ARENA_BYTES / 2, when, begin;
	uint32_t word = 1;
	unsigned told;

	gpu_open(g);
	must(g, g->ops->map(g->device, g->base, 8 * MIB, &g->error), "map");
	module = load_kernels(g, &m, 0);
	wild = kernel_of(g, module, "wild");
	fill = kernel_of(g, module, "fill");
	params = (struct fill_params){g->base, 1000, round};
	must(g, launch(g, g->queue, fill, 4, 256, 0, 0, &params, FILL_BYTES), "launch");
	check(word_at(g, g->base + 4 * 999) == 999 + round, "round %u: the device works", round);
	before = mark(g, g->queue);
	must(g, g->ops->marker_wait(before, &when, &g->error), "marker_wait");
	told = atomic_load(&g->completed);
	/* Behind a nap, so that it happens when all this has been handed over. */
	must(g, launch(g, g->queue, kernel_of(g, module, "nap"), 1, 1, 0, 0, &nap, NAP_BYTES), "launch");
	must(g, launch(g, g->queue, wild, 1, 1, 0, 0, &stray, sizeof stray), "launch");
	after = mark(g, g->queue);
	begin = now_ns();
	check_rc(g, g->ops->marker_wait(after, &when, &g->error), -EIO, "a kernel's stray store fails its marker");
	note("%s", g->error.text);
	check(g->error.cuda == 700, "as cudaErrorIllegalAddress");
	check(now_ns() - begin < 5000000000u, "within %.1f ms", (double)(now_ns() - begin) / 1e6);
	check_rc(g, g->ops->marker_query(before, &when, &g->error), 0, "a marker before it stands");
	while (atomic_load(&g->completed) == told && now_ns() - begin < 2000000000u)
		nap_ns(100000);
	check(atomic_load(&g->completed) != told, "completed() was called");
	check_rc(g, launch(g, g->queue, fill, 4, 256, 0, 0, &params, FILL_BYTES), -EIO, "launches are refused then");
	check(strstr(g->error.text, "ILLEGAL_ADDRESS") && g->error.cuda == 700, "with the first cause");
	check_rc(g, g->ops->record(g->queue, &later, &g->error), -EIO, "and markers");
	check_rc(g, g->ops->map(g->device, g->base + 64 * MIB, 2 * MIB, &g->error), -EIO, "and memory");
	check_rc(g, g->ops->poke(g->device, g->base, &word, sizeof word, 1, &g->error), -EIO, "and pokes");
	check_rc(g, g->ops->queue_wait(g->queue, after, &g->error), -EIO, "and waits");
	check_rc(g, g->ops->marker_wait(after, &when, &g->error), -EIO, "the marker says so again");
	g->ops->marker_release(before);
	g->ops->marker_release(after);
	g->ops->module_unload(g->device, module);
	begin = now_ns();
	gpu_close(g);
	check(now_ns() - begin < 6000000000u, "a failed device is closed");
	test_module_free(&m);
}

/* NVIDIA does not promise that a process can use a device again that has failed in it. */
static void reopen(struct gpu *g)
{
	struct hetckpt_device *device;
	int rc = g->ops->open(g->index, g->base, ARENA_BYTES, NULL, &device, &g->error);

	note("opening it again in this process: %s", rc ? g->error.text : "works");
	if (!rc)
		g->ops->close(device);
}

/* Each round in a process of its own, as workers are. */
static int child(unsigned round, int argc, char **argv)
{
	struct gpu g;

	gpu_start(&g, argc, argv);
	round_of(&g, round);
	reopen(&g);
	return gpu_end(&g);
}

int main(int argc, char **argv)
{
	for (unsigned round = 1; round <= 2; round++) {
		int status = 0;
		pid_t pid;

		fflush(NULL);
		pid = fork();
		if (!pid)
			exit(child(round, argc, argv));
		if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
			fprintf(stderr, "round %u did not end well (status %d)\n", round, status);
			return 1;
		}
		if (WEXITSTATUS(status))
			return WEXITSTATUS(status);
	}
	return 0;
}
