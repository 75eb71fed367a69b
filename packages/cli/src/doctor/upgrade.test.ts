import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create, StatusReplySchema, type MessageInitShape } from '@trefoil/api';
import { obstacles } from './upgrade.ts';

const voter = { kind: 'license-server', id: 2, name: 'license server 2' } as const;
const leader = { kind: 'tmr-server', id: 'A', name: 'TMR server A' } as const;
const votes = (member: number, voting = true) => ({ member, voting });
const WHOLE = {
  licenseServers: [votes(1), votes(2), votes(3)],
  tmrServers: [
    { server: 'A', heard: true, active: false },
    { server: 'B', heard: true, active: true },
  ],
};
const asked = (
  server: typeof voter | typeof leader,
  more: MessageInitShape<typeof StatusReplySchema> = {},
  threshold: 1 | 2 = 2,
) => obstacles(server, create(StatusReplySchema, { ...WHOLE, ...more }), threshold);

describe('whether a host may be taken out', () => {
  test('from a group that is whole: any license server, and the TMR server that stands by', () => {
    assert.deepEqual(asked(voter), []);
    assert.deepEqual(asked(leader), []);
  });

  test('no license server while another is missing; that one itself may be', () => {
    const alarms = ['redundancy-lost: no redundancy left, one more failure stops grants: …'];
    const [first] = asked(voter, { licenseServers: [votes(1), votes(2), votes(3, false)] });
    assert.equal(
      first?.reason,
      'without license server 2 too few would vote: license server 3 can not be counted on now',
    );
    assert.match(first?.first ?? '', /^Bring it back first/);
    assert.deepEqual(asked(voter, { licenseServers: [votes(1), votes(2, false), votes(3)], alarms }), []);
  });

  test('no TMR server that leads, or whose other one is not heard', () => {
    const tmrServers = [
      { server: 'A', heard: true, active: true },
      { server: 'B', heard: true, active: false },
    ];
    const [leads] = asked(leader, { tmrServers });
    assert.equal(leads?.reason, 'TMR server A leads now');
    assert.match(leads?.first ?? '', /^Upgrade TMR server B first, the standby; then .*"trefoil switch --admin-key/);
    const [unheard, ...more] = asked(leader, {
      tmrServers: [{ server: 'A', heard: true }, { server: 'B' }],
      alarms: ['tmr-server-not-heard: TMR server B is not heard: if the other one fails, nobody takes over'],
    });
    assert.equal(more.length, 0, 'said once');
    assert.equal(unheard?.reason, 'TMR server B is not heard: without TMR server A nobody would lead');
  });

  test('not while there is an alarm; that this very server is missing is none', () => {
    const [first] = asked(voter, { alarms: ['fork: license server 1 lies'] });
    assert.equal(first?.reason, 'there is an alarm: fork: license server 1 lies');
    assert.deepEqual(
      asked(leader, { alarms: ['tmr-server-not-heard: TMR server A is not heard: if the other one fails …'] }),
      [],
    );
  });

  test('a single server is never spare', () => {
    for (const server of [{ ...voter, id: 1 as const, name: 'license server 1' }, leader]) {
      const [first] = obstacles(server, create(StatusReplySchema, { licenseServers: [votes(1)], tmrServers: [] }), 1);
      assert.match(first?.reason ?? '', / is the only one: no seats are granted while it is out$/);
    }
  });
});
