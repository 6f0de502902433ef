/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cooperative_groups/reduce.h - one value from those of all threads of a tile or of
 * coalesced threads.
 *
 * Every thread gets the result. Values have 4 or 8 bytes.
 */
#ifndef HETCKPT_CUDA_COOPERATIVE_GROUPS_REDUCE_H
#define HETCKPT_CUDA_COOPERATIVE_GROUPS_REDUCE_H

#include "../cooperative_groups.h"

#if defined(__cplusplus) && defined(__CUDA__)

namespace cooperative_groups {

template <class T> struct plus {
	__device__ T operator()(T a, T b) const { return a + b; }
};
template <class T> struct less {
	__device__ T operator()(T a, T b) const { return b < a ? b : a; }
};
template <class T> struct greater {
	__device__ T operator()(T a, T b) const { return a < b ? b : a; }
};
template <class T> struct bit_and {
	__device__ T operator()(T a, T b) const { return a & b; }
};
template <class T> struct bit_or {
	__device__ T operator()(T a, T b) const { return a | b; }
};
template <class T> struct bit_xor {
	__device__ T operator()(T a, T b) const { return a ^ b; }
};

/* Pairs, pairs of pairs, and so on: the order is the same in every lane. */
template <unsigned int Size, class Parent, class T, class Operation>
static inline __device__ T reduce(const thread_block_tile<Size, Parent> &group, T value, Operation operation)
{
	for (unsigned int lanes = Size / 2; lanes > 0; lanes /= 2)
		value = operation(value, group.shfl_xor(value, (int)lanes));
	return value;
}

/* By rank. */
template <class T, class Operation>
static inline __device__ T reduce(const coalesced_group &group, T value, Operation operation)
{
	T all = group.shfl(value, 0);

	for (unsigned int rank = 1; rank < group.num_threads(); rank++)
		all = operation(all, group.shfl(value, rank));
	return all;
}

} // namespace cooperative_groups

#endif
#endif
