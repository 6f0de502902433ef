/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * integer.h - integer intrinsics that clang's device headers leave out or write in
 * PTX. Expressed in C; the NVPTX back end finds the instructions.
 */
#ifndef HETCKPT_CUDA_DETAIL_INTEGER_H
#define HETCKPT_CUDA_DETAIL_INTEGER_H

/* (high:low) << (shift mod 32), upper word; "c": the shift is limited to 32. */
static inline __device__ unsigned int __funnelshift_l(unsigned int low, unsigned int high,
                                                      unsigned int shift)
{
	return (unsigned int)(((((unsigned long long)high << 32) | low) << (shift & 31)) >> 32);
}

static inline __device__ unsigned int __funnelshift_lc(unsigned int low, unsigned int high,
                                                       unsigned int shift)
{
	return shift >= 32 ? low : __funnelshift_l(low, high, shift);
}

static inline __device__ unsigned int __funnelshift_r(unsigned int low, unsigned int high,
                                                      unsigned int shift)
{
	return (unsigned int)((((unsigned long long)high << 32) | low) >> (shift & 31));
}

static inline __device__ unsigned int __funnelshift_rc(unsigned int low, unsigned int high,
                                                       unsigned int shift)
{
	return shift >= 32 ? high : __funnelshift_r(low, high, shift);
}

/*
 * Position of the offset-th bit of mask from base on: upwards for a positive
 * offset, downwards for a negative one, the bit at base itself for 0; ~0 if none.
 */
static inline __device__ unsigned int __fns(unsigned int mask, unsigned int base, int offset)
{
	int step = offset < 0 ? -1 : 1, left = offset < 0 ? -offset : offset;

	if (!left)
		return base < 32 && (mask >> base & 1) ? base : 0xffffffffu;
	for (int bit = (int)base; bit >= 0 && bit < 32; bit += step)
		if ((mask >> bit & 1) && !--left)
			return (unsigned int)bit;
	return 0xffffffffu;
}

static inline __device__ unsigned int __hetckpt_lane_sum_s8(int a, int b, unsigned int sum)
{
	for (int shift = 0; shift < 32; shift += 8)
		sum += (unsigned int)((signed char)(a >> shift) * (signed char)(b >> shift));
	return sum;
}

static inline __device__ int __dp4a(int a, int b, int c)
{
	return (int)__hetckpt_lane_sum_s8(a, b, (unsigned int)c);
}

static inline __device__ unsigned int __dp4a(unsigned int a, unsigned int b, unsigned int c)
{
	for (int shift = 0; shift < 32; shift += 8)
		c += (a >> shift & 255) * (b >> shift & 255);
	return c;
}

/* Sums with the half words of a and the low (lo) or high (hi) two bytes of b. */
static inline __device__ int __dp2a_lo(int a, int b, int c)
{
	return (int)((unsigned int)c + (unsigned int)((short)a * (signed char)b) +
	             (unsigned int)((short)(a >> 16) * (signed char)(b >> 8)));
}

static inline __device__ int __dp2a_hi(int a, int b, int c) { return __dp2a_lo(a, b >> 16, c); }

static inline __device__ unsigned int __dp2a_lo(unsigned int a, unsigned int b, unsigned int c)
{
	return c + (a & 0xffff) * (b & 255) + (a >> 16) * (b >> 8 & 255);
}

static inline __device__ unsigned int __dp2a_hi(unsigned int a, unsigned int b, unsigned int c)
{
	return __dp2a_lo(a, b >> 16, c);
}

#endif
