/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef PIPELINE_HOST_HPP
#define PIPELINE_HOST_HPP

#include <cstddef>
#include <cstdint>

/* One chunk: substitution by a table, then rounds of mixing with a key. */
inline void pipeline_host(size_t first, size_t last, const uint32_t *table, uint32_t key, int rounds,
                          const uint32_t *in, uint32_t *out)
{
	for (size_t i = first; i < last; i++) {
		uint32_t v = in[i] ^ table[in[i] & 255];

		for (int r = 0; r < rounds; r++)
			v = (v << 5 | v >> 27) * 0x9e3779b1u + (key ^ (uint32_t)r);
		out[i] = v;
	}
}

#endif
