/* SPDX-License-Identifier: MIT */
/* veth.c - a pair of virtual interfaces into a sandbox, over rtnetlink(7) */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "patience.h"
#include "sandbox.h"

struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[512];
};

static struct rtattr *add(struct request *request, unsigned short type, const void *value,
                          size_t size)
{
	struct rtattr *attribute =
		(void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), value, size);
	request->header.nlmsg_len =
		NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void end(struct request *request, struct rtattr *nest)
{
	nest->rta_len =
		(unsigned short)((char *)request + request->header.nlmsg_len - (char *)nest);
}

static void build(struct request *request, const char *name, pid_t pid)
{
	static const struct ifinfomsg peer_link;
	uint32_t target = (uint32_t)pid;
	struct rtattr *info, *data, *peer;

	request->header.nlmsg_len = NLMSG_LENGTH(sizeof(request->link));
	request->header.nlmsg_type = RTM_NEWLINK;
	request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	add(request, IFLA_IFNAME, name, strlen(name) + 1);
	info = add(request, IFLA_LINKINFO, NULL, 0);
	add(request, IFLA_INFO_KIND, "veth", 4);
	data = add(request, IFLA_INFO_DATA, NULL, 0);
	peer = add(request, VETH_INFO_PEER, &peer_link, sizeof(peer_link));
	add(request, IFLA_IFNAME, "inside", 7);
	add(request, IFLA_NET_NS_PID, &target, sizeof(target));
	end(request, peer);
	end(request, data);
	end(request, info);
}

int sandbox_veth(const char *name, pid_t pid)
{
	struct request request = {0};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[1024];
	} answer;
	int result = -EPROTO, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	build(&request, name, pid);
	if (send(fd, &request, request.header.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		result = -errno;
	else if (answer.header.nlmsg_type == NLMSG_ERROR)
		result = answer.error.error;
	close(fd);
	return result;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

bool sandbox_link_gone(const char *name, int milliseconds)
{
	struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	struct pollfd wait = {
		.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE),
		.events = POLLIN,
	};
	int64_t left, deadline = now() + patience(milliseconds);
	char message[8192];
	bool gone;

	if (bind(wait.fd, (struct sockaddr *)&links, sizeof(links)) < 0) {
		close(wait.fd);
		return false;
	}
	/* Each change of a link wakes this loop. The name is looked up after the subscription, so
	 * no change is missed. */
	while (!(gone = if_nametoindex(name) == 0) && (left = deadline - now()) > 0)
		if (poll(&wait, 1, (int)left) > 0 && recv(wait.fd, message, sizeof(message), 0) < 0)
			break;
	close(wait.fd);
	return gone;
}
