/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef NBODY_HOST_HPP
#define NBODY_HOST_HPP

#include <cmath>
#include <cstddef>

#include <vector_types.h>

constexpr int THREADS = 128;

/*
 * One step of bodies [first, last): x, y, z and mass in w. The fused operations stand
 * where a compiler would put them, so that every compiler gives the same bits; and
 * the sum over bodies is taken in their order.
 */
inline void nbody_host(size_t first, size_t last, size_t n, float dt, const float4 *position,
                       const float4 *velocity, float4 *next, float4 *next_velocity)
{
	/* Eight bodies side by side: the sums stay in order, and a vector unit has work. */
	constexpr size_t WIDTH = 8;

	for (size_t base = first; base < last; base += WIDTH) {
		size_t count = last - base < WIDTH ? last - base : WIDTH;
		float px[WIDTH] = {}, py[WIDTH] = {}, pz[WIDTH] = {};
		float ax[WIDTH] = {}, ay[WIDTH] = {}, az[WIDTH] = {};

		for (size_t i = 0; i < count; i++) {
			px[i] = position[base + i].x;
			py[i] = position[base + i].y;
			pz[i] = position[base + i].z;
		}
		for (size_t j = 0; j < n; j++) {
			float4 other = position[j];

			for (size_t i = 0; i < WIDTH; i++) {
				float dx = other.x - px[i], dy = other.y - py[i], dz = other.z - pz[i];
				float square = std::fma(dx, dx, std::fma(dy, dy, std::fma(dz, dz, 0.01f)));
				float inverse = 1.0f / std::sqrt(square);
				float pull = other.w * (inverse * inverse * inverse);

				ax[i] = std::fma(dx, pull, ax[i]);
				ay[i] = std::fma(dy, pull, ay[i]);
				az[i] = std::fma(dz, pull, az[i]);
			}
		}
		for (size_t i = 0; i < count; i++) {
			float4 v = velocity[base + i], p = position[base + i];

			v.x = std::fma(ax[i], dt, v.x);
			v.y = std::fma(ay[i], dt, v.y);
			v.z = std::fma(az[i], dt, v.z);
			p.x = std::fma(v.x, dt, p.x);
			p.y = std::fma(v.y, dt, p.y);
			p.z = std::fma(v.z, dt, p.z);
			next[base + i] = p;
			next_velocity[base + i] = v;
		}
	}
}

/* ---- The kernel as loops over the threads of a block; what they keep across barriers is in arrays ---- */

inline void step_block(dim3 block, int n, float dt, const float4 *position, const float4 *velocity,
                       float4 *next, float4 *next_velocity)
{
	float4 tile[THREADS];
	float px[THREADS], py[THREADS], pz[THREADS], ax[THREADS] = {}, ay[THREADS] = {}, az[THREADS] = {};
	int first = (int)block.x * THREADS;

	for (int t = 0; t < THREADS; t++) {
		px[t] = position[first + t].x;
		py[t] = position[first + t].y;
		pz[t] = position[first + t].z;
	}
	for (int base = 0; base < n; base += THREADS) {
		for (int t = 0; t < THREADS; t++)
			tile[t] = position[base + t];
		for (int j = 0; j < THREADS; j++) {
			float4 other = tile[j];

			for (int t = 0; t < THREADS; t++) {
				float dx = other.x - px[t], dy = other.y - py[t], dz = other.z - pz[t];
				float square = std::fma(dx, dx, std::fma(dy, dy, std::fma(dz, dz, 0.01f)));
				float inverse = 1.0f / std::sqrt(square);
				float pull = other.w * (inverse * inverse * inverse);

				ax[t] = std::fma(dx, pull, ax[t]);
				ay[t] = std::fma(dy, pull, ay[t]);
				az[t] = std::fma(dz, pull, az[t]);
			}
		}
	}
	for (int t = 0; t < THREADS; t++) {
		float4 v = velocity[first + t], p = position[first + t];

		v.x = std::fma(ax[t], dt, v.x);
		v.y = std::fma(ay[t], dt, v.y);
		v.z = std::fma(az[t], dt, v.z);
		p.x = std::fma(v.x, dt, p.x);
		p.y = std::fma(v.y, dt, p.y);
		p.z = std::fma(v.z, dt, p.z);
		next[first + t] = p;
		next_velocity[first + t] = v;
	}
}

#endif
