/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * sample.hpp - what the sample programs share: options, checks of CUDA calls, a
 * checksum of results, and the result line.
 *
 * A sample prints one line on standard output:
 *   NAME VARIANT size=N repeat=R checksum=HHHHHHHHHHHHHHHH seconds=S PASS|FAIL
 * The checksum is FNV-1a (64 bits) of the bytes of its result buffers. It does not
 * depend on the device or on the order in which blocks run. The exit status is 0 for
 * PASS, 1 for FAIL or a failed CUDA call, 2 for a wrong command line.
 *
 * With --unchecked the result is not computed again on the host, and the line ends with
 * UNCHECKED: whoever measures compares checksums.
 *
 * With --host-bench the same work is done by plain loops in the host's threads, and the line is
 *   NAME VARIANT size=N repeat=R checksum=... loops=LOOPS threads=T host-seconds=S
 * LOOPS is "threads" where the loops are those over the kernel's blocks and threads, and "tuned"
 * (--host-bench=tuned) where they give the same result in a way that suits a CPU.
 */
#ifndef SAMPLES_COMMON_SAMPLE_HPP
#define SAMPLES_COMMON_SAMPLE_HPP

#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <cuda_runtime.h>

#include "host.hpp"

#define CHECK(call)                                                                        \
	do {                                                                               \
		cudaError_t error_ = (call);                                               \
		if (error_ != cudaSuccess) {                                               \
			std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, \
			             cudaGetErrorString(error_));                          \
			std::exit(1);                                                      \
		}                                                                          \
	} while (0)

namespace sample {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start)
{
	return std::chrono::duration<double>(Clock::now() - start).count();
}

/* A number that looks random, from its index: the same on host and device. */
__host__ __device__ inline uint32_t hash32(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x7feb352du;
	x ^= x >> 15;
	x *= 0x846ca68bu;
	x ^= x >> 16;
	return x;
}

class Sample {
public:
	long size;
	int repeat;
	unsigned threads = std::thread::hardware_concurrency();
	bool host_bench = false, tuned = false, repeat_given = false, unchecked = false;
	std::string variant;

	/* variants: names separated by spaces, the first is the default; what: one line for --help */
	Sample(int argc, char **argv, const char *name, const char *what, const char *variants,
	       long default_size, int default_repeat)
		: size(default_size), repeat(default_repeat), name_(name)
	{
		std::string list = std::string(variants) + " ";

		variant = list.substr(0, list.find(' '));
		for (int i = 1; i < argc; i++) {
			std::string option = argv[i];

			if (option == "--help") {
				std::printf("Usage: %s [options]\n%s\n\n"
				            "  --size N        problem size (default %ld)\n"
				            "  --repeat N      how often the work is done (default %d)\n"
				            "  --variant V     one of: %s\n"
				            "  --dump FILE     write the result buffers\n"
				            "  --unchecked     do not compute results again on the host, for measurements\n"
				            "  --host-bench[=LOOPS]\n"
				            "                  do the work in host threads instead, for comparison: by loops\n"
				            "                  over the kernel's blocks and threads (threads, the default),\n"
				            "                  or by such as suit a CPU (tuned)\n"
				            "  --threads N     of --host-bench (default: all processors)\n",
				            name, what, default_size, default_repeat, variants);
				std::exit(0);
			}
			if (option == "--host-bench" || option == "--host-bench=threads" || option == "--host-bench=tuned") {
				host_bench = true;
				tuned = option == "--host-bench=tuned";
				continue;
			}
			if (option == "--unchecked") {
				unchecked = true;
				continue;
			}
			if (i + 1 >= argc)
				usage(option + ": unknown, or its value is missing");
			std::string value = argv[++i];
			if (option == "--size")
				size = number(option, value, 1L << 40);
			else if (option == "--repeat")
				repeat = (int)number(option, value, 1 << 30), repeat_given = true;
			else if (option == "--threads")
				threads = (unsigned)number(option, value, 4096);
			else if (option == "--dump")
				dump_ = value;
			else if (option == "--variant" && !value.empty() && (" " + list).find(" " + value + " ") != std::string::npos)
				variant = value;
			else if (option == "--variant")
				usage(value + ": no such variant; there are: " + variants);
			else
				usage(option + ": unknown option");
		}
		if (!threads)
			threads = 1;
		start_ = Clock::now();
	}

	/* The host's threads, started when they are needed for the first time. */
	Threads &host()
	{
		if (!host_)
			host_ = std::make_unique<Threads>(threads);
		return *host_;
	}

	/* Starts the time that the result line gives. */
	void begin()
	{
		if (host_bench)
			host();
		start_ = Clock::now();
	}
	void end() { seconds_ = seconds_since(start_); }

	/* Adds a result buffer to the checksum, and to the dump if one is wanted. */
	void result(const void *data, size_t bytes)
	{
		const unsigned char *byte = static_cast<const unsigned char *>(data);

		for (size_t i = 0; i < bytes; i++)
			hash_ = (hash_ ^ byte[i]) * 0x100000001b3u;
		if (dump_.empty())
			return;
		FILE *file = std::fopen(dump_.c_str(), dumped_ ? "ab" : "wb");
		bool written = file && std::fwrite(data, 1, bytes, file) == bytes;

		if (!file || std::fclose(file) || !written) {
			std::perror(dump_.c_str());
			std::exit(1);
		}
		dumped_ = true;
	}

	template <class T> void result(const std::vector<T> &data)
	{
		result(data.data(), data.size() * sizeof(T));
	}

	/* Prints the result line; returns the exit status. */
	int finish(bool pass)
	{
		std::printf("%s %s size=%ld repeat=%d checksum=%016" PRIx64, name_, variant.c_str(), size,
		            repeat, hash_);
		if (host_bench)
			std::printf(" loops=%s threads=%u host-seconds=%.6f\n", tuned ? "tuned" : "threads", threads,
			            seconds_);
		else
			std::printf(" seconds=%.6f %s\n", seconds_, !pass ? "FAIL" : unchecked ? "UNCHECKED" : "PASS");
		return pass ? 0 : 1;
	}

	[[noreturn]] void usage(const std::string &message) const
	{
		std::fprintf(stderr, "%s: %s (see --help)\n", name_, message.c_str());
		std::exit(2);
	}

private:
	const char *name_;
	std::string dump_;
	bool dumped_ = false;
	uint64_t hash_ = 0xcbf29ce484222325u;
	double seconds_ = 0;
	Clock::time_point start_;
	std::unique_ptr<Threads> host_;

	long number(const std::string &option, const std::string &value, long largest) const
	{
		char *end;
		long n = std::strtol(value.c_str(), &end, 10);

		if (value.empty() || *end || n < 1 || n > largest)
			usage(option + " " + value + ": not a number from 1 to " + std::to_string(largest));
		return n;
	}
};

/* Device memory for count elements, freed with the program's scope. */
template <class T> class Buffer {
public:
	explicit Buffer(size_t count) : count_(count) { CHECK(cudaMalloc((void **)&data_, bytes())); }
	explicit Buffer(const std::vector<T> &from) : Buffer(from.size()) { upload(from); }
	~Buffer() { cudaFree(data_); }
	Buffer(const Buffer &) = delete;
	Buffer &operator=(const Buffer &) = delete;

	T *get() const { return data_; }
	size_t bytes() const { return count_ * sizeof(T); }
	void clear() { CHECK(cudaMemset(data_, 0, bytes())); }
	void upload(const std::vector<T> &from)
	{
		CHECK(cudaMemcpy(data_, from.data(), bytes(), cudaMemcpyHostToDevice));
	}
	std::vector<T> download() const
	{
		std::vector<T> to(count_);

		CHECK(cudaMemcpy(to.data(), data_, bytes(), cudaMemcpyDeviceToHost));
		return to;
	}

private:
	size_t count_;
	T *data_ = nullptr;
};

/* Compares got with want; reports the first difference. */
template <class T> bool same(const char *what, const std::vector<T> &got, const std::vector<T> &want)
{
	for (size_t i = 0; i < want.size(); i++)
		if (std::memcmp(&got[i], &want[i], sizeof(T))) {
			std::fprintf(stderr, "%s: element %zu differs from the reference\n", what, i);
			return false;
		}
	return true;
}

} // namespace sample

#endif
