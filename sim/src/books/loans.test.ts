import { describe } from 'node:test';
import type { JsonObject } from '@trefoil/license';
import { course, denied, grant, granted, grantedOne, QUEUED } from './course.ts';

const REFUSED = { kind: 'refused' } as never;
const LENT = { seats: 2, longest: 'PT1M', extensions: 1, writeOffs: { count: 1, within: 'PT1M' } };
const terms = (borrowing: JsonObject = {}, more: JsonObject = {}): JsonObject => {
  return { quantity: 3, borrowing: { ...LENT, ...borrowing }, ...more };
};

describe('what leaves (PROTOCOL §5.18)', () => {
  course('is bounded by the terms, and nobody renews it', undefined, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 1 }, 61, denied('borrowing', 'cad'));
    one.borrows('ada', 2, { cad: 3 }, 60, denied('seats', 'cad'));
    one.borrows('ada', 3, { cad: 1 }, 60, granted('1 cad-1 60s'));
    one.borrows('ben', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    one.borrows('cem', 1, { cad: 1 }, 9, denied('borrowing', 'cad'));
    one.acquires('cem', 2, { cad: 1 }, granted('1 cad-1'));
    one.acquires('boss', 1, { cad: 1 }, denied('seats', 'cad'));
    one.renews('ada');
    one.frees('ben', 1);
    one.borrows('cem', 3, { cad: 1 }, 9, granted('1 cad-1 9s'));
  });

  course('comes of several licenses, and never of the overdraft', undefined, (make) => {
    const one = make('cad', terms({ seats: 1 }, { overdraft: { seats: 2 } }), terms({}, { quantity: 2 }));
    one.borrows('ada', 1, { cad: 3 }, 9, grantedOne('1 cad-1 9s', '2 cad-2 9s'));
    one.acquires('ben', 1, { cad: 3 }, grantedOne('2 cad-1', '1 cad-1 +'));
    one.borrows('cem', 1, { cad: 1 }, 9, denied('borrowing', 'cad'));
  });

  course('is none of what somebody waits for', undefined, (make) => {
    const one = make('cad', terms());
    one.acquires('ada', 1, { cad: 2 }, granted('2 cad-1'));
    one.acquires('ben', 1, { cad: 2 }, QUEUED, 5_000);
    one.borrows('cem', 1, { cad: 1 }, 9, denied('seats', 'cad'));
    one.frees('ada', 1);
    one.serves({ ben: granted('2 cad-1') });
    one.borrows('cem', 2, { cad: 1 }, 9, granted('1 cad-1 9s'));
  });

  course('is paid for as long as it was asked for, and not for the time until it is free', undefined, (make) => {
    const one = make('cad', terms({}, { units: 30, seatTime: { every: 'PT1S' } }));
    one.borrows('ada', 1, { cad: 1 }, 31, denied('units', 'cad'));
    one.borrows('ada', 2, { cad: 1 }, 10, granted('1 cad-1 10s'));
    one.at(5);
    one.extends('ada', 2, 26, denied('units', 'cad'));
    one.extends('ada', 2, 20, granted('1 cad-1 20s'));
    one.at(26);
    one.frees('ada', 2);
    one.borrows('ben', 1, { cad: 1 }, 6, denied('units', 'cad'));
    one.borrows('ben', 2, { cad: 1 }, 5, granted('1 cad-1 5s'));
  });

  course('more than the terms let leave', /^5\.18 says 0: 1 of cad-1\/ for 9000 ms, not denied: borrowing/, (make) => {
    const one = make('cad', terms({ seats: 1 }));
    one.borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    one.borrows('ben', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
  });

  course('longer than the terms let it', /^5\.18 says 0: 1 of cad-1\/ for 61000 ms, not denied: borrowing/, (make) =>
    make('cad', terms()).borrows('ada', 1, { cad: 1 }, 61, granted('1 cad-1 61s')),
  );

  course('of a license that says nothing of it', /^5\.18 says .*, not denied: borrowing/, (make) =>
    make('cad', { quantity: 3 }).borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 9s')),
  );

  course('a denial of what may leave', /^5\.18 says denied: borrowing cad\/, not 0: 1 of cad-1\/ for 9000 ms/, (make) =>
    make('cad', terms()).borrows('ada', 1, { cad: 1 }, 9, denied('borrowing', 'cad')),
  );

  course('for another time than was asked for', /^5\.18 says .* for 60000 ms, not .* for 9000 ms/, (make) =>
    make('cad', terms()).borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 60s')),
  );

  course('a seat of the overdraft', /^5\.18 says .* beyond the quantity/, (make) => {
    const one = make('cad', terms({ seats: 1 }, { quantity: 1, overdraft: { seats: 1 } }));
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.borrows('ben', 1, { cad: 1 }, 9, granted('1 cad-1 +'));
  });

  course('past those who wait', /^5\.18 says .*, not denied: seats/, (make) => {
    const one = make('cad', terms());
    one.acquires('ada', 1, { cad: 2 }, granted('2 cad-1'));
    one.acquires('ben', 1, { cad: 2 }, QUEUED, 5_000);
    one.borrows('cem', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
  });

  course('a renewal of what is away', /^5\.18 renews hold 1/, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    one.renews('ada', grant('1 cad-1 9s'));
  });
});

describe('an extension (PROTOCOL §5.18)', () => {
  course('for less than what is left leaves what is left', undefined, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 2 }, 9, granted('2 cad-1 9s'));
    one.at(3);
    one.extends('ada', 1, 1, granted('2 cad-1 6s'));
  });

  course('that ends it sooner', /extends: .* 1000 ms, not .* 6000 ms/, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 2 }, 9, granted('2 cad-1 9s'));
    one.at(3);
    one.extends('ada', 1, 1, granted('2 cad-1 1s'));
  });

  course('is given as often as the terms say, and looked at again', undefined, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 2 }, 9, granted('2 cad-1 9s'));
    one.extends('ada', 1, 61, denied('borrowing', 'cad'));
    one.extends('ada', 1, 20, granted('2 cad-1 20s'));
    one.extends('ada', 1, 20, denied('borrowing', 'cad'));
    one.extends('ada', 2, 20, REFUSED);
    one.frees('ada', 1);
    one.borrows('ben', 1, { cad: 2 }, 9, granted('2 cad-1 9s'));
    one.rules({ rule: 'deny', product: 'cad' });
    one.extends('ben', 1, 9, denied('rule', 'cad'));
    one.rules();
    one.updates('cad-1', 'cad', terms({ seats: 1 }));
    one.extends('ben', 1, 9, denied('borrowing', 'cad'));
    one.updates('cad-1', 'cad', { quantity: 3 });
    one.extends('ben', 1, 9, denied('borrowing', 'cad'));
    one.updates('cad-1', 'cad', terms({}, { usagePeriod: 'PT30S' }));
    one.extends('ben', 1, 9, granted('2 cad-1 9s'));
    one.at(30);
    one.extends('ben', 1, 9, denied('expired', 'cad'));
  });

  course('too often', /^5\.18 extends: 0: 1 of cad-1\/ for 9000 ms, not denied: borrowing/, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    for (const _ of [1, 2]) one.extends('ada', 1, 9, granted('1 cad-1 9s'));
  });

  course('of what an update took away', /^5\.18 extends: .*, not denied: borrowing/, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 2 }, 9, granted('2 cad-1 9s'));
    one.updates('cad-1', 'cad', terms({ seats: 1 }));
    one.extends('ada', 1, 9, granted('2 cad-1 9s'));
  });

  course('that nobody pays for', /^5\.7 extends: .*, not denied: units/, (make) => {
    const one = make('cad', terms({}, { units: 10, seatTime: { every: 'PT1S' } }));
    one.borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    one.at(5);
    one.extends('ada', 1, 9, granted('1 cad-1 9s'));
  });

  course('a denial of one that the terms give', /^5\.18 extends: denied: borrowing cad\/, not 0: 1 of/, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    one.extends('ada', 1, 9, denied('borrowing', 'cad'));
  });

  course('of a seat that never left', /^5\.18 extends hold 1, and nobody has borrowed it/, (make) => {
    const one = make('cad', terms());
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.extends('ada', 1, 9, granted('1 cad-1 9s'));
  });
});

describe('a write-off (PROTOCOL §5.18)', () => {
  course('is done so often within its time', undefined, (make) => {
    const one = make('cad', terms());
    one.writesOff('ada', 'unknown-hold');
    one.borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    one.writesOff('ada');
    one.frees('ada', 1);
    one.borrows('ben', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    one.writesOff('ben', 'too-soon');
    one.at(60);
    one.writesOff('ben');
  });

  course('too soon', /^5\.18 writes off what may not be: too-soon/, (make) => {
    const one = make('cad', terms());
    for (const user of ['ada', 'ben']) {
      one.borrows(user, 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
      one.writesOff(user);
      one.frees(user, 1);
    }
  });

  course('of more seats than that', /^5\.18 writes off what may not be: too-soon/, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 2 }, 9, granted('2 cad-1 9s'));
    one.writesOff('ada');
  });

  course('where the terms know none', /^5\.18 writes off what may not be: too-soon/, (make) => {
    const one = make('cad', { quantity: 3, borrowing: { seats: 2, longest: 'PT1M' } });
    one.borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    one.writesOff('ada');
  });

  course('of nothing', /^5\.18 writes off what may not be: unknown-session, unknown-hold/, (make) =>
    make('cad', terms()).writesOff('ada'),
  );

  course('refused, and the terms allow it', /^5\.18 does not write off: too-soon, not done/, (make) => {
    const one = make('cad', terms());
    one.borrows('ada', 1, { cad: 1 }, 9, granted('1 cad-1 9s'));
    one.writesOff('ada', 'too-soon');
  });
});
