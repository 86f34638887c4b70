/* SPDX-License-Identifier: MIT */
/* replay_main.c - passes files to a fuzz target, so that its corpus is an ordinary test
 *
 * The arguments are files, or directories of files. The program fails if a file cannot be read, or
 * if there is no file. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static unsigned replayed;
static unsigned failures;

static void report_error(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	failures++;
}

static void replay_file(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		report_error(path);
		return;
	}
	size = fread(bytes, 1, sizeof(bytes), file);
	if (ferror(file)) {
		report_error(path);
	} else {
		LLVMFuzzerTestOneInput(bytes, size);
		replayed++;
	}
	fclose(file);
}

static void replay_directory(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	char name[4096];

	if (!directory) {
		report_error(path);
		return;
	}
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		replay_file(name);
	}
	closedir(directory);
}

int main(int argc, char **argv)
{
	struct stat status;
	int i;

	for (i = 1; i < argc; i++) {
		if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode))
			replay_directory(argv[i]);
		else
			replay_file(argv[i]);
	}
	printf("%u inputs replayed\n", replayed);
	return failures > 0 || replayed == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
