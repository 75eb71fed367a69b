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
    name: 're-join from one peer',
    file: `${VOTER}/rejoin.ts`,
    find: 'peers.length === 2 &&',
    replace: 'peers.length >= 1 &&',
  },
  {
    name: 're-join without incarnation',
    file: `${VOTER}/rejoin.ts`,
    find: 'peers.every((one) => equalBytes(one.incarnations[member - 1] as Uint8Array, rejoin.incarnation))',
    replace: 'true',
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
    find: `if (prepare.epoch <= voter.promised) return [refuse(from, 'prepare', voter.promised, 'stale-epoch')];`,
    replace: '',
  },
  {
    name: 'votes in an epoch that it has not promised',
    file: `${VOTER}/propose.ts`,
    find: `if (rejoining ? propose.epoch < voter.promised : propose.epoch !== voter.promised) return no('stale-epoch');`,
    replace: '',
  },
  {
    name: 'a certificate raises the log to the promised epoch',
    file: `${VOTER}/catch-up.ts`,
    find: `voter.logEpoch = Math.max(voter.logEpoch, accept.epoch);
  voter.promised = Math.max(voter.promised, accept.epoch);
  voter.lastCertificateAt`,
    replace: `voter.promised = Math.max(voter.promised, accept.epoch);
  voter.logEpoch = voter.promised;
  voter.lastCertificateAt`,
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
    find: `if (before !== undefined)
    return equalBytes(before.commandHash, commandHash)`,
    replace: `if (before !== undefined && command.kind === 'renew')
    return equalBytes(before.commandHash, commandHash)`,
  },
  {
    name: 'seats freed early',
    file: 'packages/core/src/limits.ts',
    find: 'return issuedLogTime + Math.ceil(timeoutMs * (1 + LIMITS.clockRate)) + LIMITS.clockSlackMs;',
    replace: 'return issuedLogTime + Math.ceil(timeoutMs * 0.8);',
  },
  {
    name: 'a renewal is not taken back with its entry',
    file: 'packages/core/src/ledger/rules/renew-session.ts',
    find: `ledger.journal.set(hold, 'freeAt', freeAt(ledger.logTime, hold.timeoutMs));`,
    replace: `Object.assign(hold, { freeAt: freeAt(ledger.logTime, hold.timeoutMs) });`,
  },
  {
    name: 'the ceiling of log time is given anew by each vote',
    file: 'packages/core/src/log-clock.ts',
    find: 'clock.ceiling = Math.min(ceilingAt(clock, monotonicMs), logTime + LIMITS.clockSlackMs);',
    replace: 'clock.ceiling = logTime + LIMITS.clockSlackMs;',
  },
  {
    name: 'an incarnation is not told to the peers again',
    file: `${VOTER}/rejoin.ts`,
    find: `voter.incarnations[member - 1] = new Uint8Array(incarnation);
    records.push`,
    replace: 'records.push',
  },
];
