#!/bin/sh
# SPDX-License-Identifier: MIT
# packages.sh - builds what docs/packaging describes, by the lines there, and looks at what comes of it
#
# Not part of make check: takes root on Debian, installs packages, and takes some minutes.
# usage: tests/packages.sh [PART...], from the build directory; srcdir as for the tests;
# PACKAGES_ROOT=DIRECTORY: keeps the fresh Debian there that packages are installed in, or takes what
# is there; DEB_BUILD_OPTIONS=nocheck: doesn't run the tests while packages are built.
set -u
srcdir=$(cd "${srcdir:-$(dirname "$0")/..}" && pwd)
self=$(realpath "$0")
builddir=$PWD
document=$srcdir/docs/packaging/README.md
packages="autopkgtest debhelper lintian dpkg-dev debootstrap rpm cpio po-debconf libcap-dev libncurses-dev check gcc make
	pkg-config docker.io iproute2 python3"
parts="source debian rpm apk static image"
passed=0
failed=0
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR

# --- what is told --------------------------------------------------------------------------------

pass()
{
	passed=$((passed + 1))
	echo "PASS: $part: $*"
}

fail()
{
	failed=$((failed + 1))
	echo "FAIL: $part: $*"
	tail -n 30 "$work/log" | sed 's/^/    /'
}

# check WHAT COMMAND...: what it says goes to $work/log.
check()
{
	what=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		pass "$what"
	else
		fail "$what"
		return 1
	fi
}

# --- what the documents say ----------------------------------------------------------------------

# line COMMENT [EDIT]: the block of the document whose first line is "# COMMENT", as $work/line, with
# the version filled in, and changed by sed.
line()
{
	awk -v first="# $1" '
		!inside && /^```sh$/ { inside = 1; number = 0; next }
		inside && /^```$/ { if (wanted) exit; inside = 0; next }
		inside && ++number == 1 { wanted = $0 == first }
		inside && wanted
	' "$document" | sed -e "s/VERSION/$version/g" -e "${2-}" >"$work/line"
	[ -s "$work/line" ] || { : >"$work/log"; fail "$document doesn't say: $1"; return 1; }
}

# in_place DIRECTORY: $work/line, where nothing but the tarball is.
in_place()
{
	mkdir -p "$work/$1" && cd "$work/$1" && ln -f "$work/$tarball" . && sh -ex "$work/line"
}

# --- the place -----------------------------------------------------------------------------------

install_packages()
{
	missing=
	for package in $packages; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	echo "installs:$missing"
	apt-get -q update >/dev/null
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing >/dev/null
}

make_root()
{
	base=${PACKAGES_ROOT:-$work/base}
	[ ! -d "$base/etc" ] || return 0
	echo "makes a Debian with debootstrap: $base"
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	debootstrap --variant=minbase "$suite" "$base" >"$work/debootstrap" || { cat "$work/debootstrap"; return 1; }
}

# fresh_root: $root, with what programs expect of a system.
fresh_root()
{
	root=$work/root.$part
	cp -a "$base" "$root"
	cp -L /etc/resolv.conf "$root/etc"
	for directory in proc sys dev dev/pts; do
		mount --bind "/$directory" "$root/$directory"
	done
	in_root apt-get -q update >/dev/null
}

in_root()
{
	chroot "$root" env -i PATH="/usr/local/bin:$PATH" HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

in_root_install()
{
	in_root apt-get -q install -y --no-install-recommends "$@"
}

make_tarball()
{
	"${MAKE:-make}" -s -C "$builddir" dist && tarball=$(in_make distdir).tar.gz &&
		version=${tarball#libportwatch-} && version=${version%.tar.gz} && mv "$builddir/$tarball" "$work"
}

# in_make VARIABLE: its value in the Makefile.
in_make()
{
	# shellcheck disable=SC2016
	printf 'include %s/Makefile\nprint:\n\t@echo "$(%s)"\n' "$builddir" "$1" >"$work/print.mk"
	"${MAKE:-make}" -s -C "$builddir" -f "$work/print.mk" print
}

clean_up()
{
	[ -z "$daemon" ] || { kill -TERM "$daemon" 2>/dev/null; wait "$daemon"; }
	cd /
	grep -o " $work/[^ ]*" /proc/self/mountinfo | sort -ru | xargs -r umount -l 2>/dev/null
	rm -rf "$work"
}

# --- the parts -----------------------------------------------------------------------------------

# In a Debian that knows nothing of the project: the README's program finds the library.
from_source()
{
	fresh_root
	in_root_install gcc libc6-dev libcap-dev make pkg-config >"$work/log" || { fail "packages"; return; }
	tar -C "$root/tmp" --transform 's,^[^/]*,source,' -xzf "$work/$tarball"
	check "configure, make, make install" in_root sh -ec \
		'cd /tmp/source && ./configure --quiet && make -s -j2 && make -s install' || return
	awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$srcdir/README.md" \
		>"$root/tmp/example.c"
	# shellcheck disable=SC2016
	check "a program that is built right after finds the library" in_root sh -ec 'cd /tmp
		cc example.c -o example $(pkg-config --cflags --libs libportwatch)
		sh -c "timeout 1 ./example \$\$; test \$? -eq 124"'
	check "pwatch runs" in_root pwatch --version
	check "the manual has a page" test -s "$root/usr/local/share/man/man1/pwatch.1"
	check "make uninstall" in_root make -s -C /tmp/source uninstall
	left=$(find "$root/usr/local" ! -type d -name '*p*watch*')
	[ -z "$left" ] || fail "make uninstall leaves $left"
}

debian()
{
	line debian && check "dpkg-buildpackage" in_place debian || return
	cd "$work/debian" || return
	check "lintian finds no error and no warning" lintian --allow-root --fail-on=error,warning ./*.changes
	fresh_root
	check "autopkgtest" autopkgtest ./*.deb "libportwatch-$version/" -- chroot "$root"
	cp ./*.deb "$root/tmp"
	debconf_asks
}

# expect_pwatch CAPABILITIES MODE GROUP
expect_pwatch()
{
	# shellcheck disable=SC2016
	in_root sh -c 'echo "$(getcap /usr/bin/pwatch | cut -d " " -f 2) $(stat -c "%a %G" /usr/bin/pwatch)"' >"$work/found"
	echo "found: $(cat "$work/found")"
	[ "$(cat "$work/found")" = "$*" ]
}

answer()
{
	echo "pwatch pwatch/privileges select $1" | in_root debconf-set-selections &&
		in_root dpkg-reconfigure -f noninteractive pwatch
}

debconf_asks()
{
	all=cap_dac_read_search,cap_sys_ptrace,cap_sys_admin=p
	in_root_install libcap2-bin >"$work/log"
	check "it is installed" in_root sh -c 'apt-get -q install -y --no-install-recommends /tmp/pwatch_*.deb' || return
	check "asked nothing, it has no capability" expect_pwatch "" 755 root
	check "own processes" answer own && check "one capability" expect_pwatch cap_sys_admin=p 755 root
	check "all processes" answer all && check "all three, for a group" expect_pwatch $all 750 pwatch
	check "it is installed again" in_root sh -c 'dpkg -i /tmp/pwatch_*.deb' &&
		check "it still has them" expect_pwatch $all 750 pwatch
	check "pwatch runs with them" in_root pwatch --version
	check "no more" answer none && check "none are left" expect_pwatch "" 755 root
	answer all >"$work/log" 2>&1
	check "purged" in_root apt-get -q purge -y pwatch
	check "nothing is left" in_root sh -c '! dpkg-statoverride --list | grep pwatch && ! test -e /usr/bin/pwatch'
}

rpm_packages()
{
	line rpm 's/^rpmbuild /&--nodeps --without check /' && check "rpmbuild" in_place rpm || return
	cd "$work/rpm" || return
	for package in rpm/RPMS/*/*.rpm; do
		mkdir -p root
		rpm2cpio "$package" | (cd root && cpio -idm --quiet) 2>"$work/log" || fail "$package"
	done
	check "pwatch runs" root/usr/bin/pwatch --version
	for file in usr/bin/pwatch usr/include/portwatch.h usr/lib/systemd/system/pwatch.service; do
		check "$file is in it" test -s "root/$file"
	done
}

# What abuild does, but for the container in which it does that.
apk()
{
	mkdir "$work/apk" && cd "$work/apk" && mkdir source package subpackage
	tar -C source -xzf "$work/$tarball"
	# shellcheck disable=SC2016
	check "build, package and split" env srcdir="$PWD/source" pkgdir="$PWD/package" subpkgdir="$PWD/subpackage" \
		sh -ec '. "$1"; for step in build package pwatch; do "$step"; done' sh "$srcdir/docs/packaging/APKBUILD" || return
	check "pwatch runs" subpackage/usr/bin/pwatch --version
	check "the library is beside it" test -s package/usr/lib/libportwatch.so.0
}

static()
{
	line static && check "a static pwatch" in_place static || return
	program=$work/static/libportwatch-$version/pwatch
	mkdir -p "$work/empty" && cp "$program" "$work/empty"
	check "it runs where no other file is" chroot "$work/empty" /pwatch --version
	check "it runs a command" "$program" --quiet -- true
	watches "$program"
}

# watches COMMAND...: it is given a PID, and reports the port of that.
watches()
{
	perl -MIO::Socket::INET -e '
		my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die;
		open my $file, ">", $ARGV[0] or die;
		print $file $server->sockport;
		close $file;
		sleep 60' "$work/port" &
	server=$!
	tries=0
	until [ -s "$work/port" ] || [ $tries -ge 300 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	"$@" --once --json $server >"$work/log" 2>&1
	if grep -q "\"event\":\"open\",.*\"port\":$(cat "$work/port"),.*\"pid\":$server," "$work/log"; then
		pass "it sees the port of a process"
	else
		fail "it doesn't see the port of a process"
	fi
	kill $server
	rm -f "$work/port"
}

docker_daemon()
{
	dockerd --data-root="$work/docker/data" --exec-root="$work/docker/exec" \
		--host="unix://$work/docker/socket" --pidfile="$work/docker/pid" --bridge=none \
		--iptables=false --ip6tables=false --ip-forward=false >"$work/log" 2>&1 &
	daemon=$!
	export DOCKER_HOST="unix://$work/docker/socket"
	tries=0
	until docker version >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.1
	done
}

image()
{
	docker_daemon || { fail "Docker doesn't start"; return; }
	tar -C "$base" -c . | docker import - localhost/debian:base >"$work/log" || { fail "docker import"; return; }
	line image 's/^docker build /&--network=host --build-arg BASE=localhost\/debian:base /' &&
		check "docker build" in_place image || return
	name=registry.example/pwatch:$version
	# shellcheck disable=SC2016
	check "the image has one file" sh -c 'container=$(docker create "$1") && docker export "$container" | tar -t |
		grep -v -e "/$" -e "^dev/" -e "^etc/" -e "^\.dockerenv$" | grep -qx usr/local/bin/pwatch' sh "$name"
	check "it runs" docker run --rm --network=none "$name" pwatch --version
	watches docker run --rm --network=none --pid=host --cap-drop=ALL --cap-add=SYS_ADMIN --cap-add=SYS_PTRACE \
		--cap-add=DAC_READ_SEARCH --security-opt=no-new-privileges --read-only "$name" pwatch
}

# --- all -----------------------------------------------------------------------------------------

if [ "$(id -u)" -ne 0 ] || [ ! -e /etc/debian_version ]; then
	echo "SKIP: takes root on Debian"
	exit 77
fi
# So that no mount outlives this.
if [ -z "${PACKAGES_INSIDE-}" ]; then
	PACKAGES_INSIDE=1 exec unshare --mount sh "$self" "$@"
fi
work=$(mktemp -d /var/tmp/packages.XXXXXX)
chmod 755 "$work"
daemon=
part=tarball
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
umask 022
install_packages && make_root && make_tarball || exit 1
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $parts
for part; do
	case $part in
		debian | apk | static | image) ;;
		source | rpm) ;;
		*) echo "no such part: $part"; exit 2 ;;
	esac
	case $part in
		source) from_source ;;
		rpm) rpm_packages ;;
		*) $part ;;
	esac
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
