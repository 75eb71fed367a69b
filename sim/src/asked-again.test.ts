import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resume } from '@trefoil/client';
import { SEAT_TIMEOUT_MS } from './client-history.ts';
import { ANSWERS_LOST, CUT_OFF, Hall, kindOf, PATIENCE_MS } from './hall.ts';

test('an acquire that fell out of the window is asked anew, and given at once', async () => {
  const hall = await Hall.open(5);
  let ignored = 'acquire';
  const client = await hall.through(PATIENCE_MS, (bytes) => kindOf(bytes) !== ignored);
  let result = await hall.answer(client.acquire('hot'));
  ignored = 'nothing';
  for (let i = 0; i < 40; i++) await hall.answer(client.renew());
  for (let times = 0; result.kind === 'unknown'; times++) {
    assert.ok(times < 3);
    result = await hall.answer(result.again());
  }
  assert.equal(result.kind, 'granted');
  assert.equal(hall.used, 1);
  hall.end();
});

test('again asks again, however often it found out nothing', async () => {
  const hall = await Hall.open(5);
  let ignored = 'acquire';
  const client = await hall.through(PATIENCE_MS, (bytes) => kindOf(bytes) !== ignored);
  const first = await hall.answer(client.acquire('hot'));
  assert.ok(first.kind === 'unknown');
  assert.equal((await hall.answer(first.again())).kind, 'unknown');
  ignored = 'nothing';
  assert.equal((await hall.answer(first.again())).kind, 'granted');
  await hall.pass(3 * SEAT_TIMEOUT_MS);
  assert.equal(hall.used, 1);
  hall.end();
});

for (const answered of [true, false])
  test(`a license is extended while its seat is taken back, ${answered ? 'and answered' : 'without an answer'}: one seat`, async () => {
    const hall = await Hall.open(5);
    hall.sellBrief(20_000);
    await hall.pass(1_000);
    const heldUp: (() => void)[] = [];
    let holdsUp = false;
    const client = await hall.through(2_000, (bytes, _dialled, later) => {
      const passes = !holdsUp || kindOf(bytes) !== 'acquire';
      if (!passes) heldUp.push(later);
      return passes;
    });
    const result = await hall.answer(client.acquire('brief'));
    assert.ok(result.kind === 'granted');
    const { seat } = result;
    while (seat.valid) await hall.pass(10);
    // Of the old seat the renewal before it shows nothing, and the group still has it.
    holdsUp = true;
    while (heldUp.length === 0) await hall.pass(1);
    hall.sellBrief(undefined);
    await hall.pass(answered ? 300 : 800);
    holdsUp = false;
    if (!answered) hall.cut(ANSWERS_LOST);
    for (const send of heldUp) send();
    await hall.pass(1_500);
    hall.mend();
    await hall.pass(4 * SEAT_TIMEOUT_MS);
    assert.ok(seat.valid);
    assert.equal(hall.usedOf('brief-1'), 1);
    hall.end();
  });

test('who goes on elsewhere takes along a seat that was granted in a new session meanwhile', async () => {
  const hall = await Hall.open(5, 100);
  const client = await hall.movable();
  hall.cut(CUT_OFF);
  await hall.pass(80_000);
  hall.mend();
  const acquiring = client.acquire('hot');
  const detaching = client.detach();
  assert.equal((await hall.answer(acquiring)).kind, 'granted');
  const saved = await hall.answer(detaching);
  const resumed = await hall.answer(resume(saved, hall.options('ada')));
  assert.equal(resumed.seats.size, 1);
  await hall.pass(3 * SEAT_TIMEOUT_MS);
  assert.equal(hall.used, 1);
  hall.end();
});

test('who goes on elsewhere begins nothing new here, and is not kept by an application that asks again', async () => {
  const hall = await Hall.open(5, 100);
  const client = await hall.movable();
  await hall.seat(client);
  hall.cut(CUT_OFF);
  let result = await hall.answer(client.acquire('hot'));
  const asking = (async () => {
    while (result.kind === 'unknown') result = await result.again();
  })();
  const refused = assert.rejects(asking, { code: 'closed' });
  const since = hall.world.agenda.now;
  await hall.answer(client.detach());
  assert.ok(hall.world.agenda.now - since < 2 * PATIENCE_MS);
  await refused;
  await assert.rejects(client.acquire('hot'), { code: 'closed' });
});

test('what there is to tell of a seat is told when its owner has it', async () => {
  const hall = await Hall.open(5);
  hall.sellBrief(20_000);
  await hall.pass(13_000);
  const client = await hall.connect('ada');
  const owned = new Set<unknown>();
  const early: unknown[] = [];
  let told = 0;
  client.on('expiring', ({ seat }) => {
    told++;
    if (!owned.has(seat)) early.push(seat);
  });
  const acquire = async (): Promise<void> => {
    const result = await client.acquire('brief');
    assert.ok(result.kind === 'granted');
    owned.add(result.seat);
  };
  await hall.answer(acquire());
  await hall.pass(2_000);
  assert.deepEqual([told, early.length], [1, 0]);
});
