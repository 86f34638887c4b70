/* SPDX-License-Identifier: MIT */
/* test_helper_memory.c - which memory a forked child lets go, and which it keeps
 *
 * Where the memory is not let go (sanitizers, valgrind, lazy binding), the same cases expect that
 * all of it stays. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/fake_proc.h"
#include "table/helper_memory.h"
#include "util/sys.h"

enum { PLACES_MAX = 16, MEGABYTE = 1 << 20 };

/* An address, and whether it has to be mapped after helper_drop_memory(). */
struct place {
	const volatile void *address;
	bool kept;
	const char *what;
};

/* What the child finds. */
struct findings {
	bool mapped[PLACES_MAX];
	bool sound; /* variables have kept their values */
	char below; /* the value on a page of the stack that no frame uses any more */
	bool deep;  /* whether the stack far below is mapped */
};

static size_t page;
static char bss[3 * MEGABYTE]; /* more than is kept behind other modules */
static int initialized = 4711;
static _Thread_local int of_thread = 4712;

/* Fills the stack below the frame of the caller. Returns the address of this frame. */
__attribute__((noinline)) static uintptr_t fill_stack(void)
{
	volatile char filling[256 * 1024];

	for (size_t i = 0; i < sizeof(filling); i++)
		filling[i] = 1;
	return (uintptr_t)__builtin_frame_address(0);
}

/* Only system calls and variables of the caller. */
static bool is_mapped(uintptr_t address)
{
	unsigned char residency;

	return raw_call(SYS_mincore, address & ~(page - 1), 1L, &residency) == 0;
}

static char read_byte(const int ends[2], uintptr_t address)
{
	char byte = 2;

	if (raw_call(SYS_write, ends[1], address, 1L) == 1)
		raw_read(ends[0], &byte, 1);
	return byte;
}

/* The child never returns from this frame, because the frames above may be gone. */
__attribute__((noinline)) static void drop_and_report(int proc, const struct place *asked,
                                                      const int report[2])
{
	volatile char wide[32 * 1024]; /* many pages between this frame and the next one */
	struct place places[PLACES_MAX];
	struct findings findings = {0};
	int ends[2] = {report[0], report[1]};
	uintptr_t below = fill_stack();

	wide[0] = 5;
	wide[sizeof(wide) - 1] = 6;
	memcpy(places, asked, sizeof(places));
	helper_drop_memory(proc, __builtin_frame_address(0));
	for (size_t i = 0; i < PLACES_MAX; i++)
		findings.mapped[i] = places[i].address && is_mapped((uintptr_t)places[i].address);
	/* errno is in memory of the thread. */
	syscall(SYS_close, -1);
	findings.sound = errno == EBADF && wide[0] == 5 && wide[sizeof(wide) - 1] == 6 &&
	                 initialized == 4711 && of_thread == 4712 && bss[MEGABYTE] == 3;
	/* The implementation of libc may depend on thresholds in its own memory. */
	memcpy(bss, bss + MEGABYTE, MEGABYTE);
	findings.sound &= bss[0] == 3 && bss[MEGABYTE - 1] == 3;
	findings.below = read_byte(ends, below - 32 * 1024);
	findings.deep = is_mapped(below - 200 * 1024);
	raw_call(SYS_write, ends[1], &findings, sizeof(findings));
	raw_call(SYS_exit_group, 0);
}

/* --- the parent */

static struct place places[PLACES_MAX];
static size_t count;
static int proc;

static void expect(const volatile void *address, bool kept, const char *what)
{
	ck_assert_uint_lt(count, PLACES_MAX);
	places[count++] = (struct place){address, kept, what};
}

/* Forks a child that lets its memory go, and compares what the child finds. */
static struct findings run_child(void)
{
	struct findings findings;
	int report[2], status;
	pid_t pid;

	memset(bss + MEGABYTE, 3, MEGABYTE);
	ck_assert_int_eq(pipe(report), 0);
	pid = fork();
	if (pid == 0)
		drop_and_report(proc, places, report);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(report[0], &findings, sizeof(findings)), sizeof(findings));
	close(report[0]);
	close(report[1]);
	ck_assert(findings.sound);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(findings.mapped[i] == (places[i].kept || !helper_can_drop_memory()),
		              "%s", places[i].what);
	return findings;
}

static void *map(size_t size, int flags, int fd)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	for (size_t i = 0; i < size; i += page)
		memory[i] = 1;
	return memory;
}

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	memset(places, 0, sizeof(places));
	count = 0;
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(proc, 0);
}

static void teardown(void)
{
	close(proc);
}

__attribute__((noinline)) static void *drop_all(void *data)
{
	/* Frames above the oldest one that is needed. */
	volatile char *older = __builtin_alloca(8 * page);
	int file = memfd_create("file", MFD_CLOEXEC);
	char *large = malloc(4 * MEGABYTE);
	struct findings findings;

	older[4 * page] = 1;
	ck_assert_int_eq(ftruncate(file, MEGABYTE), 0);
	/* The first megabyte may be behind a file, and then looks like the .bss of a module. */
	expect((char *)map(3 * MEGABYTE, MAP_PRIVATE | MAP_ANONYMOUS, -1) + 2 * MEGABYTE, false,
	       "anonymous memory");
	expect(large + 2 * MEGABYTE, false, "a large block");
	expect(older + 4 * page, false, "older frames");
	expect(map(MEGABYTE, MAP_SHARED | MAP_ANONYMOUS, -1), true, "shared memory");
	expect(map(MEGABYTE, MAP_SHARED, file), true, "a file");
	expect(map(MEGABYTE, MAP_PRIVATE, file), true, "a private file");
	expect(bss, true, "the start of .bss");
	expect(bss + sizeof(bss) - 1, true, "the end of .bss");
	expect(&initialized, true, "data");
	expect(&of_thread, true, "data of the thread");
	findings = run_child();
	ck_assert_int_eq(findings.below, helper_can_drop_memory() ? 0 : 1);
	ck_assert_int_eq(findings.deep, !helper_can_drop_memory());
	for (size_t i = 0; i < count; i++)
		ck_assert(is_mapped((uintptr_t)places[i].address));
	free(large);
	close(file);
	return data;
}

START_TEST(the_memory_of_the_host_is_unmapped)
{
	drop_all(NULL);
}
END_TEST

/* Its stack is anonymous memory, too, and has the thread's control block. */
START_TEST(a_thread_keeps_what_it_needs)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 2 * MEGABYTE);
	ck_assert_int_eq(pthread_create(&thread, &attributes, drop_all, NULL), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
}
END_TEST

START_TEST(without_mappings_all_memory_stays)
{
	struct findings findings;
	char *memory = map(MEGABYTE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	close(proc);
	proc = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	expect(memory, true, "anonymous memory");
	findings = run_child();
	ck_assert_int_eq(findings.below, 1);
	ck_assert(findings.deep);
}
END_TEST

/* --- which mappings: one region of memory, and lists of mappings that describe it */

/* A line of the list; the addresses are in pages of the region. */
struct line {
	unsigned int from, to;
	const char *permissions;
	unsigned int inode;
	const char *name;
};

/* The pages of the region. */
#define REGION 1024U
/* The part of foreign memory that is kept behind a module, in pages. */
#define BSS (MEGABYTE / page)

static const char *make_list(const char *region, const struct line *lines, size_t lines_count)
{
	static char text[65536];
	size_t used = 0;

	for (size_t i = 0; i < lines_count && lines[i].permissions; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		                         "%lx-%lx %s 00000000 00:01 %u %s\n",
		                         (unsigned long)(region + lines[i].from * page),
		                         (unsigned long)(region + lines[i].to * page),
		                         lines[i].permissions, lines[i].inode, lines[i].name);
	ck_assert_uint_lt(used, sizeof(text));
	return text;
}

static void with_list(const char *text)
{
	struct fake_proc fake;

	fake_proc_setup(&fake, true);
	fake_proc_file(&fake, text, "self/maps");
	close(proc);
	proc = open(fake.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	run_child();
	fake_proc_teardown(&fake);
}

#define LINES_MAX 8
/* `pages` has one letter for each page of the beginning: '-' is let go. 'k': from page 100 on, the
 * memory is let go BSS pages later. */
static const struct {
	const char *pages;
	struct line lines[LINES_MAX];
} lists[] = {
	{"--##", {{0, 2, "rw-p", 0, ""}}},
	{"#-##", {{0, 1, "rw-s", 0, ""}, {1, 2, "---p", 0, ""}, {2, 3, "rw-p", 8, "/file"}}},
	/* What the kernel has put there. */
	{"##-#", {{0, 1, "r--p", 0, "[vvar]"}, {1, 2, "r-xp", 0, "[vdso]"}, {2, 3, "rw-p", 0, ""}}},
	{"--##", {{0, 1, "rw-p", 0, "[anon:arena]"}, {1, 2, "rw-p", 0, "[heap]"}}},
	/* The .bss of a module, which mlock(2) may have split. */
	{"###-",
         {{0, 1, "r-xp", 8, "/lib"},
          {1, 2, "rw-p", 8, "/lib"},
          {2, 3, "rw-p", 0, ""},
          {3, 4, "rw-p", 0, "[heap]"}}},
	{"####", {{0, 1, "rw-p", 8, "/lib"}, {1, 2, "rw-p", 0, ""}, {2, 3, "rw-p", 0, ""}}},
	{"##-#", {{0, 1, "rw-p", 8, "/lib"}, {2, 3, "rw-p", 0, ""}}},
	{"#-##", {{0, 1, "rw-p", 8, "/lib"}, {1, 2, "rw-p", 0, "[heap]"}}},
};
#define LISTS ((int)(sizeof(lists) / sizeof(lists[0])))

START_TEST(the_kind_of_a_mapping_decides)
{
	char *region = map(REGION * page, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	for (size_t i = 0; i < strlen(lists[_i].pages); i++)
		expect(region + i * page, lists[_i].pages[i] == '#', lists[_i].pages);
	with_list(make_list(region, lists[_i].lines, LINES_MAX));
	munmap(region, REGION * page);
}
END_TEST

START_TEST(only_the_beginning_counts_as_bss)
{
	char *region = map(REGION * page, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	const struct line lines[] = {
		{0, 1, "rw-p", 8, "/lib"},
		{1, REGION, "rw-p", 0, ""},
	};

	ck_assert_uint_lt(BSS + 2, REGION);
	expect(region + BSS * page, true, "the last page of .bss");
	expect(region + (BSS + 1) * page, false, "the next page");
	expect(region + (REGION - 1) * page, false, "the last page");
	with_list(make_list(region, lines, 2));
	munmap(region, REGION * page);
}
END_TEST

/* Lines are cut by reads, may be long, and may have another form. */
START_TEST(the_list_of_mappings_can_have_any_form)
{
	static struct line lines[200];
	char *region = map(REGION * page, MAP_PRIVATE | MAP_ANONYMOUS, -1), name[2000];
	enum { COUNT = sizeof(lines) / sizeof(lines[0]) };
	char *text;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	/* Every other page goes. */
	for (unsigned int i = 0; i < COUNT; i++)
		lines[i] = (struct line){i, i + 1, "rw-p", i % 2, i == 101 ? name : ""};
	/* Memory behind a mapped file would be its .bss. */
	for (unsigned int i = 0; i < COUNT; i += 2)
		lines[i].name = "[heap]";
	ck_assert_int_gt(
		asprintf(&text, "\nno mapping\n-\n%s\n%s", name, make_list(region, lines, COUNT)),
		8192);
	for (unsigned int i = 0; i < PLACES_MAX; i++) {
		unsigned int at = i < 8 ? i : 90 + i;

		expect(region + at * page, at % 2, "one of many");
	}
	with_list(text);
	free(text);
	munmap(region, REGION * page);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("helper_memory");
	TCase *hosts = tcase_create("hosts"), *kinds = tcase_create("kinds");

	tcase_add_checked_fixture(hosts, setup, teardown);
	tcase_add_test(hosts, the_memory_of_the_host_is_unmapped);
	tcase_add_test(hosts, a_thread_keeps_what_it_needs);
	tcase_add_test(hosts, without_mappings_all_memory_stays);
	suite_add_tcase(suite, hosts);
	tcase_add_checked_fixture(kinds, setup, teardown);
	tcase_add_loop_test(kinds, the_kind_of_a_mapping_decides, 0, LISTS);
	tcase_add_test(kinds, only_the_beginning_counts_as_bss);
	tcase_add_test(kinds, the_list_of_mappings_can_have_any_form);
	suite_add_tcase(suite, kinds);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
