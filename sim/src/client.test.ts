import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, GetLicenseReplySchema } from '@trefoil/api';
import type { LicenseState } from '@trefoil/core';
import type { Service } from '@trefoil/tmr-server';
import { SEAT_TIMEOUT_MS } from './client-history.ts';
import { Hall, PATIENCE_MS } from './hall.ts';
import type { Machine } from './machine.ts';

test('an outage that outlasts a seat: it is taken back, and renewed ever after', async () => {
  const hall = await Hall.open(2);
  const client = await hall.connect('ada');
  const seat = await hall.seat(client);
  const heard: string[] = [];
  client.on('lost', () => heard.push('lost'));
  client.on('restored', () => heard.push('restored'));
  for (const one of [1, 2] as const) hall.world.licenseServers[one].machine.stop();
  await hall.pass(8 * SEAT_TIMEOUT_MS);
  assert.equal(seat.valid, false);
  for (const one of [1, 2] as const) hall.world.licenseServers[one].machine.goOn();
  await hall.pass(SEAT_TIMEOUT_MS);
  for (let i = 0; i < 50; i++) {
    await hall.pass(1_000);
    assert.ok(seat.valid, `${i} s later`);
  }
  assert.deepEqual(heard, ['lost', 'restored']);
  assert.equal(hall.used, 1);
  hall.end();
});

test('nobody answers a release: asked again it is answered, and if not, the seat comes back while the client lives on', async () => {
  const hall = await Hall.open(3);
  const client = await hall.connect('ada');
  const [kept, one, another] = [await hall.seat(client), await hall.seat(client), await hall.seat(client)];
  hall.cut(['C0>*']);
  const results = await hall.answer(Promise.all([one.release(), another.release()]));
  assert.deepEqual(
    results.map(({ kind }) => kind),
    ['unknown', 'unknown'],
  );
  assert.equal((await hall.answer(one.release())).kind, 'unknown', 'still nobody has answered');
  hall.mend();
  assert.equal((await hall.answer(one.release())).kind, 'released');
  assert.equal((await hall.answer(one.release())).kind, 'released', 'and says the same again');
  await hall.pass(2 * SEAT_TIMEOUT_MS);
  assert.equal(hall.used, 1);
  assert.ok(kept.valid);
  hall.end();
});

for (const [what, sleptMs] of [
  ['a minute', 0],
  ['a day', 24 * 3_600_000],
] as const)
  test(`a consume without an answer, and ${what} of sleep: what the group does not know any more is not done again`, async () => {
    const hall = await Hall.open(1);
    const client = await hall.connect('ada');
    await hall.answer(client.consume('units', 1));
    hall.cut(['C0>*']);
    const result = await hall.answer(client.consume('units', 10));
    assert.ok(result.kind === 'unknown', result.kind);
    // The session ends; of what was consumed in it the group knows for a day.
    await hall.pass(70_000);
    (hall.machines.get('ada') as Machine).wallOffsetMs += sleptMs;
    hall.mend();
    const again = await hall.answer(result.again());
    assert.equal(again.kind, sleptMs === 0 ? 'refused' : 'unknown');
    hall.end();
  });

test('a lost seat that somebody else has is asked for until it is free; its old number is nobody’s in the new session', async () => {
  const hall = await Hall.open(3);
  const [sleeper, other] = [await hall.connect('ada'), await hall.connect('bob')];
  await hall.answer(sleeper.consume('units', 1));
  const two = await hall.seat(sleeper, 2);
  const one = await hall.seat(sleeper);
  const before = two.hold;
  hall.machines.get('ada')?.sleep();
  await hall.pass(10 * SEAT_TIMEOUT_MS);
  const taken = await hall.seat(other, 2);
  hall.machines.get('ada')?.goOn();
  await hall.pass(10_000);
  assert.equal(one.hold, before, 'the case that this is about');
  for (let i = 0; i < 50; i++) {
    await hall.pass(1_000);
    assert.deepEqual([one.valid, two.valid, taken.valid], [true, false, true], `${i} s later`);
  }
  await hall.answer(taken.release());
  await hall.pass(10_000);
  assert.ok(one.valid && two.valid);
  assert.equal(hall.used, 3);
  hall.end();
});

test('nobody answers whether a lost seat was taken back: it is held once, and free when it is given up', async () => {
  const hall = await Hall.open(3);
  const client = await hall.connect('ada');
  const seats = [await hall.seat(client), await hall.seat(client)] as const;
  for (const givenUp of [false, true]) {
    const sleeping = hall.machines.get('ada');
    sleeping?.sleep();
    await hall.pass(10 * SEAT_TIMEOUT_MS);
    const lost = hall.loseAnswerTo('acquire');
    sleeping?.goOn();
    await hall.answer(lost);
    await hall.pass(PATIENCE_MS / 2);
    if (givenUp) void seats[0].release();
    await hall.pass(PATIENCE_MS * 2);
    hall.mend();
    await hall.pass(3 * SEAT_TIMEOUT_MS);
    assert.equal(seats[0].valid, !givenUp);
    assert.ok(seats[1].valid);
    assert.equal(hall.used, givenUp ? 1 : 2);
  }
  hall.end();
});

test('what an admin ends is told, runs to its end, and is not taken back', async () => {
  const hall = await Hall.open(2);
  const client = await hall.connect('ada');
  const seat = await hall.seat(client);
  const heard: string[] = [];
  client.on('expiring', ({ reason }) => heard.push(`expiring: ${reason}`));
  client.on('lost', ({ reason }) => heard.push(`lost: ${reason}`));
  hall.world.office.evict((await client.session()).handle);
  await hall.pass(5 * SEAT_TIMEOUT_MS);
  assert.deepEqual(heard, ['expiring: evicted: found idle', 'lost: evicted: found idle']);
  assert.equal(seat.valid, false);
  assert.equal(hall.used, 0);
  hall.end();
});

test('a session that the group has forgotten: whatever is asked next is asked once more, in a new one', async () => {
  const hall = await Hall.open(5);
  const client = await hall.connect('ada');
  for (const ask of ['consume', 'acquire'] as const) {
    hall.machines.get('ada')?.sleep();
    await hall.pass(20 * SEAT_TIMEOUT_MS);
    hall.machines.get('ada')?.goOn();
    const asked = [0, 1, 2].map(() => (ask === 'consume' ? client.consume('units', 7) : client.acquire('hot')));
    const kinds = (await hall.answer(Promise.all(asked))).map(({ kind }) => kind);
    assert.deepEqual(new Set(kinds), new Set([ask === 'consume' ? 'consumed' : 'granted']));
  }
  const { licenses } = hall.world.ledgers()[0]?.ledger ?? {};
  assert.equal(licenses?.get('units-1')?.consumed, 21);
  await hall.pass(3 * SEAT_TIMEOUT_MS);
  assert.equal(hall.used, 3);
  hall.end();
});

test('a laptop whose wall clock was set back, and that then sleeps, knows that its seat is gone', async () => {
  const hall = await Hall.open(1);
  const client = await hall.connect('ada');
  const seat = await hall.seat(client);
  const machine = hall.machines.get('ada') as Machine;
  machine.wallOffsetMs -= 3_600_000;
  await hall.pass(2_100);
  assert.ok(seat.valid);
  machine.sleep();
  await hall.pass(3 * SEAT_TIMEOUT_MS);
  const other = await hall.connect('bob');
  await hall.seat(other);
  machine.goOn();
  assert.equal(seat.valid, false);
  await hall.pass(5_000);
  hall.end();
});

test('what was asked for again and is forgotten unanswered is asked for anew, and held once', async () => {
  const hall = await Hall.open(2);
  const client = await hall.connect('ada');
  const seat = await hall.seat(client);
  const machine = hall.machines.get('ada') as Machine;
  machine.sleep();
  await hall.pass(10 * SEAT_TIMEOUT_MS);
  const lost = hall.loseAnswerTo('acquire');
  machine.goOn();
  await hall.answer(lost);
  // Nobody hears of the seat that the group has given; meanwhile much else is asked, and given up.
  await hall.pass(PATIENCE_MS * 2);
  for (let i = 0; i < 40; i++) void client.consume('units', 1);
  await hall.pass(10 * PATIENCE_MS);
  hall.mend();
  await hall.pass(3 * SEAT_TIMEOUT_MS);
  assert.ok(seat.valid);
  assert.equal(hall.used, 1);
  hall.end();
});

test('a TMR server that shows no license, or another, costs nobody a seat: the other one is asked', async () => {
  for (const lie of ['none', 'another'] as const) {
    const hall = await Hall.open(2);
    hall.world.sell('other-1', 'other', 1);
    await hall.pass(1_000);
    const client = await hall.connect('ada');
    const { address } = client.group.servers.preferred;
    const liar = hall.world.fixture.group.tmrServers.find((one) => one.address === address)?.id ?? 'A';
    const { ledger } = hall.world.tmrServers[liar].runtime?.proposer.replica ?? {};
    const other = ledger?.licenses.get('other-1') as LicenseState;
    const service = hall.world.tmrServers[liar].service as Service;
    service.getLicense = () => create(GetLicenseReplySchema, { license: lie === 'none' ? '' : other.license.text });
    const seat = await hall.seat(client);
    assert.ok(seat.valid);
    await hall.pass(3 * SEAT_TIMEOUT_MS);
    assert.equal(hall.used, 1);
    hall.end();
  }
});
