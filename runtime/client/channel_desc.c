/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* cudaCreateChannelDesc returns a structure, so it cannot be among the missing ones. */
#include "runtime/client/client.h"

struct cudaChannelFormatDesc {
	int x, y, z, w;
	int f; /* enum cudaChannelFormatKind */
};

struct cudaChannelFormatDesc cudaCreateChannelDesc(int x, int y, int z, int w, int kind);
CLIENT_EXPORT struct cudaChannelFormatDesc cudaCreateChannelDesc(int x, int y, int z, int w, int kind)
{
	return (struct cudaChannelFormatDesc){x, y, z, w, kind};
}
