import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
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
