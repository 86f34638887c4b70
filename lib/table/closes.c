/* SPDX-License-Identifier: MIT */
/* closes.c - the kernel's reports of destroyed sockets: the multicast groups of sock_diag(7) */
#include "table/closes.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "util/sys.h"

#ifndef NETLINK_SOCK_DIAG
#define NETLINK_SOCK_DIAG 4
#endif
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* enum sknetlink_groups, which not all headers have. */
#define GROUP_INET_TCP 1
#define GROUP_INET6_TCP 3

/* The most reports that are read at once. */
#define TAKE_MAX 4096

#define AT(field) ((uint32_t)(NLMSG_HDRLEN + offsetof(struct inet_diag_msg, field)))
#define PASS UINT32_MAX
#define DROP 0U

static int attach_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT(id.idiag_dport)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT(id.idiag_sport)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, PASS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CLOSES_SAMPLE - 1),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, PASS),
		BPF_STMT(BPF_RET | BPF_K, DROP),
	};
	struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	return (int)raw_call(SYS_setsockopt, fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
	                     sizeof(program));
}

static int join(int fd)
{
	static const int groups[] = {GROUP_INET_TCP, GROUP_INET6_TCP};
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	/* From here on only the kernel may send to the socket. The socket also needs an address of
	 * its own, without which the kernel treats it as the sender of the multicast messages. */
	long error = raw_call(SYS_connect, fd, &kernel, sizeof(kernel));

	for (int i = 0; i < 2 && error == 0; i++)
		error = raw_call(SYS_setsockopt, fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
		                 &groups[i], sizeof(groups[i]));
	return (int)error;
}

int closes_open(void)
{
	int fd = (int)raw_call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int error;

	if (fd < 0)
		return fd;
	error = attach_filter(fd);
	if (error == 0)
		error = join(fd);
	if (error == 0)
		return fd;
	raw_close(fd);
	return error;
}

void closes_parse(const void *bytes, size_t size, struct closes *closes)
{
	struct inet_diag_msg message;
	struct nlmsghdr header;

	if (size < NLMSG_HDRLEN + sizeof(message))
		return;
	memcpy(&header, bytes, sizeof(header));
	memcpy(&message, (const uint8_t *)bytes + NLMSG_HDRLEN, sizeof(message));
	/* Only the beginning of the datagram was received. */
	if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    header.nlmsg_len < NLMSG_HDRLEN + sizeof(message))
		return;
	if (message.id.idiag_sport != 0 && message.id.idiag_dport == 0)
		closes->listeners++;
	else
		closes->samples++;
}

int closes_take(int fd, struct closes *closes)
{
	unsigned char bytes[NLMSG_HDRLEN + sizeof(struct inet_diag_msg)];

	for (int i = 0; i < TAKE_MAX; i++) {
		struct sockaddr_nl from = {0};
		socklen_t size = sizeof(from);
		long got = raw_call(SYS_recvfrom, fd, bytes, sizeof(bytes), MSG_DONTWAIT, &from,
		                    &size);

		if (got == -EAGAIN)
			return 0;
		if (got == -ENOBUFS)
			closes->listeners++;
		else if (got < 0 && got != -EINTR)
			return (int)got;
		else if (got >= 0 && from.nl_pid == 0)
			closes_parse(bytes, (size_t)got, closes);
	}
	return 0;
}
