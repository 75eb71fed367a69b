import type { Bug } from './bugs.ts';

const CORE = 'packages/core/src';

/** Bugs in how one license server takes the place of another (PROTOCOL §4.9). */
export const REPLACEMENT_BUGS: readonly Bug[] = [
  {
    name: 'epochs of the version before go on counting',
    file: `${CORE}/voter/membership.ts`,
    find: '  voter.logEpoch = 0;\n',
    replace: '',
  },
  {
    name: 'a promise counts under any version',
    file: `${CORE}/base.ts`,
    find: '    promise.configVersion !== configuration.version ||\n',
    replace: '',
  },
  {
    name: 'who is not a member yet votes',
    file: `${CORE}/voter/state.ts`,
    find: `isMember(replica, { member, serial }) ? '' : NOT_YET`,
    replace: `isMember(replica, { member, serial }) ? '' : ''`,
  },
  {
    name: 'who was replaced goes on voting',
    file: `${CORE}/voter/membership.ts`,
    find: '  voter.withholding = REPLACED;\n',
    replace: '',
  },
  {
    name: 'the start of the container before is kept',
    file: `${CORE}/voter/membership.ts`,
    find: '    voter.incarnations[member - 1] = new Uint8Array(INCARNATION_BYTES);',
    replace: '    if (voter.frozen) voter.incarnations[member - 1] = new Uint8Array(INCARNATION_BYTES);',
  },
  {
    name: 'who would lead feeds nobody',
    file: `${CORE}/proposer/lead.ts`,
    find: `return role === 'preparing' && status`,
    replace: `return role === 'leading' && status`,
  },
  {
    name: 'who would lead takes an uncertified tail for the last entry',
    file: `${CORE}/proposer/lead.ts`,
    find: `proposer.role === 'leading' && missing === 1`,
    replace: 'missing === 1',
  },
  {
    name: 'votes under the version before are held against a promise',
    file: `${CORE}/proposer/attempt.ts`,
    find: 'decodeAccept(link.vote.bytes).configVersion === promise.configVersion &&',
    replace: '',
  },
  {
    name: 'the entry that brings a version is voted for under it',
    file: `${CORE}/ledger/configurations.ts`,
    find: 'since < index) ??',
    replace: 'since <= index) ??',
  },
  {
    name: 'entries are fed up to a new version and not beyond',
    file: `${CORE}/feed.ts`,
    find: 'const configuration = isAhead ? broughtBy(',
    replace: 'const configuration = isAhead && index < 0 ? broughtBy(',
  },
  {
    name: 'a snapshot is judged under the first version',
    file: `${CORE}/ledger/snapshot.ts`,
    find: 'configurationFor(known, index), decoded)',
    replace: 'configurationFor(known, 0), decoded)',
  },
  {
    name: 'a refusal depends on the order in which licenses came',
    file: `${CORE}/ledger/rules/reconfigure.ts`,
    find: '[...ledger.licenses.values()].sort((a, b) => (a.license.id < b.license.id ? -1 : 1));',
    replace: '[...ledger.licenses.values()];',
  },
];
