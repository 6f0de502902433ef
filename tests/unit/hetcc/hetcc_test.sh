#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# hetcc_test.sh HETCC SOURCES FAKE FATBIN_LIST SAMPLES - hetcc as its users see it.
#
# FAKE holds a libcudart.so.13 that tells what programs ask of it. Everything is done
# with --no-toolkit in an environment that names no toolkit, and once more with one if
# the machine has it.
set -u
hetcc=$1 sources=$2 fake=$3 list=$4 samples=$5
bad=0 checks=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir temporary
export TMPDIR="$work/temporary"
unset CUDA_PATH HETCC_CLANG

fail() {
	echo "FAIL: $*" >&2
	bad=$((bad + 1))
}

# works WHAT COMMAND...: succeeds, says nothing on stderr
works() {
	what=$1
	shift
	checks=$((checks + 1))
	"$@" > out 2> err || { fail "$what: exit status $?: $(head -3 err)"; return 1; }
	[ ! -s err ] || fail "$what: said: $(head -3 err)"
}

# refuses TEXT ARGUMENTS...: exit status 1 and one line "hetcc: ..." with TEXT in it
refuses() {
	text=$1
	shift
	checks=$((checks + 1))
	"$hetcc" "$@" > out 2> err
	status=$?
	[ $status -eq 1 ] || fail "hetcc $*: exit status $status instead of 1"
	[ "$(wc -l < err)" -eq 1 ] || fail "hetcc $*: not one line: $(cat err)"
	grep -q "^hetcc: .*$text" err || fail "hetcc $*: '$text' is not in: $(cat err)"
}

has() {
	checks=$((checks + 1))
	grep -qE -- "$2" "$1" || fail "$1: no line fits '$2': $(head -5 "$1")"
}
hasnt() {
	checks=$((checks + 1))
	! grep -qE -- "$2" "$1" || fail "$1: $(grep -E -- "$2" "$1" | head -2)"
}

cp "$sources/program.cu" "$sources/helper.c" "$sources/helper.cpp" .
flags="--no-toolkit -DFACTOR=3 -Wall -Wextra"

# ---- Help and mistakes
works "--help" "$hetcc" --help
has out "Usage: hetcc"
works "--version" "$hetcc" --version
has out "^hetcc \(hetckpt\) [0-9]"
refuses "no input files"
refuses "no input files" -O2
refuses "program.txt: not a source" program.txt
refuses "-o: value missing" program.cu -o
refuses "-o x: -c has several outputs" -c program.cu helper.cpp -o x
refuses "sm_7x: unknown GPU architecture" --arch=sm_7x program.cu
refuses "gpu: unknown target" --targets=gpu program.cu
refuses "exclude each other" -c -S program.cu
refuses "helper.c: --ptx wants CUDA sources" --ptx helper.c
refuses "more than one architecture" --ptx --arch=sm_75,sm_80 program.cu
refuses "cannot be linked together" -fgpu-rdc program.cu
refuses "no CUDA toolkit there" "--cuda-path=$work" program.cu
refuses "no-instrument leaves out" --no-toolkit --no-instrument --targets=cpu program.cu
HETCC_CLANG=$work/none
export HETCC_CLANG
refuses "HETCC_CLANG: $work/none" program.cu
unset HETCC_CLANG

# ---- A program of several files, compiled apart and linked
works "compile C++" "$hetcc" $flags -c helper.cpp
works "compile and link" "$hetcc" $flags program.cu helper.c helper.o -lm -o program
readelf -d program > dynamic
has dynamic "NEEDED.*libcudart.so.13"
has dynamic "(RUNPATH|RPATH).*lib/hetckpt"
works "run" env LD_LIBRARY_PATH= LD_PRELOAD="$fake/libcudart.so.13" ./program
has out "^fatbin 1$"
has out "^end$"
has out "^function _Z5scaleIfEviPT_S0_$"
has out "^function _ZL?5maths"
has out "^variable table 16 constant$"
has out "^variable total 4$"
has out "^symbol table 16 0 1$"
has out "^launch _Z5scaleIfEviPT_S0_ 2x3x4 32x2x1 256 3$"
has out "^launch _ZL?5maths[^ ]* 1x1x1 64x1x1 0 3$"
has out "^host 5 30 0.841 0.500$"
has out "^unregister$"

# ---- Device code
for instrument in "" --no-instrument; do
	works "--ptx $instrument" "$hetcc" $flags $instrument --ptx program.cu -o program.ptx
	has program.ptx "^\.target sm_75"
	# nothing from outside but what every CUDA device offers
	grep -E '^\.extern \.func' program.ptx | grep -vE '(vprintf|__assertfail|malloc|free)$' > foreign
	checks=$((checks + 1))
	[ ! -s foreign ] || fail "calls to $(cat foreign)"
	hasnt program.ptx "\.approx"
done
clang=$(command -v clang-22 || echo /usr/lib/llvm-22/bin/clang)
awk -f "$sources/overloads.awk" "$("$clang" -print-resource-dir)/include/__clang_cuda_math_forward_declares.h" > overloads.cu
checks=$((checks + 1))
[ "$(wc -l < overloads.cu)" -gt 100 ] || fail "only $(wc -l < overloads.cu) overloads found in clang's header"
works "overloads of mathematics" "$hetcc" --no-toolkit --no-instrument -w --ptx overloads.cu
hasnt overloads.ptx '^\.extern \.func'
works "another architecture" "$hetcc" $flags --ptx -arch sm_90 program.cu -o sm90.ptx
has sm90.ptx "^\.target sm_90"
works "fat binary" "$hetcc" $flags --fatbin --arch=sm_75,sm_80 program.cu
works "its entries" "$list" program.fatbin
has out "^ptx sm_75$"
has out "^ptx sm_80$"
has out "^image$"
works "no instrumentation" "$hetcc" $flags --no-instrument --fatbin program.cu -o plain.fatbin
works "its entries" "$list" plain.fatbin
hasnt out "^image$"
for sample in "$samples"/*/*.cu; do
	works "$sample" "$hetcc" --no-toolkit -Wall -Wextra -Werror --ptx "$sample" -o sample.ptx
	hasnt sample.ptx '^\.extern \.func'
	hasnt sample.ptx "\.approx"
	has sample.ptx "__hetckpt_image"
done

# ---- nvcc's options
works "nvcc's command line" "$hetcc" --no-toolkit -D FACTOR=3 -std c++17 -O 3 -arch=sm_80 -lineinfo -use_fast_math -m64 \
	-Xcompiler -Wall,-Wextra --compiler-options "-fPIC -pthread" -Xptxas -v,-dlcm=cg --ptxas-options=-v \
	--expt-relaxed-constexpr -extended-lambda --default-stream per-thread -ccbin g++ -t 2 -cudart static \
	-diag-suppress 20012 -Werror all-warnings -Xlinker -rpath,/nowhere -maxrregcount=64 -x cu program.cu -x none \
	helper.c helper.o -lm -lcudart_static -o program.nvcc
readelf -d program.nvcc > dynamic
has dynamic "NEEDED.*libcudart.so.13"
has dynamic "/nowhere"
"$hetcc" -### --no-toolkit -gencode arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=\"sm_90,compute_90\" \
	-Xcompiler -fopenmp -fmad=false -DCUDA_API_PER_THREAD_DEFAULT_STREAM program.cu 2> out
has out "cuda-device-only.*cuda-gpu-arch=sm_80"
has out "cuda-device-only.*cuda-gpu-arch=sm_90"
has out "cuda-device-only.*-ffp-contract=off"
hasnt out "cuda-host-only.*-ffp-contract=off"
has out "-fopenmp.*cuda-host-only"
has out "-fopenmp.*-o. .a.out"
has out "fgpu-default-stream=per-thread"
checks=$((checks + 1))
[ "$(grep -c cuda-device-only out)" -eq 2 ] || fail "one architecture is compiled twice: $(cat out)"
"$hetcc" -### --no-toolkit -O -g -o x program.cu 2> out
has out "\"-O\" \"-g\""
checks=$((checks + 1))
"$hetcc" $flags -dc program.cu -o separate.o 2> err && [ -s separate.o ] || fail "-dc: $(cat err)"
has err "^hetcc: warning: -dc: device code of each file is compiled and linked by itself$"
refuses "-gencode: value missing" program.cu -gencode

# ---- Outputs and other options
works "default names" "$hetcc" $flags -c program.cu
[ -s program.o ] || fail "-c made no program.o"
works "-S" "$hetcc" $flags -S program.cu -o program.s
has program.s "main:"
works "-E" "$hetcc" $flags -E program.cu
has out "from_cpp"
works "-M" "$hetcc" $flags -M program.cu
has out "cuda_runtime.h"
hasnt out "/usr/local/"
works "dependencies" "$hetcc" $flags -MMD -MF program.d -c program.cu -o program.o
has program.d "^program.o:"
works "language" "$hetcc" $flags -x cuda -c helper.cpp -o language.o
mkdir own
echo '#define OWN 1' > own/cuda_fp16.h
cp program.cu own.cu
printf '#include <cuda_fp16.h>\nint own = OWN;\n' > own.cpp
works "own headers first" "$hetcc" --no-toolkit -Iown -c own.cpp
works "standard and debug information" "$hetcc" $flags -std=c++20 -g -O1 -c program.cu -o debug.o
works "several architectures" "$hetcc" $flags --cuda-gpu-arch=sm_80 --offload-arch=sm_90 -c program.cu
echo '#ifdef __CUDACC__
constexpr int archs[] = {__CUDA_ARCH_LIST__};
static_assert(sizeof archs == 2 * sizeof(int) && archs[0] == 800 && archs[1] == 900);
#endif' > list.cu
works "list of architectures" "$hetcc" $flags --arch=sm_80,sm_90 -c list.cu

# ---- Commands
"$hetcc" $flags -Xhetckpt poll-interval=20 -Xdevice -DONE -Xhost -DTWO '-###' program.cu helper.c -o p > out 2> err ||
	fail "-###: exit status $?"
[ ! -e p ] || fail "-### ran something"
has err '"-mllvm" "-hetckpt-poll-interval=20"'
has err 'cuda-device-only.*"-DONE"'
has err 'cuda-host-only.*"-DTWO"'
hasnt err 'cuda-host-only.*"-DONE"'
hasnt err '/usr/local/cuda'
checks=$((checks + 1))
[ "$(wc -l < err)" -eq 4 ] || fail "-###: $(wc -l < err) commands instead of 4"
checks=$((checks + 1))
"$hetcc" $flags -v -c program.cu > out 2> err || fail "-v: exit status $?"
has err '"--cuda-device-only"'
works "an option of the pass" "$hetcc" $flags -Xhetckpt poll-interval=20 -c program.cu

# ---- Errors in sources, and nothing left behind
echo 'int broken( {' > broken.cu
checks=$((checks + 1))
"$hetcc" --no-toolkit -c broken.cu -o broken.o > out 2> err && fail "broken.cu: accepted"
has err "broken.cu:1"
[ ! -e broken.o ] || fail "broken.o was made"
"$hetcc" --no-toolkit missing.cu > out 2> err && fail "missing.cu: accepted"
has err "missing.cu"
checks=$((checks + 1))
[ -z "$(ls temporary)" ] || fail "left in the temporary folder: $(ls temporary)"

# ---- Debug information: lines in the code, which stays optimised
works "-g" "$hetcc" $flags -g --ptx "$samples/matmul/matmul.cu" -o lines.ptx
has lines.ptx "[.]loc"
has lines.ptx "^[.]target sm_75\$"

# ---- Ahead of time
if [ -x "$(dirname "$hetcc")/hetckpt-translate" ]; then
	works "--targets" "$hetcc" $flags --targets=cpu,cpu:x86-64-v3 --fatbin \
		"$samples/vectoradd/vectoradd.cu" -o ahead.fatbin
	works "its entries" "$list" ahead.fatbin
	has out "^target cpu:x86-64-v2 ELF$"
	has out "^target cpu:x86-64-v3 ELF$"
else
	echo "skipped: --targets, for hetckpt-translate is not built"
fi

# ---- With a toolkit
if [ -x /usr/local/cuda/bin/ptxas ]; then
	works "with a toolkit" "$hetcc" -DFACTOR=3 --arch=sm_90 --fatbin "$samples/matmul/matmul.cu" -o kit.fatbin
	works "its entries" "$list" kit.fatbin
	has out "^elf sm_90$"
	has out "^ptx sm_90$"
	has out "^image$"
	# What CUB writes as assembly is of a PTX version that the architecture alone does not ask for.
	cat > mask.cu <<-'END'
		__global__ void mask(unsigned *p) { asm("bmsk.clamp.b32 %0, %1, %2;" : "=r"(p[0]) : "r"(p[1]), "r"(p[2])); }
	END
	works "CUB's assembly with a toolkit" "$hetcc" --arch=sm_75 --fatbin mask.cu -o mask.fatbin
	works "-g with a toolkit" "$hetcc" -g --arch=sm_90 --fatbin "$samples/matmul/matmul.cu" -o kit-g.fatbin
	works "link with a toolkit" "$hetcc" --arch=sm_90 "$samples/matmul/matmul.cu" -o kit
	readelf -d kit > dynamic
	has dynamic "NEEDED.*libcudart.so"
	# On the host as nvcc has them; a program's own go first.
	cat > least.cu <<-'END'
		#include <algorithm>
		int max(long a, int b) { return a > b ? 1 : 2; }
		using namespace std;
		int main(int n, char **) { return min(n, 3) + min(2u, n) + (int)max(0.5f, (double)n) + max(5l, n) + std::min(n, 0) - 4; }
	END
	works "min and max on the host" "$hetcc" least.cu -o least
	works "their results" env LD_LIBRARY_PATH= LD_PRELOAD="$fake/libcudart.so.13" ./least
	if command -v cmake > /dev/null; then
		mkdir cmake
		printf '%s\n' 'cmake_minimum_required(VERSION 3.18)' 'project(kit LANGUAGES CXX CUDA)' \
			'add_executable(kit kit.cu)' > cmake/CMakeLists.txt
		echo '__global__ void kernel() {} int main() { kernel<<<1, 1>>>(); return 0; }' > cmake/kit.cu
		works "CMake's compiler" cmake -S cmake -B made "-DCMAKE_CUDA_COMPILER=$hetcc" -DCMAKE_CUDA_RUNTIME_LIBRARY=Shared
		works "CMake builds" cmake --build made
		readelf -d made/kit > dynamic
		has dynamic "NEEDED.*libcudart.so"
	fi
else
	echo "skipped: compilation with a CUDA toolkit, for there is none"
fi

echo "$checks checks, $bad failed"
[ $bad -eq 0 ]
