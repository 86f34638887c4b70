#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_terminal.py - the messages of pwatch on a terminal while there is no event"""
import os
import pty
import re
import signal
import socket
import sys

from support import Case, DEADLINE, main, read_line, read_proc, SERVER_COMMAND, wait_until

NOTHING_LISTENS = 'pwatch: nothing listens yet'
# Forks a child with the name "left\tone", and exits.
LEAVES_CHILD = 'import os, signal\n' \
         'ends = os.pipe()\n' \
         'if os.fork(): os.read(ends[0], 1); os._exit(3)\n' \
         'with open("/proc/self/comm", "w") as comm: comm.write("left\\tone")\n' \
         'os.write(ends[1], b"x")\n' \
         'signal.pause()\n'


class Terminal(Case):
    def watch_on_terminal(self, *arguments, **options):
        """Starts pwatch with standard error on a terminal, from which self.read() reads."""
        main_end, terminal = pty.openpty()
        self.terminal = open(main_end, 'rb', buffering=0)
        self.addCleanup(self.terminal.close)
        pwatch = self.watch(*arguments, stderr=terminal, **options)
        os.close(terminal)
        return pwatch

    def read(self):
        """Returns the next line of the terminal, or None at its end."""
        try:
            return read_line(self.terminal).rstrip('\r\n') or None
        except OSError:  # the other end is closed
            return None

    def read_rest(self):
        lines = []
        while (line := self.read()) is not None:
            lines.append(line)
        return lines

    def test_what_is_watched(self):
        server, _ = self.serve('127.0.0.1', '0.0.0.0')
        self.watch_on_terminal(server.pid)
        self.assertRegex(self.read(), rf'^pwatch: watching process {server.pid} and what it starts; '
                         r'(notifier: \w+|polling \(--check says why\)); 2 ports are open$')
        self.watch_on_terminal('--no-notify', '--scope=netns', '--addresses=all', server.pid)
        self.assertRegex(self.read(), rf'^pwatch: watching the network namespace of process '
                         rf'{server.pid}; polling; \d+ ports are open$')
        other, _ = self.serve()
        self.watch_on_terminal(server.pid, other.pid)
        self.assertRegex(self.read(), '^pwatch: watching 2 processes and what they start; .*; '
                         '2 ports are open$')
        pwatch = self.watch_on_terminal(*SERVER_COMMAND)
        self.assertRegex(self.read(), rf'^pwatch: watching {re.escape(sys.executable)} and what it '
                         r'starts; (notifier: \w+|polling \(--check says why\))$')
        pwatch.stdin.close()
        # On a slow machine the message after two seconds can appear.
        rest = [line for line in self.read_rest() if line != 'pwatch: nothing listens yet']
        self.assertEqual((rest, pwatch.wait(DEADLINE)), ([], 0))

    def test_nothing_listens(self):
        server, _ = self.serve()
        pwatch = self.watch_on_terminal(server.pid)
        self.assertRegex(self.read(), '; no port is open$')
        self.assertEqual(self.read(), NOTHING_LISTENS)
        port = int(self.command(server, 'open 127.0.0.1'))
        self.assertIn(f':{port} ', read_line(pwatch.stdout))
        server.stdin.close()
        self.assertEqual((self.read_rest(), pwatch.wait(DEADLINE)), ([], 0))
        port = self.serve('127.0.0.1')[1][0] % 65535 + 1
        self.watch_on_terminal(f'--wait={port}', os.getpid())
        self.read()
        self.assertEqual(self.read(), f'pwatch: port {port} is not open yet')

    def test_a_pid_that_is_also_a_port(self):
        """The operand is a PID, and another process listens on the port of the same number."""
        server, _ = self.serve()
        with socket.socket() as listener:
            try:
                listener.bind(('127.0.0.2', server.pid))
            except (OSError, OverflowError) as error:  # in use, or no port number
                self.skipTest(f'port {server.pid}: {error}')
            listener.listen()
            self.watch_on_terminal(server.pid)
            self.assertRegex(self.read(), '; no port is open$')
            self.assertRegex(self.read(), rf'^{NOTHING_LISTENS}; port {server.pid} is open, held by PID {os.getpid()} '
                             rf'\(.*\): pwatch {os.getpid()}$')

    def test_ports_that_are_hidden(self):
        server, _ = self.serve('127.0.0.2', '127.0.0.3')
        pwatch = self.watch_on_terminal('-j', server.pid)
        self.assertRegex(self.read(), '; no port is open; 2 are hidden, --addresses=loopback shows them$')
        # pwatch does not mention such a port again and does not print it. The port counts as a listener.
        self.command(server, 'open 127.0.0.4')
        port = int(self.command(server, 'open 127.0.0.1'))
        self.assertIn(f'"port":{port},', read_line(pwatch.stdout))
        server.stdin.close()
        self.assertEqual(self.read_rest(), [])
        self.assertEqual(pwatch.stdout.read().count(b'\n'), 1)

    def test_a_hidden_port_counts_as_a_listener(self):
        server, _ = self.serve('127.0.0.2')
        pwatch = self.watch_on_terminal('-t', '2.5', server.pid)
        self.assertRegex(self.read(), '; 1 is hidden, --addresses=loopback shows it$')
        self.assertEqual((self.read_rest(), pwatch.wait(DEADLINE)), ([], 124))

    def test_ports_that_are_hidden_later(self):
        server, ports = self.serve('127.0.0.1')
        pwatch = self.watch_on_terminal('-e', 'end', server.pid)
        self.assertRegex(self.read(), '; 1 port is open$')
        ports = [self.command(server, 'open 127.0.0.2') for _ in range(2)]
        self.assertIn(self.read(), [f'pwatch: port 127.0.0.2:{port} is hidden; '
                                    '--addresses=loopback shows such ports' for port in ports])
        server.stdin.close()
        self.assertEqual(self.read_rest(), [])
        self.assertEqual(pwatch.stdout.read().count(b'\n'), 1)

    def test_a_hidden_port_is_not_waited_for(self):
        server, ports = self.serve('127.0.0.2')
        pwatch = self.watch_on_terminal(f'--wait={ports[0]}', '-t', '0.05', server.pid)
        self.assertRegex(self.read(), '; 1 is hidden, --addresses=loopback shows it$')
        self.assertEqual(pwatch.wait(DEADLINE), 124)

    def test_nothing_is_listed(self):
        server, _ = self.serve('127.0.0.2')
        pwatch = self.watch_on_terminal('-1', server.pid)
        self.assertEqual(self.read(), 'pwatch: no port is open; 1 is hidden, --addresses=loopback shows it')
        self.assertEqual(pwatch.wait(DEADLINE), 1)
        self.command(server, 'open 127.0.0.1')
        pwatch = self.watch_on_terminal('-1', server.pid)
        self.assertEqual(self.read(), 'pwatch: 1 more is hidden, --addresses=loopback shows it')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stdout.read().count(b'\n')), (0, 1))
        pwatch = self.watch_on_terminal('-1', '-A', 'loopback', server.pid)
        self.assertEqual((self.read(), pwatch.wait(DEADLINE)), (None, 0))

    def test_quiet(self):
        server, _ = self.serve('127.0.0.2')
        pwatch = self.watch_on_terminal('-q', '-t', '2.5', server.pid)
        self.assertEqual((self.read_rest(), pwatch.wait(DEADLINE)), ([], 124))

    def test_processes_that_command_leaves_behind(self):
        pwatch = self.watch_on_terminal('--', sys.executable, '-c', LEAVES_CHILD)
        # On a slow machine other messages can come first.
        line = self.read()
        while line == NOTHING_LISTENS or line.startswith('pwatch: watching'):
            line = self.read()
        left = int(re.search(r'\[(\d+)\]$', line)[1])
        self.addCleanup(self.kill, left)
        self.assertEqual(line, f'pwatch: {sys.executable} has ended; still runs: left\\x09one[{left}]')
        pwatch.send_signal(signal.SIGINT)
        # The message after two seconds can come before.
        line = self.read()
        while line == NOTHING_LISTENS:
            line = self.read()
        self.assertEqual(line, f'pwatch: still runs, without pwatch: left\\x09one[{left}]')
        self.assertEqual(pwatch.wait(DEADLINE), 3)
        # Without a terminal pwatch prints no message.
        pwatch = self.watch('-e', 'end', '--', sys.executable, '-c', LEAVES_CHILD)
        wait_until(lambda: self.children(pwatch))
        for pid in self.children(pwatch):
            self.kill(pid)
        self.assertEqual(pwatch.wait(DEADLINE), 3)
        self.assertNotIn(b'pwatch: ', pwatch.stderr.read())

    def children(self, pwatch):
        """Returns the adopted children."""
        return [pid for pid in self.helpers(pwatch) if read_proc(f'{pid}/comm') == 'left\tone\n']


if __name__ == '__main__':
    main()
