/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Kernels give the results that CUDA's rules say. Run in order, and with random orders
 * of threads and blocks (HETCKPT_CPU_SCHEDULE), for each width of vectors.
 */
#include "kernel_list.h"

#include <fenv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct harness h;

static int setup(void **state)
{
	struct { uint32_t counter, pad[3]; float weights[8]; float scale; } data = {.scale = 0.5f};

	(void)state;
	for (int i = 0; i < 8; i++)
		data.weights[i] = (float)(i * i);
	harness_open(&h, CPU_TEST_BITCODE "/kernels.bc", kernels, sizeof kernels / sizeof *kernels, variables,
	             &data, sizeof data);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_close(&h);
	return 0;
}

static void run(const char *name, uint32_t grid, uint32_t block, const void *params, size_t bytes)
{
	if (harness_run(&h, name, grid, block, params, bytes))
		fail_msg("%s", h.error.text);
}

static void test_vadd(void **state)
{
	struct { float *a, *b, *c; int n; } p;
	uint64_t seed = 1;

	(void)state;
	for (int n = 1; n < 3000; n = n * 5 / 3 + 1) {
		h.next = HARNESS_ARENA + 4096;
		p.a = harness_alloc(&h, 4 * 4096);
		p.b = harness_alloc(&h, 4 * 4096);
		p.c = harness_alloc(&h, 4 * 4096);
		p.n = n;
		for (int i = 0; i < n; i++) {
			p.a[i] = (float)harness_random(&seed);
			p.b[i] = (float)harness_random(&seed);
		}
		run("vadd", (uint32_t)(n + 255) / 256, 256, &p, sizeof p);
		for (int i = 0; i < n; i++)
			assert_true(p.c[i] == p.a[i] + p.b[i]);
		for (int i = n; i < 4096; i++)
			assert_true(p.c[i] == 0);
	}
}

static void test_ids(void **state)
{
	const uint32_t grid[3] = {3, 2, 4}, block[3] = {5, 7, 3};
	uint32_t threads = 5 * 7 * 3, *out = harness_alloc(&h, 24 * threads * 32), *p = out;

	(void)state;
	harness_launch(&h, harness_kernel(&h, "ids", HETCKPT_VARIANT_ORIGINAL), grid, block, 0, &out, sizeof out);
	if (harness_wait(&h))
		fail_msg("%s", h.error.text);
	for (uint32_t b = 0; b < 24; b++)
		for (uint32_t t = 0; t < threads; t++, p += 8) {
			uint32_t lane = t % 32;

			assert_int_equal(p[0], t % 5 | t / 5 % 7 << 10 | t / 35 << 20);
			assert_int_equal(p[1], b % 3 | b / 3 % 2 << 10 | b / 6 << 20);
			assert_int_equal(p[2], 5 | 7 << 10 | 3 << 20);
			assert_int_equal(p[3], 3 | 2 << 10 | 4 << 20);
			assert_int_equal(p[4], lane);
			assert_int_equal(p[5], t / 32);
			assert_int_equal(p[6], (1u << lane) - 1);
			assert_int_equal(p[7], ~((1u << lane) - 1));
		}
}

static void test_by_value(void **state)
{
	struct { float *out; char first; struct { float x[4]; int n; char tag; } point; short last; } p = {
		.first = -3, .point = {{1, 2, 3, 4}, 100, 7}, .last = -9};

	(void)state;
	p.out = harness_alloc(&h, 4 * 512);
	run("by_value", 4, 100, &p, sizeof p);
	for (int i = 0; i < 400; i++)
		assert_true(p.out[i] == 1 + 2 + 3 + 4 + (float)i + (100 - 3) - 9 + 7);
}

static void test_variables(void **state)
{
	static const int table[8] = {3, 1, 4, 1, 5, 9, 2, 6};
	float *out = harness_alloc(&h, 4 * 512);
	uint32_t *counter = (uint32_t *)(uintptr_t)h.variables;

	(void)state;
	*counter = 5;
	run("variables", 8, 64, &out, sizeof out);
	assert_int_equal(*counter, 5 + 512);
	for (int i = 0; i < 512; i++)
		assert_true(out[i] == (float)((i & 7) * (i & 7)) * 0.5f + (float)table[i & 7]);
}

/* What PTX says of cvt.rzi.s32.f32 and cvt.rzi.u32.f32, and of division as GPUs do it. */
static int to_int(float f) { return f != f ? 0 : f >= 0x1p31f ? INT32_MAX : f <= -0x1p31f ? INT32_MIN : (int)f; }
static uint32_t to_uint(float f) { return f != f || f <= 0 ? 0 : f >= 0x1p32f ? UINT32_MAX : (uint32_t)f; }

static uint32_t bfe_s32(uint32_t a, uint32_t b)
{
	uint32_t pos = b & 255, r = 0;

	for (uint32_t i = 0; i < 32; i++) {
		uint32_t at = pos + (i < 5 ? i : 4);

		r |= (a >> (at > 31 ? 31 : at) & 1) << i;
	}
	return r;
}

static uint32_t prmt_3715(uint32_t a, uint32_t b)
{
	const uint8_t byte[8] = {a, a >> 8, a >> 16, a >> 24, b, b >> 8, b >> 16, b >> 24};

	return (uint32_t)byte[5] | (uint32_t)byte[1] << 8 | (uint32_t)byte[7] << 16 | (uint32_t)byte[3] << 24;
}

static void test_arithmetic(void **state)
{
	static const int edge[] = {0, 1, -1, 2, -2, 3, 7, INT32_MAX, INT32_MIN, INT32_MIN + 1, 1000003, -77};
	static const float fedge[] = {0, -0.0f, 0.5f, -0.5f, 1.5f, 2.5f, -3.7f, 0x1p31f, -0x1p31f, 0x1p32f, 1e30f, -1e30f,
	                              NAN, INFINITY, -INFINITY, 2147483520.0f, 4294967040.0f, 0x1p-149f};
	enum { N = 12 * 18 };
	struct { int *a, *b; float *f; int *out; } p = {
		harness_alloc(&h, 4 * N), harness_alloc(&h, 4 * N), harness_alloc(&h, 4 * N), harness_alloc(&h, 32 * N)};

	(void)state;
	for (int i = 0; i < N; i++) {
		p.a[i] = edge[i % 12];
		p.b[i] = edge[i / 12 % 12];
		p.f[i] = fedge[i % 18];
	}
	run("arithmetic", N / 24, 24, &p, sizeof p);
	for (int i = 0; i < N; i++) {
		int a = p.a[i], b = p.b[i], *o = p.out + 8 * i;
		uint32_t ua = (uint32_t)a, ub = (uint32_t)b;
		float f = p.f[i];

		assert_int_equal(o[0], !b ? -1 : b == -1 ? (int)(0u - ua) : a / b);
		assert_int_equal(o[1], !b ? a : b == -1 ? 0 : a % b);
		assert_int_equal((uint32_t)o[2], !b ? ~0u : ua / ub);
		assert_int_equal((uint32_t)o[3], !b ? ua : ua % ub);
		assert_int_equal(o[4], to_int(f));
		assert_int_equal((uint32_t)o[5], to_uint(f));
		assert_int_equal(o[6], to_int(rintf(f)));
		assert_int_equal((uint32_t)o[7], bfe_s32(ua, ub) ^ prmt_3715(ua, ub));
	}
}

static double rounded(int mode, int op, float a, float b, float c)
{
	volatile float x = a, y = b, z = c, r = 0;
	volatile double dx = a, dy = b, dxx = x * x, dr = 0;

	fesetround(mode);
	switch (op) {
	case 0: r = x + y; break;
	case 1: r = fmaf(x, y, z); break;
	case 2: dr = dx / dy; break;
	default: dr = sqrt(dxx); break;
	}
	fesetround(FE_TONEAREST);
	return op < 2 ? r : dr;
}

static double ulps(float got, double want)
{
	float w = (float)want;

	return fabs((double)got - want) / fabs((double)nextafterf(w, INFINITY) - w);
}

static void test_rounding(void **state)
{
	enum { N = 4096 };
	struct { float *a, *b, *c; double *out; } p = {
		harness_alloc(&h, 4 * N), harness_alloc(&h, 4 * N), harness_alloc(&h, 4 * N), harness_alloc(&h, 64 * N)};
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < N; i++) {
		p.a[i] = ((float)harness_random(&seed) / 0x1p32f - 0.5f) * (i & 1 ? 20.0f : 0x1p-3f);
		p.b[i] = (float)harness_random(&seed) / 0x1p28f + 0x1p-20f;
		p.c[i] = -p.a[i] * p.b[i] * (1 + (i & 2 ? 0x1p-20f : 0.25f));
	}
	run("rounding", N / 256, 256, &p, sizeof p);
	for (int i = 0; i < N; i++) {
		double a = p.a[i], *o = p.out + 8 * i;

		assert_true(o[0] == rounded(FE_TOWARDZERO, 0, p.a[i], p.b[i], 0));
		assert_true(o[1] == rounded(FE_DOWNWARD, 1, p.a[i], p.b[i], p.c[i]));
		assert_true(o[2] == rounded(FE_UPWARD, 2, p.a[i], p.b[i], 0));
		assert_true(o[3] == rounded(FE_DOWNWARD, 3, p.a[i], 0, 0));
		assert_true(ulps((float)o[4], exp2(a)) < 0.501);
		if (a > 0)
			assert_true(ulps((float)o[5], log2(a)) < 0.501);
		else
			assert_true(a < 0 ? o[5] != o[5] : o[5] == -INFINITY);
		assert_true(ulps((float)o[6], sin(a)) < 0.51);
		assert_true(ulps((float)o[7], tanh(a)) < 0.501);
	}
}

static void test_recursion(void **state)
{
	static const uint32_t want[12] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
	uint32_t *out = harness_alloc(&h, 4 * 96);

	(void)state;
	run("recursion", 2, 48, &out, sizeof out);
	for (int i = 0; i < 96; i++)
		assert_int_equal(out[i], want[i % 12]);
}

/* half as 16 bits to double and, rounding once, back. */
static double half_get(uint16_t h)
{
	int e = h >> 10 & 31, m = h & 1023;
	double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);

	return h & 0x8000 ? -v : v;
}

/* a*b + c exactly, in units of 2^-48, rounded to a half by hand. */
static uint16_t half_fma(uint16_t a, uint16_t b, uint16_t c)
{
	__int128 p = (__int128)(long)ldexp(half_get(a), 24) * (long)ldexp(half_get(b), 24);
	__int128 s = p + ((__int128)(long)ldexp(half_get(c), 24) << 24);
	unsigned __int128 m = s < 0 ? -(unsigned __int128)s : (unsigned __int128)s, low, half;
	uint16_t sign = s < 0 ? 0x8000 : 0;
	int bits = 0, drop;

	while (bits < 127 && m >> bits)
		bits++;
	if (!m) /* -0 only if both summands are */
		return (half_get(c) == 0 && signbit(half_get(c)) && signbit(half_get(a) * half_get(b))) ? 0x8000 : 0;
	drop = bits - 11 > 24 ? bits - 11 : 24;
	low = m & (((unsigned __int128)1 << drop) - 1);
	half = (unsigned __int128)1 << (drop - 1);
	m >>= drop;
	if (low > half || (low == half && (m & 1)))
		m++;
	m <<= drop - 24; /* in units of 2^-24 again */
	for (int e = 1; e < 31; e++)
		if (m >> (e - 1) < 2048)
			return m < 1024 ? sign | (uint16_t)m
			                : sign | (uint16_t)(e << 10) | (uint16_t)((m >> (e - 1)) & 1023);
	return sign | 0x7c00;
}

static void test_half_fma(void **state)
{
	enum { N = 8192 };
	struct { uint16_t *a, *b, *c, *out; } p = {
		harness_alloc(&h, 2 * N), harness_alloc(&h, 2 * N), harness_alloc(&h, 2 * N), harness_alloc(&h, 2 * N)};
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < N; i++) {
		p.a[i] = (uint16_t)(harness_random(&seed) & 0xbfff);
		p.b[i] = (uint16_t)(harness_random(&seed) & 0xbfff);
		p.c[i] = (uint16_t)(harness_random(&seed) & 0xfbff);
		if (i % 4 == 0) { /* ties broken far below: 1025 * 1 + tiny */
			p.c[i] = (uint16_t)(0x6000 | (p.c[i] & 0x83ff));
			p.a[i] &= 0x87ff;
		}
		if ((p.c[i] & 0x7c00) == 0x7c00)
			p.c[i] ^= 0x4000;
	}
	run("half_fma", N / 128, 128, &p, sizeof p);
	for (int i = 0; i < N; i++)
		if (p.out[i] != half_fma(p.a[i], p.b[i], p.c[i]))
			fail_msg("%04x * %04x + %04x = %04x, not %04x", p.a[i], p.b[i], p.c[i],
			         half_fma(p.a[i], p.b[i], p.c[i]), p.out[i]);
}

static void test_matmul(void **state)
{
	enum { N = 96 };
	const uint32_t grid[3] = {N / 16, N / 16, 1}, block[3] = {16, 16, 1};
	struct { float *a, *b, *c; int n; } p = {
		harness_alloc(&h, 4 * N * N), harness_alloc(&h, 4 * N * N), harness_alloc(&h, 4 * N * N), N};
	uint64_t seed = 5;

	(void)state;
	for (int i = 0; i < N * N; i++) {
		p.a[i] = (float)harness_random(&seed) / 0x1p31f - 1;
		p.b[i] = (float)harness_random(&seed) / 0x1p31f - 1;
	}
	harness_launch(&h, harness_kernel(&h, "matmul", HETCKPT_VARIANT_ORIGINAL), grid, block, 0, &p, sizeof p);
	if (harness_wait(&h))
		fail_msg("%s", h.error.text);
	for (int r = 0; r < N; r++)
		for (int c = 0; c < N; c++) {
			float acc = 0;

			for (int k = 0; k < N; k++)
				acc = fmaf(p.a[r * N + k], p.b[k * N + c], acc);
			assert_true(p.c[r * N + c] == acc);
		}
}

static void test_block_sum(void **state)
{
	enum { B = 200 };
	const uint32_t grid[3] = {5, 1, 1}, block[3] = {B, 1, 1};
	struct { uint32_t *in, *out; int n; } p = {harness_alloc(&h, 4 * 5 * B), harness_alloc(&h, 4 * 5), 0};

	(void)state;
	for (uint32_t i = 0; i < 5 * B; i++)
		p.in[i] = i * i + 1;
	for (p.n = 1; p.n < 300; p.n += 37) {
		uint32_t count = p.n < B ? (uint32_t)p.n : B;

		harness_launch(&h, harness_kernel(&h, "block_sum", HETCKPT_VARIANT_ORIGINAL), grid, block, 4 * B, &p,
		               sizeof p);
		if (harness_wait(&h))
			fail_msg("%s", h.error.text);
		for (uint32_t b = 0; b < 5; b++) {
			uint32_t sum = 4 * B;

			for (uint32_t t = 0; t < count; t++)
				sum += p.in[b * B + t];
			assert_int_equal(p.out[b], sum);
		}
	}
}

static void test_private_arrays(void **state)
{
	enum { B = 96 };
	struct { int *out; int rounds; } p = {harness_alloc(&h, 4 * 2 * B), 21};
	static int own[B][16];
	int shared[B];

	(void)state;
	run("private_arrays", 2, B, &p, sizeof p);
	for (int t = 0; t < B; t++)
		for (int i = 0; i < 16; i++)
			own[t][i] = t * 16 + i;
	for (int r = 0; r < p.rounds; r++) {
		for (int t = 0; t < B; t++)
			shared[t] = own[t][(t + r) & 15];
		for (int t = 0; t < B; t++)
			own[t][(t + r) & 15] += shared[(t + 1) % B];
	}
	for (int i = 0; i < 2 * B; i++) {
		unsigned sum = 0, t = (unsigned)i % B;

		for (int k = 0; k < 16; k++)
			sum = sum * 31 + (unsigned)own[t][k];
		assert_int_equal(p.out[i], (int)(sum + ((t + (unsigned)p.rounds - 1) & 15)));
	}
}

static void test_calls(void **state)
{
	struct { uint32_t *out; int rounds; } p = {harness_alloc(&h, 4 * 64), 6};
	uint32_t v[64], next[64];

	(void)state;
	run("calls", 1, 64, &p, sizeof p);
	for (uint32_t i = 0; i < 64; i++)
		v[i] = i;
	for (uint32_t r = 0; r <= 6; r++) {
		uint32_t by = r < 6 ? r : 5;

		for (uint32_t i = 0; i < 64; i++)
			next[i] = v[(i & 32) | ((i + by) & 31)];
		for (uint32_t i = 0; i < 64; i++)
			v[i] = r < 6 ? next[i] * 3 + 1 : v[i] ^ next[i];
	}
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(p.out[i], i == 7 ? 0 : v[i]);
}

static void test_barrier_kinds(void **state)
{
	uint32_t *out = harness_alloc(&h, 16 * 1024);

	(void)state;
	for (uint32_t n = 1; n <= 1024; n = n * 3 + 1) {
		run("barrier_kinds", 1, n, &out, sizeof out);
		for (uint32_t t = 0; t < n; t++) {
			assert_int_equal(out[4 * t], (n + 2) / 3);
			assert_int_equal(out[4 * t + 1], 1);
			assert_int_equal(out[4 * t + 2], n > 5);
			assert_int_equal(out[4 * t + 3], t & 1 ? 1 + t : 2 * t);
		}
	}
}

static void test_pipeline(void **state)
{
	struct { int *out; int items; } p = {harness_alloc(&h, 4 * 64), 33};

	(void)state;
	run("pipeline", 1, 128, &p, sizeof p);
	for (int t = 0; t < 64; t++) {
		unsigned sum = 0;

		for (int i = 0; i < p.items; i++)
			sum = sum * 7 + (unsigned)(i * 1000 + t);
		assert_int_equal(p.out[t], (int)sum);
	}
}

static void test_reduce(void **state)
{
	enum { N = 100003 };
	struct { uint32_t *in, *out; int n; } p = {harness_alloc(&h, 4 * N), harness_alloc(&h, 4), N};
	uint32_t want = 0;
	uint64_t seed = 11;

	(void)state;
	for (int i = 0; i < N; i++)
		want += p.in[i] = harness_random(&seed);
	for (uint32_t block = 32; block <= 1024; block *= 2) {
		*p.out = 0;
		run("reduce", 7, block, &p, sizeof p);
		assert_int_equal(*p.out, want);
	}
}

/* warp_kinds once more, a warp at a time, straight from the PTX manual. */
static void expect_warp(const uint32_t *in, const uint32_t *out)
{
	uint32_t odd = 0, eq7 = 0, lt100 = 0, bit3 = 0, eq4 = 0;
	bool all4;

	for (int i = 0; i < 32; i++) {
		odd |= (in[i] & 1) << i;
		eq7 |= (uint32_t)(in[i] == 7) << i;
		lt100 |= (uint32_t)(in[i] < 100) << i;
		bit3 |= (in[i] >> 3 & 1) << i;
		eq4 |= (in[i] >> 2 & 1) << i;
	}
	all4 = in[0] >= 4 || eq4 == 0 || eq4 == ~0u;
	for (uint32_t i = 0; i < 32; i++) {
		const uint32_t *o = out + 16 * i;
		uint32_t v = in[i], mine = v & 1 ? odd : ~odd, m2 = 0, m64 = 0, add = 0, min = ~0u, x = 0;
		int max = INT32_MIN;

		for (int j = 0; j < 32; j++) {
			m2 |= (uint32_t)((in[j] & 3) == (v & 3)) << j;
			m64 |= (uint32_t)((in[j] & 3) == (v & 3)) << j;
			if (mine >> j & 1) {
				add += in[j];
				min = in[j] < min ? in[j] : min;
				x ^= in[j];
				max = (int)(in[j] - 50) > max ? (int)(in[j] - 50) : max;
			}
		}
		assert_int_equal(o[0], odd);
		assert_int_equal(o[1], (eq7 != 0) | (lt100 == ~0u) << 1 | (bit3 == 0 || bit3 == ~0u) << 2);
		assert_int_equal(o[2], m2);
		assert_int_equal(o[3], m64);
		assert_int_equal(o[4], all4 ? ~0u ^ 1 : 0);
		assert_int_equal(o[6], (i & 15) >= 3);
		assert_int_equal(o[5], (i & 15) >= 3 ? in[i - 3] : v);
		assert_int_equal(o[7], in[(i & 24) | (v & 7)]);
		assert_int_equal(o[8], v & 1 ? add ^ min << 16 : (uint32_t)max ^ x << 16);
		uint32_t peer = v & 1 ? i ^ 1 : i ^ 2;
		assert_int_equal(o[9], mine >> peer & 1 ? in[peer] == v : 1);
		assert_true(o[10] >> i & 1);
		if (i % 5 == 4) {
			assert_true(o[11] >> i & 1);
			assert_int_equal(o[11] & ~0x21084210u, 0);
		} else {
			/* A lane that has ended gives nothing: its neighbour keeps its own. */
			assert_int_equal(o[11], i == 31 || (i + 1) % 5 == 4 ? i : i + 1);
			assert_int_equal(o[12], 0xfffffu & ~0x21084210u);
		}
	}
}

static void test_warp_kinds(void **state)
{
	enum { N = 256 };
	struct { uint32_t *in, *out; } p = {harness_alloc(&h, 4 * N), harness_alloc(&h, 64 * N)};
	uint64_t seed = 13;

	(void)state;
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < N; i++)
			p.in[i] = harness_random(&seed) % (round & 1 ? 8 : 120);
		run("warp_kinds", 2, N / 2, &p, sizeof p);
		for (int w = 0; w < N / 32; w++)
			expect_warp(p.in + 32 * w, p.out + 16 * 32 * w);
	}
}

static void test_out_of_step(void **state)
{
	struct { uint32_t *out; int rounds; } p = {harness_alloc(&h, 4 * 128), 9};
	uint32_t v[128], next[128];

	(void)state;
	run("out_of_step", 1, 128, &p, sizeof p);
	for (uint32_t t = 0; t < 128; t++)
		v[t] = t;
	for (uint32_t k = 0; k < 9; k++) {
		for (uint32_t t = 0; t < 128; t++)
			next[t] = (k ^ t) & 1 ? v[t ^ 2] * 5 + k : v[t];
		memcpy(v, next, sizeof v);
	}
	assert_memory_equal(p.out, v, sizeof v);
}

static void test_uneven_loops(void **state)
{
	enum { N = 1024 };
	struct { uint32_t *in, *out; int n, rounds; } p = {harness_alloc(&h, 4 * N), harness_alloc(&h, 4 * 300), N, 5};
	uint64_t seed = 21;

	(void)state;
	for (int i = 0; i < N; i++)
		p.in[i] = harness_random(&seed);
	run("uneven_loops", 3, 100, &p, sizeof p);
	for (uint32_t i = 0; i < 300; i++) {
		uint32_t v = i;

		for (uint32_t k = 0; k < 5; k++) {
			if ((i + k) % 3)
				for (uint32_t j = 0; j < i % 7 + k; j++)
					v = v * 31 + p.in[(i + j * 16) & (N - 1)] + k;
			for (uint32_t at = i; at < N; at += 300)
				v ^= p.in[at] + k;
			v += k;
		}
		assert_int_equal(p.out[i], v);
	}
}

static void test_loops_and_barriers(void **state)
{
	enum { N = 1024, B = 96 };
	struct { uint32_t *in, *out; int n, rounds; } p = {harness_alloc(&h, 4 * N), harness_alloc(&h, 8 * B), N, 6};
	uint64_t seed = 22;

	(void)state;
	for (int i = 0; i < N; i++)
		p.in[i] = harness_random(&seed);
	run("loops_and_barriers", 2, B, &p, sizeof p);
	for (uint32_t b = 0; b < 2; b++) {
		uint32_t v[B];

		for (uint32_t t = 0; t < B; t++)
			v[t] = b * B + t;
		for (uint32_t k = 0; k < 6; k++) {
			uint32_t odd = 0;

			for (uint32_t t = 0; t < B; t++) {
				for (uint32_t j = (b * B + t) % 5; j < 9; j++)
					v[t] = v[t] * 33 + p.in[(b * B + t + j) & (N - 1)];
				odd += v[t] & 1;
			}
			for (uint32_t t = 0; t < B; t++) {
				v[t] += t / 32 & 1 ? odd : -odd;
				for (uint32_t j = 0; j < k; j++)
					v[t] ^= p.in[(v[t] + j) & (N - 1)] >> j;
			}
		}
		assert_memory_equal(p.out + b * B, v, sizeof v);
	}
}

static void test_paced_loops(void **state)
{
	enum { N = 96, ROUNDS = 7 };
	struct { uint32_t *buffer, *out; int rounds; } p = {harness_alloc(&h, 4 * 12 * N), harness_alloc(&h, 8 * N), ROUNDS};
	uint32_t buffer[2][2][3 * N];
	uint64_t seed = 23;

	(void)state;
	for (uint32_t i = 0; i < 12 * N; i++)
		p.buffer[i] = harness_random(&seed);
	memcpy(buffer, p.buffer, sizeof buffer);
	run("paced_loops", 2, N, &p, sizeof p);
	for (uint32_t b = 0; b < 2; b++) {
		uint32_t v[N];

		for (uint32_t t = 0; t < N; t++)
			v[t] = t;
		for (uint32_t k = 0; k < ROUNDS; k++) {
			const uint32_t *from = buffer[b][k & 1];
			uint32_t *to = buffer[b][~k & 1], odd = 0;

			for (uint32_t t = 0; t < N; t++) {
				for (uint32_t j = t; t % 3 != k % 3 && j < 3 * N - (t & 1); j += N)
					to[j] = from[(j + k) % (3 * N)] * 5 + k;
				odd += t >= 32 && v[t] & 1;
			}
			for (uint32_t t = 0; t < N; t++)
				v[t] = (v[t] + (t >= 32 ? odd : 0)) * 3 + to[(t * 7 + k) % (3 * N)];
		}
		assert_memory_equal(p.out + b * N, v, sizeof v);
	}
	assert_memory_equal(p.buffer, buffer, sizeof buffer);
}

static void test_strips(void **state)
{
	enum { N = 5000, T = 192 };
	struct { uint32_t *in, *out; int n; } p = {harness_alloc(&h, 4 * N), harness_alloc(&h, 4 * T), N};
	uint64_t seed = 24;

	(void)state;
	for (int i = 0; i < N; i++)
		p.in[i] = harness_random(&seed);
	run("strips", 2, T / 2, &p, sizeof p);
	for (uint32_t t = 0; t < T; t++) {
		uint32_t v = t;

		for (uint32_t i = t; i < N; v ^= i) {
			uint32_t end = i + (t % 16 == 3 ? 2 : 5) * T;

			for (end = end < N ? end : N; i < end; i += T)
				v = v * 31 + p.in[i];
		}
		assert_int_equal(p.out[t], v);
	}
}

static void test_leaving_loops(void **state)
{
	struct { uint32_t *out; int rounds; } p = {harness_alloc(&h, 4 * 512), 40};

	(void)state;
	run("leaving_loops", 2, 256, &p, sizeof p);
	for (uint32_t i = 0; i < 512; i++) {
		uint32_t v = i, want = 0;

		for (uint32_t k = 0; k < 40; k++) {
			v = v * 7 + k;
			if ((v & 255) == 3)
				break;
			want = v;
		}
		assert_int_equal(p.out[i], want);
	}
}

static void test_carrying_loop(void **state)
{
	/* One thread a row, less than a tile, a tile, some tiles and a rest. */
	static const uint32_t blocks[][3] = {{1, 40, 1}, {7, 5, 1}, {16, 3, 1}, {37, 3, 1}, {256, 1, 1}, {64, 4, 1}};
	enum { N = 4000 };
	const uint32_t grid[3] = {2, 1, 1};
	uint64_t seed = 31;

	(void)state;
	for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) {
		uint32_t total = 2 * blocks[k][0] * blocks[k][1];
		struct { uint32_t *in; uint64_t *out; int n; } p = {harness_alloc(&h, 4 * N), harness_alloc(&h, 32 * total), N};

		for (int i = 0; i < N; i++)
			p.in[i] = harness_random(&seed);
		harness_launch(&h, harness_kernel(&h, "carrying_loop", HETCKPT_VARIANT_ORIGINAL), grid, blocks[k], 0, &p,
		               sizeof p);
		if (harness_wait(&h))
			fail_msg("%s", h.error.text);
		for (uint32_t i = 0; i < total; i++) {
			uint32_t at = i, least = ~0u, found = 0;
			uint64_t sum = 0, bits;
			double mean = 0;

			for (; at < N - i % 5 * 90; at += 48) {
				uint32_t v = p.in[at];

				sum += (uint64_t)v * v;
				least = v < least ? v : least;
				mean = mean * 0.5 + v;
				if (v % 97 == 5) {
					found = at + 1;
					break;
				}
			}
			memcpy(&bits, &mean, 8);
			assert_int_equal(p.out[4 * i], sum);
			assert_int_equal(p.out[4 * i + 1], (uint64_t)least << 32 | found);
			assert_int_equal(p.out[4 * i + 2], bits);
			assert_int_equal(p.out[4 * i + 3], at);
		}
	}
}

static void test_picture(void **state)
{
	static const uint32_t blocks[][3] = {{24, 6, 1}, {32, 8, 1}, {300, 1, 1}, {7, 3, 1}, {1, 1, 1}, {8, 1, 2}, {600, 1, 1}};
	/* Nothing wraps; in the first block's row, in a later one's; everything is negative. */
	static const int shifts[] = {0, INT32_MAX - 3, INT32_MAX - 100, INT32_MIN};
	enum { WIDE = 29, HIGH = 5 };
	const uint32_t grid[3] = {WIDE, HIGH, 1};
	uint64_t seed = 7;

	(void)state;
	for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) {
		uint32_t width = WIDE * blocks[k][0], rows = HIGH * blocks[k][1] * blocks[k][2];
		struct { uint32_t *in, *out; int width, limit, height, shift; } p = {
			harness_alloc(&h, 4 * width * rows), harness_alloc(&h, 4 * width * rows), (int)width,
			(int)(width - blocks[k][0] / 2), (int)rows - 1, 0};

		for (uint32_t i = 0; i < width * rows; i++)
			p.in[i] = harness_random(&seed);
		for (size_t s = 0; s < sizeof shifts / sizeof *shifts; s++) {
			p.shift = shifts[s];
			memset(p.out, 0, 4 * width * rows);
			harness_launch(&h, harness_kernel(&h, "picture", HETCKPT_VARIANT_ORIGINAL), grid, blocks[k], 0, &p,
			               sizeof p);
			if (harness_wait(&h))
				fail_msg("%s", h.error.text);
			for (uint32_t i = 0; i < width * rows; i++) {
				int x = (int)(i % width + (uint32_t)p.shift);
				bool in = x < p.limit && (int)(i / width) < p.height;

				assert_int_equal(p.out[i], in ? p.in[i] * 3 + 1 : 0);
			}
		}
	}
}

static void test_tally(void **state)
{
	enum { N = 60000, MASK = 4095 };
	struct { uint32_t *in, *all, *mine, *out; int n, mask; } p = {harness_alloc(&h, 4 * N), harness_alloc(&h, 4 * (MASK + 1)),
		harness_alloc(&h, 4 * 64 * 16), harness_alloc(&h, 4 * 64 * 16), N, 0};
	static uint32_t all[MASK + 1], mine[64 * 16];
	uint64_t seed = 31;

	(void)state;
	for (int i = 0; i < N; i++)
		p.in[i] = harness_random(&seed);
	/* One number, fewer than places in the table, many more. */
	for (p.mask = 0; p.mask <= MASK; p.mask = p.mask * 8 + 7)
		for (uint32_t grid = 1; grid <= 16; grid *= 4)
			for (uint32_t block = 1; block <= 256; block *= 4) {
				memset(p.all, 0, sizeof all);
				memset(p.mine, 0, sizeof mine);
				memset(all, 0, sizeof all);
				memset(mine, 0, sizeof mine);
				for (uint32_t i = 0; i < N; i++) {
					all[p.in[i] & (uint32_t)p.mask] += p.in[i];
					mine[i / block % grid * 64 + (p.in[i] >> 8) % 64]++;
				}
				run("tally", grid, block, &p, sizeof p);
				assert_memory_equal(p.all, all, sizeof all);
				assert_memory_equal(p.mine, mine, sizeof mine);
				assert_memory_equal(p.out, mine, 4 * 64 * grid);
			}
}

static void test_tally_mixed(void **state)
{
	enum { N = 50000, MOST = 4 * 256 };
	struct { uint32_t *in; uint64_t *own, *seen; int n, seldom; } p = {harness_alloc(&h, 4 * N), harness_alloc(&h, 8 * MOST),
		harness_alloc(&h, 8 * (N + MOST)), N, 3};
	static uint64_t own[MOST], seen[N + MOST];
	uint64_t seed = 32;

	(void)state;
	for (int i = 0; i < N; i++)
		p.in[i] = harness_random(&seed);
	for (p.seldom = 3; p.seldom <= 0xffff; p.seldom = p.seldom * 8 + 7)
		for (uint32_t block = 1; block <= 256; block *= 4) {
			uint32_t threads = 4 * block;

			memset(own, 0, sizeof own);
			memset(seen, 0, sizeof seen);
			memset(p.own, 0, sizeof own);
			memset(p.seen, 0, sizeof seen);
			for (uint32_t i = 0; i < N; i++) {
				uint64_t v = p.in[i], *mine = &own[i % threads];

				*mine += v * v;
				if ((v & (uint64_t)p.seldom) == 1)
					seen[i] = *mine;
				if ((v >> 7 & (uint64_t)p.seldom) == 2)
					*mine = v;
				if ((v >> 13 & (uint64_t)p.seldom) == 3)
					*mine = *mine > v << 33 ? *mine : v << 33;
				*mine -= (uint64_t)i << 20;
			}
			memcpy(seen + N, own, 8 * threads);
			run("tally_mixed", 4, block, &p, sizeof p);
			assert_memory_equal(p.own, own, sizeof own);
			assert_memory_equal(p.seen, seen, sizeof seen);
		}
}

static void test_grid_barrier(void **state)
{
	struct hetckpt_kernel *k = harness_kernel(&h, "grid_barrier", HETCKPT_VARIANT_ORIGINAL);
	struct { uint32_t *count, *data; int rounds; } p = {harness_alloc(&h, 4), NULL, 9};
	struct hetckpt_occupancy occupancy;
	uint32_t blocks, *want;

	(void)state;
	assert_int_equal(h.ops->occupancy(k, 40, 0, &occupancy, &h.error), 0);
	blocks = occupancy.resident;
	assert_true(blocks > 1);
	p.data = harness_alloc(&h, 8 * blocks);
	want = calloc(2 * blocks, 4);
	assert_non_null(want);
	run("grid_barrier", blocks, 40, &p, sizeof p);
	for (int r = 0; r < p.rounds; r++)
		for (uint32_t b = 0; b < blocks; b++)
			want[r & 1 ? blocks + b : b] += want[r & 1 ? (b + 1) % blocks : blocks + (b + 1) % blocks] + 1;
	assert_memory_equal(p.data, want, 8 * blocks);
	free(want);
}

static void test_lock(void **state)
{
	struct { uint32_t *mutex, *value; int times; } p = {harness_alloc(&h, 4), harness_alloc(&h, 4), 3};
	uint32_t want = 0;

	(void)state;
	run("lock", 5, 50, &p, sizeof p);
	for (int i = 0; i < 5 * 50 * 3; i++)
		want = want * 3 + 1;
	assert_int_equal(*p.value, want);
}

static void test_classify(void **state)
{
	uint32_t *out = harness_alloc(&h, 16 * 64);

	(void)state;
	run("classify", 1, 64, &out, sizeof out);
	for (int i = 0; i < 64; i++)
		for (int k = 0; k < 4; k++)
			assert_int_equal(out[4 * i + k], 1u << k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vadd),          cmocka_unit_test(test_ids),
		cmocka_unit_test(test_by_value),      cmocka_unit_test(test_variables),
		cmocka_unit_test(test_arithmetic),    cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_recursion),     cmocka_unit_test(test_half_fma),
		cmocka_unit_test(test_matmul),        cmocka_unit_test(test_block_sum),
		cmocka_unit_test(test_private_arrays), cmocka_unit_test(test_barrier_kinds),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_out_of_step),   cmocka_unit_test(test_uneven_loops),
		cmocka_unit_test(test_loops_and_barriers), cmocka_unit_test(test_leaving_loops),
		cmocka_unit_test(test_paced_loops),   cmocka_unit_test(test_strips),
		cmocka_unit_test(test_carrying_loop), cmocka_unit_test(test_picture),
		cmocka_unit_test(test_tally),         cmocka_unit_test(test_tally_mixed),
		cmocka_unit_test(test_pipeline),      cmocka_unit_test(test_reduce),
		cmocka_unit_test(test_warp_kinds),    cmocka_unit_test(test_grid_barrier),
		cmocka_unit_test(test_lock),          cmocka_unit_test(test_classify),
	};

	return cmocka_run_group_tests_name("cpu kernels", tests, setup, teardown);
}
