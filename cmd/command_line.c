/* SPDX-License-Identifier: MIT */
/* command_line.c - the command line of a process */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command_line.h"

#define ELLIPSIS "..."

void command_line_read(pid_t pid, char line[COMMAND_LINE_MAX + 1])
{
	size_t length = 0;
	ssize_t count;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && length <= COMMAND_LINE_MAX) {
		count = read(fd, line + length, COMMAND_LINE_MAX + 1 - length);
		if (count > 0)
			length += (size_t)count;
		else if (count == 0 || errno != EINTR)
			break;
	}
	if (fd >= 0)
		close(fd);
	if (length > COMMAND_LINE_MAX) {
		length = COMMAND_LINE_MAX;
		memcpy(line + length - strlen(ELLIPSIS), ELLIPSIS, strlen(ELLIPSIS));
	}
	/* Each word ends with a NUL; a process that writes its own title may leave more of them. */
	while (length > 0 && line[length - 1] == '\0')
		length--;
	for (size_t i = 0; i < length; i++) {
		if (line[i] == '\0')
			line[i] = ' ';
	}
	line[length] = '\0';
}
