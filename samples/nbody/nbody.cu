/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * nbody - gravity of all bodies on all bodies, tiles of positions in shared memory.
 *
 * Sizes: --size is the number of bodies (a multiple of 128), --repeat the steps.
 * The default takes 1-3 seconds on two cores; 131072 bodies take minutes, in one
 * long kernel a step.
 */
#include "../common/sample.hpp"
#include "nbody_host.hpp"

__global__ void step(int n, float dt, const float4 *position, const float4 *velocity, float4 *next,
                     float4 *next_velocity)
{
	__shared__ float4 tile[THREADS];
	int i = blockIdx.x * THREADS + threadIdx.x;
	float4 p = position[i];
	float ax = 0, ay = 0, az = 0;

	for (int base = 0; base < n; base += THREADS) {
		tile[threadIdx.x] = position[base + threadIdx.x];
		__syncthreads();
		for (int j = 0; j < THREADS; j++) {
			float4 other = tile[j];
			float dx = other.x - p.x, dy = other.y - p.y, dz = other.z - p.z;
			float square = fmaf(dx, dx, fmaf(dy, dy, fmaf(dz, dz, 0.01f)));
			float inverse = __frcp_rn(__fsqrt_rn(square)); /* never the approximate ones */
			float pull = other.w * (inverse * inverse * inverse);

			ax = fmaf(dx, pull, ax);
			ay = fmaf(dy, pull, ay);
			az = fmaf(dz, pull, az);
		}
		__syncthreads();
	}

	float4 v = velocity[i];
	v.x = fmaf(ax, dt, v.x);
	v.y = fmaf(ay, dt, v.y);
	v.z = fmaf(az, dt, v.z);
	p.x = fmaf(v.x, dt, p.x);
	p.y = fmaf(v.y, dt, p.y);
	p.z = fmaf(v.z, dt, p.z);
	next[i] = p;
	next_velocity[i] = v;
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "nbody", "Moves bodies under each other's gravity.", "tiled", 16384, 4);
	size_t n = (size_t)s.size;
	const float dt = 0.001f;

	if (n % THREADS || n > 1 << 24)
		s.usage("--size: not a multiple of 128 up to 16777216");

	std::vector<float4> position(n), velocity(n), p2(n), v2(n);
	for (size_t i = 0; i < n; i++) {
		auto random = [&](uint32_t salt) {
			return (float)(sample::hash32((uint32_t)i * 4 + salt) >> 8) * 0x1p-24f - 0.5f;
		};
		position[i] = make_float4(random(0), random(1), random(2), random(3) + 0.75f);
		velocity[i] = make_float4(0, 0, 0, 0);
	}
	if (s.host_bench) {
		s.begin();
		for (int r = 0; r < s.repeat; r++) {
			if (s.tuned)
				s.host().parallel(n, [&](size_t first, size_t last) {
					nbody_host(first, last, n, dt, position.data(), velocity.data(), p2.data(), v2.data());
				});
			else
				s.host().blocks((unsigned)(n / THREADS), [&](dim3 block) {
					step_block(block, (int)n, dt, position.data(), velocity.data(), p2.data(), v2.data());
				});
			position.swap(p2);
			velocity.swap(v2);
		}
		s.end();
		s.result(position);
		s.result(velocity);
		return s.finish(true);
	}

	sample::Buffer<float4> from(position), from_v(velocity), to(n), to_v(n);
	float4 *a = from.get(), *av = from_v.get(), *b = to.get(), *bv = to_v.get();

	to.clear();
	to_v.clear();
	s.begin();
	for (int r = 0; r < s.repeat; r++) {
		step<<<(unsigned)(n / THREADS), THREADS>>>((int)n, dt, a, av, b, bv);
		CHECK(cudaGetLastError());
		std::swap(a, b);
		std::swap(av, bv);
	}
	CHECK(cudaDeviceSynchronize());
	s.end();

	/* a, av: the result; b, bv: the state one step before. */
	std::vector<float4> got(n), got_v(n), before(n), before_v(n);
	CHECK(cudaMemcpy(got.data(), a, n * sizeof(float4), cudaMemcpyDeviceToHost));
	CHECK(cudaMemcpy(got_v.data(), av, n * sizeof(float4), cudaMemcpyDeviceToHost));
	CHECK(cudaMemcpy(before.data(), b, n * sizeof(float4), cudaMemcpyDeviceToHost));
	CHECK(cudaMemcpy(before_v.data(), bv, n * sizeof(float4), cudaMemcpyDeviceToHost));

	/* A small problem is computed again as a whole; of a large one the last step for some bodies. */
	bool pass = true;
	if ((double)n * (double)n * s.repeat <= 4e8 && !s.unchecked) {
		for (int r = 0; r < s.repeat; r++) {
			s.host().parallel(n, [&](size_t first, size_t last) {
				nbody_host(first, last, n, dt, position.data(), velocity.data(), p2.data(), v2.data());
			});
			position.swap(p2);
			velocity.swap(v2);
		}
		pass = sample::same("position", got, position) && sample::same("velocity", got_v, velocity);
	} else {
		for (size_t i = 0; i < n && pass && !s.unchecked; i += n / 64) {
			nbody_host(i, i + 1, n, dt, before.data(), before_v.data(), p2.data(), v2.data());
			pass = !std::memcmp(&got[i], &p2[i], sizeof(float4)) &&
			       !std::memcmp(&got_v[i], &v2[i], sizeof(float4));
			if (!pass)
				std::fprintf(stderr, "body %zu differs from the reference\n", i);
		}
	}
	s.result(got);
	s.result(got_v);
	return s.finish(pass);
}
