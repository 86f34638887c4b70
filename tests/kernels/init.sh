#!/bin/sh
# SPDX-License-Identifier: MIT
# init.sh JOB - the first process of a guest of kernels.sh; JOB is a file that sets these variables:
# jobs, tests, source, slowness
#
# Reports on the second serial port: "=== plan JOB COUNT", then "PASS: ", "FAIL: " or "SKIP: " for each
# test. Lines that begin with "|" explain a result.
set -u
jobs='' tests='' source='' slowness=1
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
export PATH HOME
# An ordinary user that needs no name.
user=54321

mount_all()
{
	mount -t proc -o nosuid,nodev,noexec proc /proc
	mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
	mount -t devtmpfs -o nosuid devtmpfs /dev
	mkdir -p /dev/pts /dev/shm
	# The kernel creates only device nodes in /dev.
	ln -s /proc/self/fd /dev/fd
	for number in 0:stdin 1:stdout 2:stderr; do
		ln -s "fd/${number%:*}" "/dev/${number#*:}"
	done
	mount -t devpts -o nosuid,noexec devpts /dev/pts
	mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
	mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
	mount -t securityfs -o nosuid,nodev,noexec securityfs /sys/kernel/security
	mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
}

job_root()
{
	check root ""
}

job_user()
{
	chown -R $user:$user "$source"
	check user "setpriv --reuid $user --regid $user --clear-groups"
}

# check NAME PREFIX: runs the tests with PREFIX in front of the command.
check()
{
	one="/bin/sh tests/kernels/one.sh $((300 * slowness))"
	# shellcheck disable=SC2086
	set -- "$1" "$2" $tests
	echo "=== plan $1 $(($# - 2))"
	# shellcheck disable=SC2086
	$2 env HOME="$source" make -s -j4 -C "$source" check-TESTS TESTS="$tests" \
		LOG_COMPILER="$one" SH_LOG_COMPILER="$one /bin/sh" \
		PY_LOG_COMPILER="$one /bin/sh tests/python.sh" 2>&1 </dev/null |
		sed -E "s/^(PASS|FAIL|SKIP|XPASS|ERROR): /&$1 /; t; s/^/| /"
}

job_behaviours()
{
	sh "$source/tests/kernels/behaviours.sh" paranoid no_tracefs no_tcp_diag
}

job_lockdown()
{
	sh "$source/tests/kernels/behaviours.sh" lockdown modules_disabled
}

mount_all
stty -F /dev/ttyS1 raw
# The tests of an ordinary user also report to this port.
chmod 622 /dev/ttyS1
exec >/dev/ttyS1 2>&1 </dev/null
# shellcheck disable=SC1090
. "$1"
PORTWATCH_TEST_SLOWNESS=$slowness
export PORTWATCH_TEST_SLOWNESS source
ip link set lo up
# Before Linux 5.11 BPF programs count towards this limit, together with the perf buffers of all tests
# that run at the same time. The shell of the guest, dash, has this option.
# shellcheck disable=SC3045
ulimit -l unlimited
echo "=== Linux $(uname -r), $(cut -d ' ' -f 1 /proc/uptime) s after its start"
for job in $jobs; do
	"job_$job"
	echo "=== done $job, $(cut -d ' ' -f 1 /proc/uptime) s after the start"
done
echo "=== end"
# Waits until the port has sent all of the output.
exec >/dev/null 2>&1
echo b >/proc/sysrq-trigger
