/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef REDUCTION_HOST_HPP
#define REDUCTION_HOST_HPP

#include <cstddef>
#include <cstdint>

struct Totals {
	unsigned long long sum;
	int least, most;
	unsigned int odd; /* exclusive or of all */
};

inline Totals reduction_host(size_t first, size_t last, const int *v)
{
	Totals t = {0, INT32_MAX, INT32_MIN, 0};

	for (size_t i = first; i < last; i++) {
		t.sum += (unsigned long long)(long long)v[i];
		t.least = v[i] < t.least ? v[i] : t.least;
		t.most = v[i] > t.most ? v[i] : t.most;
		t.odd ^= (unsigned int)v[i];
	}
	return t;
}

#endif
