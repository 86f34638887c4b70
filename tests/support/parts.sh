# SPDX-License-Identifier: MIT
# parts.sh - for scripts that have parts, need root on Debian, and are not in make check. A script
# sources this file and gets $work, a directory, $part, $packages and $daemons.
# shellcheck shell=sh
. "${srcdir:?}/tests/support/blocks.sh"
passed=0
failed=0

pass()
{
	passed=$((passed + 1))
	echo "PASS: ${part:?}: $*"
}

# fail WHAT: reports a failure and the end of the output.
fail()
{
	failed=$((failed + 1))
	echo "FAIL: $part: $*"
	cat "${work:?}/out" "$work/err" 2>/dev/null | tail -n 30 | sed 's/^/    /'
}

# until_true COMMAND...: repeats the command until it succeeds. Returns false after half a minute.
until_true()
{
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.1
	done
}

ended()
{
	! kill -0 "$1"
}

install_packages()
{
	missing=
	for package in ${packages:?}; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	echo "installs:$missing"
	apt-get -q update >/dev/null
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing >/dev/null
}

# make_debian DIRECTORY [OPTION...]: installs a Debian of this machine's release unless the directory
# exists.
make_debian()
{
	[ ! -d "$1/etc" ] || return 0
	directory=$1
	shift
	echo "makes a Debian with debootstrap: $directory"
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	debootstrap --variant=minbase "$@" "$suite" "$directory" >"$work/debootstrap" || { cat "$work/debootstrap"; return 1; }
}

# Starts a Docker daemon that sees only what is below $work.
docker_daemon()
{
	dockerd --data-root="$work/docker/data" --exec-root="$work/docker/exec" \
		--host="unix://$work/docker/socket" --pidfile="$work/docker/pid" --bridge=none \
		--iptables=false --ip6tables=false --ip-forward=false >"$work/docker.log" 2>&1 &
	daemons="$daemons $!"
	export DOCKER_HOST="unix://$work/docker/socket"
	until_true docker version
}

# Ends what this script has started, and removes $work with everything that is mounted there.
clean_up()
{
	cd /
	for pid in $daemons; do
		kill -TERM "$pid" 2>/dev/null
		until_true ended "$pid" || kill -KILL "$pid"
	done
	grep -o " $work/[^ ]*" /proc/self/mountinfo | sort -ru | xargs -r umount -l 2>/dev/null
	rm -rf "$work"
}
