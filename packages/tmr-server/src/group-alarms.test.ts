import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { OLDEST_RULES, RULES_VERSION, type VoterStatus } from '@trefoil/core';
import { ALARMS } from '@trefoil/host';
import { SET, testServer } from './test-door.ts';

test('every alarm of the core is in the list', () => {
  const core = new URL('../../core/src/', import.meta.url).pathname;
  const codes = new Set<string>();
  for (const file of globSync('{voter,proposer}/*.ts', { cwd: core }))
    if (!file.includes('test') && !file.includes('bench'))
      for (const [, code] of readFileSync(`${core}${file}`, 'utf8').matchAll(/\balarm: '([^']+)'/g))
        codes.add(code as string);
  codes.delete('rejoined'); // the end of one
  assert.ok(codes.size >= 13, [...codes].join());
  assert.deepEqual(
    [...codes].filter((code) => !(code in ALARMS)),
    [],
  );
});

test('a server that hears nobody says so, and nothing that it can’t know', async () => {
  const { runtime, service } = testServer();
  const { alarms } = service.status({ set: SET });
  assert.deepEqual(
    alarms.map((alarm) => alarm.split(':')[0]),
    ['no-quorum', 'redundancy-lost'],
  );
  assert.match(
    alarms[0] ?? '',
    /only 0 of 2 needed license servers vote, .*license server 1 is not heard; license server 2/,
  );
  await runtime[Symbol.asyncDispose]();
});

test('what a license server alarms by itself is told by whoever is asked, and so is a program too old to take over', async () => {
  const { runtime, service } = testServer();
  const nobody = new Uint8Array(16);
  const status: VoterStatus = {
    ...{ kind: 'status', promised: 0, logEpoch: 0, certifiedIndex: 0, lastIndex: 0, certificate: new Uint8Array(0) },
    ...{ logClock: 0, wallMs: Date.now(), ownerSilentMs: 0, incarnations: [nobody, nobody, nobody], rejoins: [] },
    ...{ withholding: '', unanchored: false, heard: ['A', 'B'], holdVirtualIp: [] },
  };
  const told = (rules: number, alarms: readonly string[] = []): string[] => {
    for (const member of [1, 2, 3] as const) {
      runtime.handle({ kind: 'linkUp', member, hearsAbout: true });
      runtime.handle({ kind: 'message', member, message: status });
      const about = { kind: 'about', rules, program: '2', tmrPrograms: ['2', ''], alarms } as const;
      runtime.handle({ kind: 'message', member, message: about });
    }
    return service.status({ set: SET }).alarms;
  };
  assert.deepEqual(told(RULES_VERSION), []);
  assert.deepEqual(told(OLDEST_RULES), [], 'the group goes by the oldest rules');
  assert.deepEqual(told(RULES_VERSION, ['disk-filling: nearly full']), [
    'disk-filling: license server 1: nearly full',
    'disk-filling: license server 2: nearly full',
    'disk-filling: license server 3: nearly full',
  ]);
  runtime.proposer.replica.ledger.rulesVersion = RULES_VERSION;
  assert.deepEqual(told(RULES_VERSION), []);
  assert.match(told(OLDEST_RULES).join(), /^older-program: a server does not know rules 7/);
  const { licenseServers, tmrServers, rules } = service.status({ set: SET });
  assert.deepEqual([rules, licenseServers[2]?.program, tmrServers[1]?.program], [RULES_VERSION, '2', '']);
  await runtime[Symbol.asyncDispose]();
});
