import type { Bug } from './bugs.ts';

const LEDGER = 'packages/core/src/ledger';

/** Bugs in what licenses, queues and the customer's rules say: who gets what, and what it costs. */
export const LICENSE_BUGS: readonly Bug[] = [
  {
    name: 'who asks overtakes who waits',
    file: `${LEDGER}/queue.ts`,
    find: 'if (products.size === 0) return allocate(ledger, session, items, wish);',
    replace: 'if (products.size < 99) return allocate(ledger, session, items, wish);',
  },
  {
    name: 'who waits has no claim on what is there',
    file: `${LEDGER}/queue.ts`,
    find: `        claim(wait.session, inVain.unless(wait, claimOf(ledger, wait)));
      else {`,
    replace: `        continue;
      else {`,
  },
  {
    name: 'a seat that is freed wakes nobody who waits',
    file: `${LEDGER}/seats.ts`,
    find: `if (direction === 'free' || shareKey`,
    replace: `if (shareKey`,
  },
  {
    name: 'waits are forgotten in a snapshot',
    file: `${LEDGER}/session-record.ts`,
    find: 'writer.u32(session.waits.size);\n  for (const id of ascending(session.waits))',
    replace: 'writer.u32(0);\n  for (const id of [])',
  },
  {
    name: 'who is served is not put back with his entry',
    file: `${LEDGER}/queue.ts`,
    find: 'ledger.journal.onUndo(() => queue.splice(at, 0, wait));',
    replace: '',
  },
  {
    name: 'an evicted session waits on',
    file: `${LEDGER}/rules/evict-session.ts`,
    find: 'for (const wait of [...session.waits.values()]) endWait(ledger, wait);',
    replace: '',
  },
  {
    name: 'a use weighs one unit, whatever its feature weighs',
    file: `${LEDGER}/rules/consume-units.ts`,
    find: 'return scope?.weight ?? 1;',
    replace: 'return scope === undefined ? 0 : 1;',
  },
  {
    name: 'what one license lacks is given by the next one for nothing',
    file: `${LEDGER}/rules/consume-units.ts`,
    find: 'use(ask, units * weightOf(ask));',
    replace: 'if (parts.at(-1)?.item !== position) use(ask, units * weightOf(ask));',
  },
  {
    name: 'a consume that lacks its second item has taken the first',
    file: `${LEDGER}/rules/consume-units.ts`,
    find: `    ledger.journal.undoTo(start);
    return denied(`,
    replace: `    return denied(`,
  },
  {
    name: 'what is paid for afterwards is used up first',
    file: `${LEDGER}/rules/consume-units.ts`,
    find: 'if (paidA !== paidB) return paidA ? 1 : -1;',
    replace: 'if (paidA !== paidB) return paidA ? -1 : 1;',
  },
  {
    name: 'a seat that is given back leaves the time since its renewal unpaid',
    file: `${LEDGER}/rules/release-seats.ts`,
    find: 'chargeSeatTime(ledger, session, hold);',
    replace: 'if (hold.issuedLogTime === hold.sinceLogTime) chargeSeatTime(ledger, session, hold);',
  },
  {
    name: 'seats beyond the overdraft',
    file: `${LEDGER}/seats.ts`,
    find: 'const limit = quantity + (beyond ? overdraft : 0);',
    replace: 'const limit = quantity + (beyond ? 2 * overdraft : 0);',
  },
  {
    name: 'seats of the overdraft are not flagged after a snapshot',
    file: `${LEDGER}/session-record.ts`,
    find: `overdraft: reader.code(0, 1, 'flag') === 1,`,
    replace: `overdraft: reader.code(0, 1, 'flag') > 1,`,
  },
  {
    name: 'a name is taken off while it has a seat',
    file: `${LEDGER}/rules/unname.ts`,
    find: `if (state.holders.some(({ session }) => nameOf(named, session) === command.name)) return refused('in-use');`,
    replace: '',
  },
  {
    name: 'names are taken off as often as one likes',
    file: `${LEDGER}/rules/unname.ts`,
    find: `ledger.journal.set(state, 'nameChanges', [...recent, ledger.utc]);`,
    replace: `ledger.journal.set(state, 'nameChanges', recent);`,
  },
  {
    name: 'who consumes units takes no name',
    file: `${LEDGER}/rules/consume-units.ts`,
    find: '  beginUse(ledger, state, session);',
    replace: '',
  },
  {
    name: 'reservations are forgotten in a snapshot',
    file: `${LEDGER}/records.ts`,
    find: 'ledger.policy = policyOf(ledger, { ...parseAdminRules(text), ...signed });',
    replace: `const { version, rules } = parseAdminRules(text);
      ledger.policy = policyOf(ledger, { version, rules: rules.filter(({ kind }) => kind !== 'reserve'), ...signed });`,
  },
  {
    name: 'what rules count is not put back with its entry',
    file: `${LEDGER}/policy.ts`,
    find: `if (count === 0) journal.remove(policy.counts, key);
    else journal.put(policy.counts, key, count);`,
    replace: `if (count === 0) policy.counts.delete(key);
    else policy.counts.set(key, count);`,
  },
  {
    name: 'a seat that is given back still counts for limits',
    file: `${LEDGER}/policy.ts`,
    find: `(direction === 'take' ? item.seats : -item.seats)`,
    replace: `(direction === 'take' ? item.seats : 1 - item.seats)`,
  },
  {
    name: 'rules do not count what is held when they come',
    file: `${LEDGER}/policy.ts`,
    find: 'for (const { session, item } of state.holders)',
    replace: 'for (const { session, item } of ledger.index > 0 ? [] : state.holders)',
  },
  {
    name: 'older rules come back',
    file: `${LEDGER}/rules/install-rules.ts`,
    find: 'if (policy.version <= standing)',
    replace: 'if (policy.version < standing)',
  },
  {
    name: 'other rules wake nobody who waits',
    file: `${LEDGER}/rules/install-rules.ts`,
    find: 'for (const product of ledger.queues.keys()) ledger.journal.add(ledger.stirred, product);',
    replace: '',
  },
  {
    name: 'what rules keep from one who waits they keep from all behind him',
    file: `${LEDGER}/queue.ts`,
    find: 'if (ledger.policy !== undefined) return true;',
    replace: '',
  },
  {
    name: 'what leaves needs no signature',
    file: `${LEDGER}/rules/borrow-seats.ts`,
    find: 'return crypto.verify(key, signedCommandBytes(configuration.set, command), command.signature);',
    replace: 'return command.signature.length > 0;',
  },
  {
    name: 'who borrows overtakes who waits',
    file: `${LEDGER}/queue.ts`,
    find: 'if (products.size === 0) return allocate(ledger, session, items, wish);',
    replace: 'if (products.size === 0 || wish.borrowing) return allocate(ledger, session, items, wish);',
  },
  {
    name: 'more seats leave than the terms let',
    file: `${LEDGER}/allocate.ts`,
    find: 'return Math.min(freeSeats(ask, beyond), paidSeats(ask), borrowableSeats(ask));',
    replace: 'return Math.min(freeSeats(ask, beyond), paidSeats(ask));',
  },
  {
    name: 'the overdraft leaves',
    file: `${LEDGER}/allocate.ts`,
    find: 'for (const beyond of borrowing === undefined ? [false, true] : [false])',
    replace: 'for (const beyond of [false, true])',
  },
  {
    name: 'what is away is renewed',
    file: `${LEDGER}/rules/renew-session.ts`,
    find: 'if (hold.lingering || hold.borrowed || ended(',
    replace: 'if (hold.lingering || ended(',
  },
  {
    name: 'an eviction frees at once what is away',
    file: `${LEDGER}/rules/evict-session.ts`,
    find: 'for (const wait of [...session.waits.values()]) endWait(ledger, wait);',
    replace: `for (const wait of [...session.waits.values()]) endWait(ledger, wait);
    for (const hold of session.holds.values())
      if (hold.borrowed) ledger.journal.set(hold, 'freeAt', ledger.logTime + 1);`,
  },
  {
    name: 'an extension for less ends it sooner',
    file: `${LEDGER}/rules/borrow-seats.ts`,
    find: `'freeAt', Math.max(hold.freeAt, freeAt(logTime, lifeMs))`,
    replace: `'freeAt', freeAt(logTime, command.forMs)`,
  },
  {
    name: 'an extension is not put back with its entry',
    file: `${LEDGER}/rules/borrow-seats.ts`,
    find: `journal.set(hold, 'extended', hold.extended + 1);`,
    replace: `hold.extended += 1;`,
  },
  {
    name: 'an extension is paid for like a seat that stays',
    file: `${LEDGER}/rules/borrow-seats.ts`,
    find: 'timesAtOnce({ ...ask, borrowing: whole }) - item.times',
    replace: 'timesAtOnce(ask) - item.times',
  },
  {
    name: 'what is away is forgotten in a snapshot',
    file: `${LEDGER}/session-record.ts`,
    find: `borrowed: reader.code(0, 1, 'flag') === 1,`,
    replace: `borrowed: reader.code(0, 1, 'flag') > 1,`,
  },
  {
    name: 'write-offs are forgotten in a snapshot',
    file: `${LEDGER}/records.ts`,
    find: 'seats: reader.u32() }));',
    replace: 'seats: reader.u32() })).slice(0, 0);',
  },
  {
    name: 'write-offs are not counted',
    file: `${LEDGER}/rules/write-off.ts`,
    find: `[...recent(ledger, state), { utc: ledger.utc, seats }]`,
    replace: `recent(ledger, state)`,
  },
  {
    name: 'a machine that is written off frees nothing',
    file: `${LEDGER}/rules/write-off.ts`,
    find: '  endSession(ledger, session);',
    replace: '',
  },
];
