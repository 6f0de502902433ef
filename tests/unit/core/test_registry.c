/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "test.h"

#include <errno.h>

#include "fake.h"

static void holes(void **state)
{
	/* Every function pointer of the table but the optional ones. */
	struct hetckpt_error error;
	size_t first = offsetof(struct hetckpt_backend, probe), refused = 0;

	(void)state;
	for (size_t at = first; at + sizeof(void *) <= sizeof(struct hetckpt_backend); at += sizeof(void *)) {
		struct hetckpt_backend table = fake_backend;
		void *none = NULL;

		memcpy((char *)&table + at, &none, sizeof none);
		if (at == offsetof(struct hetckpt_backend, host_register) ||
		    at == offsetof(struct hetckpt_backend, host_unregister) ||
		    at >= offsetof(struct hetckpt_backend, limit_set))
			continue;
		assert_int_equal(hetckpt_backend_register(&table, &error), -EINVAL);
		assert_non_null(strstr(error.text, "fake lacks the required operation"));
		refused++;
	}
	assert_int_equal(refused, 21);
}

static int some_peer_copy(struct hetckpt_queue *queue, struct hetckpt_peer *peer, uint64_t offset, uint64_t dst,
                          uint64_t bytes, struct hetckpt_error *error)
{
	(void)queue;
	(void)peer;
	(void)offset;
	(void)dst;
	(void)bytes;
	(void)error;
	return 0;
}

static void refusals(void **state)
{
	struct hetckpt_backend table = fake_backend;
	struct hetckpt_error error;

	(void)state;
	table.peer_copy = some_peer_copy;
	assert_int_equal(hetckpt_backend_register(&table, &error), -EINVAL);
	assert_non_null(strstr(error.text, "only some of share"));
	table = fake_backend;
	table.host_unregister = NULL;
	assert_int_equal(hetckpt_backend_register(&table, &error), -EINVAL);
	table = fake_backend;
	table.version++;
	assert_int_equal(hetckpt_backend_register(&table, &error), -EPROTO);
	table = fake_backend;
	table.size -= 8;
	assert_int_equal(hetckpt_backend_register(&table, &error), -EPROTO);
	table = fake_backend;
	table.name = "";
	assert_int_equal(hetckpt_backend_register(&table, &error), -EINVAL);
	table.name = "a:b";
	assert_int_equal(hetckpt_backend_register(&table, &error), -EINVAL);
}

static void names(void **state)
{
	const struct hetckpt_backend *found;
	struct hetckpt_error error;
	unsigned index;
	static const char *const bad[] = {"fake:", "fake:x", "fake:-1", "fake:1x", "fake: 1", "fake:99999", "fake:+1"};

	(void)state;
	assert_int_equal(hetckpt_backend_register(&fake_backend, &error), 0);
	assert_int_equal(hetckpt_backend_register(&fake_backend, &error), -EEXIST);
	assert_int_equal(hetckpt_backend_register(&fake_polled_backend, &error), 0);
	assert_ptr_equal(hetckpt_backend_at(0), &fake_backend);
	assert_null(hetckpt_backend_at(2));
	assert_int_equal(hetckpt_backend_find("polled:3", &found, &index, &error), 0);
	assert_ptr_equal(found, &fake_polled_backend);
	assert_int_equal(index, 3);
	assert_int_equal(hetckpt_backend_find("fake", &found, &index, &error), 0);
	assert_int_equal(index, 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(hetckpt_backend_find(bad[i], &found, &index, &error), -EINVAL);
	assert_int_equal(hetckpt_backend_find("cuda:0", &found, &index, &error), -ENODEV);
	assert_non_null(strstr(error.text, "fake, polled"));
	assert_int_equal(hetckpt_backend_find("fak:0", &found, &index, &error), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holes),
		cmocka_unit_test(refusals),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("core registry", tests, NULL, NULL);
}
