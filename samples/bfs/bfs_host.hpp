/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef BFS_HOST_HPP
#define BFS_HOST_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../common/sample.hpp"

constexpr int DEGREE = 8;
constexpr unsigned THREADS = 128, EXPAND_BLOCKS = 64;

struct Node {
	Node *edge[DEGREE];
	Node *chain;   /* next node of the frontier that this one is in */
	int level;
	uint32_t value;
};

/* The two frontiers' heads, and how many nodes the next one has. */
struct Search {
	Node *frontier[2];
	unsigned int found;
};

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

/* ---- The kernels as loops over the threads of a block ---- */

inline void build_block(dim3 block, uint32_t n, Node *nodes)
{
	uint32_t first = block.x * THREADS, last = std::min(first + THREADS, n);

	for (uint32_t i = first; i < last; i++) {
		Node *node = &nodes[i];

		for (int e = 0; e < DEGREE; e++)
			node->edge[e] = &nodes[target(i, e, n)];
		node->chain = nullptr;
		node->level = -1;
		node->value = sample::hash32(i);
	}
}

inline void reset_block(dim3 block, uint32_t n, Node *nodes)
{
	uint32_t first = block.x * THREADS, last = std::min(first + THREADS, n);

	for (uint32_t i = first; i < last; i++) {
		nodes[i].level = i ? -1 : 0;
		nodes[i].chain = nullptr;
	}
}

inline void expand_block(dim3 block, uint32_t n, int depth, Node *nodes, Search *search)
{
	Node *first[THREADS] = {}, *last[THREADS] = {};
	unsigned int found[THREADS] = {};

	for (uint32_t base = block.x * THREADS; base < n; base += EXPAND_BLOCKS * THREADS)
		for (uint32_t t = 0; t < THREADS && base + t < n; t++) {
			Node *node = &nodes[base + t];

			if (__atomic_load_n(&node->level, __ATOMIC_RELAXED) != depth - 1)
				continue;
			for (int e = 0; e < DEGREE; e++) {
				Node *to = node->edge[e];
				int unseen = -1;

				if (__atomic_compare_exchange_n(&to->level, &unseen, depth, false, __ATOMIC_RELAXED,
				                                __ATOMIC_RELAXED)) {
					to->chain = first[t];
					first[t] = to;
					last[t] = last[t] ? last[t] : to;
					found[t]++;
				}
			}
		}
	for (uint32_t t = 0; t < THREADS; t++)
		if (found[t]) {
			Node **head = &search->frontier[depth & 1], *before = __atomic_load_n(head, __ATOMIC_RELAXED);

			do
				last[t]->chain = before;
			while (!__atomic_compare_exchange_n(head, &before, first[t], true, __ATOMIC_RELEASE,
			                                    __ATOMIC_RELAXED));
			sample::atomic_add(&search->found, found[t]);
		}
}

/* One search: the program's launches, and audit, which is one thread's work. */
inline void search_host(sample::Threads &host, std::vector<Node> &nodes)
{
	uint32_t n = (uint32_t)nodes.size();
	unsigned int before = 0;
	Search search = {{&nodes[0], nullptr}, 1};

	host.blocks((n + THREADS - 1) / THREADS, [&](dim3 block) { reset_block(block, n, nodes.data()); });
	for (int depth = 1; search.found != before; depth++) {
		unsigned int count = 0;

		before = search.found;
		host.blocks(EXPAND_BLOCKS, [&](dim3 block) { expand_block(block, n, depth, nodes.data(), &search); });
		for (Node *node = search.frontier[depth & 1]; node; node = node->chain)
			count += node->level == depth;
		search.frontier[(depth + 1) & 1] = nullptr;
		if (count != search.found - before)
			std::fprintf(stderr, "level %d: %u nodes found, %u in the list\n", depth, search.found - before, count);
	}
}

inline void walk_block(dim3 block, uint32_t n, int hops, const Node *nodes, uint32_t *out)
{
	uint32_t first = block.x * THREADS, last = std::min(first + THREADS, n);

	for (uint32_t i = first; i < last; i++) {
		const Node *node = &nodes[i];
		uint32_t state = i;

		for (int h = 0; h < hops; h++) {
			state = (state ^ node->value) * 0x9e3779b1u;
			node = node->edge[state >> 29];
		}
		out[i] = state;
	}
}

#endif
