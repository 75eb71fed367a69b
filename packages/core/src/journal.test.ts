import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from './journal.ts';

test('undo takes back in reverse order, to a mark or to the start', () => {
  const journal = new Journal();
  const state = { count: 1, name: 'a' };
  const map = new Map([['x', 1]]);
  const seen: string[] = [];
  journal.set(state, 'count', 2);
  journal.put(map, 'y', 2);
  const mark = journal.mark();
  journal.set(state, 'count', 3);
  journal.put(map, 'x', 9);
  journal.remove(map, 'y');
  journal.onUndo(() => seen.push('own'));
  journal.undoTo(mark);
  assert.deepEqual(
    [state, new Map(map), seen],
    [
      { count: 2, name: 'a' },
      new Map([
        ['x', 1],
        ['y', 2],
      ]),
      ['own'],
    ],
  );
  journal.undoTo(0);
  assert.deepEqual([state, [...map.entries()]], [{ count: 1, name: 'a' }, [['x', 1]]]);
});

test('what was cleared stays; what changes nothing is not noted', () => {
  const journal = new Journal();
  const state = { count: 1 };
  journal.set(state, 'count', 2);
  journal.clear();
  journal.set(state, 'count', 2);
  journal.remove(new Map(), 'x');
  assert.equal(journal.mark(), 0);
  journal.undoTo(0);
  assert.equal(state.count, 2);
});

test('a value that was undefined comes back as such', () => {
  const journal = new Journal();
  const map = new Map<string, number | undefined>([['x', undefined]]);
  journal.put(map, 'x', 1);
  journal.undoTo(0);
  assert.deepEqual([...map.entries()], [['x', undefined]]);
});
