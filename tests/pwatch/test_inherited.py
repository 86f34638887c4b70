#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_inherited.py - pwatch with a hostile inherited environment

PORTWATCH_TEST_TREE: the number of processes in the tree that forks while pwatch reads it."""
import json
import os
import pty
import resource
import shlex
import signal
import subprocess
import sys

from support import (AWAIT_SIGNALS, BEFORE_SIGNALS, Case, DEADLINE, main, PWATCH, read_line,
                     read_lines, SERVER_COMMAND, TREE, unshare, unshare_net, wait_until, works)

TREE_SIZE = int(os.environ.get('PORTWATCH_TEST_TREE', '300'))
EVERY_SIGNAL = set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}


def block_all():
    signal.pthread_sigmask(signal.SIG_BLOCK, EVERY_SIGNAL)


def ignore_all():
    for number in EVERY_SIGNAL:
        signal.signal(number, signal.SIG_IGN)


class Signals(Case):
    def test_all_blocked(self):
        server, ports = self.serve('127.0.0.1')
        options = {'preexec_fn': block_all, 'restore_signals': False}
        pwatch = self.watch('-j', server.pid, **options)
        self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], ports[0])
        pwatch.terminate()
        self.assertEqual(pwatch.wait(DEADLINE), 0)
        self.assertEqual(self.run_pwatch('--', 'sh', '-c', 'exit 7', **options).returncode, 7)

    def test_all_ignored(self):
        server, ports = self.serve('127.0.0.1')
        options = {'preexec_fn': ignore_all, 'restore_signals': False}
        pwatch = self.watch('-j', server.pid, **options)
        self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], ports[0])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            pwatch.send_signal(number)
        port = int(self.command(server, 'open 127.0.0.1'))
        self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], port)
        server.stdin.close()
        self.assertEqual(pwatch.wait(DEADLINE), 0)
        self.assertEqual(self.run_pwatch('--', 'sh', '-c', 'exit 7', **options).returncode, 7)


class Capabilities(Case):
    """The kernel compares the permitted capabilities when pwatch reads a process, so pwatch must keep them."""
    DOCKER = ['chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap',
              'net_bind_service', 'net_raw', 'sys_chroot', 'mknod', 'audit_write', 'setfcap']

    def test_the_same_capabilities_as_the_process(self):
        for names in ['chown'], self.DOCKER:
            prefix = self.with_capabilities(*names)
            server, ports = self.serve('127.0.0.1', prefix=prefix)
            self.assertEqual([event['port'] for event in self.once(server.pid, prefix=prefix)], ports)
            pwatch = self.start([*prefix, PWATCH, '-j', str(server.pid)])
            self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], ports[0])
            port = int(self.command(server, 'open 127.0.0.1'))
            event = json.loads(read_line(pwatch.stdout))
            self.assertEqual((event['port'], event['pid']), (port, server.pid))
            # While pwatch waits, its capabilities are permitted and not in effect.
            with open(f'/proc/{pwatch.pid}/status') as status:
                sets = dict(line.split() for line in status if line.startswith('Cap'))
            self.assertEqual(sets['CapPrm:'], sets['CapBnd:'])
            self.assertEqual(int(sets['CapEff:'], 16), 0)

    def test_fewer_capabilities_than_the_process(self):
        server, _ = self.serve('127.0.0.1', prefix=self.with_capabilities('chown', 'kill'))
        result = self.run_pwatch('--once', server.pid, prefix=self.with_capabilities('chown'))
        self.assert_refused(result, 1, b'it has capabilities that pwatch lacks', b'cap_sys_ptrace')


class Files(Case):
    def with_mounts(self, script, *arguments):
        """Returns a command that runs a shell script in a mount namespace of its own, and an empty directory,
        $disk in the script."""
        disk = self.directory()
        prefix = unshare('--mount')
        if not prefix or not works(*prefix, 'mount', '-t', 'tmpfs', 'none', disk):
            self.skipTest('no file system can be mounted')
        script = f'disk={shlex.quote(disk)}\n{script}'
        return disk, [*prefix, 'sh', '-c', script, 'sh', PWATCH, *map(str, arguments)]

    def run_with_mounts(self, *arguments):
        disk, command = self.with_mounts(*arguments)
        return disk, subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL,
                                    timeout=DEADLINE)

    def test_no_proc(self):
        hide = 'mount -t tmpfs none /proc && exec "$@"'
        for arguments, status in (([os.getpid()], 1), (['--', 'true'], 125), (['--check'], 1)):
            _, result = self.run_with_mounts(hide, *arguments)
            # A leak checker, if built in, fails without /proc and ends pwatch too.
            if b'LeakSanitizer' not in result.stderr:
                self.assertEqual(result.returncode, status, result)
            self.assertEqual(result.stdout, b'')
            self.assertRegex(result.stderr, b'(?m)^pwatch: .*/proc is not mounted')

    def test_a_full_disk(self):
        """The disk has room for about 20 lines."""
        serve = 'import signal, socket\n' \
                'listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(60)]\n' \
                'print("up", flush=True)\n' \
                'signal.pause()'
        fill = 'mount -t tmpfs -o size=4k none "$disk" && mkfifo "$disk/up" || exit 99\n' \
               f"{sys.executable} -c '{serve}' >\"$disk/up\" &\n" \
               'read up <"$disk/up"; "$@" -o "$disk/out" $!\n' \
               'status=$?; kill $!; cat "$disk/out"; exit $status'
        for once in ['-1'], []:
            disk, result = self.run_with_mounts(fill, '-j', *once)
            self.assertEqual(result.stderr.decode(),
                             f'pwatch: {disk}/out: No space left on device\n')
            self.assertEqual(result.returncode, 1)
            lines = result.stdout.splitlines()
            self.assertGreater(len(lines), 10)
            written = [json.loads(line)['port'] for line in lines[:-1]]
            self.assertEqual(len(set(written)), len(lines) - 1)

    def test_a_full_disk_does_not_affect_command(self):
        fill = 'mount -t tmpfs -o size=4k none "$disk" && pwatch=$1 && shift && ' \
               'exec "$pwatch" -o "$disk/out" -j -- "$@"'
        disk, command = self.with_mounts(fill, *SERVER_COMMAND)
        pwatch = self.start(command)
        for _ in range(60):
            self.command(pwatch, 'open 127.0.0.1')
        self.assertEqual(read_line(pwatch.stderr),
                         f'pwatch: {disk}/out: No space left on device\n')
        pwatch.stdin.write(b'exit 9\n')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (9, b''))


class Terminals(Case):
    @staticmethod
    def start_on_terminal(*arguments, ignore=False):
        pid, terminal = pty.fork()
        if pid == 0:
            if ignore:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.execv(PWATCH, [PWATCH, *map(str, arguments)])
        return pid, open(terminal, 'rb', buffering=0)

    @staticmethod
    def status_of(pid):
        def has_exited():
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        try:
            wait_until(has_exited)
        finally:
            if not has_exited():
                os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
        return os.waitstatus_to_exitcode(status)

    def test_a_hangup_ends_pwatch(self):
        server, _ = self.serve('127.0.0.1')
        for ignore in (False, True):
            pid, terminal = self.start_on_terminal(server.pid, ignore=ignore)
            with terminal:
                read_line(terminal)
            self.assertEqual(self.status_of(pid), 0, f'SIGHUP ignored: {ignore}')

    def test_a_hangup_is_passed_on_to_command(self):
        script = BEFORE_SIGNALS + \
                 'signal.signal(signal.SIGHUP, lambda number, frame: sys.exit(6))\n' \
                 'os.write(1, b"up\\n")\n' + AWAIT_SIGNALS
        pid, terminal = self.start_on_terminal('--', sys.executable, '-c', script)
        with terminal:
            while 'up' not in read_line(terminal):
                pass
        self.assertEqual(self.status_of(pid), 6)


class Sizes(Case):
    def test_ten_thousand_descriptors(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        count = 10000 if most == resource.RLIM_INFINITY else min(10000, most - 100)
        server, _ = self.serve()
        self.command(server, f'descriptors {count // 2}')
        port = int(self.command(server, 'open 127.0.0.1'))
        self.command(server, f'descriptors {count - count // 2}')
        self.assertEqual([(event['port'], event['pid']) for event in self.once(server.pid)],
                         [(port, server.pid)])

    def watch_a_tree_grow(self, *options):
        tree = self.start([TREE, str(TREE_SIZE)])
        pwatch = self.watch('-jv', *options, tree.pid)
        while 'read by' not in read_line(pwatch.stderr):
            pass
        # From here on the test does not read standard error. pwatch does not wait for a reader.
        tree.stdin.write(b'x')
        members = dict(map(int, reversed(line.split())) for line in read_lines(tree.stdout,
                                                                               TREE_SIZE))
        self.assertEqual(len(members), TREE_SIZE)
        events = [json.loads(line) for line in read_lines(pwatch.stdout, TREE_SIZE)]
        pwatch.terminate()
        events += map(json.loads, pwatch.stdout.read().splitlines())
        self.assertEqual([event for event in events if event['event'] != 'open'], [])
        self.assertEqual(len(events), TREE_SIZE)
        self.assertEqual({event['port']: event['pid'] for event in events}, members)
        tree.kill()

    def test_a_tree_that_forks_while_it_is_read(self):
        for options in [], ['--no-notify']:
            with self.subTest(options=options):
                self.watch_a_tree_grow(*options)


class Helpers(Case):
    def assert_ends_with_pwatch(self, server, reader):
        pwatch = self.watch('-j', f'--reader={reader}', server.pid)
        read_line(pwatch.stdout)
        helper = self.helpers(pwatch)[0]
        state = f'/proc/{helper}/stat'
        os.kill(helper, signal.SIGSTOP)
        pwatch.kill()
        pwatch.wait(DEADLINE)

        def is_gone():
            try:
                with open(state) as file:
                    return file.read().rpartition(')')[2].split()[0] == 'Z'
            except (FileNotFoundError, ProcessLookupError):
                return True
        wait_until(is_gone)

    def test_a_stopped_helper_ends_with_pwatch(self):
        prefix = unshare_net()
        if not prefix:
            self.skipTest('no network namespace can be created')
        server, _ = self.serve('0.0.0.0', prefix=prefix)
        self.assert_ends_with_pwatch(server, 'setns')
        # Without privilege, nsenter cannot enter the namespace.
        if '--user' not in prefix:
            self.assert_ends_with_pwatch(server, 'nsenter')

    def test_a_helper_in_another_user_namespace(self):
        prefix = ['unshare', '--user', '--map-root-user', '--net']
        if not works(*prefix, 'true'):
            self.skipTest('no user namespace can be created')
        server, _ = self.serve('0.0.0.0', prefix=prefix)
        self.assert_ends_with_pwatch(server, 'setns')


if __name__ == '__main__':
    main()
