#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_events.py - the events that pwatch reports, with each way of reading"""
import errno
import json
import os
import shutil
import signal
import socket
import sys

from support import (Case, DEADLINE, KEYS, main, PWATCH, read_line, ROGUE, SERVER_COMMAND,
                     unshare_net, works)


class Events(Case):
    def test_open_and_close_as_they_happen(self):
        server, _ = self.serve()
        pwatch = self.watch('--json', '--events=open,close,end', server.pid)
        port = int(self.command(server, 'open 127.0.0.1'))
        event = json.loads(read_line(pwatch.stdout))
        self.assertEqual(list(event), KEYS)
        self.assertRegex(event.pop('time'), r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$')
        self.assertGreater(event.pop('inode'), 0)
        self.assertTrue(event.pop('process'))
        # The port may have been open before the first read.
        self.assertIn(event.pop('initial'), (True, False))
        self.assertEqual(event, {'event': 'open', 'address': '127.0.0.1', 'port': port,
                                 'family': 'inet', 'pid': server.pid, 'owners': 1,
                                 'netns': os.stat('/proc/self/ns/net').st_ino, 'id': 1})
        self.command(server, f'close {port}')
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
        pwatch = self.watch('-jv', '-e', 'close', '-i', '0.01', '--no-notify', server.pid)
        while str(ports[0]) not in read_line(pwatch.stderr):
            pass
        # The first port may be found before the start is complete, and a process that exits before is not watched.
        ports.append(int(self.command(server, 'open 127.0.0.1')))
        while str(ports[1]) not in read_line(pwatch.stderr):
            pass
        self.command(server, f'close {ports[0]}')
        server.stdin.close()
        lines = [json.loads(line) for line in pwatch.communicate(timeout=DEADLINE)[0].splitlines()]
        # Both may be found closed at the same time.
        self.assertCountEqual([(line['event'], line['port']) for line in lines],
                              [('close', port) for port in ports])
        self.assertEqual(pwatch.returncode, 0)

    def test_addresses(self):
        server, ports = self.serve('127.0.0.1', '0.0.0.0', '127.0.0.2')
        for addresses, count in (('default', 2), ('loopback', 3), ('all', 3)):
            found = self.once(f'--addresses={addresses}', server.pid)
            self.assertEqual({event['port'] for event in found}, set(ports[:count]))
            self.assertTrue(all(event['initial'] for event in found))

    def test_scope(self):
        mine, my_ports = self.serve('127.0.0.1')
        other, other_ports = self.serve('127.0.0.1')
        self.assertEqual([event['port'] for event in self.once(mine.pid)], my_ports)
        owners = {event['port']: event['pid'] for event in self.once('--scope=netns', mine.pid)}
        self.assertEqual(owners[my_ports[0]], mine.pid)
        self.assertEqual(owners[other_ports[0]], other.pid)

    def test_two_processes_of_one_namespace(self):
        one, one_ports = self.serve('127.0.0.1')
        other, other_ports = self.serve('127.0.0.1')
        found = [(event['port'], event['pid'])
                 for event in self.once('--scope=netns', one.pid, other.pid)]
        self.assertEqual(found.count((one_ports[0], one.pid)), 1)
        self.assertEqual(found.count((other_ports[0], other.pid)), 1)

    def test_the_end_of_the_target_closes_nothing(self):
        _, ports = self.serve('127.0.0.1')
        pwatch = self.watch('--json', '--scope=netns', '--events=open,close,end', '--', 'true')
        lines = pwatch.communicate(timeout=DEADLINE)[1].splitlines()
        events = [(event['event'], event['port']) for event in map(json.loads, lines)]
        self.assertEqual(events.count(('open', ports[0])), 1)
        self.assertEqual(events.count(('close', ports[0])), 0)
        self.assertEqual(events[-1], ('end', None))

    def test_owner_of_a_port_that_changes(self):
        script = ('import os, socket, sys\n'
                  'listener = socket.create_server(("127.0.0.1", 0))\n'
                  'print(listener.getsockname()[1], flush=True)\n'
                  'sys.stdin.readline()\n'
                  'child = os.fork()\n'
                  'if child: print(child, flush=True); os._exit(0)\n'
                  'sys.stdin.readline()\n')
        server = self.start([sys.executable, '-c', f'import subprocess, sys\n'
                             f'subprocess.Popen([sys.executable, "-c", {script!r}]).wait()\n'
                             f'import signal; signal.pause()'],
                            # Without reports of forks, the session shows the origin of the child.
                            start_new_session=True)
        port = int(read_line(server.stdout))
        pwatch = self.watch('--json', '--events=open,owner,close', server.pid)
        opened = json.loads(read_line(pwatch.stdout))
        self.assertEqual((opened['event'], opened['port']), ('open', port))
        server.stdin.write(b'\n')
        child = int(read_line(server.stdout))
        event = opened
        while event['pid'] != child:
            event = json.loads(read_line(pwatch.stdout))
            self.assertEqual((event['event'], event['port'], event['id']),
                             ('owner', port, opened['id']))
        server.stdin.write(b'\n')
        event = json.loads(read_line(pwatch.stdout))
        while event['event'] == 'owner':
            event = json.loads(read_line(pwatch.stdout))
        self.assertEqual((event['event'], event['pid'], event['id']),
                         ('close', child, opened['id']))

    def test_overlapping_trees_report_once(self):
        server, ports = self.serve('127.0.0.1')
        found = [event['port'] for event in self.once(os.getpid(), server.pid)]
        self.assertEqual(found.count(ports[0]), 1)

    def test_every_way_of_reading_finds_the_same_ports(self):
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
        self.command(server, f'name {name.hex()}')
        self.assertEqual(self.once(server.pid)[0]['process'], '\x1b[2J\n"\ufffd\\x')
        result = self.run_pwatch('--once', server.pid)
        self.assertIn(rb'\x1b[2J\x0a"\xff\x5cx ', result.stdout)
        self.assertNotIn(b'\x1b', result.stdout)
        self.assertEqual(result.stdout.count(b'\n'), 1)

    def test_another_network_namespace(self):
        prefix = unshare_net()
        if not prefix:
            self.skipTest('no network namespace can be created')
        pwatch = self.watch('-j', '-o', '/dev/stderr', '--', *prefix, *SERVER_COMMAND)
        port = int(self.command(pwatch, 'open 0.0.0.0'))
        event = json.loads(read_line(pwatch.stderr))
        self.assertEqual((event['port'], event['netns']), (port, int(self.command(pwatch, 'netns'))))
        self.assertNotEqual(event['netns'], os.stat('/proc/self/ns/net').st_ino)
        pwatch.stdin.write(b'exit 7\n')
        self.assertEqual(pwatch.wait(DEADLINE), 7)

    def test_a_killed_helper_is_replaced(self):
        if not works('unshare', '--net', 'true'):
            self.skipTest('no network namespace can be entered')
        server, _ = self.serve('0.0.0.0', prefix=['unshare', '--net'])
        pwatch = self.watch('-jq', '-i', '0.01', '--reader=setns', server.pid)
        read_line(pwatch.stdout)
        helpers = self.helpers(pwatch)
        self.assertEqual(len(helpers), 1)
        os.kill(helpers[0], signal.SIGKILL)
        port = int(self.command(server, 'open 0.0.0.0'))
        event = json.loads(read_line(pwatch.stdout))
        self.assertEqual((event['event'], event['port']), ('open', port))

    def test_a_refused_mechanism_is_reported_once(self):
        def refuse(call, error):
            return [ROGUE, 'with', f'refused:{call}={error}', '--']
        if not works(*refuse('bpf', errno.EPERM), shutil.which('true')):
            self.skipTest('no system calls can be refused')
        server, _ = self.serve('127.0.0.1')
        for call, words in (('perf_event_open', b'no notifier for listen(2), polling instead: '),
                            ('socket', b'procfs table, because table diag: ')):
            for error in (errno.EPERM, errno.EACCES, errno.ENOSYS):
                with self.subTest(call=call, error=error):
                    pwatch = self.start([*refuse(call, error), PWATCH, '-jv', '-i', '0.005',
                                         str(server.pid)])
                    read_line(pwatch.stdout)
                    for _ in range(3):
                        port = self.command(server, 'open 127.0.0.1')
                        self.assertIn(f'"port":{port},', read_line(pwatch.stdout))
                        self.command(server, f'close {port}')
                        self.assertIn(f'"port":{port},', read_line(pwatch.stdout))
                    pwatch.terminate()
                    self.assertEqual(pwatch.wait(DEADLINE), 0)
                    messages = pwatch.stderr.read()
                    self.assertEqual((messages.count(words), messages.count(b'info: port open')), (1, 4),
                                     messages)


if __name__ == '__main__':
    main()
