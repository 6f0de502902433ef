/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "runtime/channel/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static int address_fill(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	if (!path[0])
		return -EINVAL;
	if (strlen(path) >= sizeof address->sun_path)
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

int hetckpt_control_listen(const char *path, int *fd)
{
	struct sockaddr_un address;
	int listener = -1, result;

	result = address_fill(&address, path);
	if (result)
		return result;
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener < 0)
		return -errno;
	/* The mode of the socket file follows the descriptor's: nobody can connect in between. */
	if (fchmod(listener, 0600) || bind(listener, (struct sockaddr *)&address, sizeof address)) {
		result = -errno;
		goto failed;
	}
	if (chmod(path, 0600) || listen(listener, BACKLOG)) {
		result = -errno;
		unlink(path);
		goto failed;
	}
	*fd = listener;
	return 0;
failed:
	close(listener);
	return result;
}

int hetckpt_control_connect(const char *path, int *fd)
{
	struct sockaddr_un address;
	int peer, result;

	result = address_fill(&address, path);
	if (result)
		return result;
	peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (peer < 0)
		return -errno;
	while (connect(peer, (struct sockaddr *)&address, sizeof address)) {
		if (errno == EINTR)
			continue;
		result = -errno;
		close(peer);
		return result;
	}
	*fd = peer;
	return 0;
}

int hetckpt_control_accept(int listener, int *fd, pid_t *pid)
{
	struct ucred peer;
	socklen_t length = sizeof peer;
	int accepted;

	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (accepted < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &length) || length != sizeof peer ||
	    peer.uid != geteuid()) {
		close(accepted);
		return -EACCES;
	}
	if (pid)
		*pid = peer.pid;
	*fd = accepted;
	return 0;
}

int hetckpt_control_pair(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) ? -errno : 0;
}

bool hetckpt_control_hung_up(int fd)
{
	struct pollfd watch = {.fd = fd, .events = POLLRDHUP};

	return poll(&watch, 1, 0) > 0 && watch.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL);
}
