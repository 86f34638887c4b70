#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_refusals.py - the requests that pwatch refuses, and its messages"""
import json
import os
import threading

from support import (Case, DEADLINE, in_initial_user_namespace, main, NO_SUCH_PID, PWATCH,
                     read_line)


class Refusals(Case):
    def setUp(self):
        self.hold = threading.Event()

    def test_wrong_usage(self):
        for arguments in ([], ['--frobnicate'], ['1', 'word'], ['-1', '0'], ['-5x'], ['--', ], ['--ver', '1'], ['-qv', '1'], ['--format={x}', '1'],
                          ['1', '--', 'true'], ['-i', '0', '1'], ['--check', '1', '2']):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_pwatch(*arguments), 2)

    def test_no_such_process(self):
        self.assert_refused(self.run_pwatch(NO_SUCH_PID), 1, b'no such process')

    def test_another_users_process(self):
        if os.geteuid() == 0 and in_initial_user_namespace():
            pid, options = os.getpid(), self.as_nobody(PWATCH)
        elif os.stat('/proc/1').st_uid != os.geteuid():
            pid, options = 1, {}
        else:
            self.skipTest('process 1 belongs to the user of the test')
        self.assert_refused(self.run_pwatch(pid, **options), 1, str(pid).encode())
        options['env'] = {**options.get('env', os.environ), 'PORTWATCH_DEBUG': '1'}
        messages = self.run_pwatch(pid, **options).stderr
        self.assertGreater(messages.count(b'\n'), 1, messages)

    def test_a_port_in_place_of_a_process(self):
        pid = next(pid for pid in range(65535, 1, -1) if not os.path.exists(f'/proc/{pid}'))
        self.assert_refused(self.run_pwatch(pid), 1, b'no such process', b'--wait=PORT')
        server, port = self.serve_on_a_port_without_process()
        self.assert_refused(self.run_pwatch(port), 1, b'no such process; port %d is open, held by PID %d ('
                            % (port, server.pid), b'): pwatch %d\n' % server.pid)
        # With several operands, none is taken for a port.
        result = self.run_pwatch(port, NO_SUCH_PID)
        self.assertNotIn(b' is open', result.stderr)

    def serve_on_a_port_without_process(self):
        """Starts a server whose port is not the PID of any process."""
        while True:
            server, ports = self.serve('127.0.0.2')
            if not os.path.exists(f'/proc/{ports[0]}'):
                return server, ports[0]

    def test_some_missing_processes(self):
        """pwatch watches the others, and names the missing processes before any event."""
        server, ports = self.serve('127.0.0.1')
        other = str(int(NO_SUCH_PID) - 1)
        pwatch = self.watch('-j', other, server.pid, NO_SUCH_PID)
        for pid in other, NO_SUCH_PID:
            self.assertRegex(read_line(pwatch.stderr),
                             f'^pwatch: cannot watch process {pid}: no such process')
        self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], ports[0])
        server.stdin.close()
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (0, b''))
        result = self.run_pwatch('-1j', server.pid, NO_SUCH_PID)
        self.assertEqual((result.returncode, result.stdout, result.stderr.count(b'\n')), (1, b'', 2))

    def test_a_wrong_pid_is_reported_before_any_event(self):
        server, _ = self.serve('127.0.0.1')
        thread = threading.Thread(target=self.hold.wait)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.hold.set)
        self.assert_refused(self.run_pwatch(server.pid, thread.native_id), 1, b'it is a thread')

    def test_a_word_is_a_command(self):
        self.assertEqual(self.run_pwatch('sh', '-c', 'exit 4').returncode, 4)
        self.assert_refused(self.run_pwatch('/no such command'), 127, b'/no such command')

    def test_a_descriptor_that_cannot_be_written_to(self):
        with open('/dev/null') as readable:
            fd = readable.fileno()
            self.assert_refused(self.run_pwatch(f'--fd={fd}', os.getpid(), pass_fds=(fd,)), 1,
                                b'descriptor %d: Bad file descriptor' % fd)
        for arguments, status in (([os.getpid()], 1), (['--', 'true'], 125), (['--check'], 1)):
            self.assert_refused(self.run_pwatch('--fd=500', *arguments), status, b'descriptor 500')
        self.assert_refused(self.run_pwatch('--fd=0', os.getpid(), stdin=None,
                                            preexec_fn=lambda: os.close(0)), 1, b'descriptor 0')

    def test_output_that_cannot_be_opened(self):
        self.assert_refused(self.run_pwatch('-o', '/nonexistent/file', os.getpid()), 1,
                            b'/nonexistent/file')
        self.assert_refused(self.run_pwatch('-o', '/nonexistent/file', '--', 'true'), 125)


if __name__ == '__main__':
    main()
