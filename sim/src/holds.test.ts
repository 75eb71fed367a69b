import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Holds } from './holds.ts';

const HOLD = { session: 'ada', seats: [] };
/** ⌈T · 1.01⌉ + 250 ms. */
const FREE = { ofASeat: 10_350, of20s: 20_450 };

function course(what: string, says: RegExp | undefined, run: (holds: Holds) => void): void {
  test(what, () => {
    const faults: string[] = [];
    run(new Holds({ fault: (fault) => faults.push(fault), freed: () => undefined }));
    if (says === undefined) assert.deepEqual(faults, []);
    else assert.match(faults.join('\n'), says);
  });
}

describe('until when something is held (PROTOCOL §5.3, §5.18, §6.7)', () => {
  course('a seat that is renewed, one that is away and is extended, one that is given back', undefined, (holds) => {
    holds.take('ada/1', HOLD, { logTime: 0 });
    holds.take('ada/2', HOLD, { logTime: 0, forMs: 20_000 });
    holds.take('ada/3', HOLD, { logTime: 0, forMs: 20_000 });
    holds.renewed('ada/1', 5_000);
    holds.mustBeFree(5_000 + FREE.ofASeat - 1);
    holds.free('ada/1', 'due', 5_000 + FREE.ofASeat);
    holds.extended('ada/2', 1_000, 16_000);
    holds.free('ada/3', 'given back', 17_000);
    holds.mustBeFree(FREE.of20s - 1);
    holds.extended('ada/2', 20_000, 20_000);
    holds.mustNotEndAfter('ada', 20_000 + FREE.of20s);
    holds.freeAll('ada', 'due', 20_000 + FREE.of20s);
  });

  course('a machine that is lost frees it at once', undefined, (holds) => {
    holds.take('ada/1', HOLD, { logTime: 0, forMs: 20_000 });
    holds.freeAll('ada', 'written off', 1);
  });

  course('free a moment early', /^5\.3 frees seats 1 ms early$/, (holds) => {
    holds.take('ada/1', HOLD, { logTime: 0, forMs: 20_000 });
    holds.free('ada/1', 'due', FREE.of20s - 1);
  });

  course('an extension that ends it sooner', /^5\.3 frees seats \d+ ms early$/, (holds) => {
    holds.take('ada/1', HOLD, { logTime: 0, forMs: 20_000 });
    holds.extended('ada/1', 1_000, 1_000);
    holds.freeAll('ada', 'due', 3_000);
  });

  course('an extension that is forgotten', /^5\.3 frees seats 9999 ms early$/, (holds) => {
    holds.take('ada/1', HOLD, { logTime: 0, forMs: 20_000 });
    holds.extended('ada/1', 20_000, 9_999);
    holds.free('ada/1', 'due', FREE.of20s);
  });

  course('taken for ever', /^5\.3 hold ada\/1 should have been freed before$/, (holds) => {
    holds.take('ada/1', HOLD, { logTime: 0, forMs: 20_000 });
    holds.mustBeFree(FREE.of20s);
  });

  course('an admin who is told that an eviction frees it', /^5\.9 an admin is told .* 20450 ms before/, (holds) => {
    holds.take('ada/1', HOLD, { logTime: 0, forMs: 20_000 });
    holds.mustNotEndAfter('ada', 0);
  });

  course('what nobody has', /^5\.3 frees a hold that nobody has\n5\.4 renews a hold that nobody has$/, (holds) => {
    holds.free('ada/1', 'due', 0);
    holds.renewed('ada/1', 0);
  });
});
