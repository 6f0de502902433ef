/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef VECTORADD_HOST_HPP
#define VECTORADD_HOST_HPP

#include <cstddef>

inline void vectoradd_host(size_t first, size_t last, const float *x, float *y)
{
	for (size_t i = first; i < last; i++)
		y[i] = y[i] + x[i];
}

#endif
