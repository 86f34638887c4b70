/* SPDX-License-Identifier: MIT */
/* fuzz_procfs.c - any bytes as files of /proc (status, children, loadavg, stat, fdinfo) and as a
 * link */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "proc/procfs.h"

/* An imitation of /proc/PID. All files in the directory are links to one file with the input. */
static char path[256];
static int directory = -1;
static int file = -1;

static const char *const links[][2] = {
	{"status", "input"},
	{"stat", "input"},
	{"task/1/children", "../../input"},
};

#define LINKS (sizeof(links) / sizeof(links[0]))

static void clean_up(void)
{
	for (size_t i = 0; i < LINKS; i++)
		unlinkat(directory, links[i][0], 0);
	unlinkat(directory, "link", 0);
	unlinkat(directory, "input", 0);
	unlinkat(directory, "task/1", AT_REMOVEDIR);
	unlinkat(directory, "task", AT_REMOVEDIR);
	rmdir(path);
}

static void set_up(void)
{
	const char *parent = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/portwatch-fuzz-XXXXXX", parent ? parent : "/tmp");
	REQUIRE(mkdtemp(path));
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(directory >= 0);
	atexit(clean_up);
	file = openat(directory, "input", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(file >= 0);
	REQUIRE(mkdirat(directory, "task", 0700) == 0);
	REQUIRE(mkdirat(directory, "task/1", 0700) == 0);
	for (size_t i = 0; i < LINKS; i++)
		REQUIRE(symlinkat(links[i][1], directory, links[i][0]) == 0);
}

/* The number of occurrences of a character in [text, end). */
static unsigned count(const char *text, const char *end, char character)
{
	unsigned found = 0;

	for (; text < end; text++)
		found += *text == character;
	return found;
}

/* The line "NSpid:" of the text; NULL: none. */
static const char *find_nspid(const char *text, const char *end)
{
	for (const char *line = text; line; line++) {
		if (end - line >= 6 && memcmp(line, "NSpid:", 6) == 0)
			return line;
		line = memchr(line, '\n', (size_t)(end - line));
		if (!line)
			break;
	}
	return NULL;
}

static void check_status(const char *text, const char *end)
{
	const char *line = find_nspid(text, end), *newline;
	unsigned depth;
	pid_t pid;
	int result = procfs_read_nspid(directory, &pid, &depth);

	REQUIRE(result == 0 || result == -EPROTO);
	if (result < 0)
		return;
	REQUIRE(line);
	newline = memchr(line, '\n', (size_t)(end - line));
	REQUIRE(newline && newline - line <= 512);
	REQUIRE(depth > 0 && depth == count(line, newline, '\t'));
	REQUIRE(pid >= 0 &&
	        pid == atol((const char *)memrchr(line, '\t', (size_t)(newline - line)) + 1));
}

static int visit(void *data, long number)
{
	unsigned *visited = data;

	REQUIRE(number >= 0 && number <= INT_MAX);
	(*visited)++;
	return 0;
}

static void check_children(const char *text, const char *end)
{
	const struct process_stat stat = {.pid = 1, .threads = 1};
	unsigned visited = 0, expected = 0;
	int result = procfs_each_child(directory, &stat, visit, &visited);
	bool inside = false;

	REQUIRE(result == 0 || result == -EPROTO);
	for (; text < end; text++) {
		expected += !inside && *text != ' ' && *text != '\n';
		inside = *text != ' ' && *text != '\n';
	}
	REQUIRE(result == 0 ? visited == expected : visited < expected);
}

static void check_stat(const char *text, size_t size)
{
	struct process_stat read, parsed;
	int result = procfs_read_stat(directory, &read);

	REQUIRE(result == procfs_parse_stat(text, size < 2048 ? size : 2048, &parsed));
	if (result == 0)
		REQUIRE(read.pid == parsed.pid && read.start_time == parsed.start_time);
}

static void check_whole(const char *text, size_t size)
{
	char *buffer = malloc(size + 1);

	REQUIRE(buffer);
	REQUIRE(procfs_read(directory, "status", buffer, size + 1) == (ssize_t)size);
	REQUIRE(memcmp(buffer, text, size + 1) == 0);
	if (size > 0)
		REQUIRE(procfs_read(directory, "status", buffer, size) == -EFBIG);
	free(buffer);
}

static void check_link(const char *text)
{
	char again[64];
	uint64_t number = 0, same = 0;
	int result;

	unlinkat(directory, "link", 0);
	if (symlinkat(text, directory, "link") < 0)
		return; /* the text is empty or too long for a link */
	result = procfs_read_link(directory, "link", "net", &number);
	REQUIRE(result == 0 || result == 1);
	if (result == 0)
		return;
	REQUIRE(strncmp(text, "net:[", 5) == 0);
	snprintf(again, sizeof(again), "net:[%llu]", (unsigned long long)number);
	unlinkat(directory, "link", 0);
	REQUIRE(symlinkat(again, directory, "link") == 0);
	REQUIRE(procfs_read_link(directory, "link", "net", &same) == 1 && same == number);
}

static void add_socket(void *data, uint64_t inode)
{
	uint64_t *digest = data;

	*digest = *digest * 31 + inode + 1;
}

/* The result does not depend on the size of the pieces. */
static void check_ring(const char *text, size_t size)
{
	struct uring_files whole = {0}, cut = {0};
	uint64_t expected = 0, digest = 0;

	uring_files_feed(&whole, text, size, add_socket, &expected);
	for (size_t at = 0; at < size; at += 7)
		uring_files_feed(&cut, text + at, size - at < 7 ? size - at : 7, add_socket,
		                 &digest);
	REQUIRE(digest == expected && whole.inside == cut.inside && whole.used == cut.used);
	REQUIRE(whole.used < sizeof(whole.line));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_string(bytes, size);

	if (directory < 0)
		set_up();
	REQUIRE(ftruncate(file, 0) == 0);
	REQUIRE(pwrite(file, text, size, 0) == (ssize_t)size);
	check_status(text, text + size);
	check_children(text, text + size);
	check_stat(text, size);
	check_whole(text, size);
	check_link(text);
	REQUIRE(procfs_parse_loadavg(text, size) >= 0);
	check_ring(text, size);
	free(text);
	return 0;
}
