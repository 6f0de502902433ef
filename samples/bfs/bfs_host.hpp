/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef BFS_HOST_HPP
#define BFS_HOST_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../common/sample.hpp"

constexpr int DEGREE = 8;

/* The graph's rule: where edge e of node i leads. Edge 0 makes one big ring of parts. */
__host__ __device__ inline uint32_t target(uint32_t i, int e, uint32_t n)
{
	return e == 0 ? (i + 1) % n : sample::hash32(i * DEGREE + (uint32_t)e) % n;
}

/* Distance of each node from node 0. */
inline void bfs_host(uint32_t n, std::vector<int> &level)
{
	std::vector<uint32_t> now{0}, next;

	level.assign(n, -1);
	level[0] = 0;
	for (int depth = 1; !now.empty(); depth++) {
		next.clear();
		for (uint32_t i : now)
			for (int e = 0; e < DEGREE; e++) {
				uint32_t t = target(i, e, n);

				if (level[t] < 0) {
					level[t] = depth;
					next.push_back(t);
				}
			}
		now.swap(next);
	}
}

/* What one walker collects on its way: the sum over the nodes' values, mixed. */
inline uint32_t walk_host(uint32_t start, int hops, uint32_t n)
{
	uint32_t i = start, state = start;

	for (int h = 0; h < hops; h++) {
		state = (state ^ sample::hash32(i)) * 0x9e3779b1u;
		i = target(i, (int)(state >> 29), n);
	}
	return state;
}

#endif
