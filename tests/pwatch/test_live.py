#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_live.py - the table of --live, on terminals of all kinds"""
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

OTHER_SCREEN = b'\x1b[?1049h'
FIRST_SCREEN = b'\x1b[?1049l'


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
        except Exception as error:  # of a module that may be missing, too
            self.skipTest(f'no description of a terminal of the type xterm: {error}')
        self.pid = self.terminal = None
        self.addCleanup(self.end_live)

    def show(self, *arguments, rows=24, columns=120, **environment):
        """Starts it on a terminal of that size, which is self.terminal."""
        self.end_live()
        environment = {**os.environ, 'TERM': 'xterm', 'LC_ALL': 'C', **environment}
        ends = os.pipe()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.read(ends[0], 1)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.execve(PWATCH, [PWATCH, '--live', *map(str, arguments)], environment)
        self.shown = b''
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
        """Its status, as of subprocess."""
        status = os.waitpid(self.pid, 0)[1]
        self.pid = None
        return os.waitstatus_to_exitcode(status)

    def read(self):
        """More of what it shows; False at the end."""
        deadline = time.monotonic() + DEADLINE
        if not select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f'nothing more within {DEADLINE} s: {self.shown!r}')
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:  # nobody has its other end
            return False
        self.shown += piece
        return piece != b''

    def await_shown(self, *words):
        """Until all of them have been shown since the last time."""
        while not all(word in self.shown for word in words):
            self.assertTrue(self.read(), (words, self.shown))
        self.shown = b''

    def await_drawn(self, words):
        """What has changed may be a part of these words: the whole is drawn until they are there."""
        self.shown = b''
        while words not in self.shown:
            self.press(b'\x0c')  # draws all anew
            self.assertTrue(self.read(), (words, self.shown))

    def press(self, key):
        os.write(self.terminal, key)

    def finish(self):
        """Its status. The terminal is as it was."""
        # What is put back waits for what is shown to be read.
        wait_until(lambda: self.read_ready() or os.waitid(os.P_PID, self.pid, os.WEXITED |
                                                          os.WNOHANG | os.WNOWAIT))
        # What it wrote last.
        self.read_ready()
        self.assertIn(FIRST_SCREEN, self.shown)
        self.assertEqual(termios.tcgetattr(self.terminal), self.before)
        return self.reap()

    def read_ready(self):
        """What there is already; never true."""
        while select.select([self.terminal], [], [], 0)[0] and self.read():
            pass

    def test_it_is_kept_up_to_date(self):
        server, ports = self.serve('127.0.0.1')
        self.show(server.pid)
        self.await_shown(OTHER_SCREEN, b'1 port is open', b'ADDRESS', b'127.0.0.1:%d' % ports[0])
        self.assertNotEqual(termios.tcgetattr(self.terminal), self.before)
        port = int(self.tell(server, 'open 127.0.0.1'))
        self.await_shown(b'2', str(port).encode()[-1:])
        self.tell(server, f'close {port}')
        self.tell(server, f'close {ports[0]}')
        self.await_shown(b'0')
        self.press(b'q')
        self.assertEqual(self.finish(), 0)

    def test_the_end_of_all(self):
        server, _ = self.serve('127.0.0.1')
        self.show(server.pid, '--stats')
        self.await_shown(b'127.0.0.1')
        server.stdin.close()
        self.assertEqual(self.finish(), 0)
        self.assertIn(b'reads', self.shown.split(FIRST_SCREEN)[1])

    def test_signals(self):
        server, _ = self.serve('127.0.0.1')
        for number, status in ((signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130),
                               (signal.SIGQUIT, 131), (signal.SIGUSR1, -signal.SIGUSR1),
                               (signal.SIGABRT, -signal.SIGABRT), (signal.SIGXCPU, -signal.SIGXCPU)):
            with self.subTest(signal=number):
                self.show(server.pid)
                self.await_shown(b'127.0.0.1')
                os.kill(self.pid, number)
                self.assertEqual(self.finish(), status)
        for key, status in (b'\x03', 130), (b'\x1c', 131):
            self.show(server.pid)
            self.await_shown(b'127.0.0.1')
            self.press(key)
            self.assertEqual(self.finish(), status)

    def test_it_stops_and_goes_on(self):
        server, ports = self.serve('127.0.0.1')
        address = b'127.0.0.1:%d' % ports[0]
        self.show(server.pid)
        self.await_shown(address)
        for stop in lambda: self.press(b'\x1a'), lambda: os.kill(self.pid, signal.SIGTSTP):
            stop()
            self.assertTrue(os.WIFSTOPPED(os.waitpid(self.pid, os.WUNTRACED)[1]))
            self.assertEqual(termios.tcgetattr(self.terminal), self.before)
            self.await_shown(FIRST_SCREEN)
            os.kill(self.pid, signal.SIGCONT)
            self.await_shown(OTHER_SCREEN, address)
        self.press(b'q')
        self.assertEqual(self.finish(), 0)

    def test_ports_that_are_hidden(self):
        server, _ = self.serve('127.0.0.1', '127.0.0.2')
        title = b'1 port is open; 1 more is hidden, --addresses=loopback shows it; q quits'
        self.show(server.pid)
        self.await_shown(title)
        port = int(self.tell(server, 'open 127.0.0.3'))
        self.await_drawn(b'2 more are hidden, --addresses=loopback shows them')
        self.tell(server, f'close {port}')
        self.await_drawn(title)
        self.press(b'q')
        self.assertEqual(self.finish(), 0)
        self.show('-A', 'loopback', server.pid)
        self.await_shown(b'2 ports are open; q quits', b'127.0.0.2')

    def test_scrolling(self):
        server, ports = self.serve(*['127.0.0.1'] * 30)
        ports = sorted(ports)
        addresses = [b'127.0.0.1:%d' % port for port in ports]
        self.show(server.pid, rows=12)
        self.await_shown(b'30 ports are open, 1 to 10 are shown', *addresses[:10])
        for keys, first in ((b'j', 2), (b'k', 1), (b'\x1bOB', 2), (b'\x1bOA', 1), (b' ', 11), (b'G', 21),
                            (b'j', 21), (b'k', 20), (b'b', 10), (b'g', 1), (b'k', 1)):
            self.press(keys + b'\x0c')  # draws all anew
            self.await_shown(b'30 ports are open, %d to %d are shown' % (first, first + 9),
                             *addresses[first - 1:first + 9])
        set_size(self.terminal, 40, 120)
        self.await_shown(*addresses)
        self.press(b'q')
        self.assertEqual(self.finish(), 0)

    def test_small_terminals(self):
        server, ports = self.serve('127.0.0.1', '0.0.0.0')
        for rows, columns in (24, 20), (3, 20), (2, 20), (1, 1), (24, 5):
            self.show(server.pid, rows=rows, columns=columns)
            if rows > 3 and columns >= 20:
                self.await_shown(b'127.0.0.1:%d' % ports[0], b'0.0.0.0:%d' % ports[1])
            else:
                self.await_shown(b'2')
            self.press(b'jkGg q')
            self.assertEqual(self.finish(), 0)

    def test_untrusted_bytes(self):
        server, _ = self.serve('127.0.0.1')
        self.tell(server, 'name ' + b'a\xff\x1b[2Jb'.hex())
        for locale in 'C', 'C.UTF-8':
            self.show(server.pid, LC_ALL=locale)
            self.await_shown(rb'a\xff\x1b[2Jb')
            self.press(b'q')
            self.assertEqual(self.finish(), 0)
        self.tell(server, 'name ' + 'é'.encode().hex())
        self.show(server.pid)
        self.await_shown(rb'\xc3\xa9')
        self.press(b'q')
        self.assertEqual(self.finish(), 0)
        if not has_locale('C.UTF-8'):
            return
        self.show(server.pid, LC_ALL='C.UTF-8')
        self.await_shown('é'.encode())
        self.press(b'q')
        self.assertEqual(self.finish(), 0)

    def test_a_terminal_that_goes_away(self):
        server, _ = self.serve('127.0.0.1')
        self.show(server.pid)
        self.await_shown(b'127.0.0.1')
        os.close(self.terminal)
        self.terminal = None
        self.assertEqual(self.reap(), 0)

    def test_where_there_can_be_no_table(self):
        self.assert_refused(self.run_pwatch('--live', os.getpid()), 2, b'must be a terminal')
        self.assert_refused(self.run_pwatch('--live', '--', 'true'), 2, b'not for a command')
        self.show(os.getpid(), TERM='no-such-terminal')
        while self.read():
            pass
        self.assertIn(b"pwatch: cannot show a table on a terminal of the type 'no-such-terminal'",
                      self.shown)
        self.assertEqual(termios.tcgetattr(self.terminal), self.before)
        self.assertEqual(self.reap(), 1)

    def test_privileges_and_false_descriptions_of_terminals(self):
        """A pwatch with file capabilities reads none that its caller has made."""
        directory = self.directory()
        copy = os.path.join(directory, 'copy')
        shutil.copy(PWATCH, copy)
        options = self.as_nobody(copy)
        os.chmod(directory, 0o755)
        source = os.path.join(directory, 'strange.ti')
        with open(source, 'w') as file:
            file.write('strange|a false one,\n\tuse=xterm,\n')
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
