import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, StatusReplySchema } from '@trefoil/api';
import type { Finding } from './finding.ts';
import { programFindings } from './versions.ts';

/** Programs of the license servers, and of the TMR servers. */
const seen = (voters: readonly string[], leaders: readonly string[], rules = 6): Finding | undefined =>
  programFindings(
    create(StatusReplySchema, {
      ...{ server: 'B', rules },
      licenseServers: voters.map((program, i) => ({ member: i + 1, connected: program !== 'down', program })),
      tmrServers: leaders.map((program, i) => ({ server: 'AB'[i] as string, heard: program !== 'down', program })),
    }),
  )[0];

test('all five run one version', () => {
  const found = seen(['2', '2', '2'], ['2', '2']);
  assert.deepEqual([found?.level, found?.found], ['ok', 'all of version 2; the group goes by rules 6']);
});

test('of those that are down nothing is said', () => {
  assert.equal(seen(['2', 'down', '2'], ['2', 'down'])?.level, 'ok');
  assert.equal(seen(['down', 'down', 'down'], ['down', 'down']), undefined);
});

test('a group that is being upgraded', () => {
  const found = seen(['2', '1', ''], ['2', '2']);
  assert.equal(found?.level, 'warning');
  assert.match(
    found.found,
    /license server 1: 2; license server 2: 1; license server 3: older, or not heard; TMR server A: 2/,
  );
  assert.match('advice' in found ? found.advice : '', /rules \(6\) until all five.*upgrade-check/);
});

test('one of before can not tell, and that is said', () => {
  assert.match(
    seen(['', '', ''], ['', ''], 0)?.found ?? '',
    /^not known: TMR server B was asked, and has an older program/,
  );
});
