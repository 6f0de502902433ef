/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "client.h"

#include "command.h"
#include "output.h"
#include "runtime/channel/control.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int hetckpt_client_open(struct hetckpt_client *client, const char *text)
{
	struct hetckpt_error error;
	int rc;

	client->fd = -1;
	rc = hetckpt_registry_resolve(text, &client->session, &error);
	if (rc)
		return hetckpt_fail(rc == -ENOENT || rc == -ENOTUNIQ ? HETCKPT_EXIT_NO_SESSION
								     : HETCKPT_EXIT_FAILURE,
				    "%s", error.text);
	rc = hetckpt_control_connect(client->session.socket, &client->fd);
	if (rc)
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "session %s does not answer: %s",
				    client->session.id, strerror(-rc));
	return 0;
}

void hetckpt_client_close(struct hetckpt_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

int hetckpt_client_call(struct hetckpt_client *client, json_t *request, json_t **reply,
			int silence_ms)
{
	const char *id = client->session.id, *why;
	struct hetckpt_progress bar;
	int rc;

	*reply = NULL;
	if (!request)
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "no memory");
	hetckpt_progress_begin(&bar);
	rc = hetckpt_control_call(client->fd, request, NULL, 0, reply, NULL, NULL, silence_ms,
				  hetckpt_progress_message, &bar);
	hetckpt_progress_finish(&bar);
	json_decref(request);
	if (!rc)
		return 0;
	why = json_string_value(json_object_get(*reply, "error"));
	if (*reply)
		hetckpt_fail(1, "session %s: %s", id, why ? why : strerror(-rc));
	else if (rc == -ECONNRESET || rc == -EPIPE)
		hetckpt_fail(1, "session %s ended meanwhile", id);
	else if (rc == -ETIMEDOUT)
		hetckpt_fail(1, "session %s does not answer", id);
	else
		hetckpt_fail(1, "session %s: %s", id, strerror(-rc));
	json_decref(*reply);
	*reply = NULL;
	return HETCKPT_EXIT_FAILURE;
}

int hetckpt_client_status(const struct hetckpt_session_entry *session, int detail, json_t **reply)
{
	json_t *request;
	int fd, rc;

	*reply = NULL;
	rc = hetckpt_control_connect(session->socket, &fd);
	if (rc)
		return rc;
	request = json_pack("{s:s, s:b}", "op", "status", "detail", detail);
	rc = request ? hetckpt_control_call(fd, request, NULL, 0, reply, NULL, NULL, 4000, NULL, NULL)
		     : -ENOMEM;
	json_decref(request);
	close(fd);
	if (rc) {
		json_decref(*reply);
		*reply = NULL;
	}
	return rc;
}
