#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_output.py - the outputs and formats of pwatch"""
import fcntl
import json
import os
import pty
import select
import subprocess
import sys

from support import (Case, DEADLINE, F_SETPIPE_SZ, main, PWATCH, read_line, SERVER_COMMAND,
                     wait_until)


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

    def test_a_file_beyond_two_gibibytes(self):
        server, _ = self.serve('127.0.0.1')
        path = os.path.join(self.directory(), 'events')
        pwatch = self.watch('-j', '-o', path, server.pid)
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0)
        size = 2 ** 31
        try:
            os.truncate(path, size)
        except OSError as error:
            self.skipTest(f'no sparse file of this size: {error}')
        port = int(self.command(server, 'open 127.0.0.1'))
        wait_until(lambda: os.path.getsize(path) > size or pwatch.poll() is not None)
        self.assertIsNone(pwatch.poll(), pwatch.poll() is not None and pwatch.stderr.read())
        with open(path, 'rb') as file:
            file.seek(size)
            self.assertEqual(json.loads(file.readline())['port'], port)

    def test_a_closed_pipe_ends_pwatch_without_a_message(self):
        server, _ = self.serve('127.0.0.1')
        pwatch = self.watch(server.pid)
        read_line(pwatch.stdout)
        pwatch.stdout.close()
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (0, b''))

    def test_check_help_and_version_need_no_reader(self):
        for option in '--check', '--help', '--version':
            read_end, write_end = os.pipe()
            os.close(read_end)
            with open(write_end, 'wb') as stream:
                result = subprocess.run([PWATCH, option], stdout=stream, stderr=subprocess.PIPE,
                                        timeout=DEADLINE)
            self.assertEqual((option, result.returncode, result.stderr), (option, 0, b''))

    def test_a_full_disk(self):
        server, _ = self.serve('127.0.0.1')
        result = self.run_pwatch('-1', '-o', '/dev/full', server.pid)
        self.assert_refused(result, 1, b'/dev/full')

    def test_a_full_pipe_delays_only_lines(self):
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

    def test_a_full_pipe_does_not_prevent_the_end(self):
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
                read_line(stream)
                self.assertEqual('\x1b[32m127.' in read_line(stream), coloured, variables)
            os.close(terminal)
            main, terminal = pty.openpty()
            pwatch = self.watch(server.pid, stdout=terminal, env=environment)
            with open(main, 'rb', buffering=0) as stream:
                self.assertEqual('\x1b[32mopen' in read_line(stream), coloured, variables)
            os.close(terminal)
            pwatch.wait(DEADLINE)
        self.assertNotIn(b'\x1b', self.run_pwatch('-1', server.pid).stdout)

    def test_a_date_without_a_terminal(self):
        server, _ = self.serve('127.0.0.1')
        self.assertRegex(read_line(self.watch(server.pid).stdout),
                         r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} open ')
        ends = pty.openpty()
        self.watch('--color=never', server.pid, stdout=ends[1])
        os.close(ends[1])
        with open(ends[0], 'rb', buffering=0) as stream:
            self.assertRegex(read_line(stream), r'^\d\d:\d\d:\d\d\.\d{3} open ')

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
        # Python itself does not open the standard descriptors.
        self.assertEqual(run('--', sys.executable, '-c', open_fds), 0)

    def test_fd(self):
        """The output of COMMAND and the events are separate, and COMMAND does not inherit the descriptor."""
        ends = os.pipe()
        script = 'import os, socket\n' \
                 'listener = socket.create_server(("127.0.0.1", 0))\n' \
                 f'print(os.path.exists("/proc/self/fd/{ends[1]}"), flush=True)\n' \
                 'os.read(0, 1)\n'
        pwatch = self.watch('-j', f'--fd={ends[1]}', '--', sys.executable, '-c', script,
                            pass_fds=(ends[1],))
        os.close(ends[1])
        with open(ends[0], 'rb', buffering=0) as events:
            self.assertEqual(json.loads(read_line(events))['event'], 'open')
            self.assertEqual(read_line(pwatch.stdout), 'False\n')
            pwatch.stdin.close()
            self.assertEqual(json.loads(read_line(events))['event'], 'close')
            self.assertEqual((pwatch.wait(DEADLINE), events.read()), (0, b''))
        self.assertEqual((pwatch.stdout.read(), pwatch.stderr.read()), (b'', b''))

    def test_standard_output_of_a_command(self):
        pwatch = self.watch('-j', '-o', '-', '-e', 'open', '--', *SERVER_COMMAND)
        pwatch.stdin.write(b'open 127.0.0.1\n')
        # COMMAND can write the newline of its line separately and later.
        self.assertIn('{', ''.join(read_line(pwatch.stdout) for _ in range(2)))
        pwatch.stdin.close()
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (0, b''))

    def test_format(self):
        server, ports = self.serve('127.0.0.1')
        self.command(server, 'name ' + b'a\nb'.hex())
        result = self.run_pwatch('-1', '--format={address} {port}\\t{pid} {process}', server.pid)
        self.assertEqual(result.stdout.decode(),
                         f'127.0.0.1 {ports[0]}\t{server.pid} a\\x0ab\n')

    def test_colours(self):
        server, _ = self.serve('127.0.0.1')
        for when, terminal in (('always', False), ('never', True), ('auto', True), ('auto', False)):
            wanted = when == 'always' or (when == 'auto' and terminal)
            self.assertEqual(b'\033[' in self.print_once(server, terminal, f'--color={when}'), wanted)
        # The option overrides the environment.
        self.assertIn(b'\033[', self.print_once(server, False, '--color=always', NO_COLOR='1'))

    def print_once(self, server, terminal, *arguments, **environment):
        """Returns the output on a terminal or in a pipe."""
        environment = {'TERM': 'xterm', **environment}
        options = {'env': {**{key: value for key, value in os.environ.items() if key != 'NO_COLOR'},
                           **environment}}
        if not terminal:
            return self.run_pwatch('-1', *arguments, server.pid, **options).stdout
        ends = pty.openpty()
        pwatch = self.watch('-1', *arguments, server.pid, stdout=ends[1], **options)
        os.close(ends[1])
        self.assertEqual(pwatch.wait(DEADLINE), 0)
        with open(ends[0], 'rb', buffering=0) as stream:
            read_line(stream)
            return read_line(stream).encode()

    def test_ports(self):
        server, ports = self.serve('127.0.0.1', '127.0.0.1', '127.0.0.1')
        found = self.once(f'--ports={ports[0]},{ports[2]}', server.pid)
        self.assertEqual(sorted(event['port'] for event in found), sorted([ports[0], ports[2]]))
        self.assertEqual(self.once(f'--ports={ports[1]}-{ports[1]}', server.pid)[0]['port'], ports[1])

    def test_only_what_stays_open(self):
        server, ports = self.serve('127.0.0.1')
        settled = self.watch('-j', '--settle=0.1', server.pid)
        event = json.loads(read_line(settled.stdout))
        self.assertEqual((event['event'], event['port'], event['initial']), ('open', ports[0], True))
        # With this time no port stays open long enough to be reported.
        waiting = self.watch('-jv', '-e', 'open,close,end', '--settle=86400', server.pid)
        while 'port open' not in (line := read_line(waiting.stderr)):
            self.assertTrue(line)
        self.command(server, f'close {ports[0]}')
        self.assertEqual(json.loads(read_line(settled.stdout))['event'], 'close')
        server.stdin.close()
        self.assertEqual([json.loads(line)['event'] for line in waiting.stdout.readlines()], ['end'])
        self.assertEqual((waiting.wait(DEADLINE), settled.wait(DEADLINE)), (0, 0))

    def test_stats(self):
        server, _ = self.serve('127.0.0.1', '0.0.0.0')
        result = self.run_pwatch('-1', '--stats', '--no-notify', server.pid)
        rows = [line.rsplit(None, 1) for line in result.stderr.decode().splitlines()]
        figures = dict(rows)
        self.assertEqual(len(figures), len(rows))
        self.assertEqual(len({len(line) for line in result.stderr.splitlines()}), 1)
        self.assertGreaterEqual(int(figures['reads']), 1)
        self.assertEqual(figures['events'], '2')
        self.assertEqual(figures['notifier records'], '0')
        for notice in 'listen', 'close', 'processes':
            self.assertEqual(figures[f'{notice} reported by'], 'polling')
        self.assertGreater(float(figures['CPU time (ms)']), 0)


if __name__ == '__main__':
    main()
