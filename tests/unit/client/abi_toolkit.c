/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* NVIDIA's headers: only compiled where a toolkit is installed. */
#include <cuda_runtime_api.h>

#define ABI_TABLE abi_toolkit
#define ABI_COUNT abi_toolkit_count
#include "tests/unit/client/abi_facts.h"
