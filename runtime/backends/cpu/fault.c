/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Faults of kernels. A kernel that touches memory it has not makes its launch fail,
 * not the worker die. The handler leaves by siglongjmp: the code it interrupts is a
 * kernel's, which holds no locks of ours, or a copy's.
 */
#include "cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int guarded[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
#define GUARDED (sizeof guarded / sizeof *guarded)

static struct sigaction before[GUARDED];
static _Thread_local struct cpu_guard *volatile current;

static void handle(int number, siginfo_t *info, void *context)
{
	struct cpu_guard *guard = current;

	if (guard && guard->active && !(number == CPU_SIGNAL_STOP && guard->active == 2)) {
		guard->active = 0;
		guard->code = info->si_code;
		guard->address = (uintptr_t)info->si_addr;
		siglongjmp(guard->env, number);
	}
	if (number == CPU_SIGNAL_STOP)
		return;
	/* Not a kernel's: as if we were not here. */
	for (size_t i = 0; i < GUARDED; i++) {
		if (guarded[i] != number)
			continue;
		if (before[i].sa_flags & SA_SIGINFO && before[i].sa_sigaction) {
			before[i].sa_sigaction(number, info, context);
			return;
		}
		if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) {
			before[i].sa_handler(number);
			return;
		}
		/* Returning repeats the fault, now with the default action. */
		signal(number, SIG_DFL);
		if (info->si_code <= 0)
			raise(number);
	}
}

/* Each device that is opened makes sure: others may have set handlers since. */
int cpu_fault_install(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct sigaction action, now;
	int rc = 0;

	memset(&action, 0, sizeof action);
	action.sa_sigaction = handle;
	/* NODEFER: the jump leaves the handler without restoring the mask. */
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < GUARDED && !rc; i++) {
		if (sigaction(guarded[i], NULL, &now))
			rc = -errno;
		else if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == handle)
			continue;
		else if (sigaction(guarded[i], &action, &before[i]))
			rc = -errno;
	}
	if (!rc && sigaction(CPU_SIGNAL_STOP, &action, NULL))
		rc = -errno;
	pthread_mutex_unlock(&lock);
	return rc;
}

int cpu_fault_thread(struct cpu_guard *guard, char *stack, size_t bytes)
{
	stack_t s = {.ss_sp = stack, .ss_size = bytes};
	sigset_t set;

	current = guard;
	/* Threads inherit a mask, and a fault that is blocked kills the process. */
	sigemptyset(&set);
	for (size_t i = 0; i < GUARDED; i++)
		sigaddset(&set, guarded[i]);
	sigaddset(&set, CPU_SIGNAL_STOP);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return sigaltstack(&s, NULL) ? -errno : 0;
}

void cpu_fault_thread_end(void)
{
	stack_t off = {.ss_flags = SS_DISABLE};

	current = NULL;
	sigaltstack(&off, NULL);
}

void cpu_fault_hold(bool on)
{
	if (current && current->active)
		current->active = on ? 2 : 1;
}
