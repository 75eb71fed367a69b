import {
  decodeCommand,
  encodeCommand,
  encodePrepare,
  encodePropose,
  type Member,
  type TmrServer,
} from '@trefoil/license';
import { decodeEntry, encodeEntry, headAfter, type Entry, type ToVoter } from '../index.ts';
import type { Scenario } from './scenario.ts';

/** What a TMR server with altered software can try. Its key signs whatever it likes; it has no other key. */
type Lie = (scenario: Scenario, ...words: string[]) => void;
type Propose = Extract<ToVoter, { kind: 'propose' }>;

const memberOf = (name: string): Member => Number(name.slice(1)) as Member;

/** The same proposal with another entry in it, properly hashed and signed. */
function withEntry(scenario: Scenario, id: TmrServer, propose: Propose, change: Partial<Entry>): Propose {
  const { fixture, proposers } = scenario.world;
  const { set, crypto, tmrKeys } = fixture;
  const entry = encodeEntry({ ...decodeEntry(propose.entry), ...change });
  const previous = proposers[id]?.replica.tail?.previousHead ?? proposers[id]?.replica.lastHead ?? new Uint8Array(32);
  const head = headAfter(crypto, previous, entry);
  const { configVersion, epoch, index } = propose;
  const signed = encodePropose({ set, configVersion, epoch, index, head });
  return { ...propose, entry, head, signature: tmrKeys[id].sign(signed) };
}

/** Changes proposals of one TMR server, to one license server or to all. */
function tamperProposals(
  scenario: Scenario,
  id: string,
  to: Member | undefined,
  change: (propose: Propose) => Propose,
): void {
  const { world } = scenario;
  const before = world.tamper;
  world.tamper = (from, member, message) =>
    message.kind === 'propose' && from === id && (to === undefined || to === member)
      ? change(message)
      : before(from, member, message);
}

/** So that it could give the seat back itself, and sell it twice. */
function swapReleaseHash(scenario: Scenario, id: TmrServer): void {
  const { crypto } = scenario.world.fixture;
  scenario.world.tamperCommand = (to, bytes) => {
    const command = decodeCommand(bytes);
    return to === id && command.kind === 'acquire'
      ? encodeCommand({ ...command, releaseHash: crypto.sha256(crypto.sha256(command.releaseHash)) })
      : bytes;
  };
}

function stopLying(scenario: Scenario): void {
  scenario.world.tamperCommand = (_to, bytes) => bytes;
  scenario.world.tamper = (_from, _to, message) => message;
}

/** After the vote, another entry at the same place. */
function proposeTwice(scenario: Scenario, id: TmrServer, member: Member): void {
  const { world } = scenario;
  const before = world.tamper;
  world.tamper = (from, to, message) => {
    if (message.kind === 'propose' && from === id && to === member) {
      const other = withEntry(scenario, id, message, { commands: [], utc: decodeEntry(message.entry).utc + 1 });
      world.clockwork.later(3, () => world.say(id, member, other));
    }
    return before(from, to, message);
  };
}

export const lies: readonly (readonly [RegExp, Lie])[] = [
  [
    /^([AB]) lies: proposes another entry to (L\d)$/,
    (scenario, id = '', name = '') =>
      tamperProposals(scenario, id, memberOf(name), (propose) =>
        withEntry(scenario, id as TmrServer, propose, { utc: decodeEntry(propose.entry).utc + 1 }),
      ),
  ],
  [
    /^([AB]) lies: proposes a second entry to (L\d) after its vote$/,
    (scenario, id, name = '') => proposeTwice(scenario, id as TmrServer, memberOf(name)),
  ],
  [
    /^([AB]) lies: leaves out the justification$/,
    (scenario, id = '') => tamperProposals(scenario, id, undefined, (propose) => ({ ...propose, justification: [] })),
  ],
  [
    /^([AB]) lies: shows one promise twice$/,
    (scenario, id = '') =>
      tamperProposals(scenario, id, undefined, (propose) => {
        const [first] = propose.justification;
        return first === undefined ? propose : { ...propose, justification: [first, first] };
      }),
  ],
  [
    /^([AB]) lies: puts an empty entry in the place of an open one$/,
    (scenario, id = '') =>
      tamperProposals(scenario, id, undefined, (propose) =>
        decodeEntry(propose.entry).commands.length === 0
          ? propose
          : withEntry(scenario, id as TmrServer, propose, { commands: [] }),
      ),
  ],
  [
    /^([AB]) lies: says that it is (\d+) h later$/,
    (scenario, id = '', hours) =>
      tamperProposals(scenario, id, undefined, (propose) =>
        withEntry(scenario, id as TmrServer, propose, {
          utc: decodeEntry(propose.entry).utc + Number(hours) * 3_600_000,
        }),
      ),
  ],
  [
    /^([AB]) lies: signs with another's key$/,
    (scenario, id = '') =>
      tamperProposals(scenario, id, undefined, (propose) => {
        const { set, admin } = scenario.world.fixture;
        const signed = encodePropose({ ...propose, set });
        return { ...propose, signature: admin.sign(signed) };
      }),
  ],
  [
    /^([AB]) asks only (L\d) for epoch (\d+)$/,
    (scenario, id, name = '', epoch) => {
      const { fixture } = scenario.world;
      const nonce = new Uint8Array(16);
      const bytes = encodePrepare({
        set: fixture.set,
        configVersion: 1,
        epoch: Number(epoch),
        clientsWait: false,
        nonce,
      });
      const prepare = { bytes, signature: fixture.tmrKeys[id as TmrServer].sign(bytes) };
      scenario.world.say(id as TmrServer, memberOf(name), { kind: 'prepare', prepare });
    },
  ],
  [/^([AB]) swaps release hashes$/, (scenario, id) => swapReleaseHash(scenario, id as TmrServer)],
  [/^[AB] tells the truth again$/, stopLying],
];
