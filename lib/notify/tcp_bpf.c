/* SPDX-License-Identifier: MIT */
/* tcp_bpf.c - a BPF program on a raw tracepoint as the source of reports, by bpf(2) itself */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "notify/tcp_program.h"
#include "proc/procfs.h"
#include "util/fd.h"

/* What bpftool(8) shows. */
#define NAME "portwatch"

struct tcp_bpf {
	struct tcp_source source; /* first */
	int events;               /* the map: a perf event for each CPU */
	int program;              /* -1 once it is attached, which keeps it */
	int link;                 /* the program runs while this is open */
};

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int create_map(unsigned int cpus)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_PERF_EVENT_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(uint32_t);
	attr.max_entries = cpus;
	memcpy(attr.map_name, NAME, sizeof(NAME));
	return fd_own(bpf(BPF_MAP_CREATE, &attr));
}

static int load_program(int events, int32_t read)
{
	struct bpf_insn program[TCP_PROGRAM_MAX];
	size_t count = tcp_program_write(program, read, events, sizeof(void *));
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = (uint32_t)count;
	/* The helpers are for programs that the GPL covers as well. */
	attr.license = (uintptr_t) "Dual MIT/GPL";
	memcpy(attr.prog_name, NAME, sizeof(NAME));
	return fd_own(bpf(BPF_PROG_LOAD, &attr));
}

/* The newer helper first: on architectures where an address of the kernel may be one of a user as
 * well, the older one is gone. Before Linux 5.5 there was the older one alone. */
static int load_any_program(int events)
{
	int program = load_program(events, TCP_PROGRAM_READ_KERNEL);

	if (program == -EINVAL)
		program = load_program(events, TCP_PROGRAM_READ);
	return program;
}

/* Then the kernel doesn't refuse programs that read its memory, but knows no helper to read it. */
static bool is_locked_down(void)
{
	char text[128];

	return procfs_read(AT_FDCWD, "/sys/kernel/security/lockdown", text, sizeof(text)) > 0 &&
	       strstr(text, "[confidentiality]");
}

static int set_up(struct tcp_bpf *made, unsigned int cpus, const char **step)
{
	*step = "make a map of perf events (bpf)";
	made->events = create_map(cpus);
	if (made->events < 0)
		return made->events;
	*step = "load a program (bpf)";
	made->program = load_any_program(made->events);
	if (made->program == -EINVAL && is_locked_down()) {
		*step = "let a program read memory of the kernel, which is locked down (bpf)";
		return -EPERM;
	}
	return made->program < 0 ? made->program : 0;
}

static int connect_event(struct tcp_source *source, int event, unsigned int cpu, const char **step)
{
	struct tcp_bpf *self = (struct tcp_bpf *)source;
	uint32_t key = cpu, value = (uint32_t)event;
	union bpf_attr attr;

	*step = "connect the program to a perf event (bpf)";
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)self->events;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&value;
	attr.flags = BPF_ANY;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr) < 0 ? -errno : 0;
}

/* The map keeps an event that nobody else has any more, and the epoll set keeps what the map keeps.
 */
static void disconnect(struct tcp_source *source, unsigned int cpu)
{
	struct tcp_bpf *self = (struct tcp_bpf *)source;
	uint32_t key = cpu;
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)self->events;
	attr.key = (uintptr_t)&key;
	bpf(BPF_MAP_DELETE_ELEM, &attr);
}

static void close_fd(int *fd)
{
	fd_close(*fd);
	*fd = -1;
}

static int start(struct tcp_source *source, const char **step)
{
	struct tcp_bpf *self = (struct tcp_bpf *)source;
	union bpf_attr attr;

	*step = "attach the program to the tracepoint (bpf)";
	memset(&attr, 0, sizeof(attr));
	attr.raw_tracepoint.name = (uintptr_t) "inet_sock_set_state";
	attr.raw_tracepoint.prog_fd = (uint32_t)self->program;
	self->link = fd_own(bpf(BPF_RAW_TRACEPOINT_OPEN, &attr));
	if (self->link < 0)
		return self->link;
	close_fd(&self->program);
	return 0;
}

static int decode(const struct tcp_source *source, const struct perf_sample *sample,
                  struct tcp_change *change)
{
	(void)source;
	return tcp_program_decode(sample, change);
}

static void close_all(struct tcp_source *source)
{
	struct tcp_bpf *self = (struct tcp_bpf *)source;

	close_fd(&self->link);
	close_fd(&self->program);
	close_fd(&self->events);
	free(self);
}

int tcp_bpf_open(struct tcp_source **source, unsigned int cpus, const char **step)
{
	static const struct tcp_source_ops ops = {connect_event, disconnect, start, decode,
	                                          close_all};
	struct tcp_bpf *made = calloc(1, sizeof(*made));
	int error;

	*step = "make room for a program (malloc)";
	if (!made)
		return -ENOMEM;
	*made = (struct tcp_bpf){
		.source = {&ops, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT},
		.events = -1,
		.program = -1,
		.link = -1,
	};
	error = set_up(made, cpus, step);
	if (error < 0)
		close_all(&made->source);
	else
		*source = &made->source;
	return error;
}
