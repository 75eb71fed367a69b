import type { Bug } from './bugs.ts';

const CORE = 'packages/core/src';

/** Bugs in how the rules rise while programs are exchanged (PROTOCOL §4.10). */
export const UPGRADE_BUGS: readonly Bug[] = [
  {
    name: 'the rules rise when one license server knows them',
    file: `${CORE}/proposer/state.ts`,
    find: 'Math.min(newestRules(context), ...known)',
    replace: 'Math.min(newestRules(context), Math.max(...known))',
  },
  {
    name: 'the other TMR server is not asked what it knows',
    file: `${CORE}/voter/about.ts`,
    find: 'Math.min(newestRules(context), ...known)',
    replace: 'newestRules(context)',
  },
  {
    name: 'an entry that is taken back leaves its rules',
    file: `${CORE}/ledger/apply.ts`,
    find: `journal.set(ledger, 'rulesVersion', entry.rulesVersion);`,
    replace: `ledger.rulesVersion = entry.rulesVersion;`,
  },
  {
    name: 'the rules fall again',
    file: `${CORE}/proposer/state.ts`,
    find: 'Math.max(replica.ledger.rulesVersion, Math.min(',
    replace: 'Math.max(0, Math.min(',
  },
  {
    name: 'ABOUT on links of the older form',
    file: `${CORE}/voter/about.ts`,
    find: 'up && hearsAbout',
    replace: 'up || hearsAbout',
  },
  {
    name: 'a snapshot is passed on by who leads only',
    file: `${CORE}/proposer/fed.ts`,
    find: '  return [...passedOn, ...follow(',
    replace: '  return [...follow(',
  },
];
