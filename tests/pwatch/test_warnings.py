#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_warnings.py - the situations in which pwatch warns, and those in which it does not"""
import os
import resource
import sys

from support import Case, main, NO_LEAK_CHECK, NOBODY, PWATCH, in_initial_user_namespace, \
    read_line, read_lines

# "fork NAME" starts a child. Between "hide NAME" and "show NAME" the child is unreadable. A child with the
# name netns tries to enter a network namespace of its own. "open" opens a port. The program exits at the end
# of its standard input.
TREE = '''
import ctypes, os, socket, sys
libc = ctypes.CDLL(None)
prctl = libc.prctl
NEW_USER, NEW_NET = 0x10000000, 0x40000000
def answer_with(words):
    print(words, flush=True)
def child(name, requests, answers):
    prctl(15, name.encode(), 0, 0, 0)
    if name == "netns":
        libc.unshare(NEW_USER | NEW_NET)
    while request := os.read(requests, 1):
        prctl(4, int(request), 0, 0, 0)
        os.write(answers, b"x")
    os._exit(0)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
    prctl(4, 1, 0, 0, 0)
pipes = {}
listeners = []
for line in sys.stdin:
    verb, _, name = line.strip().partition(" ")
    if verb == "fork":
        ask, answer = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ask[1])
            for others in pipes.values():
                os.close(others[0])
            child(name, ask[0], answer[1])
        os.close(ask[0])
        pipes[name] = (ask[1], answer[0])
        answer_with(pid)
    elif verb == "open":
        listeners.append(socket.create_server(("127.0.0.1", 0)))
        answer_with(listeners[-1].getsockname()[1])
    else:
        os.write(pipes[name][0], b"0" if verb == "hide" else b"1")
        os.read(pipes[name][1], 1)
        answer_with("done")
'''
CANNOT = 'cannot read the descriptors of PID '


class Warnings(Case):
    def setUp(self):
        """The tests run as an ordinary user, because root can read every process."""
        self.options = {}
        if os.geteuid() == 0:
            if not in_initial_user_namespace():
                self.skipTest('this user namespace has no user except root, who can read every process')
            fd = os.open(PWATCH, os.O_PATH)
            self.addCleanup(os.close, fd)
            self.options = {'user': NOBODY, 'group': NOBODY, 'extra_groups': [], 'cwd': '/',
                            'env': NO_LEAK_CHECK, 'pass_fds': (fd,)}
            self.pwatch = f'/proc/self/fd/{fd}'
        else:
            self.pwatch = PWATCH

    def start_tree(self):
        return self.start([sys.executable, '-c', TREE, str(NOBODY)], stderr=None)

    def watch_tree(self, *arguments):
        return self.start([self.pwatch, *map(str, arguments)], **self.options)

    @staticmethod
    def wait_for_message(pwatch, *words):
        """Returns the first line on standard error that has all words."""
        while line := read_line(pwatch.stderr):
            if all(word in line for word in words):
                return line
        raise AssertionError(f'no message with {words}')

    def finish(self, pwatch, tree):
        """Ends the tree. Returns the rest of standard error."""
        tree.stdin.close()
        messages = b''
        while piece := os.read(pwatch.stderr.fileno(), 65536):
            messages += piece
        self.assertEqual(pwatch.wait(), 0)
        return messages.decode()

    def test_a_member_that_is_unreadable_for_a_short_time(self):
        tree = self.start_tree()
        self.command(tree, 'open')
        pid = self.command(tree, 'fork member')
        self.command(tree, 'hide member')
        pwatch = self.watch_tree('--verbose', '--json', tree.pid)
        messages = self.wait_for_message(pwatch, 'info', f'{CANNOT}{pid} ')
        self.command(tree, 'show member')
        self.command(tree, 'open')
        read_lines(pwatch.stdout, 2)
        messages += self.finish(pwatch, tree)
        self.assertNotIn('warning', messages)

    def test_a_member_that_stays_unreadable(self):
        tree = self.start_tree()
        self.command(tree, 'open')
        pid = self.command(tree, 'fork member')
        self.command(tree, 'fork another')
        self.command(tree, 'hide member')
        self.command(tree, 'hide another')
        pwatch = self.watch_tree(tree.pid)
        messages = self.wait_for_message(pwatch, 'warning', f'{CANNOT}')
        self.assertIn('(member)' if f'PID {pid} ' in messages else '(another)', messages)
        self.assertIn('CAP_SYS_PTRACE', messages)
        self.assertEqual(self.finish(pwatch, tree), '')

    def test_once_with_an_unreadable_member(self):
        tree = self.start_tree()
        self.command(tree, 'open')
        pid = self.command(tree, 'fork member')
        self.command(tree, 'hide member')
        result = self.run_pwatch('--once', tree.pid, executable=self.pwatch, **self.options)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr.count(b'\n'), 1, result)
        self.assertIn(f'{CANNOT}{pid}'.encode(), result.stderr)

    def test_the_session_keeper_of_a_service_manager(self):
        tree = self.start_tree()
        self.command(tree, 'open')
        self.command(tree, 'fork (sd-pam)')
        self.command(tree, 'hide (sd-pam)')
        result = self.run_pwatch('--once', tree.pid, executable=self.pwatch, **self.options)
        self.assertEqual((result.returncode, result.stderr), (0, b''))
        self.command(tree, 'fork member')
        self.command(tree, 'hide member')
        pwatch = self.watch_tree('--verbose', tree.pid)
        messages = self.wait_for_message(pwatch, 'warning', CANNOT)
        self.assertIn('(member)', messages)
        self.assertNotIn('sd-pam', messages)

    def test_the_end_of_a_tree(self):
        script = 'for i in 1 2 3 4 5; do for j in 1 2 3 4; do sleep 0.0$j & done; wait; done'
        for reader in ('auto', 'procfs'):
            for _ in range(10):
                result = self.run_pwatch('--no-notify', '--interval=0.001', f'--reader={reader}',
                                         '--', 'sh', '-c', script, executable=self.pwatch,
                                         **self.options)
                self.assertEqual((result.returncode, result.stderr), (0, b''))

    def test_limits_are_not_mistaken_for_missing_privileges(self):
        tree = self.start_tree()
        self.command(tree, 'open')
        for _ in range(30):
            self.command(tree, 'fork netns')
        found = 0
        for limit in range(6, 60, 2):
            for arguments in (['--once'], ['--check', '--json']):
                result = self.run_pwatch(
                    *arguments, tree.pid, executable=self.pwatch, **self.options,
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
                for line in (result.stdout + result.stderr).splitlines():
                    if b'oo many open files' not in line:
                        continue
                    found += 1
                    self.assertNotIn(b'CAP_', line)
                    self.assertRegex(line, b'ulimit -n')
                self.assertLess(result.stderr.count(b'warning'), 25, result)
        self.assertGreater(found, 0)


if __name__ == '__main__':
    main()
