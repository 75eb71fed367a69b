import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resume } from '@trefoil/client';
import { ANSWERS_LOST, CUT_OFF, Hall } from './hall.ts';

test('who waits is served within moments of the release, and told its place on the way', async () => {
  const hall = await Hall.open(1);
  const [ada, bob, cem] = [await hall.connect('ada'), await hall.connect('bobby'), await hall.connect('cemile')];
  const seat = await hall.seat(ada);
  const places: number[] = [];
  const waiting = bob.acquire('hot', { waitMs: 600_000 });
  await hall.pass(500);
  const behind = cem.acquire('hot', { waitMs: 600_000, onPlace: (place) => void places.push(place) });
  await hall.pass(100_000);
  await hall.answer(seat.release());
  const before = hall.world.agenda.now;
  const served = await hall.answer(waiting);
  assert.ok(served.kind === 'granted' && served.seat.valid);
  assert.ok(hall.world.agenda.now - before < 100, `${hall.world.agenda.now - before} ms`);
  await hall.pass(20_000);
  assert.deepEqual(places, [2, 1]);
  await hall.answer(served.seat.release());
  assert.equal((await hall.answer(behind)).kind, 'granted');
  hall.end();
});

test('a wait is over when its time is, with the word who has the seats', async () => {
  const hall = await Hall.open(1);
  const [ada, bob] = [await hall.connect('ada'), await hall.connect('bobby')];
  await hall.seat(ada);
  const since = hall.world.agenda.now;
  const denied = await hall.answer(bob.acquire('hot', { waitMs: 5_000 }));
  assert.ok(denied.kind === 'denied' && denied.code === 'seats');
  assert.equal(denied.holders[0]?.user, 'ada');
  const tookMs = hall.world.agenda.now - since;
  assert.ok(tookMs >= 5_000 && tookMs < 7_500, `${tookMs} ms`);
  hall.end();
});

test('it can be given up, and whoever waits behind moves up', async () => {
  const hall = await Hall.open(1);
  const [ada, bob, cem] = [await hall.connect('ada'), await hall.connect('bobby'), await hall.connect('cemile')];
  const seat = await hall.seat(ada);
  const giveUp = new AbortController();
  const waiting = bob.acquire('hot', { waitMs: 60_000, signal: giveUp.signal });
  await hall.pass(500);
  const behind = cem.acquire('hot', { waitMs: 60_000 });
  await hall.pass(500);
  giveUp.abort(new Error('no longer needed'));
  await assert.rejects(hall.answer(waiting), /no longer needed/);
  await hall.answer(seat.release());
  assert.equal((await hall.answer(behind)).kind, 'granted');
  await hall.pass(1_000);
  assert.equal(hall.used, 1);
  hall.end();
});

test('a wait lives through a takeover, and keeps its place', async () => {
  const hall = await Hall.open(1);
  const { world } = hall;
  const [ada, bob, cem] = [await hall.connect('ada'), await hall.connect('bobby'), await hall.connect('cemile')];
  const seat = await hall.seat(ada);
  const waiting = bob.acquire('hot', { waitMs: 600_000 });
  await hall.pass(500);
  const behind = cem.acquire('hot', { waitMs: 600_000 });
  await hall.pass(500);
  const active = Object.values(world.tmrServers).find((one) => one.runtime?.proposer.role === 'leading');
  active?.crash();
  await hall.pass(3_000);
  await hall.answer(seat.release());
  const served = await hall.answer(waiting);
  assert.equal(served.kind, 'granted');
  await hall.pass(3_000);
  assert.equal(await Promise.race([behind, Promise.resolve('waits')]), 'waits');
  hall.end();
});

test('served while its client hears nothing: it is told later, or the seat is free again', async () => {
  for (const silentMs of [5_000, 200_000]) {
    const hall = await Hall.open(1);
    const [ada, bob] = [await hall.connect('ada'), await hall.connect('bobby')];
    const seat = await hall.seat(ada);
    const waiting = bob.acquire('hot', { waitMs: 600_000 });
    await hall.pass(500);
    hall.cut(CUT_OFF);
    void seat.release();
    await hall.pass(silentMs);
    hall.mend();
    const served = await hall.answer(waiting);
    assert.ok(served.kind === 'granted' && served.seat.valid, `${silentMs}: ${served.kind}`);
    hall.end();
  }
});

test('answers that are lost: no seat is held that nobody knows of', async () => {
  const hall = await Hall.open(1);
  const [ada, bob] = [await hall.connect('ada'), await hall.connect('bobby')];
  const seat = await hall.seat(ada);
  const lost = hall.loseAnswerTo('acquire');
  const asked = bob.acquire('hot', { waitMs: 30_000 });
  await hall.answer(lost);
  assert.equal((await hall.answer(asked)).kind, 'unknown');
  hall.mend();
  await hall.answer(seat.release());
  await hall.pass(120_000); // the wait of which nobody knows was served, and is given back
  assert.equal(hall.used, 0);
  hall.cut(ANSWERS_LOST);
  hall.mend();
  hall.end();
});

test('closed while it waits: nobody waits any more', async () => {
  const hall = await Hall.open(1);
  const [ada, bob] = [await hall.connect('ada'), await hall.connect('bobby')];
  const seat = await hall.seat(ada);
  const waiting = bob.acquire('hot', { waitMs: 30_000 });
  await hall.pass(500);
  await hall.answer(bob.close());
  assert.equal((await hall.answer(waiting)).kind, 'unknown');
  await hall.answer(seat.release());
  await hall.pass(1_000);
  assert.equal(hall.used, 0);
  hall.end();
});

test('who goes on elsewhere waits no more', async () => {
  const hall = await Hall.open(1, 100);
  const ada = await hall.connect('adalbert');
  const seat = await hall.seat(ada);
  const bob = await hall.movable();
  const waiting = bob.acquire('hot', { waitMs: 300_000 });
  await hall.pass(500);
  const saved = await hall.answer(bob.detach());
  assert.equal((await hall.answer(waiting)).kind, 'unknown');
  const again = await hall.answer(resume(saved, hall.options('bobby')));
  await hall.answer(seat.release());
  await hall.pass(90_000);
  assert.equal(hall.used, 0);
  assert.equal(again.seats.size, 0);
  hall.end();
});
