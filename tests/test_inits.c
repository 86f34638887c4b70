/* SPDX-License-Identifier: MIT */
/* test_inits.c - the walk of /proc for the inits of containers */
#include <fcntl.h>

#include "proc/inits.h"
#include "support/check_main.h"
#include "support/fake_proc.h"

/* Adds a process of a container: pid outside, `inside` in its own PID namespace. */
static void add(struct fake_proc *fake, pid_t pid, int inside, const char *netns)
{
	fake_proc_add(fake, pid, 1, 100);
	fake_proc_netns(fake, pid, netns);
	fake_proc_file(fake,
	               inside == 1  ? "Name:\tx\nNSpid:\t900\t1\n"
	               : inside > 1 ? "Name:\tx\nNSpid:\t900\t7\n"
	                            : "Name:\tx\nNSpid:\t900\n",
	               "%d/status", (int)pid);
}

static struct netns_id netns_of(const struct fake_proc *fake, pid_t pid)
{
	struct netns_id id;

	ck_assert_int_eq(procfs_netns_of(&fake->procfs, pid, &id), 0);
	return id;
}

/* Walks to the end first, because a slow machine needs more time than one slice of a search. */
static pid_t find(struct inits *inits, const struct netns_id *netns)
{
	pid_t found = inits_find(inits, netns);

	while (inits->list >= 0) {
		while (inits_walk(inits, UINT64_MAX))
			continue;
		found = inits_find(inits, netns);
	}
	return found;
}

START_TEST(the_init_of_a_namespace_is_found)
{
	struct fake_proc fake;
	struct inits inits;
	struct netns_id own, first, second;

	fake_proc_setup(&fake, true);
	add(&fake, 10, 0, "host");
	add(&fake, 20, 1, "first");
	add(&fake, 21, 7, "first");
	add(&fake, 30, 7, "second");
	own = netns_of(&fake, 10);
	first = netns_of(&fake, 21);
	second = netns_of(&fake, 30);
	inits_init(&inits, &fake.procfs);
	ck_assert_int_eq(find(&inits, &first), 20);
	ck_assert_int_eq(find(&inits, &second), 0);
	ck_assert_int_eq(find(&inits, &own), 0);
	inits_clear(&inits);
	fake_proc_teardown(&fake);
}
END_TEST

/* There are more processes than one slice reads, so the result is known only at the end of the
 * walk. */
START_TEST(a_walk_continues_in_slices)
{
	struct fake_proc fake;
	struct inits inits;
	struct netns_id id;
	int slices = 0;

	fake_proc_setup(&fake, true);
	add(&fake, 63, 1, "last");
	for (int pid = 100; pid < 600; pid++)
		fake_proc_directory(&fake, "%d", pid);
	id = netns_of(&fake, 63);
	inits_init(&inits, &fake.procfs);
	inits.list = procfs_open_at(fake.procfs.fd, ".", O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(inits.list, 0);
	while (inits_walk(&inits, 1))
		ck_assert_int_lt(++slices, 600);
	ck_assert_int_lt(inits.list, 0);
	ck_assert_int_eq(find(&inits, &id), 63);
	inits_clear(&inits);
	fake_proc_teardown(&fake);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("inits");
	TCase *walk = tcase_create("walk");

	tcase_add_test(walk, the_init_of_a_namespace_is_found);
	tcase_add_test(walk, a_walk_continues_in_slices);
	suite_add_tcase(suite, walk);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
