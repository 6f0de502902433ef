/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * test_exact.c - exact forms of approximate instructions: against the C library in long
 * double, and bit for bit against fixed hashes, which any target's results can be held to.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SINGLE(name) float __hetckpt_exact_##name(float)
SINGLE(ex2_approx_f); SINGLE(ex2_approx_ftz_f); SINGLE(lg2_approx_f); SINGLE(lg2_approx_ftz_f);
SINGLE(sin_approx_f); SINGLE(cos_approx_f); SINGLE(tanh_approx_f); SINGLE(rcp_approx_f);
SINGLE(rcp_approx_ftz_f); SINGLE(sqrt_approx_f); SINGLE(rsqrt_approx_f); SINGLE(sin_approx_ftz_f);
#define DOUBLE(name) double __hetckpt_exact_##name(double)
DOUBLE(ex2_approx_d); DOUBLE(lg2_approx_d); DOUBLE(rsqrt_approx_d); DOUBLE(rcp_approx_ftz_d);
DOUBLE(rsqrt_approx_ftz_d);
_Float16 __hetckpt_exact_ex2_approx_f16(_Float16), __hetckpt_exact_tanh_approx_f16(_Float16);
_Float16 __hetckpt_exact_ex2_approx_ftz_f16(_Float16);
float __hetckpt_exact_div_approx_ftz_f(float, float), __hetckpt_exact_div_full(float, float);

#define E(name) __hetckpt_exact_##name

static float as_float(uint32_t b)
{
	float f;

	memcpy(&f, &b, sizeof f);
	return f;
}
static uint32_t float_bits(float f)
{
	uint32_t b;

	memcpy(&b, &f, sizeof b);
	return b;
}
static double as_double(uint64_t b)
{
	double d;

	memcpy(&d, &b, sizeof d);
	return d;
}
static uint64_t double_bits(double d)
{
	uint64_t b;

	memcpy(&b, &d, sizeof b);
	return b;
}

static long double rsqrt_l(long double x) { return 1 / sqrtl(x); }
static long double rcp_l(long double x) { return 1 / x; }

struct single {
	const char *name;
	float (*f)(float);
	long double (*reference)(long double);
	uint64_t hash; /* of all results of the sweep */
};
static const struct single singles[] = {
	{"ex2", E(ex2_approx_f), exp2l, 0x2592889ac46987baull},
	{"lg2", E(lg2_approx_f), log2l, 0xe17e8c5a282ebd7full},
	{"sin", E(sin_approx_f), sinl, 0x730b61a4a1052002ull},
	{"cos", E(cos_approx_f), cosl, 0xc1593549b489bdcdull},
	{"tanh", E(tanh_approx_f), tanhl, 0x75e9a68836b5a988ull},
	{"rcp", E(rcp_approx_f), rcp_l, 0xaaee0abb0d5178b8ull},
	{"sqrt", E(sqrt_approx_f), sqrtl, 0x40f8e2b2197ca391ull},
	{"rsqrt", E(rsqrt_approx_f), rsqrt_l, 0xd61308bb32d6c2f3ull},
};

/* Error of y in units of the last place of the reference; 0 if both are NaN or infinite. */
static long double error_single(float y, long double reference)
{
	float rounded = (float)reference;
	int exponent;

	if (isnan(rounded) || isinf(rounded))
		return isnan(rounded) ? (isnan(y) ? 0 : INFINITY) : y == rounded ? 0 : INFINITY;
	if (y == rounded)
		return 0;
	frexpl(reference, &exponent);
	exponent = exponent - 24 < -149 ? -149 : exponent - 24;
	return fabsl((long double)y - reference) / ldexpl(1, exponent);
}

static uint64_t mix(uint64_t hash, uint64_t v) { return (hash ^ v) * 0x9e3779b97f4a7c15ull ^ hash >> 29; }

/* Every exponent and sign, with steps that share no factor with powers of two. */
static void test_single(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t k = 0; k < sizeof singles / sizeof singles[0]; k++) {
		const struct single *s = &singles[k];
		long double worst = 0;
		uint64_t hash = 0;

		for (uint64_t b = 0; b < 1ull << 32; b += 16381) {
			float x = as_float((uint32_t)b), y = s->f(x);
			long double error = error_single(y, s->reference((long double)x));

			worst = error > worst ? error : worst;
			hash = mix(hash, isnan(y) ? 0x7fffffff : float_bits(y));
		}
		if (worst > 0.5001L || hash != s->hash) {
			print_error("%s: error %Lg, hash 0x%llx\n", s->name, worst, (unsigned long long)hash);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* Arguments that lie near multiples of pi/2, the nearest of all of single precision with them. */
static void test_reduction(void **state)
{
	static const float near[] = {16367173 * 0x1p72f, 0x1.921fb6p0f, 0x1.921fb6p20f, 0x1.fffffep127f,
				     0x1p20f,		 0x1.fffffep19f, 0x1p21f};
	int wrong = 0;

	(void)state;
	for (uint32_t e = 147; e < 255; e++)
		for (uint32_t m = 0; m < 1 << 23; m += 20011) {
			float x = as_float(e << 23 | m);

			wrong += error_single(E(sin_approx_f)(x), sinl((long double)x)) > 0.5001L;
			wrong += error_single(E(cos_approx_f)(-x), cosl((long double)x)) > 0.5001L;
		}
	assert_int_equal(wrong, 0);
	for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
		assert_true(error_single(E(sin_approx_f)(near[i]), sinl((long double)near[i])) <= 0.5001L);
		assert_true(error_single(E(cos_approx_f)(near[i]), cosl((long double)near[i])) <= 0.5001L);
		assert_true(E(sin_approx_f)(-near[i]) == -E(sin_approx_f)(near[i]));
	}
	/* Every 24-bit multiple nearest to quarters: n pi/2 rounded. */
	for (uint32_t n = 1; n < 4000000; n += 37) {
		float x = (float)(n * 1.57079632679489661923L);

		assert_true(error_single(E(sin_approx_f)(x), sinl((long double)x)) <= 0.5001L);
		assert_true(error_single(E(cos_approx_f)(x), cosl((long double)x)) <= 0.5001L);
	}
}

static long double error_double(double y, long double reference)
{
	int exponent;

	if (isnan(reference) || isinf((double)reference))
		return isnan(reference) ? (isnan(y) ? 0 : INFINITY) : y == (double)reference ? 0 : INFINITY;
	frexpl(reference, &exponent);
	exponent = exponent - 53 < -1074 ? -1074 : exponent - 53;
	return fabsl((long double)y - reference) / ldexpl(1, exponent);
}

static void test_double(void **state)
{
	long double ex2 = 0, lg2 = 0, rsqrt = 0;
	uint64_t hash = 0;

	(void)state;
	for (int32_t i = -1100 * 64; i <= 1030 * 64; i++) {
		double x = i * 0x1.0000123456789p-6, y = E(ex2_approx_d)(x);

		ex2 = fmaxl(ex2, error_double(y, exp2l((long double)x)));
		hash = mix(hash, double_bits(y));
	}
	for (uint64_t b = 1; b < 0x7ff0000000000000ull; b += 0x7fe123456789bull) {
		double x = as_double(b), l = E(lg2_approx_d)(x), r = E(rsqrt_approx_d)(x);

		lg2 = fmaxl(lg2, error_double(l, log2l((long double)x)));
		rsqrt = fmaxl(rsqrt, error_double(r, rsqrt_l((long double)x)));
		hash = mix(hash, double_bits(l) ^ double_bits(r));
	}
	for (int32_t i = -100000; i <= 100000; i++) {
		double x = 1 + i * 0x1p-18, l = E(lg2_approx_d)(x);

		lg2 = fmaxl(lg2, error_double(l, log2l((long double)x)));
		hash = mix(hash, double_bits(l));
	}
	print_message("ex2 %.2Lf, lg2 %.2Lf, rsqrt %.2Lf units in the last place\n", ex2, lg2, rsqrt);
	assert_true(ex2 < 2 && lg2 < 4 && rsqrt < 1.6L);
	assert_int_equal(hash, 0x54b6a97d1a6ccb98ull);
}

/* Through single precision, so rounded twice. */
static void test_half(void **state)
{
	(void)state;
	for (uint32_t b = 0; b < 1 << 16; b++) {
		uint16_t bits = (uint16_t)b;
		_Float16 x, e, t, f;

		memcpy(&x, &bits, sizeof x);
		e = E(ex2_approx_f16)(x);
		t = E(tanh_approx_f16)(x);
		f = E(ex2_approx_ftz_f16)(x);
		if (isnan((float)x)) {
			assert_true(isnan((float)e) && isnan((float)t) && isnan((float)f));
			continue;
		}
		assert_true(e == (_Float16)(float)exp2l((long double)x));
		assert_true(t == (_Float16)(float)tanhl((long double)x));
		assert_true(f == (fabsf((float)e) < 0x1p-14f ? 0 : fabsf((float)x) < 0x1p-14f ? 1 : e));
	}
}

static void test_special(void **state)
{
	float inf = INFINITY, tiny = 0x1p-130f;

	(void)state;
	assert_true(isnan(E(sin_approx_f)(inf)) && isnan(E(cos_approx_f)(-inf)) && isnan(E(sin_approx_f)(NAN)));
	assert_int_equal(float_bits(E(sin_approx_f)(-0.0f)), 0x80000000);
	assert_int_equal(float_bits(E(tanh_approx_f)(-0.0f)), 0x80000000);
	assert_true(E(tanh_approx_f)(inf) == 1 && E(tanh_approx_f)(-inf) == -1 && isnan(E(tanh_approx_f)(NAN)));
	assert_true(E(ex2_approx_f)(inf) == inf && E(ex2_approx_f)(-inf) == 0 && isnan(E(ex2_approx_f)(NAN)));
	assert_true(E(ex2_approx_f)(-140) == 0x1p-140f && E(ex2_approx_ftz_f)(-140) == 0);
	assert_true(E(lg2_approx_f)(tiny) == -130 && E(lg2_approx_ftz_f)(tiny) == -inf);
	assert_true(E(rcp_approx_f)(tiny) == inf && E(rcp_approx_ftz_f)(-tiny) == -inf);
	assert_true(E(rsqrt_approx_f)(-0.0f) == -inf && isnan(E(rsqrt_approx_f)(-1)));
	assert_true(E(sin_approx_f)(tiny) == tiny && E(sin_approx_ftz_f)(tiny) == 0);
	/* The instructions lose divisors beyond 2^126. */
	assert_true(E(div_full)(0x1p127f, 0x1p127f) == 1 && E(div_approx_ftz_f)(tiny, 1) == 0);
	assert_true(E(lg2_approx_d)(0x1p-1074) == -1074 && isnan(E(lg2_approx_d)(-1)) &&
		    E(lg2_approx_d)(0) == -INFINITY && E(lg2_approx_d)(INFINITY) == INFINITY);
	assert_true(E(ex2_approx_d)(-1074) == 0x1p-1074 && E(ex2_approx_d)(1024) == INFINITY &&
		    isnan(E(ex2_approx_d)(NAN)) && E(ex2_approx_d)(-INFINITY) == 0);
	assert_int_equal(double_bits(E(rcp_approx_ftz_d)(3)), 0x3fd5555500000000);
	assert_int_equal(double_bits(E(rsqrt_approx_ftz_d)(2)), 0x3fe6a09e00000000);
	assert_true(E(rcp_approx_ftz_d)(-0x1p-1060) == -INFINITY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_reduction),
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_half),
		cmocka_unit_test(test_special),
	};

	return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
