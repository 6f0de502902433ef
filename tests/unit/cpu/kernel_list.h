/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The kernels of kernels.cpp and their variables, as the state map lists them. */
#ifndef HETCKPT_TESTS_CPU_KERNEL_LIST_H
#define HETCKPT_TESTS_CPU_KERNEL_LIST_H

#include "harness.h"

static const struct harness_kernel kernels[] = {
	{.name = "vadd", .params = "pppi"},
	{.name = "ids", .params = "p"},
	{.name = "by_value", .params = "pcPs"},
	{.name = "variables", .params = "p"},
	{.name = "arithmetic", .params = "pppp"},
	{.name = "rounding", .params = "pppp"},
	{.name = "recursion", .params = "p"},
	{.name = "half_fma", .params = "pppp"},
	{.name = "matmul", .params = "pppi", .static_shared = 2048},
	{.name = "block_sum", .params = "ppi"},
	{.name = "private_arrays", .params = "pi", .static_shared = 1024},
	{.name = "calls", .params = "pi"},
	{.name = "barrier_kinds", .params = "p"},
	{.name = "pipeline", .params = "pi", .static_shared = 260},
	{.name = "reduce", .params = "ppi", .static_shared = 128},
	{.name = "warp_kinds", .params = "pp"},
	{.name = "grid_barrier", .params = "ppi"},
	{.name = "lock", .params = "ppi"},
	{.name = "classify", .params = "p", .static_shared = 16},
	{.name = "print", .params = "i"},
	{.name = "ends", .params = "pi"},
	{.name = "lacks", .params = "p"},
	{.name = "forever", .params = "p"},
	{.name = "out_of_step", .params = "pi"},
	{.name = "uneven_loops", .params = "ppii"},
	{.name = "loops_and_barriers", .params = "ppii"},
	{.name = "leaving_loops", .params = "pi"},
	{.name = "paced_loops", .params = "ppi"},
	{.name = "strips", .params = "ppi"},
	{.name = "carrying_loop", .params = "ppi"},
	{.name = "picture", .params = "ppiiii"},
	{.name = "strays", .params = "pii"},
	{.name = "tally", .params = "ppppii"},
	{.name = "tally_mixed", .params = "pppii"},
};

static const char variables[] =
	"[{\"name\":\"counter\",\"offset\":0,\"bytes\":4,\"align\":4,\"constant\":false},"
	"{\"name\":\"weights\",\"offset\":16,\"bytes\":32,\"align\":4,\"constant\":false},"
	"{\"name\":\"scale\",\"offset\":48,\"bytes\":4,\"align\":4,\"constant\":true}]";

#endif
