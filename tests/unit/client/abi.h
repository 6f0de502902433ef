/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef TEST_CLIENT_ABI_H
#define TEST_CLIENT_ABI_H

struct abi_fact {
	const char *name;
	long long value;
};
extern const struct abi_fact abi_ours[], abi_toolkit[];
extern const unsigned abi_ours_count, abi_toolkit_count;

#endif
