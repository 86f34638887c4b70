#!/bin/sh
# SPDX-License-Identifier: MIT
# packages.sh - runs the commands of docs/packaging/README.md and checks the packages that they build
#
# Not part of make check: needs root on Debian, installs packages and takes some minutes.
# usage: tests/packages.sh [PART...], from the build directory; srcdir as for the tests;
# PACKAGES_ROOT=DIRECTORY: keeps the fresh Debian in which packages are installed in this directory, or
# uses one that is there; DEB_BUILD_OPTIONS=nocheck: builds the packages without running the tests.
set -u
srcdir=$(cd "${srcdir:-$(dirname "$0")/..}" && pwd)
self=$(realpath "$0")
builddir=$PWD
document=$srcdir/docs/packaging/README.md
packages="autopkgtest debhelper lintian dpkg-dev debootstrap rpm cpio po-debconf libcap-dev libncurses-dev check gcc make
	pkg-config docker.io iproute2 python3"
parts="source debian rpm apk static image"
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR

. "$srcdir/tests/support/parts.sh"

# check WHAT COMMAND...: expects that COMMAND succeeds. Its output goes to $work/out.
check()
{
	what=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		pass "$what"
	else
		fail "$what"
		return 1
	fi
}

# --- the command lines of the documents ----------------------------------------------------------

# line COMMENT [EDIT]: writes the block of the document whose first line is "# COMMENT" to $work/line.
# Fills in the version, and applies the sed script EDIT.
line()
{
	block "$document" sh "# $1" | sed -e "s/VERSION/$version/g" -e "${2-}" >"$work/line"
	[ -s "$work/line" ] || { : >"$work/out"; fail "$document has no block: $1"; return 1; }
}

# in_place DIRECTORY: runs $work/line in a directory that contains only the tarball.
in_place()
{
	mkdir -p "$work/$1" && cd "$work/$1" && ln -f "$work/$tarball" . && sh -ex "$work/line"
}

# --- the environment -----------------------------------------------------------------------------

make_root()
{
	base=${PACKAGES_ROOT:-$work/base}
	make_debian "$base"
}

# fresh_root: creates $root, a copy of the fresh Debian with the mounts that programs expect.
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

# in_make VARIABLE: prints the value of the variable of the Makefile.
in_make()
{
	# shellcheck disable=SC2016
	printf 'include %s/Makefile\nprint:\n\t@echo "$(%s)"\n' "$builddir" "$1" >"$work/print.mk"
	"${MAKE:-make}" -s -C "$builddir" -f "$work/print.mk" print
}

# --- the parts -----------------------------------------------------------------------------------

# In a Debian without any file of the project, the program in README.md finds the library.
from_source()
{
	fresh_root
	in_root_install gcc libc6-dev libcap-dev make pkg-config >"$work/out" || { fail "packages"; return; }
	tar -C "$root/tmp" --transform 's,^[^/]*,source,' -xzf "$work/$tarball"
	check "configure, make, make install" in_root sh -ec \
		'cd /tmp/source && ./configure --quiet && make -s -j2 && make -s install' || return
	block "$srcdir/README.md" c "" >"$root/tmp/example.c"
	# shellcheck disable=SC2016
	check "a program that is built right after the installation finds the library" in_root sh -ec 'cd /tmp
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
	in_root_install libcap2-bin >"$work/out"
	check "the package is installed" in_root sh -c 'apt-get -q install -y --no-install-recommends /tmp/pwatch_*.deb' || return
	check "without an answer, pwatch has no capability" expect_pwatch "" 755 root
	check "own processes" answer own && check "one capability" expect_pwatch cap_sys_admin=p 755 root
	check "all processes" answer all && check "all three, for a group" expect_pwatch $all 750 pwatch
	check "the package is installed again" in_root sh -c 'dpkg -i /tmp/pwatch_*.deb' &&
		check "pwatch keeps the capabilities" expect_pwatch $all 750 pwatch
	check "pwatch runs with them" in_root pwatch --version
	check "no privileges" answer none && check "no capability is left" expect_pwatch "" 755 root
	answer all >"$work/out" 2>&1
	check "the package is purged" in_root apt-get -q purge -y pwatch
	check "nothing is left" in_root sh -c '! dpkg-statoverride --list | grep pwatch && ! test -e /usr/bin/pwatch'
}

rpm_packages()
{
	line rpm 's/^rpmbuild /&--nodeps --without check /' && check "rpmbuild" in_place rpm || return
	cd "$work/rpm" || return
	for package in rpm/RPMS/*/*.rpm; do
		mkdir -p root
		rpm2cpio "$package" | (cd root && cpio -idm --quiet) 2>"$work/out" || fail "$package"
	done
	check "pwatch runs" root/usr/bin/pwatch --version
	for file in usr/bin/pwatch usr/include/portwatch.h usr/lib/systemd/system/pwatch.service; do
		check "the package contains $file" test -s "root/$file"
	done
}

# Runs the steps of abuild, without its container.
apk()
{
	mkdir "$work/apk" && cd "$work/apk" && mkdir source package subpackage
	tar -C source -xzf "$work/$tarball"
	# shellcheck disable=SC2016
	check "build, package and split" env srcdir="$PWD/source" pkgdir="$PWD/package" subpkgdir="$PWD/subpackage" \
		sh -ec '. "$1"; for step in build package pwatch; do "$step"; done' sh "$srcdir/docs/packaging/APKBUILD" || return
	check "pwatch runs" subpackage/usr/bin/pwatch --version
	check "the package of the library contains the library" test -s package/usr/lib/libportwatch.so.0
}

static()
{
	line static && check "a static pwatch" in_place static || return
	program=$work/static/libportwatch-$version/pwatch
	mkdir -p "$work/empty" && cp "$program" "$work/empty"
	check "the static pwatch runs in an empty directory" chroot "$work/empty" /pwatch --version
	check "the static pwatch runs a command" "$program" --quiet -- true
	watches "$program"
}

# watches COMMAND...: appends a PID to COMMAND, which must report the port of this process.
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
	"$@" --once --json $server >"$work/out" 2>&1
	if grep -q "\"event\":\"open\",.*\"port\":$(cat "$work/port"),.*\"pid\":$server," "$work/out"; then
		pass "pwatch reports the port of a process"
	else
		fail "pwatch does not report the port of a process"
	fi
	kill $server
	rm -f "$work/port"
}

image()
{
	docker_daemon || { cp "$work/docker.log" "$work/out"; fail "Docker does not start"; return; }
	tar -C "$base" -c . | docker import - localhost/debian:base >"$work/out" || { fail "docker import"; return; }
	line image 's/^docker build /&--network=host --build-arg BASE=localhost\/debian:base /' &&
		check "docker build" in_place image || return
	name=registry.example/pwatch:$version
	# shellcheck disable=SC2016
	check "the image has one file" sh -c 'container=$(docker create "$1") && docker export "$container" | tar -t |
		grep -v -e "/$" -e "^dev/" -e "^etc/" -e "^\.dockerenv$" | grep -qx usr/local/bin/pwatch' sh "$name"
	check "the image runs" docker run --rm --network=none "$name" pwatch --version
	watches docker run --rm --network=none --pid=host --cap-drop=ALL --cap-add=SYS_ADMIN --cap-add=SYS_PTRACE \
		--cap-add=DAC_READ_SEARCH --security-opt=no-new-privileges --read-only "$name" pwatch
}

# --- all -----------------------------------------------------------------------------------------

if [ "$(id -u)" -ne 0 ] || [ ! -e /etc/debian_version ]; then
	echo "SKIP: root on Debian is required"
	exit 77
fi
# In a mount namespace, so that no mount remains after this script.
if [ -z "${PACKAGES_INSIDE-}" ]; then
	PACKAGES_INSIDE=1 exec unshare --mount sh "$self" "$@"
fi
work=$(mktemp -d /var/tmp/packages.XXXXXX)
chmod 755 "$work"
daemons=
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
