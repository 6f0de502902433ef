/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cooperative_groups/memcpy_async.h - copies that all threads of a group make together.
 *
 * They are made at once; wait() and wait_prior() are the group's barrier, behind which all of
 * the group see what was copied.
 */
#ifndef HETCKPT_CUDA_COOPERATIVE_GROUPS_MEMCPY_ASYNC_H
#define HETCKPT_CUDA_COOPERATIVE_GROUPS_MEMCPY_ASYNC_H

#include "../cooperative_groups.h"

#if defined(__cplusplus) && defined(__CUDA__)

namespace cooperative_groups {

namespace details {

template <class Unit, class Group>
static inline __device__ void copy_units(const Group &group, void *to, const void *from, size_t count)
{
	for (size_t i = group.thread_rank(); i < count; i += group.num_threads())
		((Unit *)to)[i] = ((const Unit *)from)[i];
}

} // namespace details

template <class Group, class T>
static inline __device__ void memcpy_async(const Group &group, T *__restrict__ to, const T *__restrict__ from,
                                           size_t bytes)
{
	size_t all = (size_t)to | (size_t)from | bytes;

	if (all % sizeof(int4) == 0)
		details::copy_units<int4>(group, to, from, bytes / sizeof(int4));
	else if (all % sizeof(int) == 0)
		details::copy_units<int>(group, to, from, bytes / sizeof(int));
	else
		details::copy_units<char>(group, to, from, bytes);
}

/* As many elements as both have. */
template <class Group, class T>
static inline __device__ void memcpy_async(const Group &group, T *__restrict__ to, size_t to_count,
                                           const T *__restrict__ from, size_t from_count)
{
	memcpy_async(group, to, from, (to_count < from_count ? to_count : from_count) * sizeof(T));
}

template <class Group> static inline __device__ void wait(const Group &group) { group.sync(); }
template <unsigned int Stages, class Group> static inline __device__ void wait_prior(const Group &group)
{
	group.sync();
}

} // namespace cooperative_groups

#endif
#endif
