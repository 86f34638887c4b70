#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_check.py - the report of --check"""
import json
import os
import shlex
import shutil

from support import Case, main, NO_SUCH_PID, PWATCH

GRANT = 'setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p '


class Check(Case):
    def report(self, *arguments, prefix=()):
        result = self.run_pwatch('--check', '--json', *arguments, prefix=prefix)
        found = [json.loads(line) for line in result.stdout.splitlines()]
        for entry in found:
            self.assertEqual(list(entry), ['topic', 'name', 'value', 'note'])
        return result.returncode, found

    def test_a_visible_process(self):
        server, _ = self.serve('127.0.0.1', '127.0.0.1')
        status, found = self.report('--no-notify', server.pid)
        self.assertEqual(status, 0)
        self.assertEqual(found[0], {'topic': 'result', 'name': f'process {server.pid}',
                                    'value': 'yes', 'note': 'open now: 2'})
        values = {entry['name']: entry for entry in found}
        self.assertEqual(values['user']['value'], str(os.geteuid()))
        netns = values[f'netns {os.stat("/proc/self/ns/net").st_ino}']
        self.assertRegex(netns['value'], '^local reader, (diag|procfs) table')
        for notice in 'listen', 'close', 'processes':
            self.assertEqual(values[notice]['value'], 'polling')
            self.assertTrue(values[notice]['note'])

    def test_without_operand(self):
        result = self.run_pwatch('--check')
        self.assertEqual((result.returncode, result.stderr), (0, b''))
        self.assertRegex(result.stdout, b'^Can the ports be seen\\?\n  own processes +yes\n'
                                        b'  other processes +(yes|no - )')

    def test_as_root_with_few_capabilities(self):
        """The report is true: pwatch can watch a process with the same capabilities, but not one with more."""
        few, more = (self.with_capabilities(*names) for names in (['chown'], ['chown', 'kill']))
        own, ports = self.serve('127.0.0.1', prefix=few)
        other, _ = self.serve('127.0.0.1', prefix=more)
        status, found = self.report(prefix=few)
        self.assertEqual((status, found[0]['name'], found[0]['value']), (0, 'own processes', 'yes'))
        self.assertEqual((found[1]['name'], found[1]['value']), ('other processes', 'no'))
        self.assertIn('cap_sys_ptrace', found[1]['note'])
        status, found = self.report(own.pid, prefix=few)
        self.assertEqual((status, found[0]['value'], found[0]['note']), (0, 'yes', 'open now: 1'))
        status, found = self.report(other.pid, prefix=few)
        self.assertEqual((status, found[0]['value']), (1, 'no'))
        self.assertIn('it has capabilities that pwatch lacks', found[0]['note'])

    def test_a_missing_process(self):
        status, found = self.report(NO_SUCH_PID)
        self.assertEqual((status, found[0]['value']), (1, 'no'))
        self.assertIn('no such process', found[0]['note'])

    def test_missing_privileges_and_grants(self):
        options = self.as_nobody(PWATCH)
        result = self.run_pwatch('--check', '--json', **options)
        found = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertIn('cap_sys_admin', [entry['name'] for entry in found
                                        if entry['topic'] == 'missing'])
        self.assertIn(GRANT + shlex.quote(PWATCH),
                      [entry['value'] for entry in found if entry['topic'] == 'grant'])

    def test_a_path_is_quoted_for_the_shell(self):
        directory = os.path.join(self.directory(), "it's here")
        os.mkdir(directory)
        copy = shutil.copy(PWATCH, directory)
        options = self.as_nobody(copy) if os.geteuid() == 0 else {'executable': copy}
        found = self.run_pwatch('--check', **options).stdout.decode()
        self.assertIn(GRANT + shlex.quote(copy) + '\n', found)


if __name__ == '__main__':
    main()
