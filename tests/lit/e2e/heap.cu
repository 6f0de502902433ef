// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The device heap: lists, a tree and a scene of objects made by many threads, and freed by others in other kernels;
// undisturbed, paused at every poll, and with the program moved to another device after each
// kernel.
// RUN: %hetcc --no-toolkit --arch=sm_90 -O2 -Rpass-missed=hetckpt %s -o %t -Xhetckpt poll-stride=64 -Xhetckpt poll-interval=0 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: %run --stress random:5:200 %t | FileCheck %s
// RUN: %run --name heap %t %hetckpt | FileCheck %s
// Not optimised; and with each kernel as the source has it.
// RUN: %hetcc --no-toolkit --arch=sm_90 -O0 %s -o %t.0
// RUN: %run --name heap %t.0 %hetckpt | FileCheck %s
// RUN: env HETCKPT_VARIANT=original %run %t | FileCheck %s
// RUN: %if cuda-toolkit %{ %hetcc --arch=sm_90 -O2 -w -D__nv_aligned_device_malloc=__nv_aligned_device_malloc_impl %s -o %t.toolkit %}
// RUN: %if cuda-toolkit %{ %run %t.toolkit | FileCheck %s %}
// Only the recursive one cannot pause.
// REMARK-NOT: cannot pause inside
// REMARK: deepi cannot pause inside: a recursive call
// REMARK-NOT: cannot pause inside
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <new>
#include <string>

// clang leaves nvcc's wrapper of it out.
#ifdef __nv_aligned_device_malloc
extern "C" __device__ void *__nv_aligned_device_malloc(size_t, size_t);
#endif

#define GOOD(x) do { cudaError_t e_ = (x); if (e_) { printf("%s: %s\n", #x, cudaGetErrorString(e_)); exit(1); } } while (0)

static std::string tool, places[2] = {"cpu:1", "cpu:0"};

static void move()
{
	static int to;

	GOOD(cudaDeviceSynchronize());
	if (!tool.empty() && system((tool + " migrate heap --to " + places[to] + " > /dev/null").c_str()))
		exit(1);
	to = !to;
}

constexpr int Blocks = 8, Threads = 64, Lists = Blocks * Threads;

struct Node {
	Node *next;
	int value;
	char more[1]; // as long as the value says
};

__device__ Node *lists[Lists];

// Sizes of all classes, and a list of each.
__global__ void build(int length)
{
	int me = blockIdx.x * blockDim.x + threadIdx.x;

	for (int i = 0; i < length; i++) {
		int value = (me * 7 + i * 13) % 300;
		Node *node = (Node *)malloc(sizeof(Node) + value);

		if (!node)
			return;
		node->next = lists[me];
		node->value = value;
		for (int k = 0; k < value; k++)
			node->more[k] = (char)(value + k);
		lists[me] = node;
	}
}

// Somebody else's list: what was written is still there, aligned, and nobody's block overlaps.
__global__ void check(int length, int *bad)
{
	int me = blockIdx.x * blockDim.x + threadIdx.x, i = length;

	for (Node *node = lists[Lists - 1 - me]; node; node = node->next) {
		int value = ((Lists - 1 - me) * 7 + --i * 13) % 300;

		if ((size_t)node % 16 || node->value != value)
			atomicAdd(bad, 1);
		for (int k = 0; k < value; k++)
			if (node->more[k] != (char)(value + k))
				atomicAdd(bad, 1);
	}
	if (i)
		atomicAdd(bad, 1);
}

__global__ void drop()
{
	int me = (blockIdx.x * blockDim.x + threadIdx.x) * 5 % Lists;
	Node *node = lists[me];

	while (node) {
		Node *next = node->next;

		free(node);
		node = next;
	}
	lists[me] = nullptr;
}

// A tree that all threads grow at once.
struct Leaf {
	Leaf *child[2];
	unsigned key;
	__device__ explicit Leaf(unsigned key) : child{}, key(key) {}
};
__device__ Leaf *root;

__global__ void grow(unsigned each)
{
	unsigned me = blockIdx.x * blockDim.x + threadIdx.x;

	for (unsigned i = 0; i < each; i++) {
		Leaf *leaf = new Leaf((me * each + i) * 2654435761u), **at = &root, *there;

		while ((there = (Leaf *)atomicCAS((unsigned long long *)at, 0ull, (unsigned long long)leaf)))
			at = &there->child[leaf->key > there->key];
	}
}

__global__ void fell(int *count)
{
	Leaf *stack[64];
	int depth = 0;

	if (root)
		stack[depth++] = root;
	root = nullptr;
	while (depth) {
		Leaf *leaf = stack[--depth];

		for (int side = 0; side < 2; side++)
			if (leaf->child[side])
				stack[depth++] = leaf->child[side];
		delete leaf;
		++*count;
	}
}

// Objects with virtual functions, made on the device.
struct Shape {
	int id;
	__device__ explicit Shape(int id) : id(id) {}
	__device__ virtual int area() const = 0;
	__device__ virtual ~Shape() {}
};
struct Square : Shape {
	int side;
	__device__ Square(int id, int side) : Shape(id), side(side) {}
	__device__ int area() const override { return side * side; }
};
struct Many : Shape {
	int *sides, count;
	__device__ Many(int id, int count) : Shape(id), sides(new int[count]), count(count)
	{
		for (int i = 0; i < count; i++)
			sides[i] = i;
	}
	__device__ int area() const override
	{
		int sum = 0;

		for (int i = 0; i < count; i++)
			sum += sides[i];
		return sum;
	}
	__device__ ~Many() override { delete[] sides; }
};
__device__ Shape *scene[Lists];

__global__ void stage()
{
	int me = blockIdx.x * blockDim.x + threadIdx.x;

	scene[me] = me % 3 ? (Shape *)new Square(me, me % 10) : new Many(me, me % 50 + 1);
}

__global__ void act(int *sum)
{
	int me = blockIdx.x * blockDim.x + threadIdx.x;

	for (int turn = 0; turn < 6; turn++) {
		atomicAdd(sum, scene[me]->area());
		delete scene[me];
		scene[me] = (me + turn) % 2 ? (Shape *)new Square(me, me % 10) : new Many(me, me % 50 + 1);
	}
}

// One thread of a block allocates for all, and another frees.
__global__ void share(int rounds, int *bad)
{
	__shared__ int *data;

	for (int round = 1; round <= rounds; round++) {
		if (threadIdx.x == 0)
			data = (int *)malloc(Threads * sizeof(int) * round);
		__syncthreads();
		for (int i = threadIdx.x; i < Threads * round; i += Threads)
			data[i] = i ^ round;
		__syncthreads();
		if (data[Threads * round - 1 - threadIdx.x] != ((Threads * round - 1 - (int)threadIdx.x) ^ round))
			atomicAdd(bad, 1);
		__syncthreads();
		if (threadIdx.x == Threads - 1)
			free(data);
		__syncthreads();
	}
}

__global__ void strike()
{
	delete scene[Lists - 1 - (blockIdx.x * blockDim.x + threadIdx.x)];
}

// It cannot pause inside, and uses the same heap.
__device__ __noinline__ Node *depth(int n)
{
	Node *node = (Node *)malloc(sizeof(Node));

	node->value = n;
	node->next = n ? depth(n - 1) : nullptr;
	return node;
}
__global__ void deep(int n) { lists[0] = depth(n); }

__global__ void count(int *n)
{
	for (Node *node = lists[0]; node; node = node->next)
		++*n;
}

// Large blocks beside small ones, and alignment.
__global__ void large(int *bad)
{
	int me = blockIdx.x * blockDim.x + threadIdx.x;

	for (int i = 0; i < 8; i++) {
		size_t bytes = (size_t)1000 << (me + i) % 6, align = (size_t)16 << (me + i) % 10;
		char *p = (char *)malloc(bytes), *q = (char *)__nv_aligned_device_malloc(100, align);

		if (!p || !q || (size_t)q % align) {
			atomicAdd(bad, 1);
			continue;
		}
		p[0] = p[bytes - 1] = q[99] = (char)me;
		if (p[0] != (char)me)
			atomicAdd(bad, 1);
		free(q);
		free(p);
	}
}

__device__ void *volatile got[4];

// All that there is: then nothing more, and after a free something again.
__global__ void exhaust(unsigned *blocks, int *bad)
{
	Node *all = nullptr;

	for (;;) {
		Node *node = (Node *)malloc(1024);

		if (!node)
			break;
		node->next = all;
		all = node;
		++*blocks;
	}
	// In memory, for a compiler may take it that there is enough for what nobody uses.
	got[0] = malloc(1024);
	got[1] = malloc(100000);
	got[2] = malloc((size_t)1 << 40);
	Node *one = all;
	all = all->next;
	free(one);
	got[3] = malloc(1024);
	if (got[0] || got[1] || got[2] || got[3] != one)
		++*bad;
	free(got[3]);
	while (all) {
		Node *next = all->next;

		free(all);
		all = next;
	}
	free(nullptr);
	// Pages are whole again.
	got[0] = malloc(1 << 20);
	if (!got[0])
		++*bad;
	free(got[0]);
}

int main(int argc, char **argv)
{
	struct { int bad, leaves, sum, nodes; unsigned blocks; } *r, now = {};
	size_t limit = 0;

	if (argc > 1)
		tool = argv[1];
	for (int i = 2; i < argc && i < 4; i++)
		places[i - 2] = argv[i];
	// Smaller ones can be asked for, until it is used.
	GOOD(cudaDeviceSetLimit(cudaLimitMallocHeapSize, 4096));
	GOOD(cudaDeviceSetLimit(cudaLimitMallocHeapSize, 1 << 20));
	// A hundred calls deep, where a GPU gives a thread 1 KiB.
	GOOD(cudaDeviceSetLimit(cudaLimitStackSize, 32 << 10));
	GOOD(cudaMalloc(&r, sizeof *r));
	GOOD(cudaMemset(r, 0, sizeof *r));
	build<<<Blocks, Threads>>>(6);
	move();
	check<<<Blocks, Threads>>>(6, &r->bad);
	grow<<<Blocks, Threads>>>(2);
	move();
	drop<<<Blocks, Threads>>>();
	stage<<<Blocks, Threads>>>();
	fell<<<1, 1>>>(&r->leaves);
	move();
	act<<<Blocks, Threads>>>(&r->sum);
	move();
	strike<<<Blocks, Threads>>>();
	share<<<Blocks, Threads>>>(12, &r->bad);
	large<<<Blocks, Threads>>>(&r->bad);
	deep<<<1, 1>>>(99);
	move();
	count<<<1, 1>>>(&r->nodes);
	drop<<<Blocks, Threads>>>();
	move();
	exhaust<<<1, 1>>>(&r->blocks, &r->bad);
	GOOD(cudaMemcpy(&now, r, sizeof now, cudaMemcpyDeviceToHost));
	for (int turn = -1; turn < 5; turn++)
		for (int me = 0; me < Lists; me++)
			now.sum -= (turn < 0 ? me % 3 : (me + turn) % 2) ? (me % 10) * (me % 10) : (me % 50 + 1) * (me % 50) / 2;
	// CHECK: bad 0, leaves 1024, areas differ by 0, nodes 100, all of 1024
	printf("bad %d, leaves %d, areas differ by %d, nodes %d, all of %u\n", now.bad, now.leaves, now.sum, now.nodes,
	       now.blocks);
	GOOD(cudaDeviceGetLimit(&limit, cudaLimitMallocHeapSize));
	// CHECK: limit 1048576, then invalid argument
	printf("limit %zu, then %s\n", limit,
	       cudaGetErrorString(cudaDeviceSetLimit(cudaLimitMallocHeapSize, 4 << 20)));
}
