import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Journal } from '../journal.ts';
import { Deadlines } from './deadlines.ts';
import type { Hold, Session } from './state.ts';

function session(id: number, deadline: number, holds: readonly (readonly [number, number])[] = []): Session {
  const map = new Map(holds.map(([hold, freeAt]) => [hold, { id: hold, freeAt } as Hold]));
  return { id: new Uint8Array(16).fill(id), deadline, holds: map, waits: new Map() } as unknown as Session;
}

test('comes out by deadline, session and hold', () => {
  const deadlines = new Deadlines();
  const [a, b] = [
    session(1, 90, [
      [2, 50],
      [1, 50],
    ]),
    session(2, 50),
  ];
  deadlines.push(b);
  deadlines.push(a);
  const due = deadlines.takeDue(new Journal(), 60).map((one) => [one.at, one.session.id[0], one.hold?.id]);
  assert.deepEqual(due, [
    [50, 1, 1],
    [50, 1, 2],
    [50, 2, undefined],
  ]);
});

test('one item a session, however often it is renewed', () => {
  const deadlines = new Deadlines();
  const one = session(1, 100);
  for (let i = 0; i < 1_000; i++) {
    one.deadline = 100 + i;
    deadlines.push(one);
    one.holds.set(i, { id: i, freeAt: 100 + i } as Hold);
    deadlines.push(one);
    one.holds.delete(i);
  }
  assert.equal(deadlines.size, 1);
});

test('nothing comes early, nothing is lost, also with undo', () => {
  const change = fc.record({
    who: fc.integer({ min: 0, max: 4 }),
    inMs: fc.integer({ min: 1, max: 50 }),
    forwardMs: fc.integer({ min: 0, max: 20 }),
    undo: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const deadlines = new Deadlines();
      const sessions = Array.from({ length: 5 }, (_, i) => session(i, Infinity));
      let now = 0;
      for (const { who, inMs, forwardMs, undo } of changes) {
        const one = sessions[who] as Session;
        one.deadline = now + inMs; // earlier or later than it was
        deadlines.push(one);
        now += forwardMs;
        const expected = sessions.filter((each) => each.deadline <= now);
        const take = (journal: Journal): Session[] => deadlines.takeDue(journal, now).map((due) => due.session);
        if (undo) {
          const journal = new Journal();
          assert.deepEqual(new Set(take(journal)), new Set(expected));
          journal.undoTo(0);
        }
        assert.deepEqual(new Set(take(new Journal())), new Set(expected));
        for (const each of expected) each.deadline = Infinity;
      }
    }),
  );
});
