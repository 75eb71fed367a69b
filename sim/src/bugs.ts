import { LICENSE_BUGS } from './license-bugs.ts';
import { REPLACEMENT_BUGS } from './replacement-bugs.ts';
import { UPGRADE_BUGS } from './upgrade-bugs.ts';

/**
 * Bugs that a clever person could make, each a change of a few words in the product's text. They are put in when a file is
 * loaded for a run of `sim:bugs`, so the product knows nothing of them; the simulator has to find each (docs/RELIABILITY.md).
 */
export interface Bug {
  readonly name: string;
  /** From the root of the repository. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The explorer's case that has it, where chance hardly ever takes all the steps. */
  readonly explored?: string;
}

const VOTER = 'packages/core/src/voter';

export const BUGS: readonly Bug[] = [
  {
    name: 'signed before it is durable',
    file: 'packages/license-server/src/voter-runtime.ts',
    find: `this.#append(() => this.handle({ kind: 'persisted', ticket: effect.ticket }));`,
    replace: `this.#append(() => undefined); this.handle({ kind: 'persisted', ticket: effect.ticket });`,
  },
  {
    name: 'promise not stored',
    file: `${VOTER}/prepare.ts`,
    find: `{ kind: 'promised', promise: statement, prepare: kept },`,
    replace: '',
  },
  {
    name: 'base from the shortest log',
    file: 'packages/core/src/base.ts',
    find: 'const index = Math.max(...newest.map((one) => one.lastIndex));',
    replace: 'const index = Math.min(...newest.map((one) => one.lastIndex));',
  },
  {
    name: 'one that has forgotten promises',
    file: `${VOTER}/prepare.ts`,
    find: `if (voter.withholding !== '') return [refuse(from, 'prepare', prepare.epoch, 'withholding')];`,
    replace: '',
  },
  {
    name: 're-join without incarnation',
    file: `${VOTER}/rejoin.ts`,
    find: 'peers.every((one) => equalBytes(one.incarnations[member - 1] as Uint8Array, rejoin.incarnation))',
    replace: 'true',
  },
  {
    name: 'an old start is believed again',
    file: `${VOTER}/rejoin.ts`,
    find: '!equalBytes(voter.incarnations[member - 1] as Uint8Array, replaces)',
    replace: 'equalBytes(voter.incarnations[member - 1] as Uint8Array, incarnation)',
    explored: 'two epochs, one entry, one rollback',
  },
  {
    name: 'starts are taken over from promises that disagree',
    file: `${VOTER}/propose.ts`,
    find: `return chooseBase(shown, configuration.threshold).kind === 'none' ? [] : shown;`,
    replace: 'return shown;',
    explored: 'two epochs, two entries, one rollback, all alone',
  },
  {
    name: 'a suspect server votes',
    file: `${VOTER}/rejoin.ts`,
    find: `if (rejoin === undefined || voter.withholding !== CLEAN_RESTART) return [];`,
    replace: `if (rejoin === undefined || voter.withholding === '') return [];`,
  },
  {
    name: 'promises an epoch again and again',
    file: `${VOTER}/prepare.ts`,
    find: 'if (prepare.epoch <= voter.promised)',
    replace: 'if (Math.PI < 3)',
  },
  {
    name: 'votes in an epoch that it has not promised',
    file: `${VOTER}/propose.ts`,
    find: `if (rejoining ? propose.epoch < voter.promised : propose.epoch !== voter.promised) return no('stale-epoch');`,
    replace: '',
  },
  {
    name: 'catching up raises the log to the promised epoch',
    file: `${VOTER}/catch-up.ts`,
    find: `raiseLogEpoch(voter, chunk.accept);
  voter.promised = Math.max(voter.promised, chunk.accept.epoch);`,
    replace: `voter.promised = Math.max(voter.promised, chunk.accept.epoch);
  voter.logEpoch = voter.promised;`,
    explored: 'three epochs, two entries',
  },
  {
    name: 'a replaced entry is gone although its successor got no vote',
    file: `${VOTER}/propose.ts`,
    find: 'appendEntry(replica, replaced.bytes, replaced.entry);',
    replace: '',
  },
  {
    name: 'a repeated request runs again',
    file: 'packages/core/src/ledger/apply.ts',
    find: `if (isRepeat && command.kind !== 'renew') return before.outcome;`,
    replace: `if (isRepeat && command.kind === 'close') return before.outcome;`,
  },
  {
    name: 'what anybody may send makes a consume forgotten',
    file: 'packages/core/src/ledger/apply.ts',
    find: `return kind === 'acquire' || kind === 'renew' ? session.free : session.proven;`,
    replace: `return kind === undefined ? session.free : session.proven;`,
  },
  {
    name: 'seats freed early',
    file: 'packages/core/src/limits.ts',
    find: 'return issuedLogTime + Math.ceil(timeoutMs * (1 + LIMITS.clockRate)) + LIMITS.clockSlackMs;',
    replace: 'return issuedLogTime + Math.ceil(timeoutMs * 0.8);',
  },
  {
    name: 'seats run out by the wall clock',
    file: 'packages/core/src/ledger/rules/expire.ts',
    find: 'ledger.deadlines.takeDue(ledger.journal, ledger.logTime)',
    replace: 'ledger.deadlines.takeDue(ledger.journal, ledger.logTime + ledger.utcLead)',
  },
  {
    name: 'a renewal is not taken back with its entry',
    file: 'packages/core/src/ledger/rules/renew-session.ts',
    find: `journal.set(hold, 'freeAt', freeAt(ledger.logTime, hold.timeoutMs));`,
    replace: `Object.assign(hold, { freeAt: freeAt(ledger.logTime, hold.timeoutMs) });`,
  },
  {
    name: 'the ceiling of log time is given anew by each vote',
    file: 'packages/core/src/log-clock.ts',
    find: 'clock.ceiling = Math.min(ceilingOfReported(clock, monotonicMs), logTime + LIMITS.ceilingSlackMs);',
    replace: 'clock.ceiling = logTime + LIMITS.ceilingSlackMs;',
  },
  {
    name: 'a certificate never lowers the ceiling of log time',
    file: 'packages/core/src/log-clock.ts',
    find: 'voted ? most : Math.min(most, logTime + LIMITS.ceilingSlackMs)',
    replace: 'voted ? most : most',
  },
  {
    name: 'each entry may bring UTC ahead by a day',
    file: 'packages/core/src/log-clock.ts',
    find: 'before.utcLead + (proposed.utc - course) <= LIMITS.utcLeadMs',
    replace: 'proposed.utc - course <= LIMITS.utcLeadMs',
  },
  {
    name: 'a start that a peer knows by another one is not signed for again',
    file: `${VOTER}/rejoin.ts`,
    find: `if (now.monotonicMs - rejoin.askedAt[from] < LIMITS.rejoinAgainMs) return [];`,
    replace: `return [];`,
  },
  {
    name: 'any base is taken without justification',
    file: `${VOTER}/propose.ts`,
    find: `if (typeof adoption === 'string') return no(adoption);
    ({ promises, reported } = adoption);`,
    replace: `if (typeof adoption !== 'string') ({ promises, reported } = adoption);`,
  },
  {
    name: 'of two logs of one epoch the first is taken',
    file: 'packages/core/src/base.ts',
    find: `if (promises.length < 3) return { kind: 'needThird' };`,
    replace: `if (promises.length < 3) return baseOf(longest[0] as LogPromise);`,
  },
  {
    name: 'two votes at one place',
    file: `${VOTER}/propose.ts`,
    find: `if (!equalBytes(stored.accept.head, propose.head))`,
    replace: `if (!equalBytes(stored.accept.head, propose.head)) return undefined;
  if (propose.index < 0)`,
  },
  {
    name: 'outcomes are forgotten in a snapshot',
    file: 'packages/core/src/ledger/session-record.ts',
    find: 'window.answered.set(reader.u64(), {',
    replace: 'new Map<number, unknown>().set(reader.u64(), {',
  },
  {
    name: 'an evicted session is renewed',
    file: 'packages/core/src/ledger/rules/renew-session.ts',
    find: `if (session.evicted !== '') return refused('evicted', session.evicted);`,
    replace: '',
  },
  {
    name: 'an eviction frees seats at once',
    file: 'packages/core/src/ledger/rules/evict-session.ts',
    find: `ledger.journal.set(session, 'evicted', command.reason === '' ? 'by the admin' : command.reason);`,
    replace: `ledger.journal.set(session, 'evicted', command.reason === '' ? 'by the admin' : command.reason);
    for (const hold of session.holds.values()) ledger.journal.set(hold, 'freeAt', ledger.logTime);`,
  },
  {
    name: 'a grant counts from its receipt',
    file: 'packages/client/src/session.ts',
    find: `certified: result.certified, sentAtMs };`,
    replace: `certified: result.certified, sentAtMs: group.stopwatch.now() };`,
  },
  {
    name: 'a renewal can be foretold',
    file: 'packages/client/src/session.ts',
    find: `nonce: this.#group.machine.nonce(16), idleMs }, patienceMs)`,
    replace: `nonce: new Uint8Array(16), idleMs }, patienceMs)`,
  },
  {
    name: 'a laptop does not notice that it slept',
    file: 'packages/client/src/time.ts',
    find: 'Math.max(now.monotonicMs - start.monotonicMs, now.wallMs - start.wallMs)',
    replace: 'now.monotonicMs - start.monotonicMs',
  },
  {
    name: 'a seat that nobody was told of is renewed for ever',
    file: 'packages/client/src/seat-keeper.ts',
    find: 'this.#giveBackLoose(session, hold).catch(() => undefined);',
    replace: 'void hold;',
  },
  {
    name: 'a wall clock that was set back hides a sleep',
    file: 'packages/client/src/time.ts',
    find: 'awakeMs >= SPAN_MS || spanMs - awakeMs >= LEAP_MS',
    replace: 'now.monotonicMs < 0',
  },
  {
    name: 'the order of a map is in the root',
    file: 'packages/core/src/ledger/root.ts',
    find: '[...(this.#buckets[index] as Map<string, Record>).keys()].sort()',
    replace: '[...(this.#buckets[index] as Map<string, Record>).keys()]',
  },
  {
    name: 'a leaf is hashed like a node',
    file: 'packages/license/src/merkle.ts',
    find: 'input[0] = 0;',
    replace: 'input[0] = 1;',
  },
  {
    name: 'a release needs no secret',
    file: 'packages/core/src/ledger/rules/release-seats.ts',
    find: 'if (!equalBytes(ledger.context.crypto.sha256(command.secret), hold.releaseHash))',
    replace: 'if (command.secret.length === 0)',
  },
  {
    name: 'a consume needs no signature',
    file: 'packages/core/src/ledger/rules/consume-units.ts',
    find: 'if (!crypto.verify(key, signedCommandBytes(configuration.set, command), command.signature))',
    replace:
      'if (!crypto.verify(key, signedCommandBytes(configuration.set, command), command.signature) && session.closed)',
  },
  {
    name: 'an eviction needs no signature',
    file: 'packages/core/src/ledger/rules/by-admin.ts',
    find: 'if (!crypto.verify(admin.key, signedCommandBytes(configuration.set, command), command.signature))',
    replace: 'if (command.signature.length === 0)',
  },
  {
    name: 'a log shorter than what was signed is believed',
    file: 'packages/license-server/src/open-voter.ts',
    find: 'if (!behind) return undefined;',
    replace: 'return undefined;',
  },
  {
    name: 'answers of one vote',
    file: 'packages/core/src/proposer/lead.ts',
    find: 'if (same.length < threshold) continue;',
    replace: '',
  },
  {
    name: 'a client believes any answer that is proved',
    file: 'packages/client/src/verifier.ts',
    find: 'if (!equalBytes(outcome.commandHash, commandHash))',
    replace: 'if (outcome.commandHash.length !== commandHash.length)',
  },
  {
    name: 'what a follower takes over need not hash to what was certified',
    file: 'packages/core/src/feed.ts',
    find: `if (!equalBytes(head, accept.head)) return 'false';`,
    replace: '',
  },
  {
    name: 'any epoch that one says it has promised is believed',
    file: 'packages/core/src/proposer/state.ts',
    find: 'return first <= known + 2 * LIMITS.epochJump ? Math.max(known, first) : known;',
    replace: 'return Math.max(known, first);',
  },
  {
    name: 'an invented entry is built on',
    file: 'packages/core/src/proposer/shown-log.ts',
    find: 'if (entry === undefined || entry.index !== base.index) return false;',
    replace: 'if (Math.PI > 3) return true;',
  },
  {
    name: 'who was left far below by jumps is left there',
    file: 'packages/core/src/proposer/attempt.ts',
    find: `message.reason === 'epoch-jump' ? helpUp(`,
    replace: `message.epoch < 0 ? helpUp(`,
  },
  {
    name: 'a stored promise is not repeated but made anew',
    file: `${VOTER}/prepare.ts`,
    find: `    return stored.signature === undefined
      ? signAgain(voter, 'promise', stored.promise, from)
      : [sendPromise(voter, from)];
  if (prepare.epoch <= voter.promised)`,
    replace: `    return promise(voter, from, { prepare, signed }, now);
  if (prepare.epoch <= voter.promised)`,
  },
  ...LICENSE_BUGS,
  ...REPLACEMENT_BUGS,
  ...UPGRADE_BUGS,
];
