import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClientMachine, connect, resume } from '@trefoil/client';
import { SEAT_TIMEOUT_MS } from './client-history.ts';
import { Hall } from './hall.ts';

test('a consume that fell out of the window and whose session ended is never said to be refused: it may be done', async () => {
  const hall = await Hall.open(1);
  const client = await hall.connect('ada');
  await hall.answer(client.consume('units', 1));
  const lost = hall.loseAnswerTo('consume');
  const asked = client.consume('units', 10);
  await hall.answer(lost);
  const result = await hall.answer(asked);
  assert.ok(result.kind === 'unknown', result.kind);
  hall.mend();
  for (let i = 0; i < 40; i++) await hall.answer(client.renew());
  assert.equal((await hall.answer(client.consume('units', 1))).kind, 'consumed');
  hall.cut(['C0>*']);
  await hall.pass(70_000);
  hall.mend();
  assert.equal(hall.world.ledgers()[0]?.ledger.licenses.get('units-1')?.consumed, 12);
  assert.equal((await hall.answer(result.again())).kind, 'unknown');
  hall.end();
});

for (const shown of [true, false])
  test(`an answer is older than an update of its license: ${shown ? 'shown, a seat' : 'lost, unknown and given back'}`, async () => {
    const hall = await Hall.open(2);
    const client = await hall.connect('ada');
    const unanswered = await hall.unanswered(client);
    hall.mend();
    hall.world.sell('hot-1', 'hot', 3);
    await hall.pass(1_000);
    if (!shown)
      for (const id of ['A', 'B'] as const) {
        const state = hall.world.tmrServers[id].runtime?.proposer.replica.ledger.licenses.get('hot-1');
        assert.equal(state?.replaced.length, 1);
        state.replaced = [];
      }
    const result = await hall.answer(unanswered.again());
    assert.equal(result.kind, shown ? 'granted' : 'unknown');
    assert.equal(hall.used, 1);
    await hall.pass(3 * SEAT_TIMEOUT_MS);
    assert.equal(hall.used, shown ? 1 : 0);
    hall.end();
  });

test('a renewal that is answered too late to count brings its seat back, and no second one', async () => {
  const hall = await Hall.open(3);
  const client = await hall.connect('ada', 15_000);
  const seat = await hall.seat(client);
  const lost = hall.loseAnswerTo('renew');
  await hall.answer(lost);
  await hall.pass(SEAT_TIMEOUT_MS + 500);
  assert.equal(seat.valid, false);
  hall.mend();
  await hall.pass(SEAT_TIMEOUT_MS);
  assert.ok(seat.valid);
  assert.equal(hall.used, 1);
  assert.equal((await hall.answer(seat.release())).kind, 'released');
  await hall.pass(3 * SEAT_TIMEOUT_MS);
  assert.equal(hall.used, 0);
  hall.end();
});

test('who has closed or gone elsewhere uses nothing any more, also not what is granted meanwhile', async () => {
  for (const leave of ['close', 'detach'] as const) {
    const hall = await Hall.open(3);
    const client = await hall.connect('ada');
    const seat = await hall.seat(client);
    const late = client.acquire('hot');
    const left: Promise<unknown> = leave === 'close' ? client.close() : client.detach();
    await hall.answer(left);
    assert.equal(seat.valid, false, leave);
    const result = await hall.answer(late);
    assert.ok(
      result.kind === 'unknown' || (result.kind === 'granted' && !result.seat.valid),
      `${leave}: ${result.kind}`,
    );
    hall.end();
  }
});

test('an unanswered acquire that is asked again twice is one seat', async () => {
  const hall = await Hall.open(3);
  const client = await hall.connect('ada');
  const result = await hall.unanswered(client);
  hall.mend();
  const [first, second] = await hall.answer(Promise.all([result.again(), result.again()]));
  assert.ok(first.kind === 'granted' && second.kind === 'granted' && first.seat === second.seat);
  assert.equal(hall.used, 1);
  hall.end();
});

test('who goes on in another process has the seats, and gives back what nobody was told of', async () => {
  const hall = await Hall.open(5, 100);
  const client = await hall.movable();
  await hall.seat(client);
  await hall.unanswered(client);
  hall.mend();
  const saved = await hall.answer(client.detach());
  assert.deepEqual([saved.seats.length, saved.loose?.length, hall.used], [1, 1, 2]);
  const resumed = await hall.answer(resume(saved, hall.options('ada')));
  await hall.pass(2 * SEAT_TIMEOUT_MS);
  assert.deepEqual(
    [...resumed.seats].map((seat) => seat.valid),
    [true],
  );
  assert.equal(hall.used, 1);
  await assert.rejects(hall.answer(resume(saved, hall.options('ada'))), /used since it was saved/);
  hall.end();
});

test('connecting in vain leaves no timer behind', async () => {
  const hall = await Hall.open(1);
  for (const id of ['A', 'B'] as const) hall.world.tmrServers[id].crash();
  let timers = 0;
  const { machine, ...options } = hall.options('ada');
  const watched = Object.assign(Object.create(machine as object) as ClientMachine, {
    later: (...args: Parameters<ClientMachine['later']>) => {
      timers++;
      return (machine as ClientMachine).later(...args);
    },
  });
  await assert.rejects(hall.answer(connect({ ...options, machine: watched })));
  timers = 0;
  await hall.pass(10_000);
  assert.equal(timers, 0);
});
