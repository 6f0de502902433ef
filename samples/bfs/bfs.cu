/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * bfs - a graph whose nodes point at each other in device memory.
 *
 * Nodes hold device pointers that a kernel wrote; the frontier is a linked list of
 * nodes. Nothing of it would survive in another place than where it was made.
 *
 * Variants: levels (breadth-first search, one kernel a level), walk (each thread
 * follows pointers for many hops in one long kernel).
 * Sizes: --size is the number of nodes, --repeat the searches, or thousands of hops.
 * The defaults take 1-3 seconds on two cores; --variant walk --repeat 100 minutes.
 */
#include "bfs_host.hpp"

__global__ void build(uint32_t n, Node *nodes)
{
	uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n) {
		Node *node = &nodes[i];

		for (int e = 0; e < DEGREE; e++)
			node->edge[e] = &nodes[target(i, e, n)];
		node->chain = nullptr;
		node->level = -1;
		node->value = sample::hash32(i);
	}
}

__global__ void reset(uint32_t n, Node *nodes, Search *search)
{
	uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n) {
		nodes[i].level = i ? -1 : 0;
		nodes[i].chain = nullptr;
	}
	if (i == 0) {
		search->frontier[0] = &nodes[0];
		search->frontier[1] = nullptr;
		search->found = 1;
	}
}

/* Puts the chain from first to last before what the frontier holds already. */
__device__ void splice(Search *search, int side, Node *first, Node *last)
{
	unsigned long long *head = (unsigned long long *)&search->frontier[side];
	unsigned long long seen = *(volatile unsigned long long *)head, before;

	do {
		before = seen;
		last->chain = (Node *)before;
		__threadfence();
		seen = atomicCAS(head, before, (unsigned long long)first);
	} while (seen != before);
}

/*
 * All nodes look whether they are in the frontier's level. A thread chains the nodes
 * that it reaches first, and adds its chain to the next frontier once.
 */
__global__ void expand(uint32_t n, int depth, Node *nodes, Search *search)
{
	Node *first = nullptr, *last = nullptr;
	unsigned int found = 0;

	for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
		Node *node = &nodes[i];

		if (node->level != depth - 1)
			continue;
		for (int e = 0; e < DEGREE; e++) {
			Node *to = node->edge[e];

			if (atomicCAS(&to->level, -1, depth) == -1) {
				to->chain = first;
				first = to;
				last = last ? last : to;
				found++;
			}
		}
	}
	if (found) {
		splice(search, depth & 1, first, last);
		atomicAdd(&search->found, found);
	}
}

/* One thread follows the chain of a level: it must hold as many nodes as were found. */
__global__ void audit(int depth, Search *search, unsigned int *length)
{
	unsigned int count = 0;

	if (blockIdx.x || threadIdx.x)
		return;
	for (Node *node = search->frontier[depth & 1]; node; node = node->chain)
		count += node->level == depth;
	*length = count;
	search->frontier[(depth + 1) & 1] = nullptr;
}

__global__ void walk(uint32_t n, int hops, Node *nodes, uint32_t *out)
{
	uint32_t i = blockIdx.x * blockDim.x + threadIdx.x, state = i;

	if (i >= n)
		return;
	Node *node = &nodes[i];
	for (int h = 0; h < hops; h++) {
		state = (state ^ node->value) * 0x9e3779b1u;
		node = node->edge[state >> 29];
	}
	out[i] = state;
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "bfs", "Searches a graph of device pointers.", "levels walk", 1 << 18, 20);
	uint32_t n = (uint32_t)s.size;
	bool walking = s.variant == "walk";
	int hops = 1000 * s.repeat;

	if (s.size > 1 << 26 || s.repeat > 1000000)
		s.usage("--size: more than 67108864, or --repeat: more than 1000000");
	if (walking && !s.repeat_given)
		hops = 1000 * (s.repeat = 2);
	const uint32_t walkers = n < 16384 ? n : 16384;
	const unsigned blocks = (n + THREADS - 1) / THREADS;
	std::vector<int> level;
	std::vector<uint32_t> states(walkers);

	if (s.host_bench) {
		std::vector<Node> nodes(s.tuned ? 0 : n);

		s.begin();
		if (!s.tuned)
			s.host().blocks(blocks, [&](dim3 block) { build_block(block, n, nodes.data()); });
		if (walking && s.tuned)
			s.host().parallel(walkers, [&](size_t first, size_t last) {
				for (size_t i = first; i < last; i++)
					states[i] = walk_host((uint32_t)i, hops, n);
			});
		else if (walking)
			s.host().blocks((walkers + THREADS - 1) / THREADS, [&](dim3 block) {
				walk_block(block, walkers, hops, nodes.data(), states.data());
			});
		else
			for (int r = 0; r < s.repeat; r++)
				s.tuned ? bfs_host(n, level) : search_host(s.host(), nodes);
		s.end();
		for (const Node &node : nodes)
			level.push_back(node.level);
		walking ? s.result(states) : s.result(level);
		return s.finish(true);
	}

	sample::Buffer<Node> nodes(n);
	sample::Buffer<Search> search(1);
	sample::Buffer<unsigned int> length(1);
	sample::Buffer<uint32_t> out(walkers);
	bool pass = true;

	s.begin();
	build<<<blocks, THREADS>>>(n, nodes.get());
	CHECK(cudaGetLastError());
	if (walking) {
		walk<<<(walkers + THREADS - 1) / THREADS, THREADS>>>(walkers, hops, nodes.get(), out.get());
		CHECK(cudaGetLastError());
		CHECK(cudaDeviceSynchronize());
		s.end();
		std::vector<uint32_t> got = out.download();
		for (uint32_t i = 0; i < walkers && pass && !s.unchecked; i += walkers < 256 ? 1 : walkers / 256) {
			pass = got[i] == walk_host(i, hops, n);
			if (!pass)
				std::fprintf(stderr, "walker %u differs from the reference\n", i);
		}
		s.result(got);
		return s.finish(pass);
	}

	for (int r = 0; r < s.repeat; r++) {
		unsigned int before = 0, found = 1;

		reset<<<blocks, THREADS>>>(n, nodes.get(), search.get());
		for (int depth = 1; found != before; depth++) {
			unsigned int chained = 0;

			expand<<<EXPAND_BLOCKS, THREADS>>>(n, depth, nodes.get(), search.get());
			audit<<<1, 32>>>(depth, search.get(), length.get());
			CHECK(cudaGetLastError());
			before = found;
			CHECK(cudaMemcpy(&found, &search.get()->found, sizeof found, cudaMemcpyDeviceToHost));
			CHECK(cudaMemcpy(&chained, length.get(), sizeof chained, cudaMemcpyDeviceToHost));
			if (chained != found - before) {
				std::fprintf(stderr, "level %d: %u nodes found, %u in the list\n", depth,
				             found - before, chained);
				pass = false;
			}
		}
	}
	s.end();

	std::vector<Node> got = nodes.download();
	std::vector<int> got_level(n);
	for (uint32_t i = 0; i < n; i++)
		got_level[i] = got[i].level;
	if (!s.unchecked) {
		bfs_host(n, level);
		pass = sample::same("level", got_level, level) && pass;
	}
	s.result(got_level);
	return s.finish(pass);
}
