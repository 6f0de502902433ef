/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cooperative_groups/scan.h - what the threads of a tile or of coalesced threads have, taken
 * together up to each of them.
 *
 * inclusive_scan takes a thread's own value with those of lower ranks, exclusive_scan only
 * those; rank 0 then gets T(). Values have 4 or 8 bytes.
 */
#ifndef HETCKPT_CUDA_COOPERATIVE_GROUPS_SCAN_H
#define HETCKPT_CUDA_COOPERATIVE_GROUPS_SCAN_H

#include "reduce.h"

#if defined(__cplusplus) && defined(__CUDA__)

namespace cooperative_groups {

template <class Group, class T, class Operation>
static inline __device__ T inclusive_scan(const Group &group, T value, Operation operation)
{
	for (unsigned int ranks = 1; ranks < group.num_threads(); ranks *= 2) {
		T lower = group.shfl_up(value, ranks);

		if (group.thread_rank() >= ranks)
			value = operation(lower, value);
	}
	return value;
}

template <class Group, class T, class Operation>
static inline __device__ T exclusive_scan(const Group &group, T value, Operation operation)
{
	T lower = group.shfl_up(inclusive_scan(group, value, operation), 1);

	return group.thread_rank() == 0 ? T() : lower;
}

template <class Group, class T> static inline __device__ T inclusive_scan(const Group &group, T value)
{
	return inclusive_scan(group, value, plus<T>());
}

template <class Group, class T> static inline __device__ T exclusive_scan(const Group &group, T value)
{
	return exclusive_scan(group, value, plus<T>());
}

} // namespace cooperative_groups

#endif
#endif
