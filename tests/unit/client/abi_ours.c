/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "hetckpt/cuda/cuda_runtime_api.h"

#define ABI_TABLE abi_ours
#define ABI_COUNT abi_ours_count
#include "tests/unit/client/abi_facts.h"
