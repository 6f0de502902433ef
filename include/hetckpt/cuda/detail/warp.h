/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * warp.h - shuffles, votes, matches and reductions over the lanes of a warp, and
 * block barriers other than __syncthreads().
 *
 * Types other than 32-bit words are moved as words; a 64-bit value is two shuffles.
 */
#ifndef HETCKPT_CUDA_DETAIL_WARP_H
#define HETCKPT_CUDA_DETAIL_WARP_H

static inline __device__ void __syncwarp(unsigned int mask = 0xffffffffu) { __nvvm_bar_warp_sync(mask); }
static inline __device__ void __barrier_sync(unsigned int id) { __nvvm_barrier_sync(id); }
static inline __device__ void __barrier_sync_count(unsigned int id, unsigned int threads)
{ __nvvm_barrier_sync_cnt(id, threads); }

static inline __device__ int __all_sync(unsigned int mask, int p) { return __nvvm_vote_all_sync(mask, p); }
static inline __device__ int __any_sync(unsigned int mask, int p) { return __nvvm_vote_any_sync(mask, p); }
static inline __device__ int __uni_sync(unsigned int mask, int p) { return __nvvm_vote_uni_sync(mask, p); }
static inline __device__ unsigned int __ballot_sync(unsigned int mask, int p)
{ return __nvvm_vote_ballot_sync(mask, p); }
static inline __device__ unsigned int __activemask(void) { return __nvvm_activemask(); }

static inline __device__ unsigned int __lane_id(void) { return __nvvm_read_ptx_sreg_laneid(); }

/*
 * One word through the shuffle unit. PTX packs the segment (from the width) and the
 * clamping lane into one operand: (32 - width) << 8 | clamp.
 */
struct __hetckpt_shuffle_index {
	static inline __device__ int word(unsigned int mask, int v, int lane, int width)
	{ return __nvvm_shfl_sync_idx_i32(mask, v, lane, (32 - width) << 8 | 31); }
};
struct __hetckpt_shuffle_up {
	static inline __device__ int word(unsigned int mask, int v, int delta, int width)
	{ return __nvvm_shfl_sync_up_i32(mask, v, delta, (32 - width) << 8); }
};
struct __hetckpt_shuffle_down {
	static inline __device__ int word(unsigned int mask, int v, int delta, int width)
	{ return __nvvm_shfl_sync_down_i32(mask, v, delta, (32 - width) << 8 | 31); }
};
struct __hetckpt_shuffle_xor {
	static inline __device__ int word(unsigned int mask, int v, int lanes, int width)
	{ return __nvvm_shfl_sync_bfly_i32(mask, v, lanes, (32 - width) << 8 | 31); }
};

template <class Kind, class T>
static inline __device__ T __hetckpt_shuffle(unsigned int mask, T v, int operand, int width)
{
	if constexpr (sizeof(T) == 4) {
		return __builtin_bit_cast(T, Kind::word(mask, __builtin_bit_cast(int, v), operand, width));
	} else {
		static_assert(sizeof(T) == 8, "shuffled values have 4 or 8 bytes");
		unsigned long long bits = __builtin_bit_cast(unsigned long long, v);
		unsigned int low = Kind::word(mask, (int)bits, operand, width);
		unsigned int high = Kind::word(mask, (int)(bits >> 32), operand, width);

		return __builtin_bit_cast(T, (unsigned long long)high << 32 | low);
	}
}

#define HETCKPT_SHUFFLES_(type)                                                \
	static inline __device__ type __shfl_sync(unsigned int mask, type v, int lane, int width = 32) \
	{ return __hetckpt_shuffle<__hetckpt_shuffle_index>(mask, v, lane, width); } \
	static inline __device__ type __shfl_up_sync(unsigned int mask, type v, unsigned int delta, \
	                                             int width = 32)           \
	{ return __hetckpt_shuffle<__hetckpt_shuffle_up>(mask, v, (int)delta, width); } \
	static inline __device__ type __shfl_down_sync(unsigned int mask, type v, unsigned int delta, \
	                                               int width = 32)         \
	{ return __hetckpt_shuffle<__hetckpt_shuffle_down>(mask, v, (int)delta, width); } \
	static inline __device__ type __shfl_xor_sync(unsigned int mask, type v, int lanes, int width = 32) \
	{ return __hetckpt_shuffle<__hetckpt_shuffle_xor>(mask, v, lanes, width); }
HETCKPT_SHUFFLES_(int)
HETCKPT_SHUFFLES_(unsigned int)
HETCKPT_SHUFFLES_(long)
HETCKPT_SHUFFLES_(unsigned long)
HETCKPT_SHUFFLES_(long long)
HETCKPT_SHUFFLES_(unsigned long long)
HETCKPT_SHUFFLES_(float)
HETCKPT_SHUFFLES_(double)
#undef HETCKPT_SHUFFLES_

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 700
#define HETCKPT_MATCH_(type, bits, word)                                       \
	static inline __device__ unsigned int __match_any_sync(unsigned int mask, type v) \
	{ return __nvvm_match_any_sync_i##bits(mask, __builtin_bit_cast(word, v)); } \
	static inline __device__ unsigned int __match_all_sync(unsigned int mask, type v, int *all) \
	{ return __nvvm_match_all_sync_i##bits##p(mask, __builtin_bit_cast(word, v), all); }
HETCKPT_MATCH_(int, 32, unsigned int)
HETCKPT_MATCH_(unsigned int, 32, unsigned int)
HETCKPT_MATCH_(float, 32, unsigned int)
HETCKPT_MATCH_(long, 64, unsigned long long)
HETCKPT_MATCH_(unsigned long, 64, unsigned long long)
HETCKPT_MATCH_(long long, 64, unsigned long long)
HETCKPT_MATCH_(unsigned long long, 64, unsigned long long)
HETCKPT_MATCH_(double, 64, unsigned long long)
#undef HETCKPT_MATCH_
#endif

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
static inline __device__ unsigned int __reduce_add_sync(unsigned int mask, unsigned int v)
{ return __nvvm_redux_sync_add((int)v, mask); }
static inline __device__ int __reduce_add_sync(unsigned int mask, int v)
{ return __nvvm_redux_sync_add(v, mask); }
static inline __device__ unsigned int __reduce_min_sync(unsigned int mask, unsigned int v)
{ return __nvvm_redux_sync_umin(v, mask); }
static inline __device__ unsigned int __reduce_max_sync(unsigned int mask, unsigned int v)
{ return __nvvm_redux_sync_umax(v, mask); }
static inline __device__ int __reduce_min_sync(unsigned int mask, int v)
{ return __nvvm_redux_sync_min(v, mask); }
static inline __device__ int __reduce_max_sync(unsigned int mask, int v)
{ return __nvvm_redux_sync_max(v, mask); }
static inline __device__ unsigned int __reduce_and_sync(unsigned int mask, unsigned int v)
{ return __nvvm_redux_sync_and((int)v, mask); }
static inline __device__ unsigned int __reduce_or_sync(unsigned int mask, unsigned int v)
{ return __nvvm_redux_sync_or((int)v, mask); }
static inline __device__ unsigned int __reduce_xor_sync(unsigned int mask, unsigned int v)
{ return __nvvm_redux_sync_xor((int)v, mask); }
#endif

#endif
