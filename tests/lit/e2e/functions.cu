// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Function pointers, virtual functions and recursion: the results are those of a machine
// where an address is an address, undisturbed, paused at every poll, and with the program
// moved to another device after each kernel.
// RUN: %hetcc --no-toolkit -O2 %s -o %t -Xhetckpt poll-stride=4 -Xhetckpt poll-interval=0
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: %run --name functions %t %hetckpt | FileCheck %s
// Not optimised: nothing is known of tables but that they are there.
// RUN: %hetcc --no-toolkit -O0 %s -o %t.0
// RUN: %run --name functions %t.0 %hetckpt | FileCheck %s
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <new>
#include <string>

#define GOOD(x) do { cudaError_t e_ = (x); if (e_) { printf("%s: %s\n", #x, cudaGetErrorString(e_)); exit(1); } } while (0)

typedef int (*op_t)(int, int);
__device__ int add(int a, int b) { return a + b; }
__device__ int mul(int a, int b) { return a * b; }
static __device__ int sub(int a, int b) { return a - b; }
__device__ op_t table[3] = {add, mul, sub};
__constant__ op_t fixed[2] = {mul, add};
__device__ op_t single = sub;
__device__ op_t chosen[32];

struct Shape {
	__device__ virtual int area() const = 0;
	__device__ virtual int scaled(int by) const { return by * area(); }
	__device__ virtual ~Shape() {}
};
struct Square : Shape {
	int side;
	__device__ explicit Square(int side) : side(side) {}
	__device__ int area() const override { return side * side; }
};
namespace {
struct Named {
	int name;
	__device__ virtual int called() const { return name; }
};
struct Box : Named, Shape {
	int a, b;
	__device__ Box(int a, int b) : a(a), b(b) { name = 7; }
	__device__ int area() const override { return a * b; }
	__device__ int scaled(int by) const override { return by * area() + called(); }
};
} // namespace

struct Counter {
	int n;
	__device__ int up(int by) { return n += by; }
	__device__ int down(int by) { return n -= by; }
};

union Room {
	char bytes[32];
	long align;
};

// Through tables in variables and constants.
__global__ void tables(int *out, int n)
{
	int x = threadIdx.x;
	for (int i = 0; i < n; i++)
		x = fixed[i & 1](table[(i + threadIdx.x) % 3](x, i), 3) & 0xffff;
	out[threadIdx.x] = x;
}

// A parameter from the host.
__global__ void apply(op_t f, int *out)
{
	out[threadIdx.x] = f(out[threadIdx.x], 5);
	if (f == add || f == nullptr)
		out[threadIdx.x] = -1;
}

// Held across pauses, beside private memory that pointers may point into.
__global__ void held(int *out, int n)
{
	op_t f = table[threadIdx.x % 3];
	int mine[4] = {1, 2, 3, 4}, *at = mine, x = 0;
	for (int i = 0; i < n; i++) {
		*at = f(*at, i) & 0xffff;
		at = mine + (*at & 3);
		x += *at;
		f = x & 16 ? f : table[x & 1];
	}
	out[threadIdx.x] = x;
}

// Addresses that a kernel stores.
__global__ void choose()
{
	chosen[threadIdx.x] = threadIdx.x % 3 == 0 ? add : threadIdx.x % 3 == 1 ? mul : single;
}

__global__ void use(int *out)
{
	out[threadIdx.x] = chosen[threadIdx.x](out[threadIdx.x], 2);
}

__global__ void construct(Shape **shapes, Room *rooms)
{
	void *at = &rooms[threadIdx.x];
	if (threadIdx.x & 1)
		shapes[threadIdx.x] = new (at) Square(threadIdx.x);
	else
		shapes[threadIdx.x] = new (at) Box(threadIdx.x, 2);
}

__global__ void areas(Shape *const *shapes, int *out, int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++)
		sum += shapes[(threadIdx.x + i) % 32]->scaled(i);
	out[threadIdx.x] = sum;
}

// Pointers to members: to functions, and to virtual ones.
__global__ void members(Shape *const *shapes, int *out)
{
	int (Counter::*step)(int) = out[threadIdx.x] & 1 ? &Counter::up : &Counter::down;
	int (Shape::*what)() const = &Shape::area;
	Counter c = {100};
	(c.*step)(3);
	out[threadIdx.x] = c.n + (shapes[threadIdx.x]->*what)();
}

__device__ __noinline__ unsigned ackermann(unsigned m, unsigned n)
{
	return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

// The depth differs from thread to thread; threads meet before and after.
__global__ void recurses(unsigned *out)
{
	__shared__ unsigned got[32];
	got[threadIdx.x] = ackermann(threadIdx.x % 3, threadIdx.x);
	__syncthreads();
	unsigned all = got[31 - threadIdx.x] + __shfl_xor_sync(~0u, got[threadIdx.x], 1);
	__syncthreads();
	out[threadIdx.x] = all + ackermann(2, all % 5);
}

// Functions that call each other through pointers, and wait for each other between calls.
struct Node {
	__device__ virtual int value(int *scratch) const = 0;
};
struct Leaf : Node {
	int v;
	__device__ int value(int *) const override { return v; }
};
struct Sum : Node {
	const Node *left, *right;
	__device__ int value(int *scratch) const override
	{
		int l = left->value(scratch);
		return l + right->value(scratch);
	}
};
union NodeRoom {
	char bytes[32];
	long align;
};

__global__ void grow(NodeRoom *rooms)
{
	if (threadIdx.x < 16) {
		(new (&rooms[15 + threadIdx.x]) Leaf)->v = threadIdx.x;
	} else if (threadIdx.x < 31) {
		int i = threadIdx.x - 16;
		Sum *s = new (&rooms[i]) Sum;
		s->left = (const Node *)&rooms[2 * i + 1];
		s->right = (const Node *)&rooms[2 * i + 2];
	}
}

__global__ void walk(const NodeRoom *rooms, int *out)
{
	out[threadIdx.x] = ((const Node *)&rooms[threadIdx.x % 31])->value(nullptr);
}

__global__ void unknown(op_t f, int *out)
{
	*out = f(1, 2);
}

static void move(const char *hetckpt)
{
	static int to = 0;
	GOOD(cudaDeviceSynchronize());
	if (hetckpt && system((std::string(hetckpt) + " migrate functions --to cpu:" + (to ? "0" : "1") + " >/dev/null").c_str()))
		printf("cannot move\n");
	to = !to;
}

int main(int argc, char **argv)
{
	const char *tool = argc > 1 ? argv[1] : nullptr;
	int *out, got[32];
	auto show = [&](const char *what) {
		unsigned hash = 0;
		GOOD(cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost));
		for (int x : got)
			hash = hash * 31 + x;
		printf("%s %d %d %d %u\n", what, got[0], got[1], got[31], hash);
		move(tool);
	};

	GOOD(cudaMalloc(&out, sizeof got));
	// CHECK: tables 13607 23303 23303 2672916736
	tables<<<1, 32>>>(out, 100);
	show("tables");
	// CHECK: held 614613 791685 791685 3248272304
	held<<<1, 32>>>(out, 50);
	show("held");

	op_t f;
	GOOD(cudaMemcpyFromSymbol(&f, table, sizeof f, sizeof f));
	// CHECK: apply 3073065 3958425 3958425 3356459632
	apply<<<1, 32>>>(f, out);
	show("apply");
	GOOD(cudaMemcpyFromSymbol(&f, table, sizeof f));
	choose<<<1, 32>>>();
	move(tool);
	use<<<1, 32>>>(out);
	// CHECK: use 3073067 7916850 7916850 774429287
	show("use");
	// The host may change a table.
	GOOD(cudaMemcpyToSymbol(chosen, &f, sizeof f, sizeof f));
	use<<<1, 32>>>(out);
	// CHECK: changed 3073069 7916852 15833700 2620514535
	show("changed");

	Shape **shapes;
	Room *rooms;
	GOOD(cudaMalloc(&shapes, 32 * sizeof *shapes));
	GOOD(cudaMalloc(&rooms, 32 * sizeof *rooms));
	construct<<<1, 32>>>(shapes, rooms);
	move(tool);
	areas<<<1, 32>>>(shapes, out, 50);
	// CHECK: areas 191200 185915 183799 2032320528
	show("areas");
	members<<<1, 32>>>(shapes, out);
	// CHECK: members 97 104 1064 4267816912
	show("members");

	// GPUs give a thread 1 KiB of stack where the compiler does not know the need.
	GOOD(cudaDeviceSetLimit(cudaLimitStackSize, 16 << 10));
	recurses<<<1, 32>>>((unsigned *)out);
	// CHECK: recurses 41 39 39 1706035980
	show("recurses");

	NodeRoom *nodes;
	GOOD(cudaMalloc(&nodes, 31 * sizeof *nodes));
	grow<<<1, 32>>>(nodes);
	move(tool);
	walk<<<1, 32>>>(nodes, out);
	// CHECK: walk 120 28 120 3010927112
	show("walk");

	unknown<<<1, 1>>>(nullptr, out);
	// CHECK: null: unspecified launch failure
	printf("null: %s\n", cudaGetErrorString(cudaDeviceSynchronize()));
}
