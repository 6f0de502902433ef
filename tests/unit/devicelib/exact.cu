/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * exact.cu - device functions whose results are fixed to the bit.
 *
 * Runs each of them on the same pseudo-random and special values and prints its name
 * and a hash of the results. The output does not depend on the compiler, the maths
 * library or the device: exact.txt is what NVIDIA's compiler, library and GPU give,
 * and every other way of running this program has to print the same.
 */
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include <cuda_runtime.h>

constexpr unsigned COUNT = 1 << 14;

__host__ __device__ inline uint32_t hash32(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x7feb352du;
	x ^= x >> 15;
	x *= 0x846ca68bu;
	return x ^ x >> 16;
}

/* Bit patterns: special ones first, then random. */
struct Inputs {
	uint32_t a, b, c;

	__device__ explicit Inputs(unsigned i)
	{
		const uint32_t special[16] = {0, 0x80000000u, 1, 0xffffffffu, 0x7f800000u, 0xff800000u,
		                              0x3f800000u, 0xbf800000u, 0x00800000u, 0x007fffffu, 0x7f7fffffu,
		                              0x4f000000u, 0xcf000000u, 0x5f000000u, 0x3f000000u, 0xc0200000u};

		a = i < 256 ? special[i & 15] : hash32(3 * i);
		b = i < 256 ? special[i >> 4] : hash32(3 * i + 1);
		c = hash32(3 * i + 2);
	}
	__device__ float fa() const { return __uint_as_float(a); }
	__device__ float fb() const { return __uint_as_float(b); }
	__device__ float fc() const { return __uint_as_float(c); }
	/* of moderate size, so that sums and conversions do not only overflow */
	__device__ float ga() const { return (float)(int)a * 0x1p-12f; }
	__device__ float gb() const { return (float)(int)b * 0x1p-20f; }
	__device__ double da() const
	{
		return a < 64 || a > 0xffffff00u ? (double)fa() : __hiloint2double((int)a, (int)c);
	}
	__device__ double db() const { return __hiloint2double((int)b, (int)hash32(c)); }
	__device__ double ea() const { return (double)(int)a * 0x1p-9 + (double)(int)c * 0x1p-45; }
	__device__ double eb() const { return (double)(int)b * 0x1p-21 + (double)c * 0x1p-50; }
};

/* A NaN's payload is not fixed; that it is one, is. */
__device__ inline uint64_t bits(float x) { return x != x ? 0x7fffffffu : __float_as_uint(x); }
__device__ inline uint64_t bits(double x)
{
	return x != x ? 0x7fffffffffffffffu : (uint64_t)__double_as_longlong(x);
}
__device__ inline uint64_t bits(int x) { return (uint32_t)x; }
__device__ inline uint64_t bits(unsigned x) { return x; }
__device__ inline uint64_t bits(long x) { return (uint64_t)x; }
__device__ inline uint64_t bits(unsigned long x) { return x; }
__device__ inline uint64_t bits(long long x) { return (uint64_t)x; }
__device__ inline uint64_t bits(unsigned long long x) { return x; }

#define TESTS(T)                                                                               \
	T(brev, __brev(v.a)) T(brevll, __brevll(w)) T(clz, __clz((int)(v.a >> (v.c & 31))))    \
	T(clzll, __clzll((long long)(w >> (v.c & 63)))) T(ffs, __ffs((int)(v.a << (v.c & 31)))) \
	T(ffsll, __ffsll((long long)(w << (v.c & 63)))) T(popc, __popc(v.a)) T(popcll, __popcll(w)) \
	T(byte_perm, __byte_perm(v.a, v.b, v.c)) T(mul24, __mul24((int)v.a, (int)v.b))         \
	T(umul24, __umul24(v.a, v.b)) T(mulhi, __mulhi((int)v.a, (int)v.b))                    \
	T(umulhi, __umulhi(v.a, v.b)) T(mul64hi, __mul64hi((long long)w, (long long)z))        \
	T(umul64hi, __umul64hi(w, z)) T(hadd, __hadd((int)v.a, (int)v.b))                      \
	T(rhadd, __rhadd((int)v.a, (int)v.b)) T(uhadd, __uhadd(v.a, v.b))                      \
	T(urhadd, __urhadd(v.a, v.b)) T(sad, __sad((int)v.a, (int)v.b, v.c))                   \
	T(usad, __usad(v.a, v.b, v.c)) T(abs, abs((int)v.a)) T(min, min((int)v.a, (int)v.b))   \
	T(max, max((int)v.a, (int)v.b)) T(funnel_l, __funnelshift_l(v.a, v.b, v.c))            \
	T(funnel_lc, __funnelshift_lc(v.a, v.b, v.c & 63))                                     \
	T(funnel_r, __funnelshift_r(v.a, v.b, v.c)) T(funnel_rc, __funnelshift_rc(v.a, v.b, v.c & 63)) \
	T(dp4a, __dp4a((int)v.a, (int)v.b, (int)v.c)) T(dp4au, __dp4a(v.a, v.b, v.c))          \
	T(dp2a_lo, __dp2a_lo((int)v.a, (int)v.b, (int)v.c)) T(dp2a_hi, __dp2a_hi((int)v.a, (int)v.b, (int)v.c)) \
	T(dp2au_lo, __dp2a_lo(v.a, v.b, v.c)) T(dp2au_hi, __dp2a_hi(v.a, v.b, v.c))            \
	T(fns, __fns(v.a, v.c & 31, (int)(v.b & 15) - 7))                                      \
	T(f2i_rn, __float2int_rn(v.fa()) ^ __float2int_rn(v.ga())) T(f2i_rz, __float2int_rz(v.fa()) ^ __float2int_rz(v.ga())) \
	T(f2i_rd, __float2int_rd(v.fa()) ^ __float2int_rd(v.ga())) T(f2i_ru, __float2int_ru(v.fa()) ^ __float2int_ru(v.ga())) \
	T(f2u_rn, __float2uint_rn(v.fa()) ^ __float2uint_rn(v.ga())) T(f2u_rz, __float2uint_rz(v.fa())) \
	T(f2u_rd, __float2uint_rd(v.fa())) T(f2u_ru, __float2uint_ru(v.ga()))                  \
	T(f2ll_rn, __float2ll_rn(v.fa())) T(f2ll_rd, __float2ll_rd(v.ga())) T(f2ull_rz, __float2ull_rz(v.fa())) \
	T(d2i_rn, __double2int_rn(v.da()) ^ __double2int_rn(v.ea())) T(d2i_rz, __double2int_rz(v.da())) \
	T(d2i_rd, __double2int_rd(v.ea())) T(d2i_ru, __double2int_ru(v.ea()))                  \
	T(d2u_rn, __double2uint_rn(v.da())) T(d2u_rz, __double2uint_rz(v.ea()))                \
	T(d2ll_rn, __double2ll_rn(v.da())) T(d2ll_rd, __double2ll_rd(v.ea())) T(d2ull_rz, __double2ull_rz(v.da())) \
	T(d2f_rn, __double2float_rn(v.da())) T(d2f_rd, __double2float_rd(v.ea()))              \
	T(d2f_ru, __double2float_ru(v.ea())) T(d2f_rz, __double2float_rz(v.da()))              \
	T(i2f_rn, __int2float_rn((int)v.a)) T(i2f_rd, __int2float_rd((int)v.a))                \
	T(i2f_ru, __int2float_ru((int)v.a)) T(i2f_rz, __int2float_rz((int)v.a))                \
	T(u2f_rd, __uint2float_rd(v.a)) T(u2f_ru, __uint2float_ru(v.a))                        \
	T(ll2f_rn, __ll2float_rn((long long)w)) T(ll2f_rd, __ll2float_rd((long long)w))        \
	T(ull2f_ru, __ull2float_ru(w)) T(ll2d_rn, __ll2double_rn((long long)w))                \
	T(ll2d_rz, __ll2double_rz((long long)w)) T(ull2d_ru, __ull2double_ru(w))               \
	T(fadd_rd, __fadd_rd(v.fa(), v.fb())) T(fadd_ru, __fadd_ru(v.ga(), v.gb()))            \
	T(fadd_rz, __fadd_rz(v.ga(), v.gb())) T(fadd_rn, __fadd_rn(v.fa(), v.fb()))            \
	T(fsub_rd, __fsub_rd(v.ga(), v.gb())) T(fsub_ru, __fsub_ru(v.fa(), v.fb()))            \
	T(fmul_rd, __fmul_rd(v.fa(), v.fb())) T(fmul_ru, __fmul_ru(v.ga(), v.gb()))            \
	T(fmul_rz, __fmul_rz(v.ga(), v.gb())) T(fdiv_rd, __fdiv_rd(v.ga(), v.gb()))            \
	T(fdiv_ru, __fdiv_ru(v.fa(), v.fb())) T(fdiv_rz, __fdiv_rz(v.ga(), v.gb()))            \
	T(frcp_rn, __frcp_rn(v.fa())) T(frcp_rd, __frcp_rd(v.ga())) T(frcp_ru, __frcp_ru(v.ga())) \
	T(fsqrt_rn, __fsqrt_rn(v.fa())) T(fsqrt_rd, __fsqrt_rd(v.fa())) T(fsqrt_ru, __fsqrt_ru(v.fa())) \
	T(fmaf_rn, __fmaf_rn(v.fa(), v.fb(), v.fc())) T(fmaf_rd, __fmaf_rd(v.ga(), v.gb(), v.fc())) \
	T(fmaf_ru, __fmaf_ru(v.ga(), v.gb(), v.ga())) T(fmaf_rz, __fmaf_rz(v.fa(), v.fb(), v.fc())) \
	T(dadd_rd, __dadd_rd(v.ea(), v.eb())) T(dadd_ru, __dadd_ru(v.da(), v.db()))            \
	T(dmul_rd, __dmul_rd(v.ea(), v.eb())) T(dmul_rz, __dmul_rz(v.da(), v.db()))            \
	T(ddiv_ru, __ddiv_ru(v.ea(), v.eb())) T(ddiv_rz, __ddiv_rz(v.da(), v.db()))            \
	T(drcp_rd, __drcp_rd(v.ea())) T(dsqrt_ru, __dsqrt_ru(v.da())) T(dsqrt_rn, __dsqrt_rn(v.ea())) \
	T(fma_rd, __fma_rd(v.ea(), v.eb(), v.da())) T(fma_rz, __fma_rz(v.da(), v.db(), v.ea()))  \
	T(saturate, __saturatef(v.fa())) T(rintf, rintf(v.fa())) T(rint, rint(v.ea()))         \
	T(roundf, roundf(v.ga())) T(round, round(v.ea())) T(truncf, truncf(v.fa())) T(floor, floor(v.ea())) \
	T(ceilf, ceilf(v.ga())) T(fabsf, fabsf(v.fa())) T(copysign, copysign(v.da(), v.db()))  \
	T(fdimf, fdimf(v.fa(), v.fb())) T(fminf, fminf(v.fa(), v.fb())) T(fmax, fmax(v.da(), v.db())) \
	T(fmodf, fmodf(v.fa(), v.fb())) T(fmod, fmod(v.ea(), v.eb())) T(remainderf, remainderf(v.fa(), v.fb())) \
	T(remainder, remainder(v.ea(), v.eb())) T(nextafterf, nextafterf(v.fa(), v.fb()))      \
	T(nextafter, nextafter(v.da(), v.db())) T(ilogbf, ilogbf(v.fa())) T(ilogb, ilogb(v.da())) \
	T(logbf, logbf(v.fa())) T(logb, logb(v.da())) T(ldexpf, ldexpf(v.fa(), (int)(v.c % 600) - 300)) \
	T(ldexp, ldexp(v.da(), (int)(v.c % 4600) - 2300)) T(scalbnf, scalbnf(v.fa(), (int)(v.c % 600) - 300)) \
	T(frexpf, both(v.fa())) T(frexp, both(v.da())) T(modff, whole(v.fa())) T(modf, whole(v.ea())) \
	T(remquof, quotient(v.ga(), v.gb())) T(remquo, quotient(v.ea(), v.eb()))               \
	T(llrintf, llrintf(v.ga())) T(llrint, llrint(v.ea())) T(llroundf, llroundf(v.ga())) T(llround, llround(v.ea())) \
	T(divf, v.fa() / v.fb()) T(div, v.da() / v.db()) T(sqrtf, sqrtf(v.fa())) T(sqrt, sqrt(v.da()))   \
	T(casts, (unsigned)(int)v.ga() ^ (unsigned)(long long)v.ea())                           \
	SIMD(T, vadd) SIMD(T, vsub) SIMD(T, vaddss) SIMD(T, vaddus) SIMD(T, vsubss) SIMD(T, vsubus) \
	SIMD(T, vabsdiffs) SIMD(T, vabsdiffu) SIMD(T, vavgs) SIMD(T, vavgu) SIMD(T, vhaddu)    \
	SIMD(T, vmaxs) SIMD(T, vmaxu) SIMD(T, vmins) SIMD(T, vminu) SIMD(T, vsads) SIMD(T, vsadu) \
	SIMD(T, vcmpeq) SIMD(T, vcmpges) SIMD(T, vcmpgeu) SIMD(T, vcmpgts) SIMD(T, vcmpltu)    \
	SIMD(T, vseteq) SIMD(T, vsetles) SIMD(T, vsetgtu) SIMD(T, vsetne)                      \
	T(vabs2, __vabs2(v.a)) T(vabs4, __vabs4(v.a)) T(vabsss2, __vabsss2(v.a)) T(vabsss4, __vabsss4(v.a)) \
	T(vneg2, __vneg2(v.a)) T(vneg4, __vneg4(v.a)) T(vnegss2, __vnegss2(v.a)) T(vnegss4, __vnegss4(v.a)) \
	T(remainder_s, remainder(v.da(), v.db())) T(fmod_s, fmod(v.da(), v.db())) T(remquo_s, quotient(v.fa(), v.fb())) \
	T(shfl, __shfl_sync(~0u, v.a, (int)(v.b & 31))) T(shfl16, __shfl_sync(~0u, w, (int)(v.b & 15), 16)) \
	T(shfl_up, __shfl_up_sync(~0u, v.fc(), i & 7u ? 3u : 3u, 8)) T(shfl_down, __shfl_down_sync(~0u, z, 5u)) \
	T(shfl_xor, __shfl_xor_sync(~0u, v.b, 9)) T(ballot, __ballot_sync(~0u, v.a & 1))       \
	T(any, __any_sync(~0u, (v.a & 255) == 3)) T(all, __all_sync(~0u, (v.a & 31) != 3))     \
	T(match, __match_any_sync(~0u, v.a & 3)) T(count, __syncthreads_count((int)(v.a & 1))) \
	T(block_or, __syncthreads_or((v.a & 1023) == 5)) T(block_and, __syncthreads_and((v.a & 1023) != 5))
#define SIMD(T, name) T(name##2, __##name##2(v.a, v.b)) T(name##4, __##name##4(v.a, v.b))

__device__ inline uint64_t both(float x)
{
	int e;
	float m = frexpf(x, &e);

	return bits(m) << 16 ^ (uint32_t)e;
}
__device__ inline uint64_t both(double x)
{
	int e;
	double m = frexp(x, &e);

	return bits(m) ^ (uint64_t)(uint32_t)e << 7;
}
__device__ inline uint64_t whole(float x)
{
	float w, f = modff(x, &w);

	return bits(w) << 32 | bits(f);
}
__device__ inline uint64_t whole(double x)
{
	double w, f = modf(x, &w);

	return bits(w) * 3 ^ bits(f);
}
__device__ inline uint64_t quotient(float x, float y)
{
	int q;
	float r = remquof(x, y, &q);

	return bits(r) << 8 | (q & 7);
}
__device__ inline uint64_t quotient(double x, double y)
{
	int q;
	double r = remquo(x, y, &q);

	return bits(r) << 3 | (q & 7);
}

enum {
#define NUMBER(name, expression) TEST_##name,
	TESTS(NUMBER) TESTS_END
};

__global__ void run(uint64_t *out)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
	Inputs v(i);
	uint64_t w = (uint64_t)v.a << 32 | v.c, z = (uint64_t)v.b << 32 | hash32(v.a);

#define RUN(name, expression) out[(size_t)TEST_##name * COUNT + i] = bits(expression);
	TESTS(RUN)
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
#define NAME(name, expression) #name,
		TESTS(NAME)
	};
	std::vector<uint64_t> got((size_t)TESTS_END * COUNT);
	uint64_t *out;
	cudaError_t error = cudaMalloc((void **)&out, got.size() * sizeof *out);

	if (error == cudaSuccess) {
		run<<<COUNT / 128, 128>>>(out);
		error = cudaGetLastError();
	}
	if (error == cudaSuccess)
		error = cudaMemcpy(got.data(), out, got.size() * sizeof *out, cudaMemcpyDeviceToHost);
	if (error != cudaSuccess) {
		std::fprintf(stderr, "exact: %s\n", cudaGetErrorString(error));
		return 1;
	}
	for (int t = 0; t < TESTS_END; t++) {
		uint64_t hash = 0xcbf29ce484222325u;

		for (unsigned i = 0; i < COUNT; i++)
			hash = (hash ^ got[(size_t)t * COUNT + i]) * 0x100000001b3u;
		std::printf("%s %016llx\n", names[t], (unsigned long long)hash);
		/* "exact NAME" lists that function's results, to find the one that differs */
		for (unsigned i = 0; argc > 1 && !std::strcmp(argv[1], names[t]) && i < COUNT; i++)
			std::printf("  %u %016llx\n", i, (unsigned long long)got[(size_t)t * COUNT + i]);
	}
	cudaFree(out);
	return 0;
}
