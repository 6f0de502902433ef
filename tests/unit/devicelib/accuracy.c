/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * accuracy.c - the device mathematics library against the C library.
 *
 * The same bitcode that kernels are linked with, compiled for the host. Double
 * results are compared with long double references, single ones with double. Each
 * row says where it is sampled and how many units in the last place it may be off;
 * the bounds are what was measured, rounded up a little, and docs/device-math.md quotes
 * them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLES 20000

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static double uniform(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (double)(random_state >> 11) * 0x1p-53;
}

/* Ranges that span decades are sampled evenly in the exponent. */
static double sample(double low, double high, int logarithmic)
{
	if (!logarithmic)
		return low + (high - low) * uniform();
	return exp(log(low) + (log(high) - log(low)) * uniform());
}

static double ulp_double(double got, long double want)
{
	int exponent;

	if (isnan(got) || isnan(want))
		return isnan(got) && isnan(want) ? 0 : HUGE_VAL;
	if (isinf((double)want) || isinf(got))
		return (double)want == got ? 0 : HUGE_VAL;
	frexpl(want, &exponent);
	if (want == 0 || exponent < -1021)
		exponent = -1021;
	return (double)fabsl(((long double)got - want) / ldexpl(1, exponent - 53));
}

static double ulp_float(float got, double want)
{
	int exponent;

	if (isnan(got) || isnan(want))
		return isnan(got) && isnan(want) ? 0 : HUGE_VAL;
	if (isinf((float)want) || isinf(got))
		return (float)want == got ? 0 : HUGE_VAL;
	frexp(want, &exponent);
	if (want == 0 || exponent < -125)
		exponent = -125;
	return fabs(((double)got - want) / ldexp(1, exponent - 24));
}

/* References that the C library lacks. */
static long double rsqrt_ref(long double x) { return 1 / sqrtl(x); }
static long double rcbrt_ref(long double x) { return 1 / cbrtl(x); }
/* The nearest half is taken off exactly, so that a result near zero keeps its digits. */
static long double half_turns(long double x, int quarter)
{
	long double nearest = rintl(2 * x), angle = (x - nearest / 2) * 3.14159265358979323846264338328L;

	switch (((int)fmodl(nearest, 4) + quarter) & 3) {
	case 0: return sinl(angle);
	case 1: return cosl(angle);
	case 2: return -sinl(angle);
	default: return -cosl(angle);
	}
}
static long double sinpi_ref(long double x) { return half_turns(x, 0); }
static long double cospi_ref(long double x) { return half_turns(x, 1); }
static long double exp10_ref(long double x) { return powl(10, x); }
static long double normcdf_ref(long double x) { return erfcl(-x * 0.707106781186547524400844362105L) / 2; }
static long double erfcx_ref(long double x) { return x > 105 ? 0 : expl(x * x) * erfcl(x); }
/* From a good start a Newton step in long double leaves no error to speak of. */
double __nv_erfinv(double);
double __nv_erfcinv(double);
double __nv_normcdfinv(double);
static long double erfinv_ref(long double y)
{
	long double x = __nv_erfinv((double)y);

	for (int i = 0; i < 2; i++)
		x -= (erfl(x) - y) * expl(x * x) * 0.886226925452758013649083741671L;
	return x;
}
static long double erfcinv_ref(long double y)
{
	long double x = __nv_erfcinv((double)y);

	for (int i = 0; i < 3; i++)
		x += (erfcl(x) - y) * expl(x * x) * 0.886226925452758013649083741671L;
	return x;
}
static long double normcdfinv_ref(long double p)
{
	return -1.41421356237309504880168872421L * erfcinv_ref(2 * p);
}
static long double modified_ref(long double x, int order)
{
	long double sum = 1, term = 1;

	for (int k = 1; term > sum * 0x1p-70L; k++) {
		term *= x * x / 4 / ((long double)k * (k + order));
		sum += term;
	}
	return order ? x / 2 * sum : sum;
}
static long double i0_ref(long double x) { return modified_ref(x, 0); }
static long double i1_ref(long double x) { return modified_ref(x, 1); }
static long double rhypot_ref(long double x, long double y) { return 1 / hypotl(x, y); }

#define ONE(name)                                                              \
	double __nv_##name(double);                                            \
	float __nv_##name##f(float);
#define TWO(name)                                                              \
	double __nv_##name(double, double);                                    \
	float __nv_##name##f(float, float);
ONE(acos) ONE(acosh) ONE(asin) ONE(asinh) ONE(atan) ONE(atanh) ONE(cbrt) ONE(cos) ONE(cosh)
ONE(cospi) ONE(erf) ONE(erfc) ONE(erfcx) ONE(exp) ONE(exp10) ONE(exp2) ONE(expm1) ONE(lgamma)
ONE(log) ONE(log10) ONE(log1p) ONE(log2) ONE(normcdf) ONE(rcbrt) ONE(rsqrt) ONE(sin) ONE(sinh)
ONE(sinpi) ONE(sqrt) ONE(tan) ONE(tanh) ONE(tgamma) ONE(erfinv) ONE(erfcinv) ONE(normcdfinv)
ONE(j0) ONE(j1) ONE(y0) ONE(y1) ONE(cyl_bessel_i0) ONE(cyl_bessel_i1)
TWO(atan2) TWO(fmod) TWO(hypot) TWO(pow) TWO(remainder) TWO(rhypot) TWO(nextafter)

struct row {
	const char *name;
	double (*d)(double);
	float (*f)(float);
	long double (*reference)(long double);
	double low, high;
	int logarithmic;
	double ulp_d, ulp_f;
	/* single precision overflows earlier */
	double low_f, high_f;
};
#define ROW(name, ref, low, high, log, ulp_d, ulp_f) \
	{#name, __nv_##name, __nv_##name##f, ref, low, high, log, ulp_d, ulp_f, low, high}
#define ROW_F(name, ref, low, high, log, ulp_d, ulp_f, low_f, high_f) \
	{#name, __nv_##name, __nv_##name##f, ref, low, high, log, ulp_d, ulp_f, low_f, high_f}

static const struct row rows[] = {
#include "rows.h"
};

static void test_accuracy(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		const struct row *row = &rows[r];
		double worst_d = 0, worst_f = 0, at_d = 0, at_f = 0;

		for (int i = 0; i < SAMPLES; i++) {
			double x = sample(row->low, row->high, row->logarithmic);
			float y = (float)sample(row->low_f, row->high_f, row->logarithmic);
			double e = ulp_double(row->d(x), row->reference((long double)x));
			double g = ulp_float(row->f(y), (double)row->reference((long double)y));

			if (e > worst_d)
				worst_d = e, at_d = x;
			if (g > worst_f)
				worst_f = g, at_f = y;
		}
		print_message("%-12s [%g, %g]  double %.2f ulp at %.17g, float %.2f ulp at %.9g\n", row->name,
		              row->low, row->high, worst_d, at_d, worst_f, at_f);
		if (worst_d > row->ulp_d || worst_f > row->ulp_f) {
			print_error("%s: more than %.2f (double) or %.2f (float) ulp\n", row->name,
			            row->ulp_d, row->ulp_f);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

struct row2 {
	const char *name;
	double (*d)(double, double);
	float (*f)(float, float);
	long double (*reference)(long double, long double);
	double low, high, low2, high2;
	int logarithmic;
	double ulp_d, ulp_f, low_f, high_f, low2_f, high2_f;
};
#define ROW2(name, ref, low, high, low2, high2, log, ulp_d, ulp_f, low_f, high_f, low2_f, high2_f) \
	{#name, __nv_##name, __nv_##name##f, ref, low, high, low2, high2, log, ulp_d, ulp_f,      \
	 low_f, high_f, low2_f, high2_f}
static const struct row2 rows2[] = {
	ROW2(atan2, atan2l, 1e-30, 1e30, 1e-30, 1e30, 1, 2, 3, 1e-30, 1e30, 1e-30, 1e30),
	ROW2(atan2, atan2l, -3, 3, -3, 3, 0, 2, 3, -3, 3, -3, 3),
	ROW2(hypot, hypotl, 1e-300, 1e300, 1e-300, 1e300, 1, 2, 2, 1e-37, 1e37, 1e-37, 1e37),
	ROW2(hypot, hypotl, -3, 3, -3, 3, 0, 2, 2, -3, 3, -3, 3),
	ROW2(pow, powl, 1e-3, 1e3, -90, 90, 0, 2, 2, 1e-3, 1e3, -12, 12),
	ROW2(pow, powl, 0.9, 1.1, -6000, 6000, 0, 2, 2, 0.9, 1.1, -800, 800),
	ROW2(fmod, fmodl, 1e-3, 1e30, 1e-3, 1e3, 1, 0, 0, 1e-3, 1e30, 1e-3, 1e3),
	ROW2(remainder, remainderl, 1e-3, 1e30, 1e-3, 1e3, 1, 0, 0, 1e-3, 1e30, 1e-3, 1e3),
	ROW2(rhypot, rhypot_ref, 1e-300, 1e300, 1e-300, 1e300, 1, 2, 2, 1e-37, 1e37, 1e-37, 1e37),
};

static void test_accuracy_two(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t r = 0; r < sizeof rows2 / sizeof *rows2; r++) {
		const struct row2 *row = &rows2[r];
		double worst_d = 0, worst_f = 0, at_d[2] = {0}, at_f[2] = {0};

		for (int i = 0; i < SAMPLES; i++) {
			double x = sample(row->low, row->high, row->logarithmic);
			double y = sample(row->low2, row->high2, row->logarithmic);
			float u = (float)sample(row->low_f, row->high_f, row->logarithmic);
			float v = (float)sample(row->low2_f, row->high2_f, row->logarithmic);
			double e = ulp_double(row->d(x, y), row->reference(x, y));
			double g = ulp_float(row->f(u, v), (double)row->reference(u, v));

			if (e > worst_d)
				worst_d = e, at_d[0] = x, at_d[1] = y;
			if (g > worst_f)
				worst_f = g, at_f[0] = u, at_f[1] = v;
		}
		print_message("%-12s double %.2f ulp at %.17g, %.17g; float %.2f ulp at %.9g, %.9g\n",
		              row->name, worst_d, at_d[0], at_d[1], worst_f, at_f[0], at_f[1]);
		if (worst_d > row->ulp_d || worst_f > row->ulp_f) {
			print_error("%s: more than %.2f (double) or %.2f (float) ulp\n", row->name,
			            row->ulp_d, row->ulp_f);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

/* Bessel functions oscillate: what counts is the error against their amplitude. */
double __nv_jn(int, double);
double __nv_yn(int, double);
static void test_bessel(void **state)
{
	double worst[6] = {0};

	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		double x = i & 1 ? sample(1e-6, 1e6, 1) : sample(0, 60, 0);
		int n = (int)(uniform() * 40);
		double scale = 1 / (1 + sqrt(x)), error[6];

		error[0] = fabs((double)(__nv_j0(x) - j0l(x))) / scale;
		error[1] = fabs((double)(__nv_j1(x) - j1l(x))) / scale;
		error[2] = fabs((double)(__nv_y0(x) - y0l(x))) / (scale + fabs(y0(x)));
		error[3] = fabs((double)(__nv_y1(x) - y1l(x))) / (scale + fabs(y1(x)));
		error[4] = fabs((double)(__nv_jn(n, x) - jnl(n, x))) / scale;
		error[5] = isinf(yn(n, x)) ? 0 : fabs((double)(__nv_yn(n, x) - ynl(n, x))) / (scale + fabs(yn(n, x)));
		for (int k = 0; k < 6; k++)
			if (!(error[k] <= worst[k]))
				worst[k] = error[k];
	}
	print_message("bessel j0 %.2g j1 %.2g y0 %.2g y1 %.2g jn %.2g yn %.2g\n", worst[0], worst[1], worst[2],
	              worst[3], worst[4], worst[5]);
	for (int k = 0; k < 6; k++)
		assert_true(worst[k] < (k < 4 ? 1e-14 : 1e-12));
}

/* Exact functions on values where mistakes hide: zeros with signs, subnormals, infinities. */
float __nv_fmodf(float, float), __nv_remainderf(float, float), __nv_ldexpf(float, int);
double __nv_fmod(double, double), __nv_remainder(double, double), __nv_ldexp(double, int);
float __nv_frexpf(float, int *), __nv_modff(float, float *), __nv_remquof(float, float, int *);
double __nv_frexp(double, int *), __nv_modf(double, double *), __nv_remquo(double, double, int *);

static void expect(const char *what, double a, double b, double got, double want)
{
	if (isnan(got) ? !isnan(want) : memcmp(&got, &want, sizeof got))
		fail_msg("%s(%a, %a): %a instead of %a", what, a, b, got, want);
}

static void test_exact(void **state)
{
	static const double values[] = {
		0.0, -0.0, 1, -1, 1.5, 2.5, -2.5, 3, 0x1p-149, -0x1.8p-148, 0x1p-126, 0x1.fffffep127, -0x1p127,
		1e10, -7.25, 0.1f, 0x1.fffffcp-127, HUGE_VAL, -HUGE_VAL, NAN,
	};
	static const double wide[] = {0x1p-1074, -0x1.8p-1073, 0x1p-1022, 0x1.fffffffffffffp1023, 0x1p1023, -1e-300};
	double all[26];
	size_t count = sizeof values / sizeof *values;

	(void)state;
	memcpy(all, values, sizeof values);
	memcpy(all + count, wide, sizeof wide);
	for (size_t i = 0; i < 26; i++)
		for (size_t j = 0; j < 26; j++) {
			double a = all[i], b = all[j], whole, whole2;
			float u = (float)a, v = (float)b, fwhole, fwhole2;
			int q, q2, e, e2, n = (int)(j * 179) - 2200;

			expect("fmod", a, b, __nv_fmod(a, b), fmod(a, b));
			expect("remainder", a, b, __nv_remainder(a, b), remainder(a, b));
			expect("fmodf", u, v, __nv_fmodf(u, v), fmodf(u, v));
			expect("remainderf", u, v, __nv_remainderf(u, v), remainderf(u, v));
			expect("nextafter", a, b, __nv_nextafter(a, b), nextafter(a, b));
			expect("nextafterf", u, v, __nv_nextafterf(u, v), nextafterf(u, v));
			expect("ldexp", a, n, __nv_ldexp(a, n), ldexp(a, n));
			expect("ldexpf", u, n / 8, __nv_ldexpf(u, n / 8), ldexpf(u, n / 8));
			expect("modf", a, 0, __nv_modf(a, &whole), modf(a, &whole2));
			expect("modf", a, 1, whole, whole2);
			expect("modff", u, 0, __nv_modff(u, &fwhole), modff(u, &fwhole2));
			expect("modff", u, 1, fwhole, fwhole2);
			expect("frexp", a, 0, __nv_frexp(a, &e), frexp(a, &e2));
			if (isfinite(a))
				assert_int_equal(e, e2);
			expect("frexpf", u, 0, __nv_frexpf(u, &e), frexpf(u, &e2));
			if (isfinite(u))
				assert_int_equal(e, e2);
			expect("remquo", a, b, __nv_remquo(a, b, &q), remquo(a, b, &q2));
			if (isfinite(a) && !isnan(b) && b != 0)
				assert_int_equal(q & 7, q2 & 7);
			expect("remquof", u, v, __nv_remquof(u, v, &q), remquof(u, v, &q2));
			if (isfinite(u) && !isnan(v) && v != 0)
				assert_int_equal(q & 7, q2 & 7);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accuracy),
		cmocka_unit_test(test_accuracy_two),
		cmocka_unit_test(test_bessel),
		cmocka_unit_test(test_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
