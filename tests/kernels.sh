#!/bin/sh
# SPDX-License-Identifier: MIT
# kernels.sh [OPTION]... [TEST]... - boots stock Debian kernels in an emulated machine and runs the
# tests there
#
# Not part of make check: needs root, Debian on amd64, packages from Debian's archive, and up to an hour
# for each kernel. docs/kernels.md lists the kernels that were tested.
#
# A guest consists of a kernel and one initramfs. The initramfs holds a root of the host's own Debian
# release, the few modules that the tests need, and a build of this tree at the path where the tree was
# built. The guest has no disk and no network, and reports through a serial port.
set -eu

usage()
{
	cat <<'END'
Usage: tests/kernels.sh [OPTION]... [TEST]...
Boots the kernel of each suite and runs the tests, by default all that depend on the kernel.

  --suites=LIST       Debian's suites (default: bullseye,bookworm,trixie,sid)
  --jobs=LIST         some of behaviours, root, user, lockdown (default: all)
  --cache=DIR         keep downloads and the guest's root in DIR
                      (default: $PORTWATCH_KERNELS_CACHE, else /var/cache/portwatch-kernels)
  --logs=DIR          keep the output of the guests in DIR
  --slowness=FACTOR   multiply deadlines of tests by FACTOR (default: $PORTWATCH_TEST_SLOWNESS,
                      else 10)
  --timeout=SECONDS   limit of each boot (default: 7200)
  --help

Needs root. Installs missing packages and prints their names. Uses the mirror of the host's
/etc/apt. The last line for each kernel is: VERSION: N passed, N failed, N skipped
END
}

progress()
{
	echo "kernels.sh: $*" >&2
}

die()
{
	progress "$*"
	exit 1
}

# --- the host ------------------------------------------------------------------------------------

# Prints the packages that are missing.
missing()
{
	while read -r needed package; do
		case $needed in
		/*) [ -e "$needed" ] || echo "$package" ;;
		*) command -v "$needed" >/dev/null || echo "$package" ;;
		esac
	done <<-END
		qemu-system-x86_64 qemu-system-x86
		debootstrap debootstrap
		$keyring debian-archive-keyring
		cpio cpio
		modprobe kmod
		xz xz-utils
		gcc gcc
		make make
		autoconf autoconf
		automake automake
		libtoolize libtool
		pkg-config pkg-config
		/usr/include/sys/capability.h libcap-dev
		/usr/include/check.h check
	END
}

install_missing()
{
	wanted=$(missing | tr '\n' ' ')
	[ -n "$wanted" ] || return 0
	progress "installing $wanted"
	apt-get -q update >&2
	# shellcheck disable=SC2086
	apt-get install -y -q --no-install-recommends $wanted >&2
}

# Sets $mirror to the host's mirror of the main part of its release.
find_mirror()
{
	# shellcheck disable=SC2016
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' \
		'Origin: Debian' 'Component: main' |
		awk -v release="$release" '$2 == release && !found { print $1; found = 1 }')
	[ -n "$mirror" ] || die "/etc/apt names no mirror of Debian $release"
}

# Copies this tree, including uncommitted files, without anything that was built.
copy_source()
{
	mkdir -m 755 "$source"
	if git -C "$top" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		(cd "$top" && git ls-files -z --cached --others --exclude-standard |
			tar -c --null --ignore-failed-read -T -)
	else
		(cd "$top" && tar -c .)
	fi | tar -x -C "$source" --no-same-owner
	[ ! -e "$source/Makefile" ] || make -s -C "$source" distclean
}

# The build has no debugging information, because all files have to fit into the guest's memory. It
# tracks no dependencies, because the guest lacks the headers that a built file could depend on.
build()
{
	cd "$source"
	mkdir -p m4
	autoreconf -fi
	./configure --quiet --disable-dependency-tracking CFLAGS="${CFLAGS--O2}"
	make -s -j"$(nproc)"
	make -s -j"$(nproc)" check TESTS=
}

# --- the kernel ----------------------------------------------------------------------------------

# apt SUITE PROGRAM ARGUMENT...: runs the program with the package lists of this suite, apart from the
# host's lists.
apt()
{
	state=$cache/apt/$1
	program=$2
	shift 2
	"$program" -q -o Dir::State="$state" -o Dir::State::status="$state/status" \
		-o Dir::Cache="$state" -o Dir::Etc::sourcelist="$state/sources.list" \
		-o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root "$@"
}

refresh()
{
	mkdir -p "$cache/apt/$1/lists/partial" "$cache/apt/$1/archives/partial"
	: >"$cache/apt/$1/status"
	echo "deb [signed-by=$keyring] $mirror $1 main" >"$cache/apt/$1/sources.list"
	apt "$1" apt-get update >&2
}

# kernel_packages SUITE PACKAGE: prints the packages that a kernel's metapackage depends on. The first
# is the kernel's package; the modules may be in a package of their own.
kernel_packages()
{
	for package in $(apt "$1" apt-cache depends --important "$2" |
		awk '$1 == "Depends:" && $2 ~ /^linux-(image|binary|base|modules)-[0-9]/ { print $2 }'); do
		echo "$package"
		(kernel_packages "$1" "$package")
	done
}

# fetch_kernel SUITE: sets $version, and $kernel to a directory that has it and its modules.
fetch_kernel()
{
	packages=$(kernel_packages "$1" linux-image-amd64 | tr '\n' ' ')
	[ -n "$packages" ] || die "$1 has no linux-image-amd64"
	image=${packages%% *}
	version=${image#linux-image-}
	kernel=$cache/kernel-$version-$(apt "$1" apt-cache policy "$image" |
		awk '$1 == "Candidate:" { print $2 }')
	[ ! -e "$kernel" ] || return 0
	progress "fetching $packages"
	unpacked=$work/unpacked
	rm -rf "$unpacked" "$kernel.new"
	mkdir -p "$unpacked/lib" "$kernel.new/usr/lib"
	# shellcheck disable=SC2086
	(cd "$unpacked" && apt "$1" apt-get download $packages) >&2
	for package in "$unpacked"/*.deb; do
		dpkg-deb -x "$package" "$unpacked"
	done
	# Newer packages have the modules in this directory.
	[ ! -e "$unpacked/usr/lib/modules" ] || mv "$unpacked/usr/lib/modules" "$unpacked/lib"
	# The programs of kmod look in this directory.
	ln -s usr/lib "$kernel.new/lib"
	cp "$unpacked/boot/vmlinuz-$version" "$kernel.new/vmlinuz" 2>/dev/null ||
		cp "$unpacked/lib/modules/$version/vmlinuz" "$kernel.new"
	pick_modules "$unpacked" "$kernel.new"
	rm -rf "$unpacked"
	mv "$kernel.new" "$kernel"
}

# pick_modules FROM TO: copies the modules that the tests need, with their dependencies.
pick_modules()
{
	modules=lib/modules/$version
	mkdir -p "$2/$modules"
	for file in modules.builtin modules.builtin.modinfo modules.order; do
		cp "$1/$modules/$file" "$2/$modules"
	done
	depmod -b "$1" "$version"
	for name in tcp_diag udp_diag unix_diag veth dummy tun overlay fuse; do
		modprobe -d "$1" -S "$version" --show-depends "$name"
	done >"$work/modules"
	awk '$1 == "insmod" { print $2 }' "$work/modules" | sort -u | while read -r file; do
		install -D -m 644 "$file" "$2/$modules/${file##*"/$version/"}"
	done
	depmod -b "$2" "$version"
}

# --- the guest -----------------------------------------------------------------------------------

# archive FIND-ARGUMENT...: prints an archive that the kernel can unpack, with the names unchanged.
archive()
{
	find "$@" -print0 | cpio --quiet --null -o -H newc
}

# Sets $root to an archive of the guest's root.
make_root()
{
	include=python3,make,check,libcap2-bin,iproute2,procps,kmod,util-linux
	root=$cache/root-$release-$(echo $include | tr , -).cpio
	[ ! -e "$root" ] || return 0
	progress "creating a root of Debian $release with $include"
	directory=$work/root
	debootstrap --variant=minbase --include=$include "$release" "$directory" "$mirror" \
		>"$work/debootstrap.log" || {
		tail "$work/debootstrap.log" >&2
		die "debootstrap failed"
	}
	(
		cd "$directory"
		rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/doc usr/share/man usr/share/locale
		archive .
	) >"$root.new"
	mv "$root.new" "$root"
	rm -rf "$directory"
}

# guest LOG PARAMETER...: replaces this process by a machine with $kernel, which reports to LOG.
guest()
{
	log=$1
	shift
	# The words after "--" are arguments of the first process. The mitigations cost much time here
	# and protect nothing. All emulated processors have the same clock. If the kernel has a fault of
	# its own, the guest ends at once.
	parameters="console=ttyS0 panic=-1 oops=panic mitigations=off tsc=reliable $* rdinit=/bin/sh"
	exec timeout --foreground -k 10 "$timeout" qemu-system-x86_64 \
		-accel tcg,thread=multi -cpu max -smp 2 -m 3072 -rtc base=utc \
		-nodefaults -no-user-config -no-reboot -display none -monitor none \
		-kernel "$kernel/vmlinuz" -initrd "$work/initramfs" \
		-append "$parameters -- $source/tests/kernels/init.sh $work/job" \
		-serial "file:$log.console" -serial "file:$log.log" </dev/null
}

# boot NAME JOBS [PARAMETER...]: boots a guest once for these jobs.
boot()
{
	log=$logs/$version.$1
	printf '%s="%s"\n' jobs "$2" tests "$tests" source "$source" slowness "$slowness" >"$work/job"
	shift 2
	{
		cat "$root"
		# The root's /lib is a link and has to remain a link.
		cd "$kernel" && archive usr
		# A directory has to come before its contents.
		cd / && archive "${work#/}" -maxdepth 0 && archive "${source#/}" "${work#/}/job"
	} >"$work/initramfs"
	cd "$work"
	: >"$log.log"
	guest "$log" "$@" &
	machine=$!
	tail -n +1 -f --pid=$machine "$log.log" &
	status=0
	wait $machine || status=$?
	machine=
	wait
	[ $status -ne 0 ] || ! tail -n 1 "$log.log" | grep -q '^=== end$' || return 0
	echo "FAIL: the guest ended with status $status before its end; its console's last lines:" |
		tee -a "$log.log"
	tail -n 60 "$log.console"
}

# A test that has begun and not finished counts as failed.
sum_up()
{
	awk -v version="$version" '
		$1 == "===" && $2 == "plan" { left += $4 }
		/^PASS: / { passed++; left-- }
		/^(FAIL|XPASS|ERROR): / { failed++; left-- }
		/^SKIP: / { skipped++; left-- }
		END {
			failed += left > 0 ? left : 0
			printf "%s: %d passed, %d failed, %d skipped\n", version, passed, failed, skipped
			exit failed > 0
		}' "$logs/$version".*.log
}

# shellcheck disable=SC2317
clean_up()
{
	[ -z "$machine" ] || kill "$machine" 2>/dev/null || :
	rm -rf "$work"
}

suites=bullseye,bookworm,trixie,sid
jobs=behaviours,root,user,lockdown
cache=${PORTWATCH_KERNELS_CACHE:-/var/cache/portwatch-kernels}
slowness=${PORTWATCH_TEST_SLOWNESS:-10}
timeout=7200
logs=
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
while [ $# -gt 0 ]; do
	case $1 in
	--suites=*) suites=${1#*=} ;;
	--jobs=*) jobs=${1#*=} ;;
	--cache=*) cache=${1#*=} ;;
	--logs=*) logs=${1#*=} ;;
	--slowness=*) slowness=${1#*=} ;;
	--timeout=*) timeout=${1#*=} ;;
	--help)
		usage
		exit
		;;
	-*)
		usage >&2
		exit 2
		;;
	*) break ;;
	esac
	shift
done
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
[ "$(id -u)" -eq 0 ] || die "root is required to install packages and to create the guest's root"
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || die "Debian on amd64 is required"
release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
umask 022
machine=
# An ordinary user in the guest needs access to this directory.
work=$(mktemp -d /var/tmp/portwatch-kernels.XXXXXX)
trap clean_up EXIT
trap 'exit 129' HUP INT TERM
chmod 755 "$work"
source=$work/portwatch
mkdir -p "$cache" "${logs:=$work/logs}"
cache=$(cd "$cache" && pwd)
logs=$(cd "$logs" && pwd)
install_missing
find_mirror
progress "building"
copy_source
(build) >"$work/build.log" 2>&1 || {
	tail -n 40 "$work/build.log" >&2
	die "the build failed"
}
tests=${*:-$(make -s -C "$source" list-kernel-tests | tr '\n' ' ')}
make_root

failed=0
for suite in $(echo "$suites" | tr , ' '); do
	begin=$(date +%s)
	refresh "$suite" || progress "the lists of $suite cannot be refreshed: using the old lists"
	fetch_kernel "$suite"
	rm -f "$logs/$version".*
	progress "booting Linux $version of $suite"
	plain=
	lockdown=
	for job in $(echo "$jobs" | tr , ' '); do
		[ "$job" = lockdown ] && lockdown=lockdown || plain="$plain $job"
	done
	[ -z "$plain" ] || boot plain "${plain# }"
	[ -z "$lockdown" ] || boot lockdown lockdown lockdown=confidentiality
	progress "$(($(date +%s) - begin)) s for Linux $version"
	sum_up || failed=1
done
exit $failed
