// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of kernels.cpp on one thread of the CPU back end against the loops that one
// would write by hand, compiled for the same machine. Prints ratios; not a test.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

// Last: it brings macros.
extern "C" {
#include "kernel_list.h"
}

namespace {

harness H;

// Processor time, so that what else the machine does counts less.
double now() {
  timespec T;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &T);
  return T.tv_sec * 1e3 + T.tv_nsec * 1e-6;
}

template <typename F> double best(F Run) {
  double Best = 1e30;
  for (int I = 0; I < 9; I++) {
    double T = now();
    Run();
    Best = std::min(Best, now() - T);
  }
  return Best;
}

void report(const char *Name, double Kernel, double Hand) {
  std::printf("%-28s %9.3f ms  by hand %9.3f ms  ratio %5.2f\n", Name, Kernel, Hand, Kernel / Hand);
}

void launch(const char *Name, uint32_t Gx, uint32_t Gy, uint32_t Bx, uint32_t By, uint32_t Shared,
            const void *P, size_t N) {
  const uint32_t G[3] = {Gx, Gy, 1}, B[3] = {Bx, By, 1};
  harness_launch(&H, harness_kernel(&H, Name, HETCKPT_VARIANT_ORIGINAL), G, B, Shared, P, N);
  if (harness_wait(&H)) {
    std::fprintf(stderr, "%s\n", H.error.text);
    std::exit(1);
  }
}

void benchVadd() {
  const int N = 1 << 19, Repeat = 8;
  struct {
    float *a, *b, *c;
    int n;
  } P = {(float *)harness_alloc(&H, 4 * N), (float *)harness_alloc(&H, 4 * N),
         (float *)harness_alloc(&H, 4 * N), N};
  double K = best([&] {
    for (int I = 0; I < Repeat; I++)
      launch("vadd", N / 256, 1, 256, 1, 0, &P, sizeof P);
  });
  double C = best([&] {
    for (int I = 0; I < Repeat; I++) {
      float *a = P.a, *b = P.b, *c = P.c;
      asm volatile("" : "+r"(a), "+r"(b), "+r"(c));
      for (int J = 0; J < N; J++)
        c[J] = a[J] + b[J];
    }
  });
  report("vadd, 8 x 512 Ki", K, C);
}

// As the kernel, blocks of threads one after the other.
void matmulByHand(const float *A, const float *B, float *C, int N) {
  for (int By = 0; By < N / 16; By++)
    for (int Bx = 0; Bx < N / 16; Bx++) {
      float Acc[16][16] = {};
      for (int T = 0; T < N; T += 16) {
        float As[16][16], Bs[16][16];
        for (int Y = 0; Y < 16; Y++)
          for (int X = 0; X < 16; X++) {
            As[Y][X] = A[(By * 16 + Y) * N + T + X];
            Bs[Y][X] = B[(T + Y) * N + Bx * 16 + X];
          }
        for (int Y = 0; Y < 16; Y++)
          for (int X = 0; X < 16; X++)
            for (int K = 0; K < 16; K++)
              Acc[Y][X] = __builtin_fmaf(As[Y][K], Bs[K][X], Acc[Y][X]);
      }
      for (int Y = 0; Y < 16; Y++)
        for (int X = 0; X < 16; X++)
          C[(By * 16 + Y) * N + Bx * 16 + X] = Acc[Y][X];
    }
}

void benchMatmul() {
  const int N = 384;
  struct {
    float *a, *b, *c;
    int n;
  } P = {(float *)harness_alloc(&H, 4 * N * N), (float *)harness_alloc(&H, 4 * N * N),
         (float *)harness_alloc(&H, 4 * N * N), N};
  for (int I = 0; I < N * N; I++) {
    P.a[I] = I % 7;
    P.b[I] = I % 5;
  }
  double K = best([&] { launch("matmul", N / 16, N / 16, 16, 16, 0, &P, sizeof P); });
  double C = best([&] { matmulByHand(P.a, P.b, P.c, N); });
  report("matmul 384, tiles of 16", K, C);
}

void benchReduce() {
  const int N = 1 << 20;
  struct {
    uint32_t *in, *out;
    int n;
  } P = {(uint32_t *)harness_alloc(&H, 4 * N), (uint32_t *)harness_alloc(&H, 4), N};
  double K = best([&] { launch("reduce", 64, 1, 256, 1, 0, &P, sizeof P); });
  volatile uint32_t Sink;
  double C = best([&] {
    uint32_t S = 0;
    const uint32_t *In = P.in;
    asm volatile("" : "+r"(In));
    for (int I = 0; I < N; I++)
      S += In[I];
    Sink = S;
  });
  report("reduce 1 Mi, shuffles", K, C);
}

void benchBlockSum() {
  const int Blocks = 4096, B = 256;
  struct {
    uint32_t *in, *out;
    int n;
  } P = {(uint32_t *)harness_alloc(&H, 4 * Blocks * B), (uint32_t *)harness_alloc(&H, 4 * Blocks), B};
  double K = best([&] { launch("block_sum", Blocks, 1, B, 1, 4 * B, &P, sizeof P); });
  double C = best([&] {
    uint32_t S[256];
    for (int I = 0; I < Blocks; I++) {
      for (int T = 0; T < B; T++)
        S[T] = P.in[I * B + T];
      for (int Half = 512; Half; Half >>= 1)
        for (int T = 0; T < Half && T + Half < B; T++)
          S[T] += S[T + Half];
      P.out[I] = S[0];
    }
  });
  report("block_sum, 4096 blocks", K, C);
  std::printf("%-28s %9.1f ns a barrier of 256 threads\n", "", K * 1e6 / Blocks / 10);
}

} // namespace

int main() {
  struct {
    uint32_t Counter, Pad[3];
    float Weights[8], Scale;
  } Data = {};
  setenv("HETCKPT_CPU_THREADS", "1", 1);
  harness_open(&H, CPU_TEST_BITCODE "/kernels.bc", kernels, sizeof kernels / sizeof *kernels,
               variables, &Data, sizeof Data);
  benchVadd();
  benchMatmul();
  benchReduce();
  benchBlockSum();
  harness_close(&H);
}
