#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_pwatch.py - pwatch as it is used: from the command line to the exit status"""
import fcntl
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import unittest

PWATCH = os.path.abspath(os.environ.get('PWATCH', './pwatch'))
DEADLINE = 120  # seconds for what takes milliseconds, on a machine that does much else
NO_SUCH_PID = str(2**31 - 1)
NOBODY = 65534
F_SETPIPE_SZ = 1031  # Python has had it since 3.10 only
INITIAL_USER_NAMESPACE = 0xEFFFFFFD
KEYS = ['time', 'event', 'address', 'port', 'family', 'pid', 'process', 'owners', 'netns', 'inode',
        'initial']
# That nobody else reads: no leak checker can look into a process with file capabilities.
NO_LEAK_CHECK = dict(os.environ, ASAN_OPTIONS='detect_leaks=0')

# Does what it is told on standard input, and ends with it.
SERVER = '''
import ctypes, os, socket, sys
listeners = {}
for line in sys.stdin:
    verb, _, rest = line.strip().partition(" ")
    answer = "done"
    if verb == "open":
        family = socket.AF_INET6 if ":" in rest else socket.AF_INET
        listener = socket.socket(family)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((rest, 0))
        listener.listen()
        answer = listener.getsockname()[1]
        listeners[answer] = listener
    elif verb == "close":
        listeners.pop(int(rest)).close()
    elif verb == "name":
        ctypes.CDLL(None).prctl(15, bytes.fromhex(rest), 0, 0, 0)
    elif verb == "netns":
        answer = os.stat("/proc/self/ns/net").st_ino
    elif verb == "exit":
        sys.exit(int(rest))
    print(answer, flush=True)
'''
SERVER_COMMAND = [sys.executable, '-c', SERVER]


def without_internal_signals(text):
    """Without the two signals that libc keeps to itself, which sanitizers treat as they like."""
    return re.sub(rb'(Sig\w+:\t)([0-9a-f]+)',
                  lambda found: found[1] + b'%x' % (int(found[2], 16) & ~0x180000000), text)


def read_line(stream):
    """The next line of an unbuffered stream, '' at its end; fails when none comes."""
    line = b''
    deadline = time.monotonic() + DEADLINE
    while not line.endswith(b'\n'):
        if not select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f'no complete line within {DEADLINE} s: {line!r}')
        byte = os.read(stream.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode()


def wait_until(condition):
    """For what nothing tells of."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f'did not happen within {DEADLINE} s')
        select.select([], [], [], 0.005)


def in_initial_user_namespace():
    return os.stat('/proc/self/ns/user').st_ino == INITIAL_USER_NAMESPACE


def works(*command):
    return shutil.which(command[0]) and subprocess.run(command, capture_output=True).returncode == 0


def unshare_net():
    """A command that runs another one in a network namespace of its own, or None."""
    for command in (['unshare', '--net'], ['unshare', '--user', '--map-root-user', '--net']):
        if works(*command, 'true'):
            return command
    return None


class Case(unittest.TestCase):
    def start(self, command, **options):
        """Starts a process that doesn't outlive the test case."""
        for name in ('stdin', 'stdout', 'stderr'):
            options.setdefault(name, subprocess.PIPE)
        process = subprocess.Popen(command, bufsize=0, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def watch(self, *arguments, **options):
        return self.start([PWATCH, *map(str, arguments)], **options)

    @staticmethod
    def run_pwatch(*arguments, **options):
        """Runs it to its end, with all that it prints."""
        options = {'stdin': subprocess.DEVNULL, 'capture_output': True, 'timeout': DEADLINE,
                   **options}
        return subprocess.run([PWATCH, *map(str, arguments)], **options)

    def serve(self, *addresses, prefix=()):
        server = self.start([*prefix, *SERVER_COMMAND], stderr=None)
        return server, [int(self.tell(server, f'open {address}')) for address in addresses]

    @staticmethod
    def tell(server, words):
        server.stdin.write(words.encode() + b'\n')
        return read_line(server.stdout).strip()

    def once(self, *arguments):
        """The objects that --once --json prints."""
        result = self.run_pwatch('--once', '--json', *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, b''))
        return [json.loads(line) for line in result.stdout.splitlines()]

    def assert_refused(self, result, status, *words):
        """One line says what is wrong, and nothing else is printed."""
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout, b'')
        self.assertTrue(result.stderr.startswith(b'pwatch: '), result)
        self.assertEqual(result.stderr.count(b'\n'), 1, result)
        for word in words:
            self.assertIn(word, result.stderr)

    def directory(self):
        directory = tempfile.TemporaryDirectory(dir=os.environ.get('TMPDIR', '.'),
                                                prefix='test_pwatch.')
        self.addCleanup(directory.cleanup)
        return os.path.abspath(directory.name)

    def as_nobody(self, executable):
        """Options that run it as a user who need not be able to reach it."""
        if os.geteuid() != 0 or not in_initial_user_namespace():
            self.skipTest('only root can become another user')
        fd = os.open(executable, os.O_PATH)
        self.addCleanup(os.close, fd)
        return {'executable': f'/proc/self/fd/{fd}', 'pass_fds': (fd,), 'user': NOBODY,
                'group': NOBODY, 'extra_groups': [], 'cwd': '/', 'env': NO_LEAK_CHECK}


class Refusals(Case):
    def test_wrong_usage(self):
        for arguments in ([], ['--frobnicate'], ['word'], ['-1', '0'], ['-5x'], ['--', ],
                          ['1', '--', 'true'], ['-i', '0', '1'], ['--check', '1', '2']):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_pwatch(*arguments), 2)

    def test_no_such_process(self):
        self.assert_refused(self.run_pwatch(NO_SUCH_PID), 1, b'no such process')

    def test_a_strangers_process(self):
        if os.geteuid() == 0 and in_initial_user_namespace():
            pid, options = os.getpid(), self.as_nobody(PWATCH)
        elif os.stat('/proc/1').st_uid != os.geteuid():
            pid, options = 1, {}
        else:
            self.skipTest('process 1 is our own')
        self.assert_refused(self.run_pwatch(pid, **options), 1, str(pid).encode())

    def test_a_wrong_pid_is_told_before_any_event(self):
        server, _ = self.serve('127.0.0.1')
        self.assert_refused(self.run_pwatch(server.pid, NO_SUCH_PID), 1, b'no such process')

    def test_output_that_cannot_be_opened(self):
        self.assert_refused(self.run_pwatch('-o', '/nonexistent/file', os.getpid()), 1,
                            b'/nonexistent/file')
        self.assert_refused(self.run_pwatch('-o', '/nonexistent/file', '--', 'true'), 125)


class Events(Case):
    def test_open_and_close_as_they_happen(self):
        server, _ = self.serve()
        pwatch = self.watch('--json', '--events=open,close,end', server.pid)
        port = int(self.tell(server, 'open 127.0.0.1'))
        event = json.loads(read_line(pwatch.stdout))
        self.assertEqual(list(event), KEYS)
        self.assertRegex(event.pop('time'), r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$')
        self.assertGreater(event.pop('inode'), 0)
        self.assertTrue(event.pop('process'))
        # A quick one may have been there when the watching began.
        self.assertIn(event.pop('initial'), (True, False))
        self.assertEqual(event, {'event': 'open', 'address': '127.0.0.1', 'port': port,
                                 'family': 'inet', 'pid': server.pid, 'owners': 1,
                                 'netns': os.stat('/proc/self/ns/net').st_ino})
        self.tell(server, f'close {port}')
        event = json.loads(read_line(pwatch.stdout))
        self.assertEqual((event['event'], event['port']), ('close', port))
        server.stdin.close()
        event = json.loads(read_line(pwatch.stdout))
        self.assertEqual(list(event), KEYS)
        self.assertEqual((event['event'], event['pid'], event['port']), ('end', server.pid, None))
        self.assertEqual(read_line(pwatch.stdout), '')
        self.assertEqual(pwatch.wait(DEADLINE), 0)

    def test_selected_events_and_interval(self):
        server, ports = self.serve('127.0.0.1')
        pwatch = self.watch('-jv', '-e', 'close', '-i', '0.01', '--no-doorbell', server.pid)
        while str(ports[0]) not in read_line(pwatch.stderr):
            pass
        self.tell(server, f'close {ports[0]}')
        server.stdin.close()
        lines = [json.loads(line) for line in pwatch.communicate(timeout=DEADLINE)[0].splitlines()]
        self.assertEqual([(line['event'], line['port']) for line in lines],
                         [('close', ports[0])])
        self.assertEqual(pwatch.returncode, 0)

    def test_addresses(self):
        server, ports = self.serve('127.0.0.1', '0.0.0.0', '127.0.0.2')
        for addresses, count in (('default', 2), ('loopback', 3), ('all', 3)):
            found = self.once(f'--addresses={addresses}', server.pid)
            self.assertEqual({event['port'] for event in found}, set(ports[:count]))
            self.assertTrue(all(event['initial'] for event in found))

    def test_scope(self):
        mine, my_ports = self.serve('127.0.0.1')
        _, other_ports = self.serve('127.0.0.1')
        self.assertEqual([event['port'] for event in self.once(mine.pid)], my_ports)
        owners = {event['port']: event['pid'] for event in self.once('--scope=netns', mine.pid)}
        self.assertEqual(owners[my_ports[0]], mine.pid)
        self.assertIsNone(owners[other_ports[0]])

    def test_overlapping_trees_report_once(self):
        server, ports = self.serve('127.0.0.1')
        found = [event['port'] for event in self.once(os.getpid(), server.pid)]
        self.assertEqual(found.count(ports[0]), 1)

    def test_every_way_of_reading_finds_the_same(self):
        server, _ = self.serve('127.0.0.1', '0.0.0.0', *['::1'] * socket.has_ipv6)
        expected = [dict(event, time=None) for event in self.once(server.pid)]
        self.assertGreaterEqual(len(expected), 2)
        worked = set()
        for reader in ('auto', 'local', 'setns', 'nsenter', 'procfs'):
            for table in ('auto', 'diag', 'procfs'):
                result = self.run_pwatch('-1jq', f'--reader={reader}', f'--table={table}',
                                         server.pid)
                if result.returncode != 0:
                    self.assert_refused(result, 1)
                    continue
                found = [dict(json.loads(line), time=None) for line in result.stdout.splitlines()]
                self.assertEqual(found, expected, (reader, table))
                worked.add((reader, table))
        self.assertLessEqual({('auto', 'auto'), ('local', 'diag'), ('local', 'procfs'),
                              ('procfs', 'procfs')}, worked)

    def test_hostile_names(self):
        server, _ = self.serve('127.0.0.1')
        name = b'\x1b[2J\n"\xff\\x'
        self.tell(server, f'name {name.hex()}')
        self.assertEqual(self.once(server.pid)[0]['process'], '\x1b[2J\n"\ufffd\\x')
        result = self.run_pwatch('--once', server.pid)
        self.assertIn(rb'\x1b[2J\x0a"\xff\x5cx[', result.stdout)
        self.assertNotIn(b'\x1b', result.stdout)
        self.assertEqual(result.stdout.count(b'\n'), 1)

    def test_another_network_namespace(self):
        prefix = unshare_net()
        if not prefix:
            self.skipTest('no network namespace can be made')
        pwatch = self.watch('-j', '-o', '/dev/stderr', '--', *prefix, *SERVER_COMMAND)
        port = int(self.tell(pwatch, 'open 0.0.0.0'))
        event = json.loads(read_line(pwatch.stderr))
        self.assertEqual((event['port'], event['netns']), (port, int(self.tell(pwatch, 'netns'))))
        self.assertNotEqual(event['netns'], os.stat('/proc/self/ns/net').st_ino)
        pwatch.stdin.write(b'exit 7\n')
        self.assertEqual(pwatch.wait(DEADLINE), 7)

    def test_a_helper_that_is_killed_comes_back(self):
        if not works('unshare', '--net', 'true'):
            self.skipTest('no network namespace can be entered')
        server, _ = self.serve('0.0.0.0', prefix=['unshare', '--net'])
        pwatch = self.watch('-jq', '-i', '0.01', '--reader=setns', server.pid)
        read_line(pwatch.stdout)
        helpers = []
        for task in os.listdir(f'/proc/{pwatch.pid}/task'):
            with open(f'/proc/{pwatch.pid}/task/{task}/children') as children:
                helpers += map(int, children.read().split())
        self.assertEqual(len(helpers), 1)
        os.kill(helpers[0], signal.SIGKILL)
        port = int(self.tell(server, 'open 0.0.0.0'))
        event = json.loads(read_line(pwatch.stdout))
        self.assertEqual((event['event'], event['port']), ('open', port))


class Output(Case):
    def test_file(self):
        server, ports = self.serve('127.0.0.1')
        path = os.path.join(self.directory(), 'events')
        with open(path, 'w') as file:
            file.write('what was there before')
        result = self.run_pwatch('-1j', '-o', path, server.pid)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b'', b''))
        with open(path) as file:
            self.assertEqual([json.loads(line)['port'] for line in file], ports)

    def test_a_reader_that_goes_ends_it_without_a_word(self):
        server, _ = self.serve('127.0.0.1')
        pwatch = self.watch(server.pid)
        read_line(pwatch.stdout)
        pwatch.stdout.close()
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (0, b''))

    def test_a_full_disk(self):
        server, _ = self.serve('127.0.0.1')
        result = self.run_pwatch('-1', '-o', '/dev/full', server.pid)
        self.assert_refused(result, 1, b'/dev/full')

    def test_a_full_pipe_delays_lines_and_nothing_else(self):
        server, ports = self.serve(*['127.0.0.1'] * 60)
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, F_SETPIPE_SZ, 4096)
        with open(read_end, 'rb', buffering=0) as stream:
            pwatch = self.watch('-j', server.pid, stdout=write_end)
            os.close(write_end)
            lines = [json.loads(read_line(stream))['port'] for _ in ports]
            self.assertEqual(sorted(lines), sorted(ports))
            pwatch.terminate()
            self.assertEqual(pwatch.wait(DEADLINE), 0)

    def test_a_full_pipe_does_not_keep_it_from_ending(self):
        server, _ = self.serve(*['127.0.0.1'] * 60)
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        self.addCleanup(os.close, write_end)
        fcntl.fcntl(write_end, F_SETPIPE_SZ, 4096)
        pwatch = self.watch('-j', server.pid, stdout=write_end)
        wait_until(lambda: not select.select([], [write_end], [], 0)[1])
        pwatch.terminate()
        self.assertEqual(pwatch.wait(DEADLINE), 0)

    def test_colour_on_a_terminal_only(self):
        server, _ = self.serve('127.0.0.1')
        for variables, coloured in (({}, True), ({'NO_COLOR': '1'}, False),
                                    ({'TERM': 'dumb'}, False)):
            environment = dict(os.environ, **{'TERM': 'xterm', 'NO_COLOR': '', **variables})
            main, terminal = pty.openpty()
            self.watch('-1', server.pid, stdout=terminal, env=environment).wait(DEADLINE)
            with open(main, 'rb', buffering=0) as stream:
                self.assertEqual('\x1b[32mopen' in read_line(stream), coloured, variables)
            os.close(terminal)
        self.assertNotIn(b'\x1b', self.run_pwatch('-1', server.pid).stdout)

    def test_closed_standard_descriptors(self):
        server, ports = self.serve('127.0.0.1')
        path = os.path.join(self.directory(), 'events')
        closed = 'exec "$@" 0<&- 1>&- 2>&-'

        def run(*arguments):
            return subprocess.run(['sh', '-c', closed, 'sh', PWATCH, *arguments],
                                  timeout=DEADLINE).returncode
        self.assertEqual(run('-1j', '-o', path, str(server.pid)), 0)
        with open(path) as file:
            self.assertEqual([json.loads(line)['port'] for line in file], ports)
        self.assertEqual(run('-1j', str(server.pid)), 1)
        open_fds = 'import os, sys; sys.exit(sum(os.path.exists(f"/proc/self/fd/{n}") << n ' \
                   'for n in range(3)))'
        # Python opens none of them by itself.
        self.assertEqual(run('--', sys.executable, '-c', open_fds), 0)

    def test_stats(self):
        server, _ = self.serve('127.0.0.1', '0.0.0.0')
        result = self.run_pwatch('-1', '--stats', '--no-doorbell', server.pid)
        rows = [line.rsplit(None, 1) for line in result.stderr.decode().splitlines()]
        figures = dict(rows)
        self.assertEqual(len(figures), len(rows))
        self.assertEqual(len({len(line) for line in result.stderr.splitlines()}), 1)
        self.assertGreaterEqual(int(figures['reads']), 1)
        self.assertEqual(figures['events'], '2')
        self.assertEqual(figures['doorbell records'], '0')
        self.assertGreater(float(figures['CPU time (ms)']), 0)


class Command(Case):
    def test_its_status_is_pwatchs(self):
        self.assertEqual(self.run_pwatch('--', 'true').returncode, 0)
        self.assertEqual(self.run_pwatch('--', 'sh', '-c', 'exit 42').returncode, 42)
        self.assertEqual(self.run_pwatch('--', 'sh', '-c', 'kill -9 $$').returncode, 128 + 9)

    def test_one_that_cannot_be_run(self):
        self.assert_refused(self.run_pwatch('-e', 'open,close,end', '--', '/nonexistent'), 127,
                            b'/nonexistent')
        self.assert_refused(self.run_pwatch('-e', 'open,close,end', '--', '/'), 126)

    def test_events_go_to_standard_error(self):
        pwatch = self.watch('-j', '--', *SERVER_COMMAND)
        port = int(self.tell(pwatch, 'open 127.0.0.1'))
        self.assertEqual(json.loads(read_line(pwatch.stderr))['port'], port)
        pwatch.stdin.write(b'exit 3\n')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stdout.read()), (3, b''))

    def test_signals_are_passed_on(self):
        script = 'import signal, sys\n' \
                 'for number in map(int, sys.argv[1:]):\n' \
                 '    signal.signal(number, lambda number, frame: sys.exit(number))\n' \
                 'print("up", flush=True)\n' \
                 'while True: signal.pause()'
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                       signal.SIGUSR1, signal.SIGUSR2):
            pwatch = self.watch('--', sys.executable, '-c', script, int(number))
            read_line(pwatch.stdout)
            pwatch.send_signal(number)
            self.assertEqual(pwatch.wait(DEADLINE), number)

    def test_signals_end_it_where_there_is_no_command(self):
        server, _ = self.serve('127.0.0.1')
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            pwatch = self.watch(server.pid)
            read_line(pwatch.stdout)
            pwatch.send_signal(number)
            self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (0, b''))

    def test_a_terminals_signal_comes_once(self):
        # The second signal comes by way of pwatch, after whatever came of the first. A handler may
        # come in the middle of print(), so it writes by itself.
        script = 'import os, signal, sys\n' \
                 'count = 0\n' \
                 'def interrupt(number, frame):\n' \
                 '    global count\n' \
                 '    count += 1\n' \
                 '    os.write(1, b"interrupted\\n")\n' \
                 'signal.signal(signal.SIGINT, interrupt)\n' \
                 'signal.signal(signal.SIGUSR1, lambda number, frame: sys.exit(count))\n' \
                 'os.write(1, b"up\\n")\n' \
                 'while True: signal.pause()'
        pid, terminal = pty.fork()
        if pid == 0:
            # Or else the terminal may throw away what is written right after the signal.
            attributes = termios.tcgetattr(0)
            attributes[3] |= termios.NOFLSH
            termios.tcsetattr(0, termios.TCSANOW, attributes)
            os.execv(PWATCH, [PWATCH, '--', sys.executable, '-c', script])
        with open(terminal, 'r+b', buffering=0) as stream:
            while 'up' not in read_line(stream):
                pass
            stream.write(b'\x03')
            while 'interrupted' not in read_line(stream):
                pass
            os.kill(pid, signal.SIGUSR1)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 1)

    def test_surroundings_are_the_callers(self):
        def prepare():
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
        command = ['sh', '-c', 'grep -E "Sig(Blk|Ign|Cgt)|Cap|NoNew" /proc/self/status; ulimit -Sn;'
                   ' ulimit -Hn; ls -l /proc/self/fd | wc -l; exit 5']
        options = {'preexec_fn': prepare, 'capture_output': True, 'restore_signals': False,
                   'stdin': subprocess.DEVNULL, 'timeout': DEADLINE}
        plain = subprocess.run(command, **options)
        watched = subprocess.run([PWATCH, '--', *command], **options)
        self.assertEqual((without_internal_signals(watched.stdout), watched.returncode),
                         (without_internal_signals(plain.stdout), 5))

    def test_a_daemon_is_followed(self):
        script = 'import os, sys\n' \
                 'if os.fork(): os._exit(4)\n' \
                 'os.setsid()\n' \
                 'if os.fork(): os._exit(0)\n' + SERVER
        pwatch = self.watch('-j', '-e', 'open,close,end', '--', sys.executable, '-c', script)
        port = int(self.tell(pwatch, 'open 127.0.0.1'))
        event = json.loads(read_line(pwatch.stderr))
        self.assertEqual((event['event'], event['port']), ('open', port))
        pwatch.stdin.close()
        events = [json.loads(read_line(pwatch.stderr))['event'] for _ in range(2)]
        self.assertEqual(events, ['close', 'end'])
        self.assertEqual(pwatch.wait(DEADLINE), 4)

    def test_it_does_not_suffer_from_the_output(self):
        pwatch = self.watch('--', *SERVER_COMMAND)
        pwatch.stderr.close()
        self.tell(pwatch, 'open 127.0.0.1')
        pwatch.stdin.write(b'exit 9\n')
        self.assertEqual(pwatch.wait(DEADLINE), 9)
        pwatch = self.watch('-o', '/dev/full', '--', *SERVER_COMMAND)
        self.tell(pwatch, 'open 127.0.0.1')
        self.assertIn('/dev/full', read_line(pwatch.stderr))
        pwatch.stdin.write(b'exit 9\n')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (9, b''))

    def test_few_descriptors(self):
        for count in (*range(4, 18), 64):
            def limit(count=count):
                resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
            for arguments in (['-q', '--no-doorbell'], ['-q']):
                with self.subTest(count=count, arguments=arguments):
                    result = self.run_pwatch(*arguments, '--', 'true', preexec_fn=limit)
                    if result.returncode != 0:
                        self.assertLess(count, 64)
                        self.assert_refused(result, 125)

    def test_it_gets_no_file_capabilities(self):
        copy = os.path.join(self.directory(), 'copy')
        shutil.copy(PWATCH, copy)
        os.chmod(copy, 0o755)
        options = self.as_nobody(copy)
        if os.statvfs(copy).f_flag & os.ST_NOSUID:
            self.skipTest('the file system is mounted nosuid')
        capabilities = 'cap_sys_admin,cap_sys_ptrace,cap_dac_read_search'
        if not works('setcap', f'{capabilities}=p', copy):
            self.skipTest('no file capabilities can be set')
        result = self.run_pwatch('--check', '--json', **options)
        found = {line['name']: line['value'] for line in map(json.loads, result.stdout.splitlines())}
        self.assertEqual(set(found['permitted'].split()), set(capabilities.split(',')))
        result = self.run_pwatch('-q', '--', 'grep', '-E', 'Cap(Prm|Eff|Amb|Inh)',
                                 '/proc/self/status', **options)
        self.assertEqual([line.split()[1] for line in result.stdout.splitlines()],
                         [b'0' * 16] * 4, result)
        os.chmod(copy, 0o4755)
        self.assert_refused(self.run_pwatch('--version', **options), 1, b'setuid')


class Check(Case):
    def findings(self, *arguments):
        result = self.run_pwatch('--check', '--json', *arguments)
        found = [json.loads(line) for line in result.stdout.splitlines()]
        for finding in found:
            self.assertEqual(list(finding), ['topic', 'name', 'value', 'note'])
        return result.returncode, found

    def test_what_can_be_seen(self):
        server, _ = self.serve('127.0.0.1', '127.0.0.1')
        status, found = self.findings('--no-doorbell', server.pid)
        self.assertEqual(status, 0)
        self.assertEqual(found[0], {'topic': 'result', 'name': f'process {server.pid}',
                                    'value': 'yes', 'note': 'open now: 2'})
        values = {finding['name']: finding for finding in found}
        self.assertEqual(values['user']['value'], str(os.geteuid()))
        netns = values[f'netns {os.stat("/proc/self/ns/net").st_ino}']
        self.assertRegex(netns['value'], '^local reader, (diag|procfs) table')
        self.assertEqual(values['doorbell']['value'], 'no')
        self.assertTrue(values['doorbell']['note'])

    def test_itself_by_default_in_words(self):
        result = self.run_pwatch('--check')
        self.assertEqual((result.returncode, result.stderr), (0, b''))
        self.assertTrue(result.stdout.startswith(b'Can the ports be seen?\n  process '), result)

    def test_what_cannot(self):
        status, found = self.findings(NO_SUCH_PID)
        self.assertEqual((status, found[0]['value']), (1, 'no'))
        self.assertIn('no such process', found[0]['note'])

    def test_what_is_missing_and_what_to_grant(self):
        options = self.as_nobody(PWATCH)
        result = self.run_pwatch('--check', '--json', **options)
        found = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertIn('cap_sys_admin', [finding['name'] for finding in found
                                        if finding['topic'] == 'missing'])
        self.assertIn(f'setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p {PWATCH}',
                      [finding['value'] for finding in found if finding['topic'] == 'grant'])


def main():
    if not os.access(PWATCH, os.X_OK):
        print('SKIP: test_pwatch.py: pwatch was not built', file=sys.stderr)
        return 1 if os.environ.get('PORTWATCH_TEST_NO_SKIP') else 77
    result = unittest.main(exit=False, verbosity=2).result
    for case, why in result.skipped:
        print(f'SKIP: {case.id()}: {why}', file=sys.stderr)
    if not result.wasSuccessful() or (result.skipped and os.environ.get('PORTWATCH_TEST_NO_SKIP')):
        return 1
    return 77 if len(result.skipped) == result.testsRun else 0


if __name__ == '__main__':
    sys.exit(main())
