/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Launches: what CUDA refuses at once is refused here; the rest goes into the ring. */
#include <string.h>

#include "runtime/client/client.h"
#include "runtime/client/graph.h"

/* ---- <<<...>>> --------------------------------------------------------- */

/* A launch's configuration, between the caller and the kernel's host stub. Nested: the
   arguments of a launch may themselves launch. */
struct configuration {
	dim3 grid, block;
	size_t dynamic_shared;
	cudaStream_t stream;
};
#define NESTING 16
static __thread struct configuration pushed[NESTING];
static __thread unsigned depth;

CLIENT_EXPORT unsigned int __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t dynamic_shared,
                                                       struct CUstream_st *stream)
{
	if (depth == NESTING) {
		client_result(cudaErrorMissingConfiguration);
		return 1; /* not zero: the caller does not call the stub */
	}
	pushed[depth++] = (struct configuration){grid, block, dynamic_shared, stream};
	return 0;
}

CLIENT_EXPORT cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *dynamic_shared,
                                                     void *stream)
{
	if (!depth)
		return client_result(cudaErrorMissingConfiguration);
	depth--;
	*grid = pushed[depth].grid;
	*block = pushed[depth].block;
	*dynamic_shared = pushed[depth].dynamic_shared;
	*(cudaStream_t *)stream = pushed[depth].stream;
	return cudaSuccess;
}

/* ---- Launching --------------------------------------------------------- */

/* The checks whose result CUDA returns from the launch itself. */
static cudaError_t launch_check(const struct client_function *f, dim3 grid, dim3 block,
                                size_t dynamic_shared)
{
	const struct hetckpt_reply_device *info;
	uint64_t threads = (uint64_t)block.x * block.y * block.z;
	cudaError_t error = client_device_info(&info);

	if (error)
		return error;
	if (!grid.x || !grid.y || !grid.z || !block.x || !block.y || !block.z ||
	    block.x > info->max_block[0] || block.y > info->max_block[1] || block.z > info->max_block[2] ||
	    threads > info->max_threads_per_block || grid.x > info->max_grid[0] ||
	    grid.y > info->max_grid[1] || grid.z > info->max_grid[2])
		return cudaErrorInvalidConfiguration;
	/* The kernel's own limit: launch bounds, registers. */
	if (f->max_threads && threads > f->max_threads)
		return cudaErrorLaunchOutOfResources;
	if (dynamic_shared > f->max_dynamic_shared)
		return cudaErrorInvalidValue;
	return cudaSuccess;
}

/* All blocks of a cooperative launch must fit at once. */
static cudaError_t cooperative_check(struct client_function *f, dim3 grid, dim3 block, size_t dynamic_shared)
{
	const struct hetckpt_reply_device *info;
	uint32_t fit = 0;
	cudaError_t error = client_device_info(&info);

	if (!error)
		error = client_function_fit(f, block.x * block.y * block.z, (uint32_t)dynamic_shared, &fit);
	if (!error && (uint64_t)grid.x * grid.y > (uint64_t)fit * info->sm_count / grid.z)
		error = cudaErrorCooperativeLaunchTooLarge;
	return error;
}

cudaError_t client_launch_check(const struct client_launch *l)
{
	struct client_function *f;
	cudaError_t error = client_function_get(l->function, &f);

	if (!error)
		error = launch_check(f, l->grid, l->block, l->dynamic_shared);
	if (!error && l->flags & HETCKPT_LAUNCH_COOPERATIVE)
		error = cooperative_check(f, l->grid, l->block, l->dynamic_shared);
	if (!error && f->params && !l->arguments)
		error = cudaErrorInvalidValue;
	return error;
}

cudaError_t client_launch_send(const struct client_launch *l, uint32_t stream)
{
	struct hetckpt_msg_launch *body;
	struct client_function *f;
	cudaError_t error = client_function_get(l->function, &f);
	void *place;

	if (!error)
		error = client_begin(HETCKPT_MSG_LAUNCH, stream, HETCKPT_NO_REPLY,
		                     (uint32_t)sizeof *body + f->param_bytes, &place);
	if (error)
		return error;
	body = place;
	body->function = f->handle;
	body->grid[0] = l->grid.x;
	body->grid[1] = l->grid.y;
	body->grid[2] = l->grid.z;
	body->block[0] = l->block.x;
	body->block[1] = l->block.y;
	body->block[2] = l->block.z;
	body->dynamic_shared = (uint32_t)l->dynamic_shared;
	body->flags = l->flags;
	body->param_bytes = f->param_bytes;
	for (uint32_t i = 0; i < f->params; i++)
		memcpy(body->params + f->param[i].offset, l->arguments[i], f->param[i].bytes);
	client_commit();
	return cudaSuccess;
}

cudaError_t client_launch(const struct client_launch *l, cudaStream_t stream)
{
	struct client_work work = {.type = cudaGraphNodeTypeKernel, .launch = *l};
	cudaError_t error = client_enter();
	uint32_t number;

	if (!error)
		error = client_launch_check(l);
	if (error || client_capture(stream, &work, &error))
		return error;
	error = client_stream_number(stream, &number);
	return error ? error : client_launch_send(l, number);
}

CLIENT_EXPORT cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments,
                                           size_t dynamic_shared, cudaStream_t stream)
{
	return client_result(client_launch(&(struct client_launch){function, grid, block, arguments, dynamic_shared, 0},
	                                   stream));
}

CLIENT_EXPORT cudaError_t cudaLaunchCooperativeKernel(const void *function, dim3 grid, dim3 block,
                                                      void **arguments, size_t dynamic_shared,
                                                      cudaStream_t stream)
{
	return client_result(client_launch(&(struct client_launch){function, grid, block, arguments, dynamic_shared,
	                                                            HETCKPT_LAUNCH_COOPERATIVE},
	                                   stream));
}

static cudaError_t launch_config(const cudaLaunchConfig_t *config, const void *function, void **arguments,
                                 cudaStream_t stream)
{
	uint32_t flags = 0;

	for (unsigned i = 0; i < config->numAttrs; i++) {
		const cudaLaunchAttribute *a = &config->attrs[i];

		/* The others are hints on scheduling and caches. */
		if (a->id == cudaLaunchAttributeCooperative && a->val.cooperative)
			flags |= HETCKPT_LAUNCH_COOPERATIVE;
		if (a->id == cudaLaunchAttributeClusterDimension &&
		    (uint64_t)a->val.clusterDim.x * a->val.clusterDim.y * a->val.clusterDim.z > 1) {
			client_say_once("launches in thread block clusters are not supported");
			return cudaErrorNotSupported;
		}
	}
	return client_launch(&(struct client_launch){function, config->gridDim, config->blockDim, arguments,
	                                             config->dynamicSmemBytes, flags}, stream);
}

CLIENT_EXPORT cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *function,
                                              void **arguments)
{
	if (!config || (config->numAttrs && !config->attrs))
		return client_result(cudaErrorInvalidValue);
	return client_result(launch_config(config, function, arguments, config->stream));
}

/* ---- Per-thread default stream, and the newer host stubs ---------------- */

cudaError_t cudaLaunchKernel_ptsz(const void *function, dim3 grid, dim3 block, void **arguments,
                                  size_t dynamic_shared, cudaStream_t stream);
cudaError_t cudaLaunchCooperativeKernel_ptsz(const void *function, dim3 grid, dim3 block, void **arguments,
                                             size_t dynamic_shared, cudaStream_t stream);
cudaError_t cudaLaunchKernelExC_ptsz(const cudaLaunchConfig_t *config, const void *function,
                                     void **arguments);
cudaError_t __cudaGetKernel(const void **kernel, const void *function);
cudaError_t __cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **arguments,
                               size_t dynamic_shared, cudaStream_t stream);
cudaError_t __cudaLaunchKernel_ptsz(const void *kernel, dim3 grid, dim3 block, void **arguments,
                                    size_t dynamic_shared, cudaStream_t stream);
cudaError_t cudaGetKernel(const void **kernel, const void *function);

CLIENT_EXPORT cudaError_t cudaLaunchKernel_ptsz(const void *function, dim3 grid, dim3 block,
                                                void **arguments, size_t dynamic_shared,
                                                cudaStream_t stream)
{
	return client_result(client_launch(&(struct client_launch){function, grid, block, arguments, dynamic_shared, 0},
	                                   client_per_thread(stream)));
}

CLIENT_EXPORT cudaError_t cudaLaunchCooperativeKernel_ptsz(const void *function, dim3 grid, dim3 block,
                                                           void **arguments, size_t dynamic_shared,
                                                           cudaStream_t stream)
{
	return client_result(client_launch(&(struct client_launch){function, grid, block, arguments, dynamic_shared,
	                                                            HETCKPT_LAUNCH_COOPERATIVE},
	                                   client_per_thread(stream)));
}

CLIENT_EXPORT cudaError_t cudaLaunchKernelExC_ptsz(const cudaLaunchConfig_t *config, const void *function,
                                                   void **arguments)
{
	if (!config || (config->numAttrs && !config->attrs))
		return client_result(cudaErrorInvalidValue);
	return client_result(launch_config(config, function, arguments, client_per_thread(config->stream)));
}

/*
 * A cudaKernel_t is the host pointer itself, so all calls take either. The stub asks once,
 * before the program may have attached, and keeps the answer, so nothing is checked here.
 */
CLIENT_EXPORT cudaError_t __cudaGetKernel(const void **kernel, const void *function)
{
	*kernel = function;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGetKernel(const void **kernel, const void *function)
{
	struct client_function *f;
	cudaError_t error = client_enter();

	if (!error && !kernel)
		error = cudaErrorInvalidValue;
	if (!error)
		error = client_function_get(function, &f);
	if (!error)
		*kernel = function;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t __cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **arguments,
                                             size_t dynamic_shared, cudaStream_t stream)
{
	return client_result(client_launch(&(struct client_launch){kernel, grid, block, arguments, dynamic_shared, 0},
	                                   stream));
}

CLIENT_EXPORT cudaError_t __cudaLaunchKernel_ptsz(const void *kernel, dim3 grid, dim3 block,
                                                  void **arguments, size_t dynamic_shared,
                                                  cudaStream_t stream)
{
	return client_result(client_launch(&(struct client_launch){kernel, grid, block, arguments, dynamic_shared, 0},
	                                   client_per_thread(stream)));
}
