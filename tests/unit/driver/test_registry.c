/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The folder of sessions: making, finding, removing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/hetckpt-registry-XXXXXX";
static struct hetckpt_error error;

static struct hetckpt_session_entry make(const char *name, pid_t pid, int *lock)
{
	struct hetckpt_session_entry entry = {.kind = "run", .device = "cpu:0", .pid = pid,
					      .supervisor_pid = pid + 1, .started = (double)pid};

	snprintf(entry.name, sizeof entry.name, "%s", name);
	assert_int_equal(hetckpt_registry_create(&entry, lock, &error), 0);
	assert_int_equal(hetckpt_registry_publish(&entry, &error), 0);
	return entry;
}

static void lists_and_resolves(void **state)
{
	struct hetckpt_session_entry a, b, found, again = {.name = "first"};
	struct hetckpt_session_list list;
	char prefix[9];
	int lock_a, lock_b, lock, n;

	a = make("first", 70001, &lock_a);
	b = make("", 80001, &lock_b);
	assert_int_equal(hetckpt_registry_list(&list, &error), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.entry[0].id, a.id); /* older first */
	assert_string_equal(list.entry[1].device, "cpu:0");
	free(list.entry);

	assert_int_equal(hetckpt_registry_resolve("first", &found, &error), 0);
	assert_string_equal(found.id, a.id);
	assert_int_equal(hetckpt_registry_resolve(b.id, &found, &error), 0);
	assert_string_equal(found.socket + strlen(found.socket) - 13, "/control.sock");
	assert_int_equal(hetckpt_registry_resolve("80001", &found, &error), 0);
	assert_string_equal(found.id, b.id);
	assert_int_equal(hetckpt_registry_resolve("70002", &found, &error), 0);
	assert_string_equal(found.id, a.id);
	assert_int_equal(hetckpt_registry_resolve("nobody", &found, &error), -ENOENT);
	assert_non_null(strstr(error.text, "'nobody'"));
	assert_int_equal(hetckpt_registry_resolve("", &found, &error), -ENOENT);

	/* the shortest prefix that is unique, and the longest that is not */
	for (n = 0; a.id[n] == b.id[n]; n++)
		;
	snprintf(prefix, sizeof prefix, "%.*s", n + 1, b.id);
	assert_int_equal(hetckpt_registry_resolve(prefix, &found, &error), 0);
	assert_string_equal(found.id, b.id);
	if (n) {
		prefix[n] = 0;
		assert_int_equal(hetckpt_registry_resolve(prefix, &found, &error), -ENOTUNIQ);
	}

	assert_int_equal(hetckpt_registry_create(&again, &lock, &error), -EEXIST);
	hetckpt_registry_remove(&a, lock_a);
	hetckpt_registry_remove(&b, lock_b);
	assert_int_equal(rmdir(root), 0); /* nothing is left in it */
	assert_int_equal(mkdir(root, 0700), 0);
}

static void removes_stale_folders_only(void **state)
{
	struct hetckpt_session_entry living, dead;
	struct hetckpt_session_list list;
	char other[64];
	int lock_living, lock_dead;

	living = make("living", 100, &lock_living);
	dead = make("dead", 200, &lock_dead);
	close(lock_dead); /* as when its supervisor dies */
	snprintf(other, sizeof other, "%s/keep", root);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(hetckpt_registry_list(&list, &error), 0);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.entry[0].id, living.id);
	free(list.entry);
	assert_int_equal(access(dead.folder, F_OK), -1);
	assert_int_equal(rmdir(other), 0);
	hetckpt_registry_remove(&living, lock_living);
}

/* A session.json that says anything: it is only for listings. */
static void survives_damaged_facts(void **state)
{
	static const char *const texts[] = {"", "[]", "{", "{\"name\": 7, \"pid\": \"x\"}",
					    "{\"started\": null, \"command\": []}"};
	struct hetckpt_session_entry entry;
	struct hetckpt_session_list list;
	char path[PATH_MAX + 32];
	int lock;

	entry = make("odd", 5, &lock);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		FILE *file;

		snprintf(path, sizeof path, "%s/session.json", entry.folder);
		file = fopen(path, "w");
		fputs(texts[i], file);
		fclose(file);
		assert_int_equal(hetckpt_registry_list(&list, &error), 0);
		assert_int_equal(list.count, 1);
		assert_string_equal(list.entry[0].id, entry.id);
		assert_int_equal(list.entry[0].pid, 0);
		free(list.entry);
	}
	hetckpt_registry_remove(&entry, lock);
}

static void refuses_a_folder_that_others_enter(void **state)
{
	struct hetckpt_session_list list;

	assert_int_equal(chmod(root, 0755), 0);
	assert_int_equal(hetckpt_registry_list(&list, &error), -EPERM);
	assert_non_null(strstr(error.text, "chmod 700"));
	assert_int_equal(chmod(root, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_and_resolves),
		cmocka_unit_test(removes_stale_folders_only),
		cmocka_unit_test(survives_damaged_facts),
		cmocka_unit_test(refuses_a_folder_that_others_enter),
	};
	int failed;

	if (!mkdtemp(root) || setenv("HETCKPT_RUNTIME_DIR", root, 1))
		return 1;
	failed = cmocka_run_group_tests_name("driver registry", tests, NULL, NULL);
	rmdir(root);
	return failed;
}
