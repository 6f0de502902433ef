/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Gamma, the error function's relatives and inverses. Functions in single precision
 * are the double ones, rounded: they are rare, and right this way.
 */
#include "devicelib.h"

#define SQRT_HALF 0x1.6a09e667f3bcdp-1
#define SQRT_HALF_LOW -0x1.bdd3413b26456p-55
#define SQRT_TWO 0x1.6a09e667f3bcdp+0
#define INV_SQRT_PI 0x1.20dd750429b6dp-1
#define TWO_INV_SQRT_PI 0x1.20dd750429b6dp+0

float __nv_lgammaf(float x) { return (float)clc_lgamma((double)x); }
double __nv_lgamma(double x) { return clc_lgamma(x); }

/*
 * Gamma for x >= 1/2. Stirling's formula is exact enough from 20 on; a smaller
 * argument is brought there by gamma(x) = gamma(x + n) / (x (x + 1) ... (x + n - 1)),
 * with the product carried in two doubles.
 */
static double gamma_right(double x)
{
	double product = 1, low = 0, z = x, z_low = 0, r, r2, series, power;

	if (x > 171.7)
		return __builtin_inf();
	while (z < 20) {
		double p = product * z, e = __builtin_fma(product, z, -p), up = z + 1;

		low = __builtin_fma(low, z, __builtin_fma(product, z_low, e));
		product = p;
		/* x + k is not always a double: keep what each step rounds off */
		z_low += (z - up) + 1;
		z = up;
	}
	r = 1 / z;
	r2 = r * r;
	series = r * (1.0 / 12 + r2 * (-1.0 / 360 + r2 * (1.0 / 1260 + r2 * (-1.0 / 1680 +
	         r2 * (1.0 / 1188 + r2 * (-691.0 / 360360 + r2 * (1.0 / 156)))))));
	/* (log gamma)' is about log z */
	series += z_low * (clc_log(z) - 0.5 * r);
	/* In two halves, so that nothing overflows before the result does. */
	power = clc_pow(z, 0.5 * z - 0.25);
	r = power * (clc_exp(-z) * 0x1.40d931ff62706p+1); /* sqrt(2 pi) */
	r = __builtin_fma(r, clc_expm1(series), r) * power;
	return r / product * (1 - low / product);
}

double __nv_tgamma(double x)
{
	double s, g;

	if (x == 0)
		return 1 / x;
	if (__builtin_fabs(x) < 0x1p-60)
		return 1 / x;
	if (!(x < 0.5))
		return gamma_right(x);
	if (x == __builtin_floor(x) || x == -__builtin_inf())
		return __builtin_nan("");
	s = clc_sinpi(x);
	if (x < -184)
		return s * 0;
	/* gamma(x) gamma(1 - x) = pi / sin(pi x); far left gamma(1 - x) overflows */
	if (x < -170) {
		g = gamma_right(1 - x - 30);
		g = 3.14159265358979323846 / (s * g);
		for (int k = 30; k >= 1; k--)
			g /= 1 - x - k;
		return g;
	}
	g = gamma_right(1 - x);
	/* 1 - x rounds; the derivative puts it back */
	g += g * ((1 - (1 - x)) - x) * clc_log(1 - x);
	return 3.14159265358979323846 / (s * g);
}
float __nv_tgammaf(float x) { return (float)__nv_tgamma((double)x); }

/* exp(x^2): what x * x lost in rounding comes back as a factor. */
static double exp_square(double x, double sign)
{
	double square = x * x, low = __builtin_fma(x, x, -square);

	return clc_exp(sign * square) * (1 + sign * low);
}

/*
 * exp(x^2) erfc(x). Far out the continued fraction
 *   sqrt(pi) erfcx(x) = 1 / (x + (1/2) / (x + (2/2) / (x + (3/2) / (x + ...
 * converges quickly and nothing can overflow.
 */
static double erfcx_positive(double x)
{
	double tail;

	if (!(x >= 5))
		return exp_square(x, 1) * clc_erfc(x);
	if (x > 1e8)
		return INV_SQRT_PI / x;
	tail = x;
	for (int k = 40; k >= 1; k--)
		tail = x + 0.5 * k / tail;
	return INV_SQRT_PI / tail;
}

double __nv_erfcx(double x)
{
	if (x < 0)
		return x < -26.7 ? __builtin_inf() : 2 * exp_square(x, 1) - erfcx_positive(-x);
	return erfcx_positive(x);
}
float __nv_erfcxf(float x) { return (float)__nv_erfcx((double)x); }

/*
 * erfc(-x / sqrt 2) / 2. The rounding of the argument would be magnified by the
 * steep slope, so its error z + low is carried and put back through the derivative.
 */
double __nv_normcdf(double x)
{
	double z = -x * SQRT_HALF, low = __builtin_fma(-x, SQRT_HALF, -z) - x * SQRT_HALF_LOW;

	if (!(z < 27.5))
		return z != z ? z : 0;
	if (z < -10)
		return 1;
	return 0.5 * (clc_erfc(z) - TWO_INV_SQRT_PI * exp_square(z, -1) * low);
}
float __nv_normcdff(float x) { return (float)__nv_normcdf((double)x); }

/*
 * A start for the inverse of erf, from the tail's logarithm t = -log(1 - y^2): the
 * solution of a quadratic in x^2 that fits erf to a few thousandths everywhere.
 */
static double erfinv_start(double t)
{
	const double a = 0.147, two_over_pi = 0.63661977236758134;
	double half = two_over_pi / a - 0.5 * t;

	return __builtin_sqrt(__builtin_sqrt(half * half + t / a) - half);
}

/* Inverse of erfc for 0 < y < 1, solved for the logarithm of erfc, which is nearly a parabola. */
static double erfcinv_tail(double y)
{
	double x = erfinv_start(-clc_log(y) - clc_log1p(1 - y));

	for (int i = 0; i < 4; i++) {
		double ratio = __nv_erfcx(x), slope = TWO_INV_SQRT_PI / ratio;
		/* log erfc(x) - log y, in terms that neither underflow nor cancel */
		double square = x * x, low = __builtin_fma(x, x, -square);
		double error = (clc_log(ratio / y) - square) - low;

		/* Halley: the second derivative of log erfc is slope * (2 x - slope) */
		x += error / (slope + 0.5 * error * (2 * x - slope));
	}
	return x;
}

double __nv_erfcinv(double y)
{
	double x;

	if (!(y > 0 && y < 2))
		return y == 0 ? __builtin_inf() : y == 2 ? -__builtin_inf() : __builtin_nan("");
	if (y > 0.5 && y < 1.5)
		return __nv_erfinv(1 - y);
	x = erfcinv_tail(y < 1 ? y : 2 - y);
	return y < 1 ? x : -x;
}
float __nv_erfcinvf(float y) { return (float)__nv_erfcinv((double)y); }

double __nv_erfinv(double y)
{
	double a = __builtin_fabs(y), x;

	if (!(a < 1))
		return a == 1 ? y * __builtin_inf() : __builtin_nan("");
	if (a < 1e-8)
		return y * 0x1.c5bf891b4ef6bp-1; /* sqrt(pi) / 2 */
	if (a > 0.5)
		return __builtin_copysign(erfcinv_tail(1 - a), y);
	x = erfinv_start(-clc_log1p(-a * a));
	for (int i = 0; i < 4; i++) {
		double step = (clc_erf(x) - a) / (TWO_INV_SQRT_PI * exp_square(x, -1));

		x -= step / (1 + x * step);
	}
	return __builtin_copysign(x, y);
}
float __nv_erfinvf(float y) { return (float)__nv_erfinv((double)y); }

double __nv_normcdfinv(double p) { return -SQRT_TWO * __nv_erfcinv(2 * p); }
float __nv_normcdfinvf(float p) { return (float)__nv_normcdfinv((double)p); }
