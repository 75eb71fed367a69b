import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClientMachine } from './machine.ts';
import {
  type Answer,
  babbles,
  certified,
  comeBack,
  provesNothing,
  redirectsTo,
  refuses,
  silent,
  TestServers,
} from './test-servers.ts';

const redirects = redirectsTo('first:1');

/** What becomes of a request when the servers answer so, each after its time; and how often each was asked. */
async function submit(by: Readonly<Record<string, readonly [afterMs: number, Answer]>>) {
  const test = new TestServers(by);
  const result = await test.submit();
  const { address: preferred } = test.servers.preferred;
  test.servers.close();
  return { result, preferred, asked: Object.fromEntries(Object.keys(by).map((host) => [host, test.times(host)])) };
}

describe('who is asked, and when', { concurrency: true }, () => {
  test('one alone says that it will not be done: the other is asked, or waited for', async () => {
    for (const afterMs of [1, 400]) {
      const { result } = await submit({ first: [1, refuses], second: [afterMs, certified] });
      assert.equal(result.kind, 'certified');
    }
  });

  test('both say so: it is told, with the reason', async () => {
    const test = new TestServers({ first: [1, refuses], second: [1, refuses] });
    // Nobody is asked once more because time has passed, however slow this machine is.
    (test.servers.machine as { later: ClientMachine['later'] }).later = () => () => undefined;
    assert.deepEqual(await test.submit(), { kind: 'rejected', reason: 'not a command' });
    assert.deepEqual([test.times('first'), test.times('second')], [1, 1]);
    test.servers.close();
  });

  test('an answer that is none is as good as a lost connection: the other is asked at once', async () => {
    const { result } = await submit({ first: [1, babbles], second: [1, certified] });
    assert.equal(result.kind, 'certified');
  });

  test('who sends to itself is not asked over and over', async () => {
    const { result, asked } = await submit({ first: [1, redirects], second: [1, certified] });
    assert.equal(result.kind, 'certified');
    assert.ok((asked.first ?? 0) <= 3, `${asked.first}`);
  });

  test('an answer that proves nothing is none: the other is asked, and is the one to be asked from then on', async () => {
    const { result, preferred } = await submit({ first: [1, provesNothing], second: [50, certified] });
    assert.equal(result.kind, 'certified');
    assert.equal(preferred, 'second:1');
  });

  test('nobody proves anything: nobody knows, and it is told why', async () => {
    const { result } = await submit({ first: [1, provesNothing], second: [1, provesNothing] });
    assert.deepEqual(result, { kind: 'unknown', reason: 'the answer is not to be believed: nobody signed it' });
  });

  const lies: Readonly<Record<string, Answer>> = {
    refuses,
    babbles,
    'proves nothing': provesNothing,
    'redirects to itself': redirects,
    'redirects to nowhere': redirectsTo('nowhere:1'),
    'says to come back at once': comeBack(1),
    'says to come back in an hour': comeBack(3_600_000),
  };
  for (const [what, lie] of Object.entries(lies))
    for (const by of [
      { first: [1, lie], second: [1, certified] },
      { virtual: [1, lie], first: [1, lie], second: [1, certified] },
    ] as const)
      test(`who ${what} keeps nobody from the other one, ${'virtual' in by ? 'also if it holds the virtual IP' : 'alone'}`, async () => {
        assert.equal((await submit(by)).result.kind, 'certified');
      });

  test('who is silent, and holds the virtual IP, keeps nobody from the other one', async () => {
    const { result } = await submit({ virtual: [1, silent], first: [1, silent], second: [1, certified] });
    assert.equal(result.kind, 'certified');
  });

  test('two that send to each other are asked less and less often', async () => {
    const test = new TestServers({ first: [0, redirectsTo('second:1')], second: [0, redirectsTo('first:1')] });
    assert.equal((await test.submit(2_000)).kind, 'unknown');
    const asked = test.times('first') + test.times('second');
    assert.ok(asked >= 5 && asked <= 40, `${asked}`);
    test.servers.close();
  });

  test('who waits long asks no more often than who waits shortly', async () => {
    const test = new TestServers({ first: [1, comeBack(100)], second: [1, comeBack(100)] });
    assert.equal((await test.submit(4_000)).kind, 'unknown');
    const times = [...(test.asked['first'] ?? []), ...(test.asked['second'] ?? [])];
    const within = (from: number): number => times.filter((one) => one >= from && one < from + 1_000).length;
    assert.ok(within(3_000) <= within(0) + 5, `${within(0)} in the first second, ${within(3_000)} in the last`);
    test.servers.close();
  });

  test('however slow the last answers were, the other one is asked long before patience ends', async () => {
    const test = new TestServers({ first: [700, certified], second: [700, certified] });
    await test.submit();
    const [preferred, other] = test.servers.preferred.address === 'first:1' ? ['first', 'second'] : ['second', 'first'];
    test.by[preferred] = [1, silent];
    test.by[other] = [1, certified];
    for (const patienceMs of [200, 2_000])
      assert.equal((await test.submit(patienceMs)).kind, 'certified', `${patienceMs} ms`);
    test.servers.close();
  });

  test('an address on its way to another host keeps nobody waiting, however slow the last answers were', async () => {
    const test = new TestServers({ virtual: [1, silent], first: [500, certified], second: [1, certified] });
    test.servers.learn([], 'first:1', { group: 'g', addresses: [], authority: '' });
    await test.submit();
    assert.equal(test.servers.preferred.address, 'first:1');
    for (const host of ['virtual', 'first', 'second']) {
      if (host !== 'second') test.away.add(host);
      test.lose(host);
    }
    const askedAt = performance.now();
    assert.equal((await test.submit()).kind, 'certified');
    const tookMs = performance.now() - askedAt;
    assert.ok(tookMs < 400, `${tookMs} ms, and a second one is asked after ${test.servers.hedgeAfterMs}`);
    test.servers.close();
  });

  test('of two that were not asked the one that is connected comes first', async () => {
    const test = new TestServers({ first: [1, silent], virtual: [1, certified], second: [1, certified] });
    for (const one of test.servers.connections) if (!one.address.startsWith('virtual')) one.warm();
    await new Promise(setImmediate);
    const answered = test.submit();
    test.lose('first');
    assert.equal((await answered).kind, 'certified');
    assert.deepEqual([test.times('virtual'), test.times('second')], [0, 1]);
    test.servers.close();
  });

  test('who was lost is dialled again by itself: the next takeover costs no handshake', async () => {
    const test = new TestServers({ first: [1, certified], second: [1, certified] });
    test.servers.warm();
    await test.submit();
    test.lose('second');
    const until = performance.now() + 4_000;
    while (test.dialled['second'] !== 2 && performance.now() < until) await new Promise((next) => setTimeout(next, 20));
    assert.deepEqual(test.dialled, { first: 1, second: 2 });
    test.servers.close();
  });

  test('a connection that leads nowhere any more is dialled anew', async () => {
    const test = new TestServers({ first: [1, certified], second: [1, certified] });
    test.servers.warm();
    await test.submit();
    assert.deepEqual(test.dialled, { first: 1, second: 1 });
    test.changeNetwork();
    assert.equal((await test.submit(6_000)).kind, 'certified');
    test.servers.close();
  });

  test('who needs long for an answer, and shows that it lives, is not dialled anew', async () => {
    const slow: Answer = (frame) => (frame.method === 'getLicense' ? refuses(frame) : undefined);
    const test = new TestServers({ first: [1, slow] });
    assert.equal((await test.submit(6_000)).kind, 'unknown');
    assert.deepEqual(test.dialled, { first: 1 });
    test.servers.close();
  });

  for (const [what, before, pauseMs] of [
    ['was answered', certified, 3_500],
    ['was not answered, long ago,', silent, 3_600_000],
  ] as const)
    test(`who ${what} and asks nothing for a while is not left unserved meanwhile`, async () => {
      const test = new TestServers({ first: [1, before] });
      await test.submit(100);
      const { machine } = test.servers;
      const later = machine.now().monotonicMs + pauseMs;
      (machine as { now: typeof machine.now }).now = () => ({ monotonicMs: later, wallMs: later });
      test.by['first'] = [1, certified];
      const asked = test.submit(100);
      assert.equal(test.servers.unservedMs, 0);
      assert.equal((await asked).kind, 'certified');
      test.servers.close();
    });

  test('who says to come back keeps nobody from one who serves a little later', async () => {
    for (const retryAfterMs of [350, 450, 500])
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const test = new TestServers({ first: [1, comeBack(retryAfterMs)], second: [1, comeBack(retryAfterMs)] });
          setTimeout(() => (test.by['second'] = [1, certified]), 300);
          assert.equal((await test.submit()).kind, 'certified', `${retryAfterMs} ms`);
          test.servers.close();
        }),
      );
  });
});

test('closing tells whoever waits, at once, and leaves no timer', async () => {
  const test = new TestServers({ first: [1, comeBack(2_000)] });
  const asked = test.submit(60_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const started = performance.now();
  test.servers.close();
  assert.deepEqual(await asked, { kind: 'unknown', reason: 'the client is closed' });
  assert.deepEqual(await test.submit(60_000), { kind: 'unknown', reason: 'the client is closed' });
  assert.ok(performance.now() - started < 100);
  const timers = process.getActiveResourcesInfo().filter((one) => one === 'Timeout');
  assert.ok(timers.length <= 1, `${timers.length}`); // the runner has one
});
