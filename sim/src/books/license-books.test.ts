import { describe } from 'node:test';
import type { JsonObject } from '@trefoil/license';
import { consumed, course, denied, grant, granted, grantedOne, QUEUED } from './course.ts';

describe('units (PROTOCOL §5.7)', () => {
  const WEIGHS = { features: [{ name: 'boost', weight: 3 }] };

  course('weigh what their feature weighs, until there are none', undefined, (make) => {
    const one = make('gas', { units: 10, ...WEIGHS });
    one.consumes('ada', { 'gas/boost': 2 }, consumed([0, '6 of gas-1, 4 left']));
    one.consumes('ada', { gas: 1, 'gas/boost': 1 }, consumed([0, '1 of gas-1, 3 left'], [1, '3 of gas-1, 0 left']));
    one.consumes('ben', { gas: 1 }, denied('units', 'gas'));
  });

  course('what one license lacks the next one gives, the one that is paid for afterwards last', undefined, (make) => {
    const one = make('gas', { metering: 'postpaid' }, { units: 2 }, { units: 2, usagePeriod: 'PT5S' });
    one.consumes('ada', { gas: 3 }, consumed([0, '2 of gas-3, 0 left'], [0, '1 of gas-2, 1 left']));
    one.consumes('ada', { gas: 2 }, consumed([0, '1 of gas-2, 0 left'], [0, '1 of gas-1, endless left']));
    one.at(5);
    one.consumes('ada', { gas: 1 }, consumed([0, '1 of gas-1, endless left']));
  });

  course('a weight that is not looked at', /^5\.7 says 0: 2 of gas-1, 8 left, not 0: 6/, (make) =>
    make('gas', { units: 10, ...WEIGHS }).consumes('ada', { 'gas/boost': 2 }, consumed([0, '2 of gas-1, 8 left'])),
  );

  course('more units than there are', /^5\.7 says .*, not denied: units gas\//, (make) =>
    make('gas', { units: 2 }).consumes('ada', { gas: 3 }, consumed([0, '2 of gas-1, 0 left'])),
  );

  course('a denial, and there are enough in two licenses', /^5\.7 says denied: units/, (make) =>
    make('gas', { units: 2 }, { units: 2 }).consumes('ada', { gas: 3 }, denied('units', 'gas')),
  );

  course('an item that is taken, although another is denied', /^5\.7 says 0: 1 of gas-1, 0 left, not 0: 2/, (make) => {
    const one = make('gas', { units: 2 });
    one.consumes('ada', { gas: 1, 'gas/none': 1 }, denied('unknown-feature', 'gas/none'));
    one.consumes('ada', { gas: 2 }, consumed([0, '1 of gas-1, 0 left']));
  });

  course('time is paid for as it begins, and what is not is not renewed', undefined, (make) => {
    const one = make('cad', { quantity: 2, units: 4, seatTime: { every: 'PT10S' } });
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.at(9);
    one.renews('ada', grant('1 cad-1'));
    one.at(20);
    one.renews('ada', grant('1 cad-1'));
    one.acquires('ben', 2, { cad: 1 }, granted('1 cad-1'));
    one.at(30);
    one.renews('ada');
    one.frees('ben', 2);
    one.frees('ada', 1);
    one.acquires('ben', 3, { cad: 1 }, denied('units', 'cad'));
  });

  course('a renewal that nobody can pay', /^5\.4 renews 0: 1 of cad-1\/ of hold 1, not nothing/, (make) => {
    const one = make('cad', { quantity: 2, units: 1, seatTime: { every: 'PT10S' } });
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.at(10);
    one.renews('ada', grant('1 cad-1'));
  });
});

describe('seats and overdraft (PROTOCOL §5.8)', () => {
  const OVERDRAFT = [
    { quantity: 1, overdraft: { seats: 1 } },
    { quantity: 2, overdraft: { percent: 50 } },
  ];

  course('all quantities first, then each overdraft, flagged', undefined, (make) => {
    const one = make('cad', ...OVERDRAFT);
    one.acquires('ada', 1, { cad: 2 }, grantedOne('1 cad-1', '1 cad-2'));
    one.acquires('ben', 1, { cad: 2 }, grantedOne('1 cad-2', '1 cad-1 +'));
    one.acquires('cem', 1, { cad: 2 }, denied('seats', 'cad'));
    one.frees('ada', 1);
    one.acquires('cem', 2, { cad: 3 }, grantedOne('1 cad-2', '1 cad-1 +', '1 cad-2 +'));
  });

  course('a seat beyond the overdraft', /^5\.8 says 0: 1 of cad-1\/ beyond the quantity, not denied: seats/, (make) => {
    const one = make('cad', { quantity: 1, overdraft: { seats: 1 } });
    one.acquires('ada', 1, { cad: 2 }, grantedOne('1 cad-1', '1 cad-1 +'));
    one.acquires('ben', 1, { cad: 1 }, granted('1 cad-1 +'));
  });

  course('no flag on what is beyond the quantity', /^5\.8 says 0: 1 of cad-1\/, not .* beyond/, (make) => {
    const one = make('cad', { quantity: 1, overdraft: { seats: 1 } });
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.acquires('ben', 1, { cad: 1 }, granted('1 cad-1'));
  });

  course('a flag that a renewal leaves out', /^5\.4 renews 0: 1 of cad-1\/ of hold 1, not .* beyond/, (make) => {
    const one = make('cad', { quantity: 1, overdraft: { seats: 1 } });
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.acquires('ben', 1, { cad: 1 }, granted('1 cad-1 +'));
    one.renews('ben', grant('1 cad-1'));
  });

  course('a feature takes its tokens, and its place in those around it', undefined, (make) => {
    const features = [
      { name: 'big', tokens: 3, quantity: 2 },
      { name: 'deep', within: 'big', quantity: 1 },
    ];
    const one = make('cad', { quantity: 7, features });
    one.acquires('ada', 1, { 'cad/deep': 1, 'cad/big': 1 }, granted('1 cad-1/deep', '1 cad-1/big'));
    one.acquires('ben', 1, { 'cad/big': 1 }, denied('seats', 'cad/big'));
    one.acquires('ben', 2, { cad: 1 }, granted('1 cad-1'));
    one.acquires('ben', 3, { cad: 1 }, denied('seats', 'cad'));
  });

  course('a seat of a license whose usage period is over', /^5\.8 says .*, not denied: expired/, (make) => {
    const one = make('cad', { quantity: 2, usagePeriod: 'PT5S' });
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.at(5);
    one.acquires('ben', 1, { cad: 1 }, granted('1 cad-1'));
  });
});

describe('names (PROTOCOL §5.17)', () => {
  const NAMED = { quantity: 1, named: { who: 'user', changes: 1, within: 'PT1M' } };

  course('the first stays, until an admin takes it off', undefined, (make) => {
    const one = make('cad', NAMED);
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.acquires('ben', 1, { cad: 1 }, denied('named', 'cad'));
    one.unnames('cad-1', 'ada', 'in-use');
    one.frees('ada', 1);
    one.acquires('ben', 2, { cad: 1 }, denied('named', 'cad'));
    one.unnames('cad-1', 'ada');
    one.unnames('cad-1', 'ada', 'unknown-name');
    one.acquires('ben', 3, { cad: 1 }, granted('1 cad-1'));
    one.frees('ben', 3);
    one.at(59);
    one.unnames('cad-1', 'ben', 'too-soon');
    one.at(60);
    one.unnames('cad-1', 'ben');
  });

  course('a unit takes a name, too', /^5\.17 says denied: named/, (make) => {
    const one = make('cad', { ...NAMED, units: 9 });
    one.consumes('ada', { cad: 1 }, consumed([0, '1 of cad-1, 8 left']));
    one.acquires('ada', 1, { cad: 1 }, denied('named', 'cad'));
  });

  course('somebody gets a seat of another', /^5\.17 says .*, not denied: named/, (make) => {
    const one = make('cad', NAMED);
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.frees('ada', 1);
    one.acquires('ben', 1, { cad: 1 }, granted('1 cad-1'));
  });

  course('a name is taken off while it has a seat', /^5\.17 takes ada off cad-1: in-use/, (make) => {
    const one = make('cad', NAMED);
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.unnames('cad-1', 'ada');
  });

  course('names are taken off too often', /^5\.17 takes ben off cad-1: too-soon/, (make) => {
    const one = make('cad', NAMED);
    for (const user of ['ada', 'ben']) {
      one.acquires(user, 1, { cad: 1 }, granted('1 cad-1'));
      one.frees(user, 1);
      one.unnames('cad-1', user);
    }
  });

  course('a name stays that could go', /^5\.17 does not take ada off cad-1: too-soon, not/, (make) => {
    const one = make('cad', NAMED);
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.frees('ada', 1);
    one.unnames('cad-1', 'ada', 'too-soon');
  });
});

describe("the customer's rules (PROTOCOL §5.16)", () => {
  const of = (rule: string, more: JsonObject = {}): JsonObject => ({ rule, product: 'cad', ...more });

  course('deny, allow, limit and reserve; and what was before stays', undefined, (make) => {
    const one = make('cad', { quantity: 4 });
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.rules(of('deny', { for: { users: ['ada'] } }), of('reserve', { seats: 2, for: { hosts: ['pc-bo*'] } }));
    one.renews('ada', grant('1 cad-1'));
    one.acquires('ada', 2, { cad: 1 }, denied('rule', 'cad'));
    one.acquires('ben', 1, { cad: 2 }, denied('seats', 'cad'));
    one.acquires('ben', 2, { cad: 1 }, granted('1 cad-1'));
    one.acquires('boss', 1, { cad: 2 }, granted('2 cad-1'));
    one.rules(of('limit', { seats: 2, each: 'user' }), of('allow', { for: { users: ['boss', 'cem'] } }));
    one.frees('ada', 1);
    one.acquires('boss', 2, { cad: 1 }, denied('rule', 'cad'));
    one.acquires('ada', 3, { cad: 1 }, denied('rule', 'cad'));
    one.acquires('cem', 1, { cad: 1 }, granted('1 cad-1'));
  });

  course('who is denied gets a seat', /^5\.16 says .*, not denied: rule/, (make) => {
    const one = make('cad', { quantity: 4 });
    one.rules(of('deny', { for: { users: ['ada'] } }));
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
  });

  course('a limit that is not kept', /^5\.16 says .*, not denied: rule/, (make) => {
    const one = make('cad', { quantity: 4 });
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.rules(of('limit', { seats: 1 }));
    one.acquires('ben', 1, { cad: 1 }, granted('1 cad-1'));
  });

  course('a limit that counts what was given back', /^5\.16 says denied: rule/, (make) => {
    const one = make('cad', { quantity: 4 });
    one.rules(of('limit', { seats: 1 }));
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.frees('ada', 1);
    one.acquires('ben', 1, { cad: 1 }, denied('rule', 'cad'));
  });

  course('a reserved seat that others get', /^5\.16 says .*, not denied: seats/, (make) => {
    const one = make('cad', { quantity: 1 });
    one.rules(of('reserve', { seats: 1, for: { users: ['boss'] } }));
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
  });

  course('a reserved seat that they do not get whom it is for', /^5\.16 says denied: seats/, (make) => {
    const one = make('cad', { quantity: 2 });
    one.rules(of('reserve', { seats: 1, for: { users: ['boss'] } }));
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.acquires('boss', 1, { cad: 1 }, denied('seats', 'cad'));
  });

  course('rules that are older than those in force', /^5\.16 rules 1 take the place of rules 2/, (make) => {
    const one = make('cad', { quantity: 2 });
    one.rules();
    one.rules();
    one.olderRules(1);
  });
});

describe('who waits (PROTOCOL §5.15), with rules', () => {
  const KEPT = { rule: 'reserve', product: 'cad', seats: 1, for: { users: ['boss'] } };

  course('what is kept for others is not for him, and they do not wait for him', undefined, (make) => {
    const one = make('cad', { quantity: 2 });
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.rules(KEPT);
    one.acquires('ben', 1, { cad: 1 }, QUEUED, 5_000);
    one.serves({});
    one.at(1);
    one.acquires('boss', 1, { cad: 1 }, granted('1 cad-1'));
    one.serves({});
    one.frees('ada', 1);
    one.serves({ ben: granted('1 cad-1') });
  });

  course(
    'who comes after one who waits gets what that one wants',
    /^5\.16 says 0: 1 of cad-1\/, not queued/,
    (make) => {
      const one = make('cad', { quantity: 2 });
      one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
      one.rules({ ...KEPT, for: { users: ['cem'] } });
      one.acquires('boss', 1, { cad: 1 }, QUEUED, 5_000);
      one.rules(KEPT);
      one.acquires('ben', 1, { cad: 1 }, granted('1 cad-1'), 5_000);
    },
  );

  course('what somebody ahead has claimed stays claimed for those behind who is served', undefined, (make) => {
    const one = make('cad', { quantity: 4 });
    one.acquires('ada', 1, { cad: 3 }, granted('3 cad-1'));
    one.acquires('ada', 2, { cad: 1 }, granted('1 cad-1'));
    one.rules({ ...KEPT, feature: 'mill', seats: 2, for: { users: ['boss', 'cem'] } });
    one.acquires('ben', 1, { cad: 2 }, QUEUED, 5_000);
    one.acquires('boss', 1, { cad: 1 }, QUEUED, 5_000);
    one.acquires('cem', 1, { cad: 2 }, QUEUED, 5_000);
    one.frees('ada', 1);
    one.at(1);
    one.serves({ boss: granted('1 cad-1') });
  });

  course('nobody is woken by other rules', /^5\.15 serves hold 1 with nothing, not 0: 1 of cad-1/, (make) => {
    const one = make('cad', { quantity: 2 });
    one.acquires('ada', 1, { cad: 1 }, granted('1 cad-1'));
    one.rules(KEPT);
    one.acquires('ben', 1, { cad: 1 }, QUEUED, 5_000);
    one.at(1);
    one.rules();
    one.serves({});
  });
});
