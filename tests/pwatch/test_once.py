#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_once.py - the listing of --once"""
import fcntl
import os
import pty
import struct
import sys
import termios

from support import Case, DEADLINE, main, read_line

# The text is part of the command line, so it is short. The server exits at the end of its standard input.
SERVER = 'import socket, sys; listener = socket.create_server(("127.0.0.1", 0)); ' \
         'print(listener.getsockname()[1], flush=True); sys.stdin.read()'


class Once(Case):
    def serve_as(self, *words):
        """Starts a server with the words as arguments. Returns the server and its port."""
        server = self.start([sys.executable, '-c', SERVER, *words], stderr=None)
        return server, int(read_line(server.stdout))

    def run_on_terminal(self, *arguments, columns=200):
        """Runs pwatch on a terminal. Returns the lines and the status."""
        main_end, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        pwatch = self.watch(*arguments, stdout=terminal, stderr=terminal,
                            env=dict(os.environ, NO_COLOR='1'))
        os.close(terminal)
        text = b''
        with open(main_end, 'rb', buffering=0) as stream:
            while True:
                try:
                    piece = stream.read(65536)
                except OSError:  # the other end is closed
                    break
                if not piece:
                    break
                text += piece
        return text.decode().replace('\r\n', '\n').splitlines(), pwatch.wait(DEADLINE)

    def test_the_listing_is_stable(self):
        server, ports = self.serve(*['127.0.0.1'] * 20, '0.0.0.0')
        result = self.run_pwatch('-1', server.pid)
        self.assertEqual((result.returncode, result.stderr), (0, b''))
        lines = result.stdout.decode().splitlines()
        self.assertEqual([int(line.split()[0].rpartition(':')[2]) for line in lines], sorted(ports))
        self.assertEqual(len({line.index(' python') for line in lines}), 1)
        self.assertEqual({line.split()[1] for line in lines}, {str(server.pid)})
        self.assertEqual(self.run_pwatch('-1', server.pid).stdout, result.stdout)

    def test_command_lines(self):
        for word in 'plain', 'two words', 'a\nb\x1b[2J\\', '\udcff', '':
            server, port = self.serve_as(word, 'last')
            line, = self.run_pwatch('-1', server.pid).stdout.decode().splitlines()
            self.assertTrue(line.startswith(f'127.0.0.1:{port}  '), line)
            shown = ''.join(char if char.isprintable() and char != '\\' and char.isascii() else
                            ''.join(f'\\x{byte:02x}' for byte in os.fsencode(char))
                            for char in f'{word} last')
            self.assertTrue(line.endswith(f' {shown}'), (line, shown))

    def test_a_long_command_line(self):
        server, _ = self.serve_as(*['word'] * 10000)
        line, = self.run_pwatch('-1', server.pid).stdout.decode().splitlines()
        self.assertTrue(line.endswith('...'), line)
        self.assertLess(len(line), 4096)

    def test_nothing_is_open(self):
        server, _ = self.serve()
        for form in [], ['-j'], ['--format={port}']:
            result = self.run_pwatch('-1', *form, server.pid)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (1, b'', b''))
        self.assertEqual(self.run_on_terminal('-1', server.pid), (['pwatch: no port is open'], 1))
        self.assertEqual(self.run_on_terminal('-1q', server.pid), ([], 1))
        server, ports = self.serve('127.0.0.1')
        result = self.run_pwatch('-1', f'--ports={ports[0] % 65535 + 1}', server.pid)
        self.assertEqual((result.returncode, result.stdout), (1, b''))

    def test_on_a_terminal(self):
        server, ports = self.serve('127.0.0.1')
        lines, status = self.run_on_terminal('-1', server.pid)
        self.assertEqual((len(lines), status), (2, 0), lines)
        self.assertEqual(lines[0].split(), ['ADDRESS', 'PID', 'PROCESS', 'COMMAND'])
        self.assertEqual(lines[1].split()[:2], [f'127.0.0.1:{ports[0]}', str(server.pid)])
        lines, _ = self.run_on_terminal('-1', server.pid, columns=20)
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[1].startswith(f'127.0.0.1:{ports[0]}'))
        self.assertTrue(all(len(line) <= 20 for line in lines), lines)

    def test_json_and_formats_are_sorted_too(self):
        server, ports = self.serve(*['127.0.0.1'] * 20)
        self.assertEqual([event['port'] for event in self.once(server.pid)], sorted(ports))
        result = self.run_pwatch('-1', '--format={port}', server.pid)
        self.assertEqual([int(line) for line in result.stdout.splitlines()], sorted(ports))

    def test_several_processes(self):
        servers = [self.serve('127.0.0.1') for _ in range(3)]
        result = self.run_pwatch('-1', os.getpid(), *(server.pid for server, _ in servers))
        lines = [line.split()[:2] for line in result.stdout.decode().splitlines()]
        for server, ports in servers:
            self.assertEqual(lines.count([f'127.0.0.1:{ports[0]}', str(server.pid)]), 1, lines)

    def test_command_lines_instead_of_names(self):
        pwatch = self.watch('--processes', '--', sys.executable, '-c', SERVER, 'a\tb')
        read_line(pwatch.stdout)
        line = read_line(pwatch.stderr)
        self.assertIn(f' {sys.executable} -c import', line)
        self.assertRegex(line, r' a\\x09b\[\d+\]\n$')
        pwatch.stdin.close()
        # The process has exited, so pwatch prints the stored command line.
        self.assertRegex(read_line(pwatch.stderr), r' close .* a\\x09b\[\d+\]\n$')
        self.assertEqual(pwatch.wait(DEADLINE), 0)

    def test_command_lines_with_settle(self):
        server, port = self.serve_as('a b')
        pwatch = self.watch('--processes', '--settle=0.05', server.pid)
        self.assertRegex(read_line(pwatch.stdout), rf' open .*:{port} .* a b\[{server.pid}\]\n$')


if __name__ == '__main__':
    main()
