/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * reseal.h - makes the hashes of a damaged snapshot right again.
 *
 * Hashes stop nearly every change at the door. What lies behind the door is
 * tested with files whose hashes match: somebody who writes to a file on
 * purpose can do the same.
 */
#ifndef HETCKPT_TEST_SNAPSHOT_RESEAL_H
#define HETCKPT_TEST_SNAPSHOT_RESEAL_H

#include <stdbool.h>
#include <stddef.h>

/* Works out the trailer anew for data, as far as its lengths make sense. False if
   they do not; data is then unchanged. */
bool test_reseal(unsigned char *data, size_t bytes);

#endif
