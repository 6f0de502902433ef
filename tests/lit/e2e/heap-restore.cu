// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel that allocates and frees all the time is checkpointed in the middle. The snapshot, finished by another process on
// another device, has what the program got that went on; it has the heap, and so has what is exported.
// RUN: %hetcc --no-toolkit --arch=sm_90 -O2 %s -o %t
// RUN: rm -rf %t.d
// RUN: %run --name heap-restore %t %hetckpt %t.hckpt > %t.out
// RUN: %hetckpt inspect %t.hckpt | FileCheck %s
// CHECK: with the heap of kernels, 8.1 MiB
// CHECK: churn
// RUN: %hetckpt restore -q --device cpu:1 --export %t.d %t.hckpt
// RUN: FileCheck %s --check-prefix=MANIFEST < %t.d/manifest.json
// MANIFEST: "heap": true
// RUN: %python -c "import struct,sys; a,n=open(sys.argv[1]).read().split(); got=open(sys.argv[2]+'/'+a+'.bin','rb').read(8); sys.exit(struct.unpack('<q',got)[0]!=int(n))" %t.out %t.d
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <string>
#include <unistd.h>

struct Node {
	Node *next;
	long value;
};

// Queues of up to seven nodes.
__global__ void churn(long rounds, unsigned long long *sum)
{
	Node *first = nullptr, *last = nullptr;
	unsigned long long mine = 0;

	for (long i = 0; i < rounds; i++) {
		Node *node = new Node{nullptr, i ^ threadIdx.x};

		last = (last ? last->next : first) = node;
		if (i % 8 == 7)
			while (first) {
				Node *next = first->next;

				mine = mine * 31 + first->value;
				delete first;
				first = next;
				last = first ? last : nullptr;
			}
	}
	atomicAdd(sum, mine);
}

int main(int, char **argv)
{
	unsigned long long *sum, got = 0;

	if (cudaMalloc(&sum, sizeof *sum) || cudaMemset(sum, 0, sizeof *sum))
		return 1;
	churn<<<4, 64>>>(80000, sum);
	usleep(300000);
	if (system((std::string(argv[1]) + " checkpoint --leave-running heap-restore -o " + argv[2] + " >&2").c_str()))
		return 1;
	if (cudaMemcpy(&got, sum, sizeof got, cudaMemcpyDeviceToHost))
		return 1;
	printf("0x%llx %lld\n", (unsigned long long)sum, (long long)got);
}
