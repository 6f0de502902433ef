/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * host.hpp - what the host's versions of the samples share: threads that wait for work,
 * parts of a loop or blocks of a grid shared out to them, atomic operations.
 */
#ifndef SAMPLES_COMMON_HOST_HPP
#define SAMPLES_COMMON_HOST_HPP

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <cuda_runtime.h>

namespace sample {

/*
 * Threads that live from one launch to the next, as a device's processors do: starting
 * them takes longer than some launches.
 */
class Threads {
public:
	/* count: the caller's thread included */
	explicit Threads(unsigned count)
	{
		for (unsigned t = 1; t < count; t++)
			threads_.emplace_back([this, t] { serve(t); });
	}
	~Threads()
	{
		start(nullptr);
		for (std::thread &thread : threads_)
			thread.join();
	}
	Threads(const Threads &) = delete;
	Threads &operator=(const Threads &) = delete;

	/* Runs body(first, last) on parts of [0, count), one a thread. */
	template <class Body> void parallel(size_t count, Body body)
	{
		size_t threads = threads_.size() + 1;

		run([&](unsigned t) {
			size_t first = count * t / threads, last = count * (t + 1) / threads;

			if (first < last)
				body(first, last);
		});
	}

	/*
	 * Runs block(blockIdx) for each block of a grid. Threads take blocks in rows, many
	 * rows a thread, for some blocks take longer than others.
	 */
	template <class Block> void blocks(dim3 grid, Block block)
	{
		size_t count = (size_t)grid.x * grid.y * grid.z, row = count / ((threads_.size() + 1) * 16) + 1;
		std::atomic<size_t> next{0};

		run([&](unsigned) {
			for (size_t first = next.fetch_add(row); first < count; first = next.fetch_add(row))
				for (size_t b = first; b < count && b < first + row; b++) {
					unsigned i = (unsigned)b;

					block(dim3(i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y));
				}
		});
	}

private:
	using Work = std::function<void(unsigned)>;

	std::vector<std::thread> threads_;
	std::mutex mutex_;
	std::condition_variable started_;
	std::atomic<unsigned> launches_{0};
	std::atomic<size_t> working_{0};
	const Work *work_ = nullptr; /* none: the threads shall end */

	/* Calls work with the number of each thread; returns when all calls have. */
	void run(const Work &work)
	{
		start(&work);
		work(0);
		while (working_)
			std::this_thread::yield();
	}

	void start(const Work *work)
	{
		{
			std::lock_guard<std::mutex> hold(mutex_);

			work_ = work;
			working_ = threads_.size();
			launches_++;
		}
		started_.notify_all();
	}

	void serve(unsigned t)
	{
		for (unsigned seen = 0;; seen++) {
			/* About a millisecond awake, for the next launch mostly follows at once; then asleep. */
			for (int turn = 0; turn < 2000 && launches_ == seen; turn++)
				std::this_thread::yield();
			{
				std::unique_lock<std::mutex> hold(mutex_);

				started_.wait(hold, [&] { return launches_ != seen; });
			}
			if (!work_)
				return;
			(*work_)(t);
			working_--;
		}
	}
};

/* Like CUDA's atomic functions: relaxed. */
template <class T> T atomic_add(T *word, T value)
{
	return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

template <class T> void atomic_max(T *word, T value)
{
	T seen = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (seen < value && !__atomic_compare_exchange_n(word, &seen, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

template <class T> void atomic_min(T *word, T value)
{
	T seen = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (value < seen && !__atomic_compare_exchange_n(word, &seen, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

} // namespace sample

#endif
