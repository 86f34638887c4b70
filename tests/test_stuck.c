/* SPDX-License-Identifier: MIT */
/* test_stuck.c - processes that make a system call on them hang, with a file of FUSE
 *
 * The server of such a file decides when a close(2) of the file returns. An execve(2) that closes
 * the file holds a lock of its process meanwhile. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/fd_tables.h"
#include "support/check_main.h"
#include "support/patience.h"
#include "support/skip.h"
#include "table/probe.h"
#include "util/spawn.h"

/* The server ends by then at the latest, because programs such as ps(1) also wait for it. */
#define SERVER_SECONDS 10
#define FILE_NAME "stuck-file"

/* The memory that the processes share. */
static struct shared {
	pid_t favoured; /* the process whose close(2) returns at once */
	int closing;    /* how many processes wait in close(2) */
	uint64_t inode; /* of the socket */
} * shared;
static pid_t server, holder;
static char directory[] = "/tmp/test_stuck.XXXXXX";

/* --- the server */

static void answer(int fuse, const struct fuse_in_header *request, const void *data, size_t size)
{
	char bytes[512];
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + size),
		.error = size ? 0 : -ENOSYS,
		.unique = request->unique,
	};

	if (request->opcode == FUSE_FLUSH)
		header.error = 0;
	memcpy(bytes, &header, sizeof(header));
	if (size)
		memcpy(bytes + sizeof(header), data, size);
	if (write(fuse, bytes, header.len) < 0 && errno != ENOENT)
		_exit(1);
}

static void serve_one(int fuse, const struct fuse_in_header *request)
{
	const struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 4096};
	const struct fuse_open_out opened = {.fh = 1};
	const struct fuse_attr_out attributes = {
		.attr = {.ino = 1, .mode = S_IFREG | 0666, .nlink = 1},
	};

	switch (request->opcode) {
	case FUSE_INIT:
		answer(fuse, request, &init, sizeof(init));
		break;
	case FUSE_OPEN:
		answer(fuse, request, &opened, sizeof(opened));
		break;
	case FUSE_GETATTR:
		answer(fuse, request, &attributes, sizeof(attributes));
		break;
	case FUSE_FLUSH:
		if (request->pid == (uint32_t)__atomic_load_n(&shared->favoured, __ATOMIC_SEQ_CST))
			answer(fuse, request, NULL, 0);
		else
			__atomic_fetch_add(&shared->closing, 1, __ATOMIC_SEQ_CST);
		break;
	case FUSE_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(fuse, request, NULL, 0);
	}
}

static _Noreturn void serve(int fuse)
{
	static _Alignas(struct fuse_in_header) char bytes[1 << 17];
	ssize_t size;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm((unsigned int)(SERVER_SECONDS * patience(1000) / 1000));
	for (;;) {
		size = read(fuse, bytes, sizeof(bytes));
		if (size >= (ssize_t)sizeof(struct fuse_in_header))
			serve_one(fuse, (const void *)bytes);
		else if (size < 0 && errno != EINTR && errno != ENOENT && errno != EAGAIN)
			_exit(0);
	}
}

static void remove_files(void)
{
	unlink(FILE_NAME);
	rmdir(directory);
}

/* Mounts the file, only for this test, and starts its server. */
static void start_server(void)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC), file;
	char options[80];

	if (fuse < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		test_skip("no FUSE here: %s", strerror(errno));
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	file = open(FILE_NAME, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(file, 0);
	close(file);
	snprintf(options, sizeof(options), "fd=%d,rootmode=100666,user_id=0,group_id=0", fuse);
	if (mount("stuck", FILE_NAME, "fuse", 0, options) < 0) {
		int error = errno;

		remove_files();
		test_skip("cannot mount a file system of type fuse: %s", strerror(error));
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	server = fork();
	ck_assert_int_ge(server, 0);
	if (server == 0)
		serve(fuse);
	close(fuse);
}

static void end_server(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
	if (holder > 0) {
		kill(holder, SIGKILL);
		waitpid(holder, NULL, 0);
	}
	holder = 0;
	umount2(FILE_NAME, MNT_DETACH);
	remove_files();
}

static bool is_served(void)
{
	return waitpid(server, NULL, WNOHANG) == 0;
}

static int open_file(void)
{
	return open(FILE_NAME, O_RDONLY | O_CLOEXEC);
}

/* --- the attacks */

static _Noreturn void hang_in_exec(void)
{
	if (open_file() < 0)
		_exit(1);
	execl("/bin/sleep", "sleep", "60", (char *)NULL);
	_exit(1);
}

START_TEST(a_table_is_compared_with_that_of_a_process_that_hangs_in_exec)
{
	struct fd_tables tables = {0};

	holder = fork();
	ck_assert_int_ge(holder, 0);
	if (holder == 0)
		hang_in_exec();
	while (__atomic_load_n(&shared->closing, __ATOMIC_SEQ_CST) == 0)
		ck_assert(is_served());
	fd_tables_begin(&tables, getpid());
	fd_tables_add(&tables, 5, 77);
	fd_tables_end(&tables, true, FD_TABLES_LARGE, false);
	ck_assert_uint_eq(tables.count, 1);
	ck_assert_ptr_null(fd_tables_find(&tables, holder, false));
	ck_assert(is_served());
	/* The table is not read again for some time. */
	ck_assert_ptr_null(fd_tables_find(&tables, getpid(), false));
	fd_tables_clear(&tables);
}
END_TEST

/* The same descriptor is alternately a listening socket and the file. */
static _Noreturn void swap(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), file = open_file();
	struct stat status;

	__atomic_store_n(&shared->favoured, getpid(), __ATOMIC_SEQ_CST);
	if (socket_fd < 0 || file < 0 ||
	    bind(socket_fd, (const void *)&address, sizeof(address)) < 0 ||
	    listen(socket_fd, 1) < 0 || fstat(socket_fd, &status) < 0)
		_exit(1);
	/* No other number refers to the socket. */
	if (dup2(socket_fd, 100) < 0)
		_exit(1);
	close(socket_fd);
	socket_fd = 100;
	if (dup2(socket_fd, 200) < 0)
		_exit(1);
	__atomic_store_n(&shared->inode, status.st_ino, __ATOMIC_SEQ_CST);
	for (;;) {
		dup2(file, 100);
		for (volatile int i = 0; i < 1000000; i++)
			continue;
		dup2(200, 100);
		for (volatile int i = 0; i < 1000000; i++)
			continue;
	}
}

START_TEST(a_file_takes_the_place_of_a_socket_that_is_copied)
{
	struct probe_target target = {0};
	struct process_stat stat;
	struct procfs procfs;
	struct child child;
	int process, result = 0;

	holder = fork();
	ck_assert_int_ge(holder, 0);
	if (holder == 0)
		swap();
	while (__atomic_load_n(&shared->inode, __ATOMIC_SEQ_CST) == 0)
		ck_assert(is_served());
	ck_assert_int_eq(procfs_open(&procfs, "/proc"), 0);
	process = procfs_open_process(&procfs, holder);
	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	close(process);
	target = (struct probe_target){
		.procfs = &procfs,
		.pid = holder,
		.start_time = stat.start_time,
		.inode = shared->inode,
	};
	while (__atomic_load_n(&shared->closing, __ATOMIC_SEQ_CST) == 0) {
		result = probe_open_netns(&target, 300, &child);
		if (result >= 0)
			close(result);
		else if (result == -EPERM || result == -EACCES || result == -ENOSYS)
			test_skip("may not copy a socket: %s", strerror(-result));
		ck_assert(is_served());
		while (spawn_reap(&child) != 0 &&
		       __atomic_load_n(&shared->closing, __ATOMIC_SEQ_CST) == 0)
			ck_assert(is_served());
	}
	/* The killed child still waits; this process doesn't. */
	ck_assert_int_ne(spawn_reap(&child), 0);
	ck_assert(is_served());
	kill(server, SIGKILL);
	ck_assert(spawn_reap_soon(&child));
	procfs_close(&procfs);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("stuck");
	TCase *all = tcase_create("stuck");

	tcase_set_timeout(all, patience(60));
	tcase_add_checked_fixture(all, start_server, end_server);
	tcase_add_test(all, a_table_is_compared_with_that_of_a_process_that_hangs_in_exec);
	tcase_add_test(all, a_file_takes_the_place_of_a_socket_that_is_copied);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
