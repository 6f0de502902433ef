/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Bessel functions.
 *
 * Below BORDER all J_k(x) come from one downward recurrence (Miller's algorithm),
 * scaled by J_0 + 2 (J_2 + J_4 + ...) = 1, and Y_0, Y_1 from Neumann's series over
 * them. Beyond it Hankel's asymptotic expansions are exact to double precision.
 * The absolute error is a few units of 1e-16; near a zero the relative one is more.
 */
#include "devicelib.h"

#define BORDER 28.0
#define PI 3.14159265358979323846
#define EULER 0.57721566490153286061

struct orders { double j0, j1, y0, y1, jn; };

/* J_0, J_1, Y_0, Y_1 and J_n at 0 < x < BORDER. */
static struct orders miller(double x, int n)
{
	struct orders o = {0};
	int start = (int)(x + 12 * clc_cbrt(x)) + 26, top;
	double next = 0, here = 0x1p-900, sum = 0, series0 = 0, series1 = 0, jn = 0, scale, log_half;

	top = start | 1;
	if (n > top)
		n = -1; /* J_n is far below the smallest that matters; the caller takes it as it needs */
	for (int k = top; k >= 0; k--) {
		/* here = J_k, next = J_{k+1}, all times one unknown factor */
		if (k == n)
			jn = here;
		if (k == 1)
			o.j1 = here;
		if (k == 0) {
			o.j0 = here;
			sum += here;
		} else if (!(k & 1)) {
			int half = k / 2;

			sum += 2 * here;
			series0 += (half & 1 ? here : -here) / half;
		} else if (k >= 3) {
			/* Y_1: sum over J_{2m+1} of (-1)^m (2m+1) / (m (m+1)) */
			int m = k / 2;

			series1 += (m & 1 ? here : -here) * (double)k / ((double)m * (m + 1));
		}
		if (k > 0) {
			double previous = 2.0 * k / x * here - next;

			next = here;
			here = previous;
			if (__builtin_fabs(here) > 0x1p800) {
				const double shrink = 0x1p-900;

				here *= shrink;
				next *= shrink;
				sum *= shrink;
				series0 *= shrink;
				series1 *= shrink;
				jn *= shrink;
				o.j1 *= shrink;
			}
		}
	}
	scale = 1 / sum;
	o.j0 *= scale;
	o.j1 *= scale;
	o.jn = jn * scale;
	log_half = clc_log(0.5 * x) + EULER;
	o.y0 = 2 / PI * (log_half * o.j0 + 2 * series0 * scale);
	o.y1 = 2 / PI * ((log_half - 1) * o.j1 - o.j0 / x + series1 * scale);
	return o;
}

/* Hankel's P and Q for order 0 or 1: terms until they grow or vanish. */
static void hankel(double x, int order, double *p, double *q)
{
	double mu = 4.0 * order * order, term = 1, sum_p = 1, sum_q = 0;

	for (int k = 1; k < 60; k++) {
		double odd = 2 * k - 1, factor = (mu - odd * odd) / (8.0 * k * x), next = term * factor;

		if (__builtin_fabs(next) > __builtin_fabs(term) || __builtin_fabs(next) < 1e-19)
			break;
		term = next;
		switch (k & 3) {
		case 0: sum_p += term; break;
		case 1: sum_q += term; break;
		case 2: sum_p -= term; break;
		default: sum_q -= term; break;
		}
	}
	*p = sum_p;
	*q = sum_q;
}

static void far(double x, int order, double *j, double *y)
{
	double p, q, s = clc_sin(x), c = clc_cos(x), amplitude = __builtin_sqrt(1 / (PI * x));
	/* cos and sin of x - pi/4 or x - 3 pi/4, times sqrt 2, of the exactly reduced x */
	double cosine = order ? s - c : c + s, sine = order ? -s - c : s - c;

	if (x == __builtin_inf()) {
		*j = *y = 0;
		return;
	}
	hankel(x, order, &p, &q);
	*j = amplitude * (p * cosine - q * sine);
	*y = amplitude * (p * sine + q * cosine);
}

double __nv_j0(double x)
{
	double j, y;

	x = __builtin_fabs(x);
	if (x < 1e-8)
		return 1 - 0.25 * x * x;
	if (x < BORDER)
		return miller(x, 0).j0;
	far(x, 0, &j, &y);
	return j;
}

double __nv_j1(double x)
{
	double j, y, a = __builtin_fabs(x);

	if (a < 1e-8)
		return 0.5 * x;
	if (a < BORDER)
		j = miller(a, 1).j1;
	else
		far(a, 1, &j, &y);
	return x < 0 ? -j : j;
}

double __nv_y0(double x)
{
	double j, y;

	if (!(x > 0))
		return x == 0 ? -__builtin_inf() : __builtin_nan("");
	if (x < 1e-8)
		return 2 / PI * (clc_log(0.5 * x) + EULER);
	if (x < BORDER)
		return miller(x, 0).y0;
	far(x, 0, &j, &y);
	return y;
}

double __nv_y1(double x)
{
	double j, y;

	if (!(x > 0))
		return x == 0 ? -__builtin_inf() : __builtin_nan("");
	if (x < 1e-8)
		return -2 / (PI * x);
	if (x < BORDER)
		return miller(x, 0).y1;
	far(x, 1, &j, &y);
	return y;
}

/* (x/2)^n / n! (1 - (x/2)^2 / (n+1) + ...): for orders far above the argument. */
static double leading_terms(int n, double x)
{
	double half = 0.5 * x, term = 1, sum = 1;
	double log_scale = n * clc_log(half) - clc_lgamma(n + 1.0);

	for (int k = 1; k < 40; k++) {
		term *= -half * half / ((double)k * (n + k));
		sum += term;
	}
	return clc_exp(log_scale) * sum;
}

double __nv_jn(int n, double x)
{
	double a = __builtin_fabs(x), result;
	int negative = x < 0 && (n & 1);

	if (n < 0 || x != x)
		return __builtin_nan("");
	if (n == 0)
		return __nv_j0(x);
	if (n == 1)
		return __nv_j1(x);
	if (a == 0 || a == __builtin_inf())
		return 0;
	if (a < BORDER) {
		/* Miller's start lies above every order that is not tiny. */
		result = n <= (int)(a + 12 * clc_cbrt(a)) + 20 ? miller(a, n).jn : leading_terms(n, a);
	} else if (n <= a) {
		/* Upwards is stable while the order is below the argument. */
		double below = __nv_j0(a), here = __nv_j1(a);

		for (int k = 1; k < n; k++) {
			double above = 2.0 * k / a * here - below;

			below = here;
			here = above;
		}
		result = here;
	} else {
		/* Downwards from well above n, scaled by J_0 or J_1, whichever is larger. */
		double next = 0, here = 0x1p-900, at_n = 0, at_1 = 0, j0 = __nv_j0(a), j1 = __nv_j1(a);

		for (int k = n + 40 + (int)(12 * clc_cbrt((double)n)); k > 0; k--) {
			double below;

			if (k == n)
				at_n = here;
			if (k == 1)
				at_1 = here;
			below = 2.0 * k / a * here - next;
			next = here;
			here = below;
			if (__builtin_fabs(here) > 0x1p800) {
				here *= 0x1p-900;
				next *= 0x1p-900;
				at_n *= 0x1p-900;
			}
		}
		result = __builtin_fabs(j0) > __builtin_fabs(j1) ? at_n / here * j0 : at_n / at_1 * j1;
	}
	return negative ? -result : result;
}

double __nv_yn(int n, double x)
{
	double below, here;

	if (n < 0 || !(x >= 0))
		return __builtin_nan("");
	if (n == 0)
		return __nv_y0(x);
	below = __nv_y0(x);
	here = __nv_y1(x);
	/* Y_n grows with n, so upwards is stable always. */
	for (int k = 1; k < n && here > -__builtin_inf(); k++) {
		double above = 2.0 * k / x * here - below;

		below = here;
		here = above;
	}
	return here;
}

/* I_0, I_1: all terms of the power series have one sign; far out the asymptotic one. */
static double modified(double x, int order)
{
	double a = __builtin_fabs(x), sum = 1, term = 1;

	if (a == __builtin_inf() || x != x)
		return order && x < 0 ? -a : a;
	if (a < 40) {
		double quarter = 0.25 * a * a;

		for (int k = 1; term > sum * 0x1p-58; k++) {
			term *= quarter / ((double)k * (k + order));
			sum += term;
		}
		return order ? 0.5 * x * sum : sum;
	}
	for (int k = 1; k < 60; k++) {
		double odd = 2 * k - 1, next = term * (odd * odd - 4.0 * order) / (8.0 * k * a);

		if (__builtin_fabs(next) > __builtin_fabs(term) || __builtin_fabs(next) < 1e-19)
			break;
		term = next;
		sum += term;
	}
	/* exp in two halves, which overflow no earlier than the result */
	{
		double half = clc_exp(0.5 * a);

		sum = half * (sum / __builtin_sqrt(2 * PI * a)) * half;
	}
	return order && x < 0 ? -sum : sum;
}

double __nv_cyl_bessel_i0(double x) { return modified(x, 0); }
double __nv_cyl_bessel_i1(double x) { return modified(x, 1); }

float __nv_j0f(float x) { return (float)__nv_j0((double)x); }
float __nv_j1f(float x) { return (float)__nv_j1((double)x); }
float __nv_jnf(int n, float x) { return (float)__nv_jn(n, (double)x); }
float __nv_y0f(float x) { return (float)__nv_y0((double)x); }
float __nv_y1f(float x) { return (float)__nv_y1((double)x); }
float __nv_ynf(int n, float x) { return (float)__nv_yn(n, (double)x); }
float __nv_cyl_bessel_i0f(float x) { return (float)modified((double)x, 0); }
float __nv_cyl_bessel_i1f(float x) { return (float)modified((double)x, 1); }
