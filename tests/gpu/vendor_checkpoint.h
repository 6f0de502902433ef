/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * vendor_checkpoint.h - NVIDIA's own checkpoint of a process, to compare with: the driver's
 * cuCheckpointProcess..., called by one process about another that holds device memory.
 */
#ifndef HETCKPT_TESTS_GPU_VENDOR_CHECKPOINT_H
#define HETCKPT_TESTS_GPU_VENDOR_CHECKPOINT_H

#include <stdint.h>

struct vendor_times {
	double lock, checkpoint, restore, unlock; /* seconds */
};

/*
 * Both run in processes of their own that have not used the driver before. hold takes bytes of
 * device memory in pieces of piece bytes, prints a line and waits for the end of its standard
 * input. measure does the four calls on process pid. 0, or 77 and a line in why if the driver
 * has no such calls or refuses.
 */
int vendor_hold(unsigned device, uint64_t bytes, uint64_t piece);
int vendor_measure(int pid, struct vendor_times *times, char why[200]);

#endif
