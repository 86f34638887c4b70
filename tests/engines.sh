#!/bin/sh
# SPDX-License-Identifier: MIT
# engines.sh - runs the command lines of docs/deployment.md and recipes of README.md unchanged: in
# docker, podman as root and as a user, containerd, systemd-nspawn and bubblewrap, and the unit under
# systemd as PID 1
#
# Not part of make check: needs root on Debian, installs packages, makes an image with debootstrap and
# takes some minutes. Usage: tests/engines.sh [PART...], from the build directory; PWATCH and srcdir as
# for the tests; ENGINES_IMAGE=DIRECTORY keeps the image there, or uses an image that is there.
#
# A command line passes if it reports that a server's port opens and closes, and ends with the server.
set -u
srcdir=$(cd "${srcdir:-$(dirname "$0")/..}" && pwd)
self=$(realpath "$0")
PWATCH=$(realpath "${PWATCH:-./pwatch}")
export PWATCH
document=$srcdir/docs/deployment.md
packages="debootstrap docker.io podman runc conmon catatonit containerd systemd-container bubblewrap
	uidmap slirp4netns runsc strace util-linux perl-base"
# An ordinary user that no file of this machine names.
user=64321
parts="once systemd nspawn bubblewrap docker podman kubernetes containerd rootless gvisor calls"
skipped=0
containers=0
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

. "$srcdir/tests/support/parts.sh"

skip()
{
	skipped=$((skipped + 1))
	echo "SKIP: $part: $*"
}

# --- the command lines of the documents ----------------------------------------------------------

# recipe NUMBER: writes the block of README.md whose first line begins with the number to $work/line.
recipe()
{
	block "$srcdir/README.md" sh "# $1. " >"$work/line"
	[ -s "$work/line" ] || { fail "README.md has no recipe $1"; return 1; }
}

# line COMMENT [NAME=VALUE...]: writes the command line to $work/line and fills in the values.
line()
{
	block "$document" sh "# $1" >"$work/line"
	[ -s "$work/line" ] || { fail "$document has no command line: $1"; return 1; }
	shift
	for filled; do
		sed -i "s|\\b${filled%%=*}\\b|${filled#*=}|g" "$work/line"
	done
}

# --- waiting -------------------------------------------------------------------------------------

# reported EVENT PORT: whether the command line has reported the event, as JSON or as text, on either
# output.
reported()
{
	cat "$work/out" "$work/err" | grep -qE "\"event\":\"$1\".*\"port\":$2,| $1 +[^ ]*:$2 "
}

# --- what is watched -----------------------------------------------------------------------------

# sees WHAT PID: runs $work/line in the background, and expects that it reports the ports of the server
# with this PID and ends with the server. Without a PID, the command line runs the server itself.
sees()
{
	what=$1
	server=${2-}
	rm -f "$work/out" "$work/err"
	touch "$work/out" "$work/err"
	$as sh "$work/line" >"$work/out" 2>"$work/err" &
	watcher=$!
	if sees_ports && kill -TERM "$server" && until_true ended $watcher; then
		pass "$what"
	else
		fail "$what"
	fi
	[ -z "$server" ] || kill -KILL "$server" 2>/dev/null
	kill -TERM $watcher 2>/dev/null
	until_true ended $watcher || kill -KILL $watcher
	wait $watcher
}

sees_ports()
{
	until_true reported open 8001 || { echo "8001 is not reported" >>"$work/err"; return 1; }
	[ -n "$server" ] || server=$(sed -n 's/.*"port":8001,.*"pid":\([0-9]*\),.*/\1/p' \
		"$work/out" "$work/err" | head -n 1)
	kill -USR1 "$server" || return 1
	until_true reported open 8002 || { echo "8002 is not reported as open" >>"$work/err"; return 1; }
	kill -USR2 "$server" || return 1
	until_true reported close 8002 || { echo "8002 is not reported as closed" >>"$work/err"; return 1; }
}

# checked WHAT PATTERN: expects the pattern in the JSON of the command line with --check.
checked()
{
	sed -i 's/pwatch --json/pwatch --check --json/' "$work/line"
	# shellcheck disable=SC2086
	timeout 60 $as sh "$work/line" >"$work/out" 2>"$work/err"
	if grep -q -- "$2" "$work/out"; then
		pass "$1"
	else
		fail "$1"
	fi
}

by_reader()
{
	echo "\"topic\":\"namespace\".*\"value\":\"$1 reader, $2 table"
}

# --- the environment -----------------------------------------------------------------------------

# The server listens on 8001, and between SIGUSR1 and SIGUSR2 also on 8002.
write_server()
{
	cat >"$1" <<'END'
#!/usr/bin/perl
use IO::Socket::INET;
my ($more, $wanted);
sub listens
{
	IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => $_[0]) or die "$_[0]: $!";
}
$SIG{USR1} = sub { $more = listens(8002) };
$SIG{USR2} = sub { undef $more };
$SIG{TERM} = sub { exit 0 };
my $first = listens(8001);
select(undef, undef, undef, 0.1) while 1;
END
	chmod 755 "$1"
}

make_image()
{
	image=${ENGINES_IMAGE:-$work/image}
	make_debian "$image" --include=libcap2-bin,libncursesw6,systemd,systemd-sysv,dbus || return 1
	install -m 755 "$PWATCH" "$image/usr/local/bin/pwatch"
	write_server "$image/usr/local/bin/server"
}

# Makes an archive that docker, podman and containerd can load: localhost/pwatch:test.
make_archive()
{
	[ ! -e "$work/image.tar" ] || return 0
	mkdir "$work/archive"
	tar -C "$image" --numeric-owner --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' \
		--exclude='./var/lib/apt/*' --exclude='./var/cache/*' --exclude='./usr/share/*' \
		-cf "$work/archive/layer.tar" .
	sum=$(sha256sum "$work/archive/layer.tar")
	cat >"$work/archive/config.json" <<END
{"architecture": "$(dpkg --print-architecture)", "os": "linux", "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:${sum%% *}"]}}
END
	echo '[{"Config": "config.json", "RepoTags": ["localhost/pwatch:test"], "Layers": ["layer.tar"]}]' \
		>"$work/archive/manifest.json"
	tar -C "$work/archive" -cf "$work/image.tar" config.json manifest.json layer.tar
}

clean_up_all()
{
	# Only the process with which podman keeps its namespaces has this user.
	ps -o pid= -U $user | xargs -r kill -KILL
	clean_up
}

# --- the parts -----------------------------------------------------------------------------------

# host_server: starts a server on this machine, in a network namespace of its own; sets $server.
host_server()
{
	unshare --net setpriv --reuid $user --regid $user --clear-groups \
		"$image/usr/local/bin/server" &
	server=$!
	until_true has_moved "$server"
}

has_moved()
{
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

once()
{
	host_server
	line "once, as root" UID=65432 GID=65432 PID=$server || return
	# The user does not exist, so it has no supplementary groups.
	sed -i 's/--init-groups/--clear-groups/' "$work/line"
	sees "setpriv" $server
	host_server
	line "once, as root" UID=65432 GID=65432 PID=$server || return
	sed -i 's/--init-groups/--clear-groups/' "$work/line"
	checked "setpriv: the setns reader, the notifier" "$(by_reader setns diag)"
	grep -q '"topic":"notifier","name":"listen","value":"bpf"' "$work/out" || fail "setpriv: no notifier"
	kill $server
}

# nspawn_check OPTION...: runs --check in a container.
nspawn_check()
{
	systemd-nspawn --quiet --register=no --keep-unit --directory="$image" "$@" \
		pwatch --check --json </dev/null 2>"$work/err" | tr -d '\r' >"$work/out"
}

nspawn()
{
	line nspawn DIRECTORY="$image" COMMAND=server || return
	sees "systemd-nspawn $(systemd-nspawn --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
	nspawn_check --quiet
	advice=$(advised systemd-nspawn)
	eval "nspawn_check $advice"
	lacks_nothing "it is $advice"
}

bubblewrap()
{
	line bubblewrap COMMAND="$image/usr/local/bin/server" || return
	sees "$(bwrap --version)"
}

# --- systemd as PID 1, in a container of systemd-nspawn

# inside COMMAND...: runs the command in this container.
inside()
{
	nsenter --all --target "$init" "$@"
}

# The only child of the container's process is PID 1 of the container.
find_init()
{
	init=$(cat "/proc/$container/task/$container/children")
	init=${init%% *}
	[ -n "$init" ] && inside systemctl is-system-running | grep -qE 'running|degraded'
}

boot()
{
	systemd-nspawn --quiet --register=no --keep-unit --directory="$image" --volatile=overlay --boot \
		--private-network --capability=all --system-call-filter='perf_event_open bpf' \
		</dev/null >"$work/boot" 2>&1 &
	container=$!
	daemons="$daemons $container"
	until_true find_init
}

# unit_server NAME COMMAND: runs the command as a service with the user nobody.
unit_server()
{
	printf '[Service]\nUser=nobody\nExecStart=%s\n' "$2" |
		inside sh -c "cat >/run/systemd/system/$1.service"
	inside systemctl daemon-reload
}

journal()
{
	inside journalctl --sync
	inside journalctl --unit=pwatch --output=cat --no-pager --since="@$since" >"$work/out"
}

logged()
{
	journal
	reported "$1" "$2"
}

# unit_sees WHAT SERVICE: starts and stops the service while pwatch.service runs.
unit_sees()
{
	: >"$work/err"
	since=$(date +%s.%N)
	if inside systemctl start "$2" && until_true logged open 8001 &&
		inside systemctl kill --signal=USR1 "$2" && until_true logged open 8002 &&
		inside systemctl kill --signal=USR2 "$2" && until_true logged close 8002; then
		pass "$1"
	else
		inside systemctl status --no-pager pwatch >"$work/err" 2>&1
		fail "$1"
	fi
	inside systemctl stop "$2"
}

# drop_in TEXT...: adds lines to the service.
drop_in()
{
	printf '%s\n' '[Service]' "$@" | inside sh -c 'mkdir -p /run/systemd/system/pwatch.service.d &&
		cat >/run/systemd/system/pwatch.service.d/test.conf'
	inside systemctl daemon-reload
}

# unit_checks WHAT STATUS PATTERN DIRECTIVE...: runs --check in the service with these directives.
unit_checks()
{
	what=$1 wanted=$2 pattern=$3
	shift 3
	drop_in Type=oneshot Restart=no ExecStart= "ExecStart=/usr/local/bin/pwatch --check --json 1" "$@"
	since=$(date +%s.%N)
	inside systemctl start pwatch 2>"$work/err"
	status=$?
	journal
	if [ $status -eq "$wanted" ] && grep -q "$pattern" "$work/out"; then
		pass "$what"
	else
		fail "$what: status $status"
	fi
}

# service_advice WHAT DIRECTIVE...: expects that the grants which --check recommends to a service with
# these directives are enough.
service_advice()
{
	what=$1
	shift
	service_check "$@"
	advice=$(advised systemd)
	[ -n "$advice" ] || { fail "no advice $what"; return; }
	IFS=';'
	# shellcheck disable=SC2046
	set -- "$@" $(echo "$advice" | sed 's/; /;/g')
	unset IFS
	service_check "$@"
	lacks_nothing "$what it is $advice"
}

# service_check DIRECTIVE...: runs --check about the service itself, with these directives.
service_check()
{
	drop_in Type=oneshot Restart=no ExecStart= "ExecStart=/usr/local/bin/pwatch --check --json" "$@"
	since=$(date +%s.%N)
	inside systemctl start pwatch 2>"$work/err"
	journal
}

systemd()
{
	block "$document" ini '' >"$work/pwatch.service"
	boot || { cp "$work/boot" "$work/err"; fail "the container does not boot"; return; }
	inside sh -c 'cat >/etc/systemd/system/pwatch.service' <"$work/pwatch.service"
	line systemd || return
	since=$(date +%s.%N)
	inside sh -e <"$work/line" >"$work/out" 2>"$work/err" || fail "the service cannot be started"
	version=$(inside systemctl --version | sed -n '1s/ (.*//p')
	unit_server private 'unshare --net setpriv --reuid=nobody --clear-groups server'
	inside sed -i /User=/d /run/systemd/system/private.service
	unit_server rootless 'unshare --user --map-root-user --net server'
	unit_sees "$version, a service in a network namespace" private
	unit_sees "$version, a rootless one" rootless
	recipe 10 && inside sh -e <"$work/line" >"$work/out" 2>"$work/err"
	if reported open 8001; then
		pass "recipe 10 of README.md"
	else
		fail "recipe 10 of README.md"
	fi
	# Otherwise the filter would silently refuse a system call that is not on the list.
	drop_in SystemCallErrorNumber=kill
	inside systemctl restart pwatch
	unit_sees "$version, every system call is in SystemCallFilter=" private
	inside systemctl is-active --quiet pwatch || fail "the filter has killed pwatch"
	inside systemctl stop pwatch
	inside systemctl start private
	unit_checks "the setns reader, the diag table" 0 "$(by_reader setns diag)"
	unit_checks "the notifier" 0 '"topic":"notifier","name":"listen","value":"bpf"'
	unit_checks "ProtectProc=invisible hides nothing" 0 "$(by_reader setns diag)" \
		ProtectProc=invisible
	unit_checks "PrivateUsers=yes hides all" 1 '"topic":"result".*"value":"no"' PrivateUsers=yes
	unit_checks "without RestrictNamespaces=net user: read from outside" 0 \
		"$(by_reader procfs procfs)" RestrictNamespaces=yes
	service_advice "a user without any" User=nobody AmbientCapabilities=
	service_advice "without namespaces" RestrictNamespaces=yes
	service_advice "without the calls" SystemCallFilter= SystemCallFilter=~bpf SystemCallFilter=~setns
	service_advice "with few capabilities" AmbientCapabilities= CapabilityBoundingSet= \
		CapabilityBoundingSet=CAP_CHOWN User=root
	service_advice "with users of its own" PrivateUsers=yes
	service_advice "without namespaces, and without a filter of calls" RestrictNamespaces=yes \
		SystemCallFilter=
	inside systemctl poweroff
	wait $container
}

# --- docker

# engine_server ENGINE OPTION...: starts a container; sets $container and $server.
engine_server()
{
	engine=$1
	shift
	# A removed container may keep its name for a while, so each container gets a new name.
	containers=$((containers + 1))
	container=server$containers
	$as "$engine" run --detach --rm --name=$container "$@" localhost/pwatch:test server >/dev/null &&
		server=$($as "$engine" inspect --format '{{.State.Pid}}' $container)
}

# engine_sees ENGINE COMMENT: expects that the command line with this comment reports a container's
# ports.
engine_sees()
{
	engine_server "$1" || { fail "cannot run a container"; return 1; }
	line "$2" CONTAINER=$container IMAGE=localhost/pwatch:test PID="$server" && sees "$2" "$server"
	until_true gone "$1"
}

# advised NAME: prints the grants that --check recommends, from $work/out.
advised()
{
	sed -n "s/^{\"topic\":\"grant\",\"name\":\"$1\",\"value\":\"\([^\"]*\)\".*/\1/p" "$work/out"
}

# lacks_nothing WHAT: expects that --check reports nothing missing.
lacks_nothing()
{
	if grep -q '"topic":"result".*"value":"yes"' "$work/out" &&
		! grep -q '"topic":"\(missing\|grant\)"' "$work/out"; then
		pass "$1"
	else
		fail "$1"
	fi
}

# engine_check ENGINE OPTION...: runs --check in a container.
engine_check()
{
	engine=$1
	shift
	# shellcheck disable=SC2086
	timeout 60 $as "$engine" run --rm "$@" localhost/pwatch:test pwatch --check --json \
		>"$work/out" 2>"$work/err"
}

# engine_advice ENGINE OPTION...: expects that the grants which --check recommends to a container with
# these options are enough.
engine_advice()
{
	engine_check "$@"
	advice=$(advised "$1")
	[ -n "$advice" ] || { fail "no advice with: $*"; return; }
	# shellcheck disable=SC2086
	engine_check "$@" $advice
	lacks_nothing "with ${2:-no options} it is $advice"
}

write_profile()
{
	cat >"$work/profile.json" <<'END'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
 {"names": ["setns", "bpf", "perf_event_open"], "action": "SCMP_ACT_ERRNO"}]}
END
}

all_capabilities="--cap-add=SYS_ADMIN --cap-add=SYS_PTRACE --cap-add=DAC_READ_SEARCH"

# shellcheck disable=SC2086
engine_advices()
{
	write_profile
	engine_advice "$1"
	engine_advice "$1" --user=1000
	engine_advice "$1" --cap-drop=ALL
	engine_advice "$1" "--security-opt=seccomp=$work/profile.json" $all_capabilities
}

# Tests a user other than root. To such a user docker gives added capabilities only as file capabilities
# can give them.
# shellcheck disable=SC2086
file_advice()
{
	engine_server docker --user=1000 $all_capabilities || { fail "cannot run a container"; return; }
	docker exec $container pwatch --check --json >"$work/out" 2>"$work/err"
	advice=$(advised permanently)
	docker exec --user=0 $container sh -c "$advice" 2>"$work/err" || fail "the command fails: $advice"
	docker exec $container pwatch --check --json >"$work/out" 2>"$work/err"
	lacks_nothing "with --user=1000 and the capabilities it is setcap"
	kill -TERM "$server"
	until_true gone docker
}

gone()
{
	! $as "$1" inspect "$container"
}

# engine_checks ENGINE COMMENT PATTERN WHAT
engine_checks()
{
	engine_server "$1" || return 1
	line "$2" CONTAINER=$container IMAGE=localhost/pwatch:test PID="$server" &&
		checked "$2: $4" "$3"
	kill -TERM "$server"
	until_true gone "$1"
}

docker()
{
	/usr/bin/docker "$@"
}

in_docker()
{
	make_archive
	mkdir "$work/docker"
	if ! docker_daemon || ! docker load --quiet --input "$work/image.tar" >/dev/null; then
		cp "$work/docker.log" "$work/err"
		fail "dockerd does not start"
		return
	fi
	engine_sees docker docker
	engine_checks docker docker "$(by_reader setns diag)" "the setns reader"
	engine_checks docker docker '"topic":"notifier","name":"listen","value":"bpf"' "the notifier"
	engine_sees docker "docker, next to another container"
	engine_sees docker "docker, in the container itself"
	engine_sees docker "docker, from the host"
	engine_server docker && recipe 6 && sed -i "s/\bCONTAINER\b/$container/" "$work/line" &&
		sees "recipe 6 of README.md" "$server"
	until_true gone docker
	engine_advices docker
	file_advice
}

# --- podman

# Changes podman's files for machines where limits are lower than podman's own, and both versions of
# cgroups are in use.
podman_files()
{
	mkdir -p "$1"
	cat >"$1/containers.conf" <<END
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "none"
${2-}
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
END
	cat >"$1/storage.conf" <<END
[storage]
driver = "vfs"
graphroot = "$1/storage"
runroot = "$1/run"
END
	export CONTAINERS_CONF="$1/containers.conf" CONTAINERS_STORAGE_CONF="$1/storage.conf"
}

podman_ready()
{
	make_archive
	podman_files "$work/podman" "${1-}"
	podman image exists localhost/pwatch:test || podman load --quiet --input "$work/image.tar" >/dev/null
}

in_podman()
{
	podman_ready || { fail "podman cannot load the image"; return; }
	engine_sees podman podman
	engine_checks podman podman "$(by_reader setns diag)" "the setns reader"
	engine_checks podman podman '"topic":"notifier","name":"listen","value":"bpf"' "the notifier"
	engine_sees podman "podman, next to another container"
	engine_sees podman "podman, from the host"
	engine_advices podman
}

# Runs the pod of the manifest without a cluster. Podman 4.3 ignores hostPID, so the pod gets the PID
# namespace in another way.
in_kubernetes()
{
	podman_ready 'pidns = "host"' || { fail "podman cannot load the image"; return; }
	engine_server podman || { fail "cannot run a container"; return; }
	podman tag localhost/pwatch:test "$(sed -n 's/^ *image: //p' "$document")"
	{
		printf 'apiVersion: v1\nkind: Pod\n'
		block "$document" yaml '' | sed -e '1,/^  template:/d' -e 's/^    //' -e 's/^metadata:/&\n  name: pwatch/' \
			-e "s/\"--json\", \"1\"/\"--json\", \"$server\"/"
	} >"$work/pod.yaml"
	echo "podman play kube '$work/pod.yaml' && podman logs --follow pwatch-pwatch;
		podman play kube --down '$work/pod.yaml'" >"$work/line"
	sees "the pod, by podman" "$server"
	until_true gone podman
}

# Makes the files of a user in a private /etc, which contains the user's subordinate IDs.
rootless_files()
{
	mkdir -p "$work/etc" "$work/home" "$work/runtime"
	for file in passwd group; do
		cp /etc/$file "$work/etc/$file"
	done
	echo "engines:x:$user:$user::$work/home:/bin/sh" >>"$work/etc/passwd"
	echo "engines:x:$user:" >>"$work/etc/group"
	for file in subuid subgid; do
		echo engines:300000:65536 >"$work/etc/$file"
		[ -e /etc/$file ] || touch /etc/$file
	done
	for file in passwd group subuid subgid; do
		mount --bind "$work/etc/$file" /etc/$file
	done
	podman_files "$work/home/podman"
	chown -R $user:$user "$work/home" "$work/runtime"
	chmod 700 "$work/runtime"
}

# rootless_advice NAME: prints the advice about a process of another user inside.
rootless_advice()
{
	engine_server podman --user=1000 || { fail "cannot run a container"; return; }
	$as pwatch --check --json "$server" >"$work/out" 2>"$work/err"
	echo "$(advised "$1") --json" >"$work/line"
	sees "another user inside: $(cut -d ' ' -f 1,2 "$work/line")" "$server"
	until_true gone podman
}

in_rootless_podman()
{
	make_archive
	rootless_files
	cd "$work/home" || return
	as="setpriv --reuid $user --regid $user --init-groups env -i PATH=$work/bin:$PATH HOME=$work/home
		XDG_RUNTIME_DIR=$work/runtime CONTAINERS_CONF=$CONTAINERS_CONF
		CONTAINERS_STORAGE_CONF=$CONTAINERS_STORAGE_CONF"
	$as podman load --quiet --input "$work/image.tar" >"$work/out" 2>"$work/err" ||
		{ fail "podman cannot load the image"; as=; return; }
	engine_sees podman "podman, from the host"
	engine_sees podman "podman, next to another container"
	engine_server podman --user=1000 &&
		line "rootless podman, another user inside" PID="$server" &&
		sees "another user inside, podman unshare" "$server"
	until_true gone podman
	rootless_advice "rootless podman"
	rootless_advice "rootless containers"
	# Ends the process that keeps podman's namespaces.
	$as podman system migrate
	as=
}

# --- containerd

containerd_daemon()
{
	mkdir "$work/containerd"
	cat >"$work/containerd/config.toml" <<END
version = 2
root = "$work/containerd/root"
state = "$work/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$work/containerd/socket"
END
	containerd --config "$work/containerd/config.toml" >"$work/containerd.log" 2>&1 &
	daemons="$daemons $!"
	export CONTAINERD_ADDRESS="$work/containerd/socket"
	until_true ctr version && ctr images import "$work/image.tar" >/dev/null
}

containerd_server()
{
	containers=$((containers + 1))
	container=server$containers
	ctr run --detach localhost/pwatch:test $container server &&
		server=$(ctr task list | awk -v name=$container '$1 == name { print $2 }')
}

containerd_sees()
{
	containerd_server || { fail "cannot run a container"; return; }
	line "$1" CONTAINER=$container IMAGE=localhost/pwatch:test PID="$server" && sees "$1" "$server"
	until_true ctr container delete $container
}

in_containerd()
{
	# The command line that joins PID 1's namespace needs a readable PID 1.
	if ! readlink /proc/1/ns/pid >/dev/null; then
		unshare --pid --fork --mount-proc --kill-child sh "$self" containerd >"$work/inside"
		sed '$d' "$work/inside"
		passed=$((passed + $(grep -c '^PASS: ' "$work/inside")))
		failed=$((failed + $(grep -c '^FAIL: ' "$work/inside")))
		return
	fi
	make_archive
	containerd_daemon || { cp "$work/containerd.log" "$work/err"; fail "containerd does not start"; return; }
	containerd_sees "containerd, from the host"
	containerd_sees containerd
}

# --- gVisor, whose kernel is not Linux

# The socket table of gVisor is not sorted by state: connections are among the listeners.
write_sandboxed()
{
	cat >"$work/connect" <<'END'
#!/usr/bin/perl
use IO::Socket::INET;
sub connected
{
	my $connection;
	select(undef, undef, undef, 0.1) until $connection = IO::Socket::INET->new("127.0.0.1:$ARGV[0]");
	return $connection;
}
my @connections = map { connected() } 1 .. 3;
print "connected\n";
close STDOUT;
sleep 60;
END
	cat >"$work/sandboxed" <<'END'
connections()
{
	connect "$1" >"/tmp/connected.$1" &
	until [ -s "/tmp/connected.$1" ]; do sleep 0.1; done
}
server &
server=$!
connections 8001
pwatch --check --json $server >&2
pwatch --json $server >/tmp/events &
pwatch=$!
until grep -q '"port":8001' /tmp/events; do sleep 0.1; done
kill -USR1 $server
connections 8002
until grep -q '"port":8002' /tmp/events; do sleep 0.1; done
# Gives pwatch time for a wrong report.
sleep 2
kill -TERM $server
wait $pwatch
cat /tmp/events
pwatch --json -- true
END
	chmod 755 "$work/connect"
}

gvisor()
{
	write_sandboxed
	# shellcheck disable=SC1010
	timeout 120 runsc --network=none --platform=ptrace --ignore-cgroups do --force-overlay=true \
		env PATH="$work:$work/bin:$image/usr/local/bin:$PATH" sh "$work/sandboxed" \
		>"$work/out" 2>"$work/err"
	if grep -q '"topic":"result".*"value":"yes","note":"open now: 1"' "$work/err"; then
		pass "$(runsc --version | head -n 1): --check counts the open ports"
	else
		fail "--check reports a wrong count"
	fi
	sed -n 's/.*"event":"\([a-z]*\)".*"port":\([0-9]*\).*/\1 \2/p' "$work/out" >"$work/events"
	printf '%s\n' 'open 8001' 'open 8002' 'close 8001' 'close 8002' | sort >"$work/expected"
	if sort "$work/events" | cmp -s - "$work/expected"; then
		pass "each port opens once and closes once"
	else
		fail "not each port opens once and closes once"
	fi
	if grep -q 'warning.*PR_SET_CHILD_SUBREAPER' "$work/err"; then
		pass "COMMAND runs without PR_SET_CHILD_SUBREAPER"
	else
		fail "COMMAND does not run, or pwatch prints no warning"
	fi
}

# --- which system calls pwatch makes

# In every mode, all system calls must be in the unit's SystemCallFilter=.
calls()
{
	capabilities=+sys_admin,+sys_ptrace,+dac_read_search
	: >"$work/calls"
	for who in 0 65432; do
		for options in "" --no-notify --table=procfs --scope=netns --reader=setns \
			"--reader=setns --table=procfs" --reader=procfs; do
			calls_of $who "$options"
		done
	done
	calls_of 0 --reader=nsenter
	sort "$work/calls" | uniq -c | sort -rn >"$work/out"
	sed 's/^/    /' "$work/out"
	allowed=" $(block "$document" ini '' | sed -n 's/^SystemCallFilter=//p' | tr '\n' ' ')"
	for group in @default $(echo "$allowed" | grep -o '@[a-z-]*'); do
		allowed="$allowed $(systemd-analyze syscall-filter "$group" | tr '\n' ' ') "
	done
	missing=
	# shellcheck disable=SC2013
	for call in $(sort -u "$work/calls"); do
		case $allowed in
			*" $call "*) ;;
			*) missing="$missing $call" ;;
		esac
	done
	if [ ! -s "$work/calls" ]; then
		fail "no calls were seen"
	elif [ -z "$missing" ]; then
		pass "all $(sort -u "$work/calls" | wc -l) are in SystemCallFilter="
	else
		fail "not in SystemCallFilter=:$missing"
	fi
}

# calls_of USER OPTIONS: prints the system calls of pwatch, from its first instruction to its end.
calls_of()
{
	host_server
	echo "strace -f -o '$work/trace' setpriv --reuid $1 --regid $1 --clear-groups \
		--inh-caps=$capabilities --ambient-caps=$capabilities '$PWATCH' --json $2 $server" >"$work/line"
	sees "user $1, ${2:-no options}" $server
	sed -e "1,\\|execve(\"$PWATCH\"|d" -e 's/^[0-9]* *//' -e 's/^<\.\.\. //' "$work/trace" |
		sed -n 's/^\([a-z0-9_]*\)[( ].*/\1/p' | grep -v '^resuming' >>"$work/calls"
}

# --- all -----------------------------------------------------------------------------------------

if [ "$(id -u)" -ne 0 ] || [ ! -e /etc/debian_version ]; then
	echo "SKIP: root on Debian is required"
	exit 77
fi
# In a mount namespace, so that no mount remains after this script.
if [ -z "${ENGINES_INSIDE-}" ]; then
	ENGINES_INSIDE=1 exec unshare --mount sh "$self" "$@"
fi
work=$(mktemp -d /var/tmp/engines.XXXXXX)
chmod 755 "$work"
daemons=
as=
part=install
trap clean_up_all EXIT
trap 'exit 1' INT TERM HUP
install_packages && make_image || exit 1
# Podman looks for build files in the current directory.
cd "$work" || exit 1
mkdir -p "$work/bin"
install -m 755 "$PWATCH" "$work/bin/pwatch"
PATH=$work/bin:$PATH
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $parts
for part; do
	case $part in
		once | systemd | nspawn | bubblewrap | gvisor | calls) $part ;;
		docker | podman | kubernetes | containerd) "in_$part" ;;
		rootless) in_rootless_podman ;;
		*) skip "no such part" ;;
	esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
