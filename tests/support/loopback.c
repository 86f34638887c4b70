/* SPDX-License-Identifier: MIT */
/* loopback.c - the loopback interface of a new network namespace, which starts down */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"

int loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int result = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		result = -errno;
	request.ifr_flags |= IFF_UP;
	if (result == 0 && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		result = -errno;
	close(fd);
	return result;
}

int loopback_add(const char *address)
{
	struct in6_ifreq request = {.ifr6_prefixlen = 128, .ifr6_ifindex = 1};
	int result = 0, fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (inet_pton(AF_INET6, address, &request.ifr6_addr) != 1)
		result = -EINVAL;
	else if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		result = -errno;
	close(fd);
	return result;
}
