import {
  encodeCertificate,
  encodePrepare,
  encodePropose,
  epochOf,
  type Member,
  type Prepare,
  type TmrServer,
} from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import { encodeEntry, type Entry, headAfter, RULES_VERSION } from '../entry.ts';
import type { ToProposer, ToVoter } from '../messages.ts';
import type { Signed } from '../signed.ts';
import { startRejoin } from './rejoin.ts';
import { newVoter, type Voter, type VoterEffect, type VoterEvent } from './state.ts';
import { stepVoter } from './step.ts';

export const one = fixture();
export const context = {
  ...{ crypto: one.crypto, vendorRoot: one.root.publicKey, configuration: one.configuration, group: one.group },
  issuingKey: one.issuingKey.text,
};
export const START = Date.UTC(2026, 10, 24);

/** One license server, and TMR servers that say to it what a test wants. */
export class Bench {
  voter: Voter;
  readonly member: Member;
  /** Of its container. */
  readonly generation: number;
  now = 0;
  wallMs = START;
  /** Answers of disk and container that are held back. */
  held: VoterEvent[] | undefined;
  sent: ToProposer[] = [];
  effects: VoterEffect[] = [];

  constructor(member: Member = 1, generation = 0) {
    this.member = member;
    this.generation = generation;
    this.voter = newVoter(context, member, this.clock, { serial: one.serial(member, generation) });
    this.step({ kind: 'linkUp', from: 'A', hearsAbout: false });
    this.step({ kind: 'linkUp', from: 'B', hearsAbout: false });
  }

  get clock() {
    return { monotonicMs: this.now, wallMs: this.wallMs + this.now };
  }

  step(event: VoterEvent): void {
    for (const effect of stepVoter(this.voter, event, this.clock)) this.carryOut(effect);
  }

  carryOut(effect: VoterEffect): void {
    this.effects.push(effect);
    if (effect.kind === 'send') this.sent.push(effect.message);
    if (effect.kind === 'persist') this.answer({ kind: 'persisted', ticket: effect.ticket });
    if (effect.kind === 'sign') {
      const signature = one.container(this.member, this.generation).sign(effect.statement);
      this.answer({ kind: 'signed', ticket: effect.ticket, signature });
    }
    if (effect.kind === 'needIncarnation')
      for (const more of startRejoin(this.voter, new Uint8Array(16).fill(7), effect.why, this.clock))
        this.carryOut(more);
  }

  answer(event: VoterEvent): void {
    if (this.held === undefined) this.step(event);
    else this.held.push(event);
  }

  release(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const event of held) this.step(event);
  }

  /** What it answered to a message, without its reports of itself. */
  say(from: TmrServer, message: ToVoter): ToProposer[] {
    this.sent = [];
    this.step({ kind: 'message', from, message });
    return this.sent.filter((answer) => answer.kind !== 'status');
  }

  prepare(counter: number, from: TmrServer = 'A', nonce = 1): ToProposer[] {
    return this.say(from, { kind: 'prepare', prepare: prepareOf(counter, from, nonce) });
  }

  get alarms(): string[] {
    return this.effects.flatMap((effect) => (effect.kind === 'alarm' ? [effect.alarm] : []));
  }
}

export function prepareOf(counter: number, from: TmrServer, nonce = 1, change: Partial<Prepare> = {}): Signed {
  const bytes = encodePrepare({
    ...{ set: one.set, configVersion: 1, epoch: epochOf(counter, from), clientsWait: false },
    nonce: new Uint8Array(16).fill(nonce),
    ...change,
  });
  return { bytes, signature: one.tmrKeys[from].sign(bytes) };
}

export interface ProposeOptions {
  readonly commands?: readonly Uint8Array[];
  readonly logTime?: number;
  readonly utc?: number;
  readonly index?: number;
  readonly previous?: Uint8Array;
  readonly justification?: readonly Signed[];
  readonly certificate?: Uint8Array;
  readonly ledgerRoot?: Uint8Array;
  readonly entry?: Partial<Entry>;
  readonly key?: TmrServer;
  readonly configVersion?: number;
}

export function proposeOf(
  bench: Bench,
  epoch: number,
  options: ProposeOptions = {},
): Extract<ToVoter, { kind: 'propose' }> {
  const { replica } = bench.voter;
  const { commands = [], logTime = 0, utc = START, index = 1, justification = [], configVersion = 1 } = options;
  const entry = encodeEntry({
    ...{ set: one.set, index, logTime, utc, rulesVersion: RULES_VERSION, ledgerRoot: options.ledgerRoot, commands },
    ...options.entry,
  });
  const head = headAfter(one.crypto, options.previous ?? replica.tail?.previousHead ?? replica.lastHead, entry);
  const from = options.key ?? (epoch % 2 === 0 ? 'A' : 'B');
  const signature = one.tmrKeys[from].sign(encodePropose({ set: one.set, configVersion, epoch, index, head }));
  const certificate = options.certificate ?? new Uint8Array(0);
  return { kind: 'propose', configVersion, epoch, index, head, signature, entry, certificate, justification };
}

/** Promises of all three at the start of the log, or after one entry. */
export function promisesFor(counter: number, from: TmrServer, benches: readonly Bench[], configVersion = 1): Signed[] {
  return benches.flatMap((bench) =>
    bench
      .say(from, { kind: 'prepare', prepare: prepareOf(counter, from, 1, { configVersion }) })
      .flatMap((answer) => (answer.kind === 'promise' ? [answer.promise] : [])),
  );
}

export const refusalOf = (answers: readonly ToProposer[]): string =>
  answers[0]?.kind === 'refused' ? answers[0].reason : (answers[0]?.kind ?? 'nothing');

export function group(): [Bench, Bench, Bench] {
  return [new Bench(1), new Bench(2), new Bench(3)];
}

/** The three after the first entry of epoch 2; no certificate has come to them. */
export function voted(): { benches: [Bench, Bench, Bench]; justification: Signed[]; propose: ToVoter } {
  const benches = group();
  const justification = promisesFor(1, 'A', benches);
  const propose = proposeOf(benches[0], 2, { justification });
  for (const bench of benches)
    if (bench.say('A', propose)[0]?.kind !== 'vote') throw new Error('no vote for the first entry');
  return { benches, justification, propose };
}

/** Of the entry that two of them have voted for last. */
export function certificateOf(voters: readonly Bench[]): Uint8Array {
  const statement = voters[0]?.voter.signedHigh?.statement as Uint8Array;
  const votes = voters.map(({ member, generation }) => ({
    member,
    signature: one.container(member, generation).sign(statement),
  }));
  return encodeCertificate({ statement, votes });
}
