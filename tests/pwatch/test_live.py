#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_live.py - the table of --live on different terminals"""
import fcntl
import os
import pty
import resource
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

from support import Case, DEADLINE, has_locale, main, PWATCH, wait_until, works

ALTERNATE_SCREEN = b'\x1b[?1049h'
NORMAL_SCREEN = b'\x1b[?1049l'


def set_size(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))


class Live(Case):
    @classmethod
    def setUpClass(cls):
        refused = cls.run_pwatch('--live', os.getpid())
        cls.missing = b'without ncurses' in refused.stderr

    def setUp(self):
        if self.missing:
            self.skipTest('pwatch was built without ncurses')
        try:
            import curses
            curses.setupterm('xterm', 1)
        except Exception as error:  # the module can be missing too
            self.skipTest(f'no description of a terminal of the type xterm: {error}')
        self.pid = self.terminal = None
        self.addCleanup(self.end_live)

    def show(self, *arguments, rows=24, columns=120, **environment):
        """Starts pwatch --live on a terminal of the given size, which is self.terminal."""
        self.end_live()
        environment = {**os.environ, 'TERM': 'xterm', 'LC_ALL': 'C', **environment}
        ends = os.pipe()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.read(ends[0], 1)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.execve(PWATCH, [PWATCH, '--live', *map(str, arguments)], environment)
        self.output = b''
        set_size(self.terminal, rows, columns)
        self.before = termios.tcgetattr(self.terminal)
        os.write(ends[1], b'x')
        for end in ends:
            os.close(end)

    def end_live(self):
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            self.reap()
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None

    def reap(self):
        """Returns the status, in the form of subprocess."""
        status = os.waitpid(self.pid, 0)[1]
        self.pid = None
        return os.waitstatus_to_exitcode(status)

    def read(self):
        """Reads more output. Returns False at the end."""
        deadline = time.monotonic() + DEADLINE
        if not select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f'no more output within {DEADLINE} s: {self.output!r}')
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:  # the other end is closed
            return False
        self.output += piece
        return piece != b''

    def wait_for_words(self, *words):
        """Waits until the output since the last call has all words."""
        while not all(word in self.output for word in words):
            self.assertTrue(self.read(), (words, self.output))
        self.output = b''

    def wait_for_redrawn(self, *words):
        """Redraws the screen until it has all words. Without a redraw, only the changed part of the words would be
        printed; the first table may be that of a watcher that has not started yet."""
        self.output = b''
        while not all(word in self.output for word in words):
            self.press(b'\x0c')  # redraws the screen
            self.assertTrue(self.read(), (words, self.output))

    def press(self, key):
        os.write(self.terminal, key)

    def finish(self):
        """Returns the status of pwatch, which has restored the terminal."""
        # pwatch cannot restore the terminal before the test has read the output.
        wait_until(lambda: self.read_ready() or os.waitid(os.P_PID, self.pid, os.WEXITED |
                                                          os.WNOHANG | os.WNOWAIT))
        # The last output.
        self.read_ready()
        self.assertIn(NORMAL_SCREEN, self.output)
        self.assertEqual(termios.tcgetattr(self.terminal), self.before)
        return self.reap()

    def read_ready(self):
        """Reads the output that is available. Always returns None."""
        while select.select([self.terminal], [], [], 0)[0] and self.read():
            pass

    def test_the_table_follows_the_ports(self):
        server, ports = self.serve('127.0.0.1')
        self.show(server.pid)
        self.wait_for_words(ALTERNATE_SCREEN)
        self.wait_for_redrawn(b'1 port is open', b'ADDRESS', b'127.0.0.1:%d' % ports[0])
        self.assertNotEqual(termios.tcgetattr(self.terminal), self.before)
        port = int(self.command(server, 'open 127.0.0.1'))
        self.wait_for_words(b'2', str(port).encode()[-1:])
        self.command(server, f'close {port}')
        self.command(server, f'close {ports[0]}')
        self.wait_for_words(b'0')
        self.press(b'q')
        self.assertEqual(self.finish(), 0)

    def test_the_end_of_the_processes(self):
        server, _ = self.serve('127.0.0.1')
        self.show(server.pid, '--stats')
        self.wait_for_words(b'127.0.0.1')
        server.stdin.close()
        self.assertEqual(self.finish(), 0)
        self.assertIn(b'reads', self.output.split(NORMAL_SCREEN)[1])

    def test_signals(self):
        server, _ = self.serve('127.0.0.1')
        for number, status in ((signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130),
                               (signal.SIGQUIT, 131), (signal.SIGUSR1, -signal.SIGUSR1),
                               (signal.SIGABRT, -signal.SIGABRT), (signal.SIGXCPU, -signal.SIGXCPU)):
            with self.subTest(signal=number):
                self.show(server.pid)
                self.wait_for_words(b'127.0.0.1')
                os.kill(self.pid, number)
                self.assertEqual(self.finish(), status)
        for key, status in (b'\x03', 130), (b'\x1c', 131):
            self.show(server.pid)
            self.wait_for_words(b'127.0.0.1')
            self.press(key)
            self.assertEqual(self.finish(), status)

    def test_stop_and_continue(self):
        server, ports = self.serve('127.0.0.1')
        address = b'127.0.0.1:%d' % ports[0]
        self.show(server.pid)
        self.wait_for_words(address)
        for stop in lambda: self.press(b'\x1a'), lambda: os.kill(self.pid, signal.SIGTSTP):
            stop()
            self.assertTrue(os.WIFSTOPPED(os.waitpid(self.pid, os.WUNTRACED)[1]))
            self.assertEqual(termios.tcgetattr(self.terminal), self.before)
            self.wait_for_words(NORMAL_SCREEN)
            os.kill(self.pid, signal.SIGCONT)
            self.wait_for_words(ALTERNATE_SCREEN, address)
        self.press(b'q')
        self.assertEqual(self.finish(), 0)

    def test_ports_that_are_hidden(self):
        server, _ = self.serve('127.0.0.1', '127.0.0.2')
        title = b'1 port is open; 1 more is hidden, --addresses=loopback shows it; q quits'
        self.show(server.pid)
        self.wait_for_redrawn(title)
        port = int(self.command(server, 'open 127.0.0.3'))
        self.wait_for_redrawn(b'2 more are hidden, --addresses=loopback shows them')
        self.command(server, f'close {port}')
        self.wait_for_redrawn(title)
        self.press(b'q')
        self.assertEqual(self.finish(), 0)
        self.show('-A', 'loopback', server.pid)
        self.wait_for_redrawn(b'2 ports are open; q quits', b'127.0.0.2')

    def test_scrolling(self):
        server, ports = self.serve(*['127.0.0.1'] * 30)
        ports = sorted(ports)
        addresses = [b'127.0.0.1:%d' % port for port in ports]
        self.show(server.pid, rows=12)
        self.wait_for_redrawn(b'30 ports are open, 1 to 10 are shown', *addresses[:10])
        self.output = b''
        for keys, first in ((b'j', 2), (b'k', 1), (b'\x1bOB', 2), (b'\x1bOA', 1), (b' ', 11), (b'G', 21),
                            (b'j', 21), (b'k', 20), (b'b', 10), (b'g', 1), (b'k', 1)):
            self.press(keys + b'\x0c')  # redraws the screen
            self.wait_for_words(b'30 ports are open, %d to %d are shown' % (first, first + 9),
                             *addresses[first - 1:first + 9])
        set_size(self.terminal, 40, 120)
        self.wait_for_words(*addresses)
        self.press(b'q')
        self.assertEqual(self.finish(), 0)

    def test_small_terminals(self):
        server, ports = self.serve('127.0.0.1', '0.0.0.0')
        for rows, columns in (24, 20), (3, 20), (2, 20), (1, 1), (24, 5):
            self.show(server.pid, rows=rows, columns=columns)
            if rows > 3 and columns >= 20:
                self.wait_for_words(b'127.0.0.1:%d' % ports[0], b'0.0.0.0:%d' % ports[1])
            else:
                self.wait_for_words(b'2')
            self.press(b'jkGg q')
            self.assertEqual(self.finish(), 0)

    def test_untrusted_bytes(self):
        server, _ = self.serve('127.0.0.1')
        self.command(server, 'name ' + b'a\xff\x1b[2Jb'.hex())
        for locale in 'C', 'C.UTF-8':
            self.show(server.pid, LC_ALL=locale)
            self.wait_for_words(rb'a\xff\x1b[2Jb')
            self.press(b'q')
            self.assertEqual(self.finish(), 0)
        self.command(server, 'name ' + 'é'.encode().hex())
        self.show(server.pid)
        self.wait_for_words(rb'\xc3\xa9')
        self.press(b'q')
        self.assertEqual(self.finish(), 0)
        if not has_locale('C.UTF-8'):
            return
        self.show(server.pid, LC_ALL='C.UTF-8')
        self.wait_for_words('é'.encode())
        self.press(b'q')
        self.assertEqual(self.finish(), 0)

    def test_a_terminal_that_hangs_up(self):
        server, _ = self.serve('127.0.0.1')
        self.show(server.pid)
        self.wait_for_words(b'127.0.0.1')
        os.close(self.terminal)
        self.terminal = None
        self.assertEqual(self.reap(), 0)

    def test_refusals(self):
        self.assert_refused(self.run_pwatch('--live', os.getpid()), 2, b'must be a terminal')
        self.assert_refused(self.run_pwatch('--live', '--', 'true'), 2, b'not for a command')
        self.show(os.getpid(), TERM='no-such-terminal')
        while self.read():
            pass
        self.assertIn(b"pwatch: cannot show a table on a terminal of the type 'no-such-terminal'",
                      self.output)
        self.assertEqual(termios.tcgetattr(self.terminal), self.before)
        self.assertEqual(self.reap(), 1)

    def test_ncurses_is_loaded_for_this_option(self):
        """A caller that chooses the file of ncurses can prevent the table, and cannot with file capabilities."""
        directory = self.directory()
        copy = os.path.join(directory, 'copy')
        shutil.copy(PWATCH, copy)
        options = self.as_nobody(copy)
        os.chmod(directory, 0o755)
        with open(os.path.join(directory, 'libncursesw.so.6'), 'w') as file:
            file.write('not a library\n')
        options['env'] = {**options['env'], 'TERM': 'xterm', 'LD_LIBRARY_PATH': directory}
        if self.run_pwatch('--version', **options).returncode != 0:
            return  # it is linked with ncurses
        sleeper = self.start(['sleep', '1000'], **{key: options[key] for key in ('user', 'group', 'extra_groups')})
        for privileged in False, True:
            if privileged and (os.statvfs(copy).f_flag & os.ST_NOSUID or
                               not works('setcap', 'cap_sys_admin=p', copy)):
                self.skipTest('no file capabilities can be set')
            ends = pty.openpty()
            result = self.run_pwatch('--live', '-t', '0.05', sleeper.pid, stdin=ends[1], capture_output=False,
                                     stdout=ends[1], stderr=subprocess.PIPE, **options)
            for end in ends:
                os.close(end)
            if not privileged:
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertRegex(result.stderr, rb'--live: cannot load libncursesw[^ ]*; install ncurses\n$')
        self.assertEqual((result.returncode, result.stderr), (124, b''))

    def test_privileges_and_false_descriptions_of_terminals(self):
        """A pwatch with file capabilities does not read a description that the caller has written."""
        directory = self.directory()
        copy = os.path.join(directory, 'copy')
        shutil.copy(PWATCH, copy)
        options = self.as_nobody(copy)
        os.chmod(directory, 0o755)
        source = os.path.join(directory, 'strange.ti')
        with open(source, 'w') as file:
            file.write('strange|a false description,\n\tuse=xterm,\n')
        if not works('tic', '-o', directory, source):
            self.skipTest('tic is not installed')
        sleeper = self.start(['sleep', '1000'], **{key: options[key] for key in ('user', 'group', 'extra_groups')})
        arguments = ['--live', '-t', '0.05', sleeper.pid]
        for privileged in False, True:
            if privileged and (os.statvfs(copy).f_flag & os.ST_NOSUID or
                               not works('setcap', 'cap_sys_admin=p', copy)):
                self.skipTest('no file capabilities can be set')
            ends = pty.openpty()
            options['env'] = {**options['env'], 'TERM': 'strange', 'TERMINFO': directory}
            result = self.run_pwatch(*arguments, stdin=ends[1], capture_output=False, stdout=ends[1],
                                     stderr=subprocess.PIPE, **options)
            for end in ends:
                os.close(end)
            if not privileged and result.returncode != 124:
                self.skipTest('another user cannot read the description')
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"type 'strange'", result.stderr)


if __name__ == '__main__':
    main()
