// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// REQUIRES: cuda-toolkit
// The toolkit's headers of half precision are inline assembly: it has a neutral form that
// gives the bits it should, and kernels with it can pause inside.
// RUN: %hetcc --cuda-path=%cuda --arch=sm_90 -O2 -std=c++17 %s -o %t -Xhetckpt poll-stride=4 -Xhetckpt poll-interval=0 -Rpass=hetckpt > %t.remarks 2>&1
// RUN: FileCheck %s --check-prefix=REMARK < %t.remarks
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// REMARK-DAG: remark: {{.*}}operations{{.*}}half{{.*}} can pause: thread scope
// REMARK-DAG: remark: {{.*}}operations{{.*}}bfloat16{{.*}} can pause: thread scope
// REMARK-DAG: remark: {{.*}}memory{{.*}} can pause: warp scope
// CHECK: half: 0 of {{[0-9]+}} results are wrong
// CHECK-NEXT: bfloat: 0 of {{[0-9]+}} results are wrong
// CHECK-NEXT: memory 8.5 12 66
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <vector>

#define GOOD(x) do { cudaError_t e_ = (x); if (e_) { printf("%s: %s\n", #x, cudaGetErrorString(e_)); return 1; } } while (0)

typedef unsigned short bits_t;
typedef long long ll_t;
typedef unsigned long long ull_t;

// ---- What is asked of the device: rounding 0 to nearest, 1 to zero, 2 down, 3 up ---------

#define BY_MODE(m, f, x) (m == 0 ? f##_rn(x) : m == 1 ? f##_rz(x) : m == 2 ? f##_rd(x) : f##_ru(x))
#define TYPE(H, H2, N, P)                                                                          \
	static __device__ H make(bits_t b, H) { return __ushort_as_##N(b); }                       \
	static __device__ bits_t bits(H h) { return __##N##_as_ushort(h); }                        \
	static __device__ H2 pair(H a, H b) { return H2(a, b); }                                   \
	static __device__ H2 pair(float a, float b, H) { return __floats2##P##_rn(a, b); }        \
	static __device__ H from(float x, int m, H) { return BY_MODE(m, __float2##N, x); }         \
	static __device__ H from(int x, int m, H) { return BY_MODE(m, __int2##N, x); }             \
	static __device__ H from(unsigned x, int m, H) { return BY_MODE(m, __uint2##N, x); }       \
	static __device__ H from(ll_t x, int m, H) { return BY_MODE(m, __ll2##N, x); }             \
	static __device__ H from(ull_t x, int m, H) { return BY_MODE(m, __ull2##N, x); }           \
	static __device__ H from(double x, H) { return __double2##N(x); }                          \
	static __device__ int to_int(H h, int m) { return BY_MODE(m, __##N##2int, h); }            \
	static __device__ unsigned to_uint(H h, int m) { return BY_MODE(m, __##N##2uint, h); }     \
	static __device__ ll_t to_ll(H h, int m) { return BY_MODE(m, __##N##2ll, h); }             \
	static __device__ ull_t to_ull(H h, int m) { return BY_MODE(m, __##N##2ull, h); }          \
	static __device__ int to_char(H h) { return __##N##2char_rz(h); }                          \
	static __device__ int to_uchar(H h) { return __##N##2uchar_rz(h); }                        \
	static __device__ int to_short(H h) { return __##N##2short_rz(h); }                        \
	static __device__ float to_float(H h) { return __##N##2float(h); }
TYPE(__half, __half2, half, half2)
TYPE(__nv_bfloat16, __nv_bfloat162, bfloat16, bfloat162)

constexpr int Results = 114, Signs = 13, AfterSigns = Signs + 6;

template <class H> __global__ void operations(const bits_t *in, const ull_t *wide, ll_t *out, int n)
{
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
		H a = make(in[3 * i], H()), b = make(in[3 * i + 1], H()), c = make(in[3 * i + 2], H());
		auto aa = pair(a, b), bb = pair(b, c), cc = pair(c, a);
		ll_t *o = out + (ll_t)i * Results;
		auto put = [&](H h) { *o++ = bits(h); };
		auto puts = [&](auto p) { put(p.x); put(p.y); };
		put(__hadd(a, b)), put(__hsub(a, b)), put(__hmul(a, b));
		put(__hadd_sat(a, b)), put(__hsub_sat(a, b)), put(__hmul_sat(a, b));
		put(__hfma(a, b, c)), put(__hfma_sat(a, b, c)), put(__hfma_relu(a, b, c));
		put(__hmin(a, b)), put(__hmax(a, b)), put(__hmin_nan(a, b)), put(__hmax_nan(a, b));
		put(__habs(a)), put(__hneg(a)), puts(__habs2(aa)), puts(__hneg2(bb)), put(__hadd_rn(__hmul_rn(a, b), c));
		puts(__hadd2(aa, bb)), puts(__hmul2(aa, bb)), puts(__hfma2(aa, bb, cc)), puts(__hmin2(aa, bb));
		*o++ = __heq(a, b), *o++ = __hne(a, b), *o++ = __hlt(a, b), *o++ = __hle(a, b);
		*o++ = __hgt(a, b), *o++ = __hge(a, b), *o++ = __hltu(a, b), *o++ = __hisnan(a);
		*o++ = __heq2_mask(aa, bb), put(__hgtu2(aa, bb).y);
		for (int m = 0; m < 4; m++) {
			float product = to_float(a) * to_float(b);
			*o++ = to_int(a, m), *o++ = to_uint(a, m), *o++ = to_ll(a, m), *o++ = to_ull(a, m);
			put(m == 0 ? hrint(a) : m == 1 ? htrunc(a) : m == 2 ? hfloor(a) : hceil(a));
			put(from(product, m, H())), put(from(__uint_as_float(unsigned(wide[i])), m, H()));
			put(from((ll_t)wide[i], m, H())), put(from(wide[i], m, H()));
			put(from(int(wide[i]), m, H())), put(from(unsigned(wide[i]), m, H()));
		}
		*o++ = to_char(a), *o++ = to_uchar(a), *o++ = to_short(a), *o++ = __float_as_uint(to_float(a));
		puts(pair(to_float(a) * 3, to_float(b) / 3, H())), put(from(__longlong_as_double(wide[i]), H()));
		// Fused, by the compiler: the assembler has no choice.
		put(__hadd(__hmul(a, b), c)), put(__hsub(c, __hmul(a, b)));
		puts(__hadd2(__hmul2(aa, bb), cc)), puts(__hsub2(__hmul2(aa, bb), cc));
	}
}

__global__ void memory(const __half2 *in, __half2 *out, __half *sum, int n)
{
	__half2 x = __ldg(in + threadIdx.x);
	for (int i = 0; i < n; i++)
		x = __hadd2(x, __shfl_xor_sync(~0u, x, 1));
	__stcg(out + threadIdx.x, x);
	atomicAdd(sum, __half(2.0f));
	atomicAdd(out + 32, __half2(0.5f, 0.25f));
}

// ---- What it should say: by looking for the neighbours of an exact value -------------------

struct Format {
	const char *name;
	int fraction, bias;
	std::vector<double> number; // those from 0 on, by their bits

	Format(const char *name, int fraction, int exponent) : name(name), fraction(fraction), bias((1 << (exponent - 1)) - 1)
	{
		for (int b = 0; b < ((1 << exponent) - 1) << fraction; b++) {
			int e = b >> fraction, m = b & ((1 << fraction) - 1);
			number.push_back(std::ldexp(e ? m + (1 << fraction) : m, (e ? e : 1) - bias - fraction));
		}
	}
	bits_t infinity() const { return bits_t(number.size()); }
	double value(bits_t b) const
	{
		bits_t size = b & 0x7fff;
		double v = size < infinity() ? number[size] : size == infinity() ? INFINITY : NAN;
		return b >> 15 ? -v : v;
	}
	// Of a value that is x and, in the direction of rest, a bit more.
	bits_t round(long double x, int mode, double zero_sign = 0) const
	{
		if (x != x)
			return 0x7fff;
		bool negative = x < 0 || (x == 0 && std::signbit(zero_sign));
		long double size = x < 0 ? -x : x;
		size_t above = std::lower_bound(number.begin(), number.end(), size) - number.begin();
		size_t below = above < number.size() && number[above] == size ? above : above - 1;
		if (above != below) {
			bool up;
			if (size == INFINITY) {
				up = true;
			} else if (mode == 0) {
				long double next = above < number.size() ? number[above] : std::ldexp(1.0, bias + 1);
				long double middle = (number[below] + next) / 2;
				up = size > middle || (size == middle && (below & 1));
			} else {
				up = mode == 1 ? false : (mode == 3) != negative;
			}
			below += up;
		}
		return bits_t(below) | (negative ? 0x8000 : 0);
	}
};

static double min_of(double a, double b, bool nan)
{
	if (a != a || b != b)
		return nan ? NAN : a != a ? b : a;
	return a < b || (a == b && std::signbit(a)) ? a : b;
}

// By a sum whose sign, where it is zero, the machine knows best.
static std::vector<ll_t> expect(const Format &f, const bits_t *in, ull_t wide)
{
	std::vector<ll_t> o;
	bits_t bits[3] = {in[0], in[1], in[2]};
	double a = f.value(in[0]), b = f.value(in[1]), c = f.value(in[2]);
	auto put = [&](long double exact, double sign, int mode = 0) { o.push_back(f.round(exact, mode, sign)); };
	auto add = [&](double x, double y) { put((long double)x + y, x + y); };
	auto mul = [&](double x, double y) { put((long double)x * y, x * y); };
	auto fused = [&](double x, double y, double z) -> bits_t {
		// The product is exact; on which side of the wide sum the rest lies decides ties.
		long double p = (long double)x * y, s = p + z, t = s - p, rest = (p - (s - t)) + (z - t);
		if (std::isfinite(s) && rest != 0)
			s = std::nextafter(s, rest > 0 ? HUGE_VALL : -HUGE_VALL);
		return f.round(s, 0, std::fma(x, y, z));
	};
	auto sat = [&](bits_t r) { double v = f.value(r); return v > 0 ? v < 1 ? r : f.round(1, 0) : bits_t(0); };
	auto minmax = [&](double x, double y, bool max, bool nan) {
		double r = max ? -min_of(-x, -y, nan) : min_of(x, y, nan);
		put(r, r);
	};
	auto last = [&] { bits_t r = bits_t(o.back()); o.pop_back(); return r; };
	add(a, b), add(a, -b), mul(a, b);
	add(a, b), o.push_back(sat(last())), add(a, -b), o.push_back(sat(last())), mul(a, b), o.push_back(sat(last()));
	bits_t r = fused(a, b, c);
	o.push_back(r), o.push_back(sat(r)), o.push_back(f.value(r) <= 0 ? 0 : r);
	minmax(a, b, false, false), minmax(a, b, true, false), minmax(a, b, false, true), minmax(a, b, true, true);
	// By bits; of these a NaN's are said, too.
	auto sign = [&](bits_t number, bits_t r) { o.push_back((number & 0x7fff) > f.infinity() ? 0x7fff : r); };
	sign(bits[0], bits[0] & 0x7fff), sign(bits[0], bits[0] ^ 0x8000);
	sign(bits[0], bits[0] & 0x7fff), sign(bits[1], bits[1] & 0x7fff);
	sign(bits[1], bits[1] ^ 0x8000), sign(bits[2], bits[2] ^ 0x8000);
	mul(a, b), add(f.value(last()), c);
	add(a, b), add(b, c), mul(a, b), mul(b, c), o.push_back(r), o.push_back(fused(b, c, a));
	minmax(a, b, false, false), minmax(b, c, false, false);
	o.insert(o.end(), {a == b, a < b || a > b, a < b, a <= b, a > b, a >= b, !(a >= b), a != a});
	o.push_back((a == b ? 0xffff : 0) | (ll_t)(b == c ? 0xffff0000u : 0)), put(!(b <= c), 0);
	for (int m = 0; m < 4; m++) {
		double w = m == 0 ? std::nearbyint(a) : m == 1 ? std::trunc(a) : m == 2 ? std::floor(a) : std::ceil(a);
		auto clamp = [&](long double low, long double high) { return w < low ? low : w > high ? high : (long double)w; };
		float single;
		unsigned word = unsigned(wide);
		memcpy(&single, &word, 4);
		o.push_back(a != a ? 0 : (int)clamp(-0x1p31L, 0x1p31L - 1));
		o.push_back(a != a ? 0 : (unsigned)clamp(0, 0x1p32L - 1));
		o.push_back(a != a ? (ll_t)(1ull << 63) : (ll_t)clamp(-0x1p63L, 0x1p63L - 1));
		o.push_back(a != a ? (ll_t)(1ull << 63) : (ll_t)(ull_t)clamp(0, 0x1p64L - 1));
		put(w, w), put((float)a * (float)b, (float)a * (float)b, m), put(single, single, m);
		put((ll_t)wide, 0, m), put(wide, 0, m), put(int(wide), 0, m), put(unsigned(wide), 0, m);
	}
	double whole = std::trunc(a), d;
	float single = float(a);
	unsigned word;
	memcpy(&word, &single, 4);
	memcpy(&d, &wide, 8);
	o.push_back(a != a ? 0 : (int)std::max(-128.0, std::min(127.0, whole)));
	o.push_back(a != a ? 0 : (int)std::max(0.0, std::min(255.0, whole)));
	o.push_back(a != a ? 0 : (int)std::max(-32768.0, std::min(32767.0, whole)));
	o.push_back(a != a ? -1 : (ll_t)word);
	put((float)a * 3, a), put((float)b / 3, b), put(d, d);
	o.push_back(r), o.push_back(fused(-a, b, c));
	o.push_back(r), o.push_back(fused(b, c, a)), o.push_back(fused(a, b, -c)), o.push_back(fused(b, c, -a));
	return o;
}

template <class H> int test(const Format &f)
{
	const int special = 24, n = 6000;
	bits_t top = f.infinity(), one = f.round(1, 0);
	bits_t list[special] = {0, 0x8000, 1, 0x8001, one, bits_t(one | 0x8000), top, bits_t(top | 0x8000), bits_t(top - 1), 0x7fff,
		bits_t(1 << f.fraction), bits_t((1 << f.fraction) - 1), bits_t(one + 1), bits_t(one - 1), f.round(2.5, 0), f.round(-0.5, 0),
		f.round(127.5, 0), f.round(-129, 0), f.round(40000, 0), f.round(-40000, 0), f.round(3, 0), f.round(0.75, 0), bits_t(top - 2), bits_t((top - 1) | 0x8000)};
	std::vector<bits_t> in;
	std::vector<ull_t> wide;
	unsigned long long state = 1;
	auto random = [&] { state = state * 6364136223846793005ull + 1442695040888963407ull; return state >> 16; };
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < 3; k++)
			in.push_back(random() % 4 ? bits_t(random()) : list[random() % special]);
		if (i % 3 == 0) // near each other
			in[3 * i + 1] = bits_t(in[3 * i] ^ (random() & 0x8007));
		ull_t w = random() << 16 ^ random();
		if (i % 4 == 1)
			w >>= random() % 64;
		if (i % 4 == 2) { // a half of something, more or less
			w = (256 + random() % 256) * 2 + 1;
			int up = int(random() % 54);
			w = (w << up) + (random() % 3 - 1);
		}
		wide.push_back(w);
	}
	bits_t *d_in;
	ull_t *d_wide;
	ll_t *d_out;
	std::vector<ll_t> got((size_t)n * Results);
	GOOD(cudaMalloc(&d_in, in.size() * sizeof(bits_t)));
	GOOD(cudaMalloc(&d_wide, wide.size() * sizeof(ull_t)));
	GOOD(cudaMalloc(&d_out, got.size() * sizeof(ll_t)));
	GOOD(cudaMemcpy(d_in, in.data(), in.size() * sizeof(bits_t), cudaMemcpyHostToDevice));
	GOOD(cudaMemcpy(d_wide, wide.data(), wide.size() * sizeof(ull_t), cudaMemcpyHostToDevice));
	operations<H><<<4, 64>>>(d_in, d_wide, d_out, n);
	GOOD(cudaMemcpy(got.data(), d_out, got.size() * sizeof(ll_t), cudaMemcpyDeviceToHost));
	size_t wrong = 0, all = 0;
	int told[Results] = {};
	for (int i = 0; i < n; i++) {
		std::vector<ll_t> want = expect(f, &in[3 * i], wide[i]);
		for (size_t k = 0; k < want.size(); k++, all++) {
			ll_t g = got[(size_t)i * Results + k];
			// What a NaN carries is said where only signs change; elsewhere, that it is one.
			bool nan = want[k] == 0x7fff && (g & 0x7fff) > f.infinity() && g < 0x10000 && (k < Signs || k >= AfterSigns);
			if (g == want[k] || nan || want[k] == -1)
				continue;
			wrong++;
			if (told[k]++ < 2)
				fprintf(stderr, "%s result %zu of %04x %04x %04x %016llx: %llx instead of %llx\n", f.name, k,
					in[3 * i], in[3 * i + 1], in[3 * i + 2], wide[i], g, want[k]);
		}
	}
	printf("%s: %zu of %zu results are wrong\n", f.name, wrong, all);
	return 0;
}

int main()
{
	if (test<__half>(Format("half", 10, 5)) || test<__nv_bfloat16>(Format("bfloat", 7, 8)))
		return 1;
	__half2 in[33], *d_in, *d_out;
	__half sum, *d_sum;
	for (int i = 0; i < 33; i++)
		in[i] = __half2(float(i), 1.0f);
	GOOD(cudaMalloc(&d_in, sizeof in));
	GOOD(cudaMalloc(&d_out, sizeof in));
	GOOD(cudaMalloc(&d_sum, sizeof sum));
	GOOD(cudaMemcpy(d_in, in, sizeof in, cudaMemcpyHostToDevice));
	GOOD(cudaMemset(d_out, 0, sizeof in));
	GOOD(cudaMemset(d_sum, 0, sizeof sum));
	memory<<<1, 32>>>(d_in, d_out, d_sum, 3);
	GOOD(cudaMemcpy(in, d_out, sizeof in, cudaMemcpyDeviceToHost));
	GOOD(cudaMemcpy(&sum, d_sum, sizeof sum, cudaMemcpyDeviceToHost));
	printf("memory %g %g %g\n", __half2float(in[32].y) + 0.5f, __half2float(in[2].x) - 8, __half2float(sum) + 2);
}
