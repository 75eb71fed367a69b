import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AcquireResult, type Client, connect, Verifier } from '@trefoil/client';
import { GRANT_FLAGS } from '@trefoil/license';
import { eventually, RunningGroup } from './running-group.ts';

const SEATS = 20;
const OVERDRAFT = 5;
const CROWD = 10 * SEATS;
const AIM_MS = 1_000;

test('ten times the seats are wanted at once: overflow, queue, hints and refusals as the terms say; who has a seat notices nothing', {
  timeout: 180_000,
}, async (t) => {
  await using running = await RunningGroup.start();
  const terms = { overdraft: { seats: OVERDRAFT }, sessionTimeoutSeconds: 20 };
  await running.hands.sell({ version: 1, quantity: SEATS, terms });
  await using crowd = new Crowd(running);
  const holders = await crowd.of(SEATS, 'holder');
  for (const holder of holders) assert.equal((await holder.acquire('cad')).kind, 'granted');
  (holders[0] as Client).idle = true;
  const lost: string[] = [];
  for (const holder of holders)
    for (const event of ['expiring', 'lost'] as const) holder.on(event, () => lost.push(event));
  await holders[0]?.renew();

  const people = await crowd.of(CROWD, 'comer');
  const patient = people.filter((_, i) => i % 2 === 0);
  const places = new Map<Client, number>();
  const took: number[] = [];
  const timed = async (asked: Promise<AcquireResult>): Promise<AcquireResult> => {
    const began = performance.now();
    const result = await asked;
    took.push(performance.now() - began);
    return result;
  };
  const renewing = renewed(holders);
  // Those who would wait and those who would not, all at once.
  const waiting = patient.map((one) =>
    one.acquire('cad', { waitMs: 120_000, onPlace: (place) => places.set(one, place) }),
  );
  const impatient = await Promise.all(people.filter((_, i) => i % 2 === 1).map((one) => timed(one.acquire('cad'))));
  const atOnce = await settledSoon(waiting);
  const results = [...impatient, ...atOnce];
  const overflow = results.filter(isOverdraft);
  assert.equal(overflow.length, OVERDRAFT, 'so many beyond the quantity, marked as such');
  assert.equal(results.filter(({ kind }) => kind === 'granted').length, OVERDRAFT);
  for (const one of impatient) {
    if (one.kind === 'granted') continue;
    assert.ok(one.kind === 'denied' && one.code === 'seats', one.kind);
    assert.ok(one.holders.length > 0 && one.free === 0);
    assert.ok(
      one.holders.some(({ idleMs }) => idleMs > 0),
      'who does not use his seat is known',
    );
    assert.match(one.sentence, /^All 20 seats of cad are taken: /);
  }
  assert.equal(await running.hands.used(), SEATS + OVERDRAFT);

  // As seats come back, those who wait get them in their order, and nobody else.
  const queued = patient.length - atOnce.length;
  assert.ok(queued > 80);
  const order = patient
    .filter((one) => places.has(one))
    .sort((a, b) => (places.get(a) as number) - (places.get(b) as number));
  for (const holder of holders.slice(1, 11)) for (const seat of [...holder.seats]) await seat.release();
  const late = await (await crowd.of(1, 'late'))[0]?.acquire('cad');
  assert.equal(late?.kind, 'denied', 'who comes now is behind those who wait');
  const servedOf = (): Client[] => order.filter((one) => one.seats.size > 0);
  await eventually('ten are served', 15_000, async () => servedOf().length >= 10);
  const served = servedOf();
  assert.deepEqual(served, order.slice(0, served.length));
  assert.equal(await running.hands.used(), SEATS + OVERDRAFT);
  assert.equal(served.length, 10);

  const slowest = await renewing();
  assert.deepEqual(lost, []);
  took.sort((a, b) => a - b);
  t.diagnostic(
    `${CROWD} at once for ${SEATS} seats: denied after ${Math.round(took[took.length >> 1] as number)} ms (median), ` +
      `${Math.round(took.at(-1) as number)} ms (last; aim ${AIM_MS} ms); renewals meanwhile took up to ${Math.round(slowest)} ms`,
  );
});

function isOverdraft(result: AcquireResult): boolean {
  return result.kind === 'granted' && result.seat.grants.some(({ flags }) => (flags & GRANT_FLAGS.overdraft) !== 0);
}

/** Those that are answered before long; the others wait. */
async function settledSoon(waiting: readonly Promise<AcquireResult>[]): Promise<AcquireResult[]> {
  const soon = new Promise<undefined>((resolve) => setTimeout(resolve, 3_000, undefined));
  const results = await Promise.all(waiting.map((one) => Promise.race([one, soon])));
  return results.filter((one) => one !== undefined);
}

/** All of them renew, again and again, until it is called: → the slowest, ms. */
function renewed(holders: readonly Client[]): () => Promise<number> {
  const stop = new AbortController();
  let slowest = 0;
  const all = holders.map(async (holder) => {
    while (!stop.signal.aborted) {
      const began = performance.now();
      assert.equal(await holder.renew(), 'renewed');
      slowest = Math.max(slowest, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });
  return async () => {
    stop.abort();
    await Promise.all(all);
    return slowest;
  };
}

class Crowd implements AsyncDisposable {
  readonly #running: RunningGroup;
  readonly #verifier: Verifier;
  readonly #clients: Client[] = [];

  constructor(running: RunningGroup) {
    this.#running = running;
    this.#verifier = new Verifier(running.group.vendorRoot);
  }

  of(count: number, name: string): Promise<Client[]> {
    return Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const client = await connect({
          clientFile: this.#running.group.clientFile,
          vendor: this.#verifier,
          ...{ user: `${name}-${i}`, host: `ws-${name}-${i}`, program: 'test', patienceMs: 10_000 },
        });
        this.#clients.push(client);
        return client;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((one) => one.close().catch(() => undefined)));
  }
}
