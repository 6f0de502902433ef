/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef HISTOGRAM_HOST_HPP
#define HISTOGRAM_HOST_HPP

#include <cstddef>

/* Counts the bytes [first, last) into 256 bins. */
inline void histogram_host(size_t first, size_t last, const unsigned char *data, unsigned int *bins)
{
	for (size_t i = first; i < last; i++)
		bins[data[i]]++;
}

#endif
