#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""support.py - functions for the tests of pwatch from the command line to the exit status"""
import json
import locale
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

# The caller may ignore some of these signals (nohup(1), a shell in the background). pwatch would keep them
# ignored.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)

PWATCH = os.path.abspath(os.environ.get('PWATCH', './pwatch'))
ROGUE = os.path.abspath(os.environ.get('ROGUE', './tests/fixtures/rogue'))
TREE = os.path.abspath(os.environ.get('TREE', './tests/fixtures/tree'))


def patience(seconds):
    """Returns the seconds multiplied by PORTWATCH_TEST_SLOWNESS, an integer: the factor by which this machine
    is slower than a usual machine. Every deadline of a Python test uses this function."""
    return seconds * int(os.environ.get('PORTWATCH_TEST_SLOWNESS') or 1)


DEADLINE = patience(120)  # seconds for an event that usually takes milliseconds
NO_SUCH_PID = str(2**31 - 1)
NOBODY = 65534
F_SETPIPE_SZ = 1031  # fcntl.F_SETPIPE_SZ requires Python 3.10
INITIAL_USER_NAMESPACE = 0xEFFFFFFD
KEYS = ['time', 'event', 'address', 'port', 'family', 'pid', 'process', 'owners', 'netns', 'inode',
        'initial', 'id']
# For a pwatch with file capabilities, whose memory the leak checker may not read.
NO_LEAK_CHECK = dict(os.environ, ASAN_OPTIONS='detect_leaks=0')

# Executes the commands from its standard input, and exits at the end of the input.
SERVER = '''
import ctypes, os, resource, socket, sys
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
    elif verb == "descriptors":
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for _ in range(int(rest)):
            os.dup(0)
    elif verb == "exit":
        sys.exit(int(rest))
    print(answer, flush=True)
'''
# The beginning and the end of a script that only handles signals. Each signal also writes a byte into a pipe,
# because signal.pause() would miss a signal that arrives right before the call.
BEFORE_SIGNALS = 'import os, signal, sys\n' \
                 'ends = os.pipe()\n' \
                 'os.set_blocking(ends[1], False)\n' \
                 'signal.set_wakeup_fd(ends[1])\n'
AWAIT_SIGNALS = 'while True: os.read(ends[0], 1)\n'
SERVER_COMMAND = [sys.executable, '-c', SERVER]


def without_internal_signals(text):
    """Removes the two internal signals of libc, whose disposition sanitizers change."""
    return re.sub(rb'(Sig\w+:\t)([0-9a-f]+)',
                  lambda found: found[1] + b'%x' % (int(found[2], 16) & ~0x180000000), text)


def read_line(stream):
    """Returns the next line of an unbuffered stream, or '' at its end. Fails at the deadline."""
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


def read_lines(stream, count):
    """Returns the next `count` lines of an unbuffered stream."""
    text = b''
    deadline = time.monotonic() + DEADLINE
    while text.count(b'\n') < count:
        if not select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f'{text.count(10)} lines of {count} within {DEADLINE} s')
        piece = os.read(stream.fileno(), 65536)
        if not piece:
            raise AssertionError(f'end of the stream after {text.count(10)} lines of {count}')
        text += piece
    return text.decode().splitlines()


def wait_until(condition):
    """Polls a condition that no event announces."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f'the condition is still false after {DEADLINE} s')
        select.select([], [], [], 0.005)


def read_proc(name):
    """Returns the text of a file below /proc, or '' after the exit of its process or thread."""
    try:
        with open(f'/proc/{name}') as text:
            return text.read()
    except (FileNotFoundError, ProcessLookupError):
        return ''


def in_initial_user_namespace():
    return os.stat('/proc/self/ns/user').st_ino == INITIAL_USER_NAMESPACE


def works(*command):
    return shutil.which(command[0]) and subprocess.run(command, capture_output=True).returncode == 0


def has_locale(name):
    """Returns whether the locale is installed."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, before)
    return True


def unshare(*namespaces):
    """Returns a command prefix that creates the namespaces, or None if the kernel refuses them."""
    for command in (['unshare'], ['unshare', '--user', '--map-root-user']):
        if works(*command, *namespaces, 'true'):
            return [*command, *namespaces]
    return None


def unshare_net():
    return unshare('--net')


class Case(unittest.TestCase):
    def start(self, command, **options):
        """Starts a process, which is killed at the end of the test case."""
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

    @staticmethod
    def kill(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def watch(self, *arguments, **options):
        return self.start([PWATCH, *map(str, arguments)], **options)

    @staticmethod
    def run_pwatch(*arguments, prefix=(), **options):
        """Runs pwatch to its end and captures its output. prefix: the command that runs pwatch."""
        options = {'stdin': subprocess.DEVNULL, 'capture_output': True, 'timeout': DEADLINE,
                   **options}
        return subprocess.run([*prefix, PWATCH, *map(str, arguments)], **options)

    def serve(self, *addresses, prefix=()):
        server = self.start([*prefix, *SERVER_COMMAND], stderr=None)
        return server, [int(self.command(server, f'open {address}')) for address in addresses]

    @staticmethod
    def command(server, words):
        server.stdin.write(words.encode() + b'\n')
        return read_line(server.stdout).strip()

    @staticmethod
    def helpers(pwatch):
        """Returns the PIDs of the children of pwatch."""
        found = []
        for task in os.listdir(f'/proc/{pwatch.pid}/task'):
            found += map(int, read_proc(f'{pwatch.pid}/task/{task}/children').split())
        return found

    def once(self, *arguments, **options):
        """Returns the objects that --once --json prints."""
        result = self.run_pwatch('--once', '--json', *arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0 if result.stdout else 1, b''))
        return [json.loads(line) for line in result.stdout.splitlines()]

    def assert_refused(self, result, status, *words):
        """pwatch printed one line on standard error and nothing else."""
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout, b'')
        self.assertTrue(result.stderr.startswith(b'pwatch: '), result)
        self.assertEqual(result.stderr.count(b'\n'), 1, result)
        for word in words:
            self.assertIn(word, result.stderr)

    def with_capabilities(self, *names):
        """Returns a command prefix for root with exactly these capabilities, which exec(2) cannot extend."""
        command = ['setpriv', ','.join(['--bounding-set=-all', *(f'+{name}' for name in names)]),
                   '--inh-caps=-all']
        if os.geteuid() != 0 or not works(*command, 'true'):
            self.skipTest('requires root and setpriv')
        return command

    def directory(self):
        directory = tempfile.TemporaryDirectory(dir=os.environ.get('TMPDIR', '.'),
                                                prefix='pwatch.')
        self.addCleanup(directory.cleanup)
        return os.path.abspath(directory.name)

    def as_nobody(self, executable):
        """Returns options that run the executable as another user, who need not have access to its path."""
        if os.geteuid() != 0 or not in_initial_user_namespace():
            self.skipTest('only root can become another user')
        fd = os.open(executable, os.O_PATH)
        self.addCleanup(os.close, fd)
        return {'executable': f'/proc/self/fd/{fd}', 'pass_fds': (fd,), 'user': NOBODY,
                'group': NOBODY, 'extra_groups': [], 'cwd': '/', 'env': NO_LEAK_CHECK}


def main():
    name = os.path.basename(sys.argv[0])
    no_skip = os.environ.get('PORTWATCH_TEST_NO_SKIP')
    if not os.access(PWATCH, os.X_OK):
        print(f'SKIP: {name}: pwatch was not built', file=sys.stderr)
        sys.exit(1 if no_skip else 77)
    result = unittest.main(exit=False, verbosity=2).result
    for case, why in result.skipped:
        print(f'SKIP: {case.id()}: {why}', file=sys.stderr)
    if not result.wasSuccessful() or (result.skipped and no_skip):
        sys.exit(1)
    sys.exit(77 if len(result.skipped) == result.testsRun else 0)
