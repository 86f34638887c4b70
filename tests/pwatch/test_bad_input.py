#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_bad_input.py - bad values, outputs, locales and hooks: a clear message, the right status, and no event
lost without need"""
import fcntl
import json
import os
import re
import subprocess

from support import (Case, DEADLINE, F_SETPIPE_SZ, has_locale, main, NO_SUCH_PID, PWATCH, read_line,
                     SERVER_COMMAND, wait_until)

# A part of the message of both glibc and musl.
NAME_TOO_LONG = b'name too long'
# Options that accept any text.
ANY_TEXT = ('output', 'format', 'exec')
BAD_VALUES = {
    'huge word': 'x' * 100000,
    'huge number': '9' * 100000,
    'more than 64 bits': '18446744073709551617',
    'more than 32 bits': '4294967297',
    'negative': '-1',
    'fraction': '1e3',
    'hexadecimal': '0x10',
    'spaces': ' 1',
    'behind it': '1x',
    'list': '1,,2',
    'range': '5-1',
    'controls': '\x1b[2J\n\t',
    'no UTF-8': '\udcff\udcfe',
    'format': '%n%s%s{',
    'other script': '\u0661\u0662',
}


class Values(Case):
    def options(self):
        """Returns the options that take a value, and whether they require it."""
        text = self.run_pwatch('--help').stdout.decode()
        found = re.findall(r'^ +(?:-., )?--([a-z-]+)(\[?=)', text, re.M)
        self.assertGreater(len(found), 14)
        return [(name, sign == '=') for name, sign in found]

    def run_in_directory(self, *arguments):
        """Runs pwatch in a directory in which --output may create a file with a bad name."""
        return self.run_pwatch(*arguments, cwd=self.place)

    def assert_message(self, result, statuses, *words):
        self.assertIn(result.returncode, statuses, result)
        self.assertEqual(result.stdout, b'')
        self.assertRegex(result.stderr, rb'^pwatch: [ -~]+\n$')
        self.assertLess(len(result.stderr), 1000)
        for word in words:
            self.assertIn(word, result.stderr)

    def test_every_option(self):
        self.place = self.directory()
        for name, must in self.options():
            option = f'--{name}'
            with self.subTest(option=name):
                if must:
                    self.assert_message(self.run_in_directory(NO_SUCH_PID, option), (2,),
                                     f'option {option} needs a value; allowed: '.encode())
                self.assert_message(self.run_in_directory(f'{option}=', NO_SUCH_PID),
                                 (1, 2) if name == 'format' else (2,))
                for what, value in BAD_VALUES.items():
                    with self.subTest(value=what):
                        result = self.run_in_directory(f'{option}={value}', NO_SUCH_PID)
                        if name == 'output' and len(value) > 4096:
                            self.assert_message(result, (1,), NAME_TOO_LONG)
                        elif name in ANY_TEXT:
                            self.assert_message(result, (1, 2))
                        else:
                            self.assert_message(result, (2,), f'option {option}: '.encode(),
                                             b' is not allowed; allowed: ')

    def test_every_option_without_a_value(self):
        text = self.run_pwatch('--help').stdout.decode()
        names = re.findall(r'^ +(?:-., )?--([a-z-]+)(?= )', text, re.M)
        self.assertGreater(len(names), 8)
        for name in names:
            for value in '', 'x':
                self.assert_message(self.run_pwatch(f'--{name}={value}', NO_SUCH_PID), (2,),
                                 b'this option takes no value')

    def test_operands(self):
        for value in BAD_VALUES.values():
            if value == '-1':  # an option
                continue
            result = self.run_pwatch(value)
            # Either not a process ID, or a command that does not exist. The message has the reason even if the
            # value is long.
            self.assert_message(result, (2, 126, 127), b' is not a process ID' if result.returncode == 2 else
                             NAME_TOO_LONG if len(value) > 4096 else b'cannot run ')
            self.assert_message(self.run_pwatch(NO_SUCH_PID, value), (2,))


class Outputs(Case):
    def each_way(self):
        server, _ = self.serve('127.0.0.1')
        return [['--help'], ['--version'], ['--check'], ['-1', server.pid], ['-1j', server.pid],
                ['-1', '--format={port}', server.pid], ['-j', server.pid], [server.pid]]

    def test_a_full_output(self):
        for arguments in self.each_way():
            with self.subTest(arguments=arguments), open('/dev/full', 'w') as full:
                result = self.run_pwatch(*arguments, capture_output=False, stdout=full,
                                         stderr=subprocess.PIPE)
                self.assertEqual((result.returncode, result.stderr),
                                 (1, b'pwatch: standard output: No space left on device\n'))

    def test_a_closed_output(self):
        for arguments in self.each_way():
            with self.subTest(arguments=arguments):
                result = subprocess.run(['sh', '-c', 'exec "$@" >&-', 'sh', PWATCH, *map(str, arguments)],
                                        stderr=subprocess.PIPE, timeout=DEADLINE)
                self.assertEqual((result.returncode, result.stderr),
                                 (1, b'pwatch: standard output: Bad file descriptor\n'))

    def test_a_stalled_pipe_loses_no_line(self):
        server, ports = self.serve(*['127.0.0.1'] * 100)
        for form in [], ['-j'], ['--format={address}:{port}']:
            ends = os.pipe()
            fcntl.fcntl(ends[1], F_SETPIPE_SZ, 4096)
            pwatch = self.watch('-1', *form, server.pid, stdout=ends[1])
            os.close(ends[1])
            # The pipe has one page, which the first line takes.
            wait_until(lambda: self.readable_bytes(ends[0]) > 0)
            with open(ends[0], 'rb') as stream:
                text = stream.read().decode()
            self.assertEqual(pwatch.wait(DEADLINE), 0)
            self.assertEqual(sorted({int(port) for port in re.findall(
                r'"port":(\d+)' if form == ['-j'] else r'127\.0\.0\.1:(\d+)', text)}), sorted(ports))

    @staticmethod
    def readable_bytes(fd):
        """Returns the number of bytes that can be read."""
        return int.from_bytes(fcntl.ioctl(fd, 0x541B, b'\0' * 4), 'little')  # FIONREAD

    def test_unread_messages_delay_nothing(self):
        """If standard error is a full pipe, pwatch still writes events to the file."""
        path = os.path.join(self.directory(), 'events')
        ends = os.pipe()
        self.addCleanup(os.close, ends[0])
        os.set_blocking(ends[1], False)
        try:
            while os.write(ends[1], b'x' * 4096):
                pass
        except BlockingIOError:
            pass
        os.set_blocking(ends[1], True)
        pwatch = self.watch('-v', '-j', '-o', path, '--exec', 'exit 3', *SERVER_COMMAND, stderr=ends[1])
        os.close(ends[1])
        ports = [int(self.command(pwatch, 'open 127.0.0.1')) for _ in range(2)]

        def written():
            with open(path) as file:
                return [json.loads(line)['port'] for line in file]
        wait_until(lambda: os.path.exists(path) and len(written()) == 2)
        self.assertEqual(sorted(written()), sorted(ports))
        pwatch.stdin.write(b'exit 4\n')
        self.assertEqual(pwatch.wait(DEADLINE), 4)
        self.assertEqual(len(written()), 4)

    def test_a_locale_without_utf8(self):
        server, _ = self.serve('127.0.0.1')
        self.command(server, 'name ' + 'é\u202e'.encode().hex() + 'ff')
        ascii, utf8 = rb'\xc3\xa9\xe2\x80\xae\xff', 'é'.encode() + rb'\xe2\x80\xae\xff'
        for locale in 'C', 'C.UTF-8', 'no_such_locale':
            if locale == 'C.UTF-8' and not has_locale(locale):
                continue
            environment = dict(os.environ, LC_ALL=locale)
            listing = self.run_pwatch('-1', server.pid, env=environment).stdout
            shown = utf8 if locale == 'C.UTF-8' else ascii
            # musl treats an unknown locale as C.UTF-8.
            if locale == 'no_such_locale' and utf8 in listing:
                shown = utf8
            self.assertIn(b'  ' + shown + b'  ', listing)
            pwatch = self.watch(server.pid, env=environment)
            self.assertIn(shown.decode() + f'[{server.pid}]', read_line(pwatch.stdout))
            self.assertEqual(json.loads(self.run_pwatch('-1j', server.pid, env=environment).stdout)['process'],
                             'é\u202e\ufffd')

    def test_bad_descriptors(self):
        server, ports = self.serve('127.0.0.1')
        for flags in os.O_PATH, os.O_RDONLY:
            fd = os.open('/dev/null', flags)
            self.addCleanup(os.close, fd)
            self.assert_refused(self.run_pwatch('-1', f'--fd={fd}', server.pid, pass_fds=(fd,)), 1,
                                b'descriptor %d' % fd)
        fd = os.open('/dev/full', os.O_WRONLY)
        self.addCleanup(os.close, fd)
        self.assert_refused(self.run_pwatch('-1', f'--fd={fd}', server.pid, pass_fds=(fd,)), 1,
                            b'pwatch: descriptor %d: No space left on device' % fd)
        ends = os.pipe()
        os.close(ends[0])
        result = self.run_pwatch(f'--fd={ends[1]}', server.pid, pass_fds=(ends[1],))
        os.close(ends[1])
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b'', b''))
        # A bad descriptor prevents COMMAND only if pwatch cannot start.
        result = self.run_pwatch('--fd=500', '--', 'sh', '-c', 'echo ran')
        self.assert_refused(result, 125)


class Hooks(Case):
    def test_a_hook_that_kills_its_runner(self):
        directory = self.directory()
        path = os.path.join(directory, 'events')
        runner = os.path.join(directory, 'runner')
        pwatch = self.watch('-j', '-o', path, '--exec', f'echo $PPID >{runner}.new; mv {runner}.new {runner}; '
                            'kill -9 $PPID', '--', *SERVER_COMMAND)
        ports = [int(self.command(pwatch, 'open 127.0.0.1'))]
        wait_until(lambda: os.path.exists(runner))
        with open(runner) as file:
            pid = int(file.read())
        wait_until(lambda: self.has_ended(pid))
        # pwatch notices the exit when it passes on the next event.
        ports.append(int(self.command(pwatch, 'open 127.0.0.1')))
        self.assertEqual(read_line(pwatch.stderr),
                         'pwatch: the command of --exec does not run any more: Broken pipe\n')
        ports.append(int(self.command(pwatch, 'open 127.0.0.1')))
        wait_until(lambda: len(self.read(path)) == 3)
        pwatch.stdin.write(b'exit 7\n')
        self.assertEqual(pwatch.wait(DEADLINE), 7)
        self.assertEqual(pwatch.stderr.read(), b'')
        events = self.read(path)
        self.assertEqual([event['port'] for event in events if event['event'] == 'open'], ports)
        self.assertEqual(len(events), 6)

    @staticmethod
    def has_ended(pid):
        try:
            with open(f'/proc/{pid}/stat') as stat:
                text = stat.read()
            return text == '' or text.rpartition(')')[2].split()[0] in 'ZX'
        except (FileNotFoundError, ProcessLookupError):
            return True

    @staticmethod
    def read(path):
        with open(path) as file:
            return [json.loads(line) for line in file]

    def test_a_hook_with_unread_output(self):
        """The hook waits for its reader, and the events do not wait for the hook."""
        server, ports = self.serve('127.0.0.1')
        path = os.path.join(self.directory(), 'pid')
        pwatch = self.watch('-j', '--exec', f'echo $$ >{path}.new; mv {path}.new {path}; exec yes', server.pid)
        wait_until(lambda: os.path.exists(path))
        with open(path) as file:
            hook = int(file.read())
        self.addCleanup(self.kill, hook)
        self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], ports[0])
        for _ in range(3):
            port = int(self.command(server, 'open 127.0.0.1'))
            self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], port)
        pwatch.terminate()
        self.assertEqual(pwatch.wait(DEADLINE), 0)


if __name__ == '__main__':
    main()
