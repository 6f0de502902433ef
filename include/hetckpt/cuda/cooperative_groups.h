/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cooperative_groups.h - groups of threads that synchronise and exchange values.
 *
 * thread_block, grid_group, thread_block_tile<N> for N up to 32, coalesced_group with
 * partitions by a predicate or a label, and thread_group for all but the grid.
 * cooperative_groups/reduce.h has reductions, scan.h scans, memcpy_async.h copies.
 * A grid's barrier is made here, of words in the module's memory and block barriers,
 * so a launch that uses it can be paused while blocks wait in it. One cooperative
 * launch of a module runs at a time.
 */
#ifndef HETCKPT_CUDA_COOPERATIVE_GROUPS_H
#define HETCKPT_CUDA_COOPERATIVE_GROUPS_H

#include "cuda_runtime.h"

#if defined(__cplusplus) && defined(__CUDA__)

/* Blocks that have arrived at the grid's barrier, and how often it has opened. */
static __device__ unsigned int __hetckpt_grid_arrived, __hetckpt_grid_opened;

namespace cooperative_groups {

namespace details {

static inline __device__ unsigned int thread_rank_in_block()
{
	return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

static inline __device__ unsigned int lane()
{
	return thread_rank_in_block() & 31;
}

/* The lanes of a group that lies in one warp. */
struct lanes {
	template <class Group> __device__ static unsigned int of(const Group &group) { return group.mask(); }
};

} // namespace details

class thread_block {
public:
	static constexpr bool is_block = true;
	__device__ static void sync() { __syncthreads(); }
	__device__ static unsigned int thread_rank() { return details::thread_rank_in_block(); }
	__device__ static unsigned int num_threads() { return blockDim.x * blockDim.y * blockDim.z; }
	__device__ static unsigned int size() { return num_threads(); }
	__device__ static dim3 group_index() { return dim3(blockIdx.x, blockIdx.y, blockIdx.z); }
	__device__ static dim3 thread_index() { return dim3(threadIdx.x, threadIdx.y, threadIdx.z); }
	__device__ static dim3 group_dim() { return dim3(blockDim.x, blockDim.y, blockDim.z); }
	__device__ static dim3 dim_threads() { return group_dim(); }
};

static inline __device__ thread_block this_thread_block() { return thread_block(); }

class grid_group {
public:
	__device__ static bool is_valid() { return true; }
	__device__ static unsigned long long num_blocks()
	{
		return (unsigned long long)gridDim.x * gridDim.y * gridDim.z;
	}
	__device__ static unsigned long long block_rank()
	{
		return blockIdx.x + (unsigned long long)gridDim.x * (blockIdx.y + (unsigned long long)gridDim.y * blockIdx.z);
	}
	__device__ static unsigned long long thread_rank()
	{
		return block_rank() * thread_block::num_threads() + thread_block::thread_rank();
	}
	__device__ static unsigned long long num_threads() { return num_blocks() * thread_block::num_threads(); }
	__device__ static unsigned long long size() { return num_threads(); }
	__device__ static dim3 group_dim() { return dim3(gridDim.x, gridDim.y, gridDim.z); }
	__device__ static dim3 dim_blocks() { return group_dim(); }
	__device__ static dim3 block_index() { return thread_block::group_index(); }

	/*
	 * The last block to arrive opens the barrier. All threads of a waiting block go
	 * around the loop together and agree by a block barrier, so that the whole block
	 * can be paused in it; its arrival is in memory and stays counted.
	 */
	__device__ static void sync()
	{
		bool first = details::thread_rank_in_block() == 0;
		unsigned int before = 0;

		__syncthreads();
		if (first) {
			__threadfence();
			before = __scoped_atomic_load_n(&__hetckpt_grid_opened, __ATOMIC_RELAXED,
			                                __MEMORY_SCOPE_DEVICE);
			if (atomicAdd(&__hetckpt_grid_arrived, 1u) + 1 == (unsigned int)num_blocks()) {
				__scoped_atomic_store_n(&__hetckpt_grid_arrived, 0u, __ATOMIC_RELAXED,
				                        __MEMORY_SCOPE_DEVICE);
				__threadfence();
				atomicAdd(&__hetckpt_grid_opened, 1u);
			}
		}
		while (!__syncthreads_or(first && __scoped_atomic_load_n(&__hetckpt_grid_opened, __ATOMIC_RELAXED,
		                                                         __MEMORY_SCOPE_DEVICE) != before))
			;
		__threadfence();
	}
};

static inline __device__ grid_group this_grid() { return grid_group(); }

/* Size neighbouring lanes of a warp; Size is a power of two up to 32. */
template <unsigned int Size, class Parent = void> class thread_block_tile {
	static_assert(Size && Size <= 32 && !(Size & (Size - 1)), "tiles have 1, 2, 4, 8, 16 or 32 threads");

public:
	__device__ static unsigned int thread_rank() { return details::lane() & (Size - 1); }
	__device__ static constexpr unsigned int num_threads() { return Size; }
	__device__ static constexpr unsigned int size() { return Size; }
	/* Which of the parent's tiles this is, and how many it has. */
	__device__ static unsigned int meta_group_rank() { return Parent::thread_rank() / Size; }
	__device__ static unsigned int meta_group_size() { return (Parent::num_threads() + Size - 1) / Size; }

	__device__ static void sync() { __syncwarp(mask()); }
	template <class T> __device__ static T shfl(T v, int rank) { return __shfl_sync(mask(), v, rank, Size); }
	template <class T> __device__ static T shfl_up(T v, unsigned int delta)
	{
		return __shfl_up_sync(mask(), v, delta, Size);
	}
	template <class T> __device__ static T shfl_down(T v, unsigned int delta)
	{
		return __shfl_down_sync(mask(), v, delta, Size);
	}
	template <class T> __device__ static T shfl_xor(T v, int lanes)
	{
		return __shfl_xor_sync(mask(), v, lanes, Size);
	}
	__device__ static int any(int p) { return __any_sync(mask(), p); }
	__device__ static int all(int p) { return __all_sync(mask(), p); }
	/* Bit i is the answer of rank i. */
	__device__ static unsigned int ballot(int p) { return __ballot_sync(mask(), p) >> base(); }
	template <class T> __device__ static unsigned int match_any(T v)
	{
		return __match_any_sync(mask(), v) >> base();
	}
	template <class T> __device__ static unsigned int match_all(T v, int &all)
	{
		return __match_all_sync(mask(), v, &all) >> base();
	}

private:
	friend struct details::lanes;
	friend class thread_group;
	__device__ static unsigned int base() { return details::lane() & ~(Size - 1); }
	__device__ static unsigned int mask() { return (0xffffffffu >> (32 - Size)) << base(); }
};

template <unsigned int Size, class Parent>
static inline __device__ thread_block_tile<Size, Parent> tiled_partition(const Parent &)
{
	return thread_block_tile<Size, Parent>();
}

/* What a tile was cut from is a value where the program's type does not say it. */
template <unsigned int Size> class thread_block_tile<Size, void>
	: public thread_block_tile<Size, thread_block> {
public:
	template <class Parent>
	__device__ thread_block_tile(const thread_block_tile<Size, Parent> &tile)
		: rank_(tile.meta_group_rank()), size_(tile.meta_group_size())
	{
	}
	__device__ unsigned int meta_group_rank() const { return rank_; }
	__device__ unsigned int meta_group_size() const { return size_; }

private:
	unsigned int rank_, size_;
};

/* Lanes of a warp that were together when the group was made; ranks by lane. */
class coalesced_group {
public:
	__device__ explicit coalesced_group(unsigned int lanes) : mask_(lanes) {}

	__device__ unsigned int thread_rank() const
	{
		return (unsigned int)__popc(mask_ & ((1u << details::lane()) - 1));
	}
	__device__ unsigned int num_threads() const { return (unsigned int)__popc(mask_); }
	__device__ unsigned int size() const { return num_threads(); }
	__device__ void sync() const { __syncwarp(mask_); }
	template <class T> __device__ T shfl(T v, unsigned int rank) const
	{
		return __shfl_sync(mask_, v, (int)lane_of(rank % num_threads()), 32);
	}
	template <class T> __device__ T shfl_up(T v, unsigned int delta) const
	{
		unsigned int rank = thread_rank();

		return __shfl_sync(mask_, v, (int)lane_of(rank < delta ? rank : rank - delta), 32);
	}
	template <class T> __device__ T shfl_down(T v, unsigned int delta) const
	{
		unsigned int rank = thread_rank();

		return __shfl_sync(mask_, v, (int)lane_of(rank + delta < num_threads() ? rank + delta : rank), 32);
	}
	__device__ int any(int p) const { return __any_sync(mask_, p); }
	__device__ int all(int p) const { return __all_sync(mask_, p); }
	__device__ unsigned int ballot(int p) const { return packed(__ballot_sync(mask_, p)); }

private:
	friend struct details::lanes;
	friend class thread_group;
	unsigned int mask_;

	__device__ unsigned int mask() const { return mask_; }
	__device__ unsigned int lane_of(unsigned int rank) const { return __fns(mask_, 0, (int)rank + 1); }
	/* Bits of lanes to bits of ranks. */
	__device__ unsigned int packed(unsigned int lanes) const
	{
		unsigned int out = 0, rank = 0;

		for (unsigned int left = mask_; left; left &= left - 1, rank++)
			out |= (lanes >> (__ffs((int)left) - 1) & 1) << rank;
		return out;
	}
};

static inline __device__ coalesced_group coalesced_threads() { return coalesced_group(__activemask()); }

/* Those threads of a tile or of coalesced threads that have the same answer, or label. */
template <class Group> static inline __device__ coalesced_group binary_partition(const Group &group, bool p)
{
	unsigned int all = details::lanes::of(group), yes = __ballot_sync(all, p);

	return coalesced_group(p ? yes : all & ~yes);
}

template <class Group, class Label>
static inline __device__ coalesced_group labeled_partition(const Group &group, Label label)
{
	return coalesced_group(__match_any_sync(details::lanes::of(group), label));
}

/* Any of a block, a tile and coalesced threads, for functions that take whatever they get. */
class thread_group {
public:
	__device__ thread_group(const thread_block &) : lanes_(0) {}
	template <unsigned int Size, class Parent>
	__device__ thread_group(const thread_block_tile<Size, Parent> &tile) : lanes_(tile.mask()) {}
	__device__ thread_group(const coalesced_group &group) : lanes_(group.mask_) {}

	__device__ unsigned int thread_rank() const
	{
		return lanes_ ? coalesced_group(lanes_).thread_rank() : thread_block::thread_rank();
	}
	__device__ unsigned int num_threads() const
	{
		return lanes_ ? (unsigned int)__popc(lanes_) : thread_block::num_threads();
	}
	__device__ unsigned int size() const { return num_threads(); }
	__device__ void sync() const
	{
		if (lanes_)
			__syncwarp(lanes_);
		else
			__syncthreads();
	}

private:
	friend __device__ thread_group tiled_partition(const thread_group &parent, unsigned int size);
	__device__ explicit thread_group(unsigned int lanes) : lanes_(lanes) {}

	unsigned int lanes_; /* of the group in its warp; 0: the block */
};

/* Size neighbouring ranks; size is a power of two up to 32. */
inline __device__ thread_group tiled_partition(const thread_group &parent, unsigned int size)
{
	unsigned int all = parent.lanes_ ? parent.lanes_ : 0xffffffffu, lanes = 0, rank = 0;
	unsigned int first = coalesced_group(all).thread_rank() / size * size;

	for (unsigned int left = all; left; left &= left - 1, rank++)
		if (rank - first < size)
			lanes |= left & -left;
	return thread_group(lanes);
}

template <class Group> static inline __device__ void sync(const Group &group) { group.sync(); }
template <class Group> static inline __device__ auto group_size(const Group &group) { return group.num_threads(); }
template <class Group> static inline __device__ auto thread_rank(const Group &group) { return group.thread_rank(); }

} // namespace cooperative_groups

#endif
#endif
