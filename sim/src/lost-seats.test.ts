import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, resume } from '@trefoil/client';
import { decodeCommand } from '@trefoil/license';
import { SEAT_TIMEOUT_MS } from './client-history.ts';
import { CUT_OFF, Hall, kindOf } from './hall.ts';

/** Its session is over, and it has noticed. */
async function forgotten(hall: Hall, client: Client): Promise<void> {
  const session = await client.session();
  hall.cut(CUT_OFF);
  await hall.pass(80_000);
  hall.mend();
  for (let i = 0; !session.ended && i < 100_000; i++) await hall.pass(1);
  assert.ok(session.ended);
}

for (const patienceMs of [1_000, 30_000])
  test(`what was granted so long ago that somebody else may have it is no seat: another one is, after ${patienceMs} ms`, async () => {
    const hall = await Hall.open(1);
    const [ada, bob] = [await hall.connect('ada', patienceMs), await hall.connect('bobby')];
    const lost = hall.loseAnswerTo('acquire');
    const asked = ada.acquire('hot');
    await hall.answer(lost);
    hall.cut(['C0>*']);
    await hall.pass(11_000);
    const early = patienceMs < 11_000 ? await hall.answer(asked) : undefined;
    hall.mend();
    const other = await hall.answer(bob.acquire('hot'));
    const result = await hall.answer(early?.kind === 'unknown' ? early.again() : asked);
    const valid = [result, other].filter((one) => one.kind === 'granted').map((one) => one.seat.valid);
    assert.deepEqual(valid, [true], `${result.kind}, ${other.kind}`);
    assert.equal(hall.used, 1);
    hall.end();
  });

test('a lost seat that somebody else has is asked for more and more seldom', async () => {
  const hall = await Hall.open(1);
  const ada = await hall.connect('ada');
  const seat = await hall.seat(ada);
  hall.cut(CUT_OFF);
  await hall.pass(12_000);
  hall.mend();
  const bob = await hall.connect('bobby');
  while ((await hall.answer(bob.acquire('hot'))).kind !== 'granted') await hall.pass(100);
  await hall.pass(60_000);
  assert.equal(seat.valid, false);
  const { history } = hall.world;
  const asked = history.asked.bind(history);
  let acquires = 0;
  history.asked = (bytes) => {
    asked(bytes);
    if (decodeCommand(bytes).kind === 'acquire') acquires++;
  };
  await hall.pass(300_000);
  assert.ok(acquires >= 10 && acquires <= 35, `${acquires} in five minutes`);
  hall.end();
});

test('who goes on elsewhere takes along what is being asked again, and what is being taken back', async () => {
  for (const what of ['asked again', 'taken back'] as const) {
    const hall = await Hall.open(5, 100);
    const client = await hall.movable();
    const seat = await hall.seat(client);
    if (what === 'asked again') {
      const result = await hall.unanswered(client);
      void result.again();
      await hall.pass(10);
    } else {
      hall.cut(CUT_OFF);
      while (seat.valid) await hall.pass(100);
      await hall.pass(3_000);
      const lost = hall.loseAnswerTo('acquire');
      hall.mend();
      await hall.answer(lost);
    }
    const saved = await hall.answer(client.detach());
    hall.mend();
    const resumed = await hall.answer(resume(saved, hall.options('ada')));
    await hall.pass(3 * SEAT_TIMEOUT_MS);
    assert.equal(hall.used, resumed.seats.size, what);
    hall.end();
  }
});

test('who goes on elsewhere loses nothing while it waits for what is under way', async () => {
  const hall = await Hall.open(5, 100);
  let ignored = 'nothing';
  const client = await hall.movable(30_000, (bytes) => kindOf(bytes) !== ignored);
  const seat = await hall.seat(client);
  ignored = 'acquire';
  void client.acquire('hot');
  const since = hall.world.agenda.now;
  const saved = await hall.answer(client.detach());
  assert.ok(hall.world.agenda.now - since > 2 * SEAT_TIMEOUT_MS, 'the case that this is about');
  assert.deepEqual([saved.seats.length, seat.valid], [1, false]);
  const resumed = await hall.answer(resume(saved, hall.options('ada')));
  assert.equal(resumed.seats.size, 1);
  hall.end();
});

test('closed while a new session is being opened: nothing is taken in it', async () => {
  for (const waitMs of [0, 1, 2, 3, 5, 8, 15]) {
    const hall = await Hall.open(5);
    const client = await hall.connect('ada');
    await forgotten(hall, client);
    const acquiring = client.acquire('hot').then(
      ({ kind }) => kind,
      (error: unknown) => (error as { code: string }).code,
    );
    await hall.pass(waitMs);
    assert.equal((await hall.answer(client.close())).kind, 'released');
    const kind = await hall.answer(acquiring);
    await hall.pass(1_000);
    assert.equal(hall.used, 0, `${waitMs} ms: ${kind}`);
    hall.end();
  }
});

test('asked again in an outage, and once more when it is over: then it is answered', async () => {
  const hall = await Hall.open(5);
  const client = await hall.connect('ada');
  const result = await hall.unanswered(client);
  await forgotten(hall, client);
  hall.cut(CUT_OFF);
  await assert.rejects(hall.answer(result.again()), { code: 'not-reachable' });
  hall.mend();
  await hall.pass(5_000);
  assert.equal((await hall.answer(result.again())).kind, 'granted');
  hall.end();
});

test('a hundred acquires that nobody answers keep no seat from being renewed or given back, and no client from closing', async () => {
  const hall = await Hall.open(500);
  let ignored = 'nothing';
  const client = await hall.through(5_000, (bytes) => kindOf(bytes) !== ignored);
  const seat = await hall.seat(client);
  const others = await hall
    .answer(Promise.all(Array.from({ length: 40 }, () => client.acquire('hot'))))
    .then((all) => all.flatMap((one) => (one.kind === 'granted' ? [one.seat] : [])));
  assert.equal(others.length, 40);
  ignored = 'acquire';
  const acquires = Array.from({ length: 100 }, () => client.acquire('hot'));
  await hall.pass(20);
  const releasing = hall.world.agenda.now;
  const released = await hall.answer(Promise.all(others.map((other) => other.release())));
  assert.deepEqual(new Set(released.map(({ kind }) => kind)), new Set(['released']));
  assert.ok(hall.world.agenda.now - releasing < 500);
  for (let i = 0; i < 40; i++) {
    await hall.pass(500);
    assert.ok(seat.valid, `after ${i / 2} s`);
  }
  const results = await hall.answer(Promise.all(acquires));
  assert.deepEqual(new Set(results.map(({ kind }) => kind)), new Set(['unknown']));
  const more = Array.from({ length: 100 }, () => client.acquire('hot').catch(() => undefined));
  ignored = 'consume';
  void client.consume('units', 1);
  await hall.pass(20);
  const closing = hall.world.agenda.now;
  assert.equal((await hall.answer(client.close())).kind, 'released');
  assert.ok(hall.world.agenda.now - closing < 500);
  await hall.answer(Promise.all(more));
  hall.end();
});

test('connections that lead nowhere any more, as on another network, are made anew before a long life is over', async () => {
  const hall = await Hall.open(5);
  let isAnotherNetwork = false;
  const dead = new Set<number>();
  const client = await hall.through(6_000, (_bytes, dialled) => {
    if (!isAnotherNetwork) dead.add(dialled);
    return !isAnotherNetwork || !dead.has(dialled);
  });
  await hall.seat(client);
  for (const one of [0, 1]) dead.add(one); // both are connected, also if one was asked nothing
  isAnotherNetwork = true;
  const asked = hall.world.agenda.now;
  assert.equal((await hall.answer(client.acquire('hot'))).kind, 'granted');
  assert.ok(hall.world.agenda.now - asked < 5_000);
  hall.end();
});

test('servers that take each other for the one who leads are not overrun', async () => {
  const hall = await Hall.open(500, 5);
  const clients: Client[] = [];
  for (let i = 0; i < 50; i++) clients.push(await hall.connect(`u${i}`, 5_000));
  let sent = 0;
  const { history } = hall.world;
  const asked = history.asked.bind(history);
  history.asked = (bytes) => {
    asked(bytes);
    sent++;
  };
  hall.cut(['A>L2', 'L2>A', 'A>L3', 'B>L2']);
  const renewals = clients.map((client) => client.renew().catch(() => undefined));
  await hall.pass(2_000);
  hall.mend();
  await hall.answer(Promise.all(renewals));
  assert.ok(sent <= 20 * clients.length, `${sent} for ${clients.length} renewals`);
  hall.end();
});

test('a seat ends with its license, and its user is told why', async () => {
  const hall = await Hall.open(5);
  const { agenda } = hall.world;
  hall.sellBrief(20_000);
  await hall.pass(1_000);
  const client = await hall.connect('ada');
  const result = await hall.answer(client.acquire('brief'));
  assert.ok(result.kind === 'granted', result.kind);
  const heard: string[] = [];
  client.on('expiring', ({ reason }) => heard.push(reason));
  client.on('lost', ({ reason }) => heard.push(reason));
  const since = agenda.now;
  while (result.seat.valid && agenda.now < since + 60_000) await hall.pass(100);
  assert.ok(agenda.now - since < 21_000, `${agenda.now - since} ms`);
  await hall.pass(2_000);
  assert.deepEqual(heard, ['its license ends', 'its license has ended']);
});
