#!/bin/sh
# SPDX-License-Identifier: MIT
# behaviours.sh CASE... - runs in a guest of kernels.sh, as root: tests pwatch on machines where a
# system-wide setting makes the kernel refuse something
#
# In each case pwatch must report a port that opens, and --check must name the setting.
set -u
: "${source:?}"
. "$source/tests/support/patience.sh"
pwatch=$source/pwatch
user=54321
work=$(mktemp -d)
chmod 755 "$work"
# Opens one port, and closes it when standard input ends.
server='import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
sys.stdin.read()'

fail()
{
	echo "| $case_name: $*"
	failed=yes
}

skip()
{
	echo "| SKIP: $case_name: $*"
	skipped=yes
}

# as WHO COMMAND...: runs the command as root, or as an ordinary user with exactly these capabilities.
as()
{
	who=$1
	shift
	case $who in
	root) timeout "$(patience 60)" "$@" ;;
	*)
		timeout "$(patience 60)" setpriv --reuid $user --regid $user --clear-groups \
			--inh-caps="$who" --ambient-caps="$who" "$@"
		;;
	esac
}

# expect_port WHO [OPTION...]: expects that pwatch reports a port that opens, and its close.
expect_port()
{
	who=$1
	shift
	mkfifo "$work/end"
	as "$who" "$pwatch" --json --events=open,close "$@" -- python3 -c "$server" \
		<"$work/end" 2>"$work/events" &
	watcher=$!
	exec 5>"$work/end"
	left=$(patience 60)
	until grep -q '"event":"open"' "$work/events" || [ "$left" -eq 0 ] || ! kill -0 "$watcher"; do
		left=$((left - 1))
		sleep 1
	done
	exec 5>&-
	wait "$watcher"
	rm "$work/end"
	grep -q '"event":"open","address":"127.0.0.1"' "$work/events" ||
		fail "$who: the port is not reported: $(cat "$work/events")"
	grep -q '"event":"close","address":"127.0.0.1"' "$work/events" ||
		fail "$who: its close is not reported: $(cat "$work/events")"
}

# check WHO: writes the output of --check about a shell to $work/check.
check()
{
	# shellcheck disable=SC2016
	as "$1" sh -c '"$1" --check $$' sh "$pwatch" >"$work/check" 2>&1
}

# Expects a notifier that reports listen(2), not polling.
expect_notifier()
{
	sed -n "s,^ *listen *,,p" "$work/check" | grep -qv "^polling" ||
		fail "--check reports polling for listen(2): $(cat "$work/check")"
}

expect_polling()
{
	grep -qE '^ *listen +polling' "$work/check" ||
		fail "--check does not report polling for listen(2): $(cat "$work/check")"
}

expect_text()
{
	grep -qF -- "$1" "$work/check" || fail "--check does not mention $1: $(cat "$work/check")"
}

# Debian's setting: the kernel refuses perf_event_open(2) to a process that has only CAP_PERFMON.
paranoid()
{
	echo 3 >/proc/sys/kernel/perf_event_paranoid
	expect_port +perfmon,+dac_read_search
	check +perfmon,+dac_read_search
	expect_polling
	expect_text kernel.perf_event_paranoid
	expect_port +sys_admin
	check +sys_admin
	expect_notifier
	expect_port root
	check root
	expect_notifier
}

# As in a container, tracefs is not mounted, and only CAP_SYS_ADMIN can mount it.
no_tracefs()
{
	echo 2 >/proc/sys/kernel/perf_event_paranoid
	! grep -q ' tracefs ' /proc/mounts || umount -a -t tracefs || fail "tracefs stays mounted"
	expect_port +perfmon,+dac_read_search
	check +perfmon,+dac_read_search
	expect_polling
	expect_text tracefs
	expect_port root
	check root
	expect_notifier
	echo 3 >/proc/sys/kernel/perf_event_paranoid
}

# Expects that pwatch reads the text of /proc instead.
expect_text_table()
{
	expect_port root
	expect_port -all
	check root
	expect_text "procfs table"
	expect_text tcp_diag
}

# The module is not installed, or the administrator has forbidden it.
no_tcp_diag()
{
	rmmod tcp_diag 2>/dev/null
	! grep -q '^tcp_diag ' /proc/modules || skip "tcp_diag cannot be unloaded"
	echo 'install tcp_diag /bin/false' >/etc/modprobe.d/no_tcp_diag.conf
	expect_text_table
	rm /etc/modprobe.d/no_tcp_diag.conf
	expect_port root
	check root
	expect_text "diag table"
}

# The setting lasts until the next boot.
modules_disabled()
{
	rmmod tcp_diag 2>/dev/null
	echo 1 >/proc/sys/kernel/modules_disabled
	expect_text_table
}

# The setting comes from the kernel's command line.
lockdown()
{
	if ! grep -qF '[confidentiality]' /sys/kernel/security/lockdown 2>/dev/null; then
		skip "the command line cannot lock this kernel down"
		return
	fi
	expect_port root
	check root
	expect_polling
	expect_text lockdown
	expect_port +sys_admin
	expect_port -all
}

echo "=== plan behaviours $#"
for case_name in "$@"; do
	failed=no skipped=no
	$case_name
	if [ $failed = yes ]; then
		echo "FAIL: behaviours $case_name"
	elif [ $skipped = yes ]; then
		echo "SKIP: behaviours $case_name"
	else
		echo "PASS: behaviours $case_name"
	fi
done
rm -rf "$work"
