/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Results of driver calls as errno and cudaError_t.
 *
 * The runtime API gave its errors the driver's numbers in CUDA 10.1, so a result that
 * has a counterpart has the same number; the table says which have one. Lasting results
 * are those after which NVIDIA's reference calls the context unusable ("the process must
 * be terminated"), and those of a GPU that is gone.
 */
#include "driver.h"

#include <errno.h>

#include "results.h"

struct row {
	cu_result result;
	struct cuda_result_facts facts;
};

#define ROW(number, name, runtime, code, lasting) {number, {-(code), runtime, lasting}},
static const struct row rows[] = {CUDA_RESULTS(ROW)};

struct cuda_result_facts cuda_result_facts(cu_result result)
{
	struct cuda_result_facts unknown = {-EREMOTEIO, 999, 0};

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].result == result)
			return rows[i].facts;
	return unknown;
}

const char *cuda_result_name(const struct cuda_driver *driver, cu_result result)
{
	const char *name = NULL;

	if (driver && !driver->error_name(result, &name) && name)
		return name;
	return "an unknown result";
}
