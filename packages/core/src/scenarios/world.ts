import { type Command, type Configuration, encodeCommand, type Member, type TmrServer } from '@trefoil/license';
import { type Fixture, fixture } from '@trefoil/license/fixtures';
import {
  CLEAN_RESTART,
  decodeRecord,
  decodeToProposer,
  decodeToVoter,
  encodeRecord,
  encodeToProposer,
  encodeToVoter,
  type LedgerContext,
  newProposer,
  newVoter,
  OLDEST_RULES,
  type Proposer,
  type ProposerEffect,
  type ProposerEvent,
  recoverVoter,
  startRejoin,
  stepProposer,
  stepVoter,
  type ToProposer,
  type ToVoter,
  type Voter,
  type VoterEffect,
  type VoterEvent,
  type VoterOptions,
} from '../index.ts';
import type { Reply } from './clients.ts';
import { Clockwork } from './clockwork.ts';
import { joinedParts } from '../ledger/snapshot.ts';
import { newMachine, type VoterNode } from './machines.ts';
import { Witness } from './witness.ts';

export type NodeName = TmrServer | 'L1' | 'L2' | 'L3';

export interface WorldOptions {
  readonly snapshotEveryEntries?: number;
  /** What servers keep in memory to feed those who lag. */
  readonly recentBytes?: number;
  readonly queuedCommands?: number;
}

const MESSAGE_MS = 0.3;
const PERSIST_MS = 0.8;
const SIGN_MS = 0.1;
const VOTER_TICK_MS = 10;
const PROPOSER_TICK_MS = 1;

/**
 * Five servers on a simulated clock, network and disk, without chance: for the scenario texts. Messages go through their
 * encodings, records too. The seeded simulator with its faults is another room.
 */
export class World {
  readonly fixture: Fixture = fixture();
  readonly clockwork = new Clockwork();
  readonly voters: Record<Member, VoterNode>;
  readonly proposers: Record<TmrServer, Proposer | undefined> = { A: undefined, B: undefined };
  readonly witness: Witness;
  /** All that the vendor has issued, oldest first. */
  readonly configurations: Configuration[] = [this.fixture.configuration];
  /** The newest rules that each one's program knows, from its next start on; without one: those of this program. */
  readonly programs: Partial<Record<NodeName, number>> = {};
  /** Of the containers in the newest of them. */
  generations: Readonly<Record<Member, number>> = { 1: 0, 2: 0, 3: 0 };
  /** Messages from → to that don't arrive: `A>L1`. */
  readonly cuts = new Set<string>();
  readonly wallOffsetMs: Record<Member, number> = { 1: 0, 2: 0, 3: 0 };
  /** By how much a TMR server believes the log clocks to be ahead of what they say. */
  readonly hurryMs: Record<TmrServer, number> = { A: 0, B: 0 };
  /** Lets a scenario change what a TMR server says; undefined = it says nothing. */
  tamper: (from: TmrServer, to: Member, message: ToVoter) => ToVoter | undefined = (_from, _to, message) => message;
  /** The same for what it takes in from clients. */
  tamperCommand: (to: TmrServer, bytes: Uint8Array) => Uint8Array = (_to, bytes) => bytes;
  /** And what a license server says to a TMR server. */
  onSaid: (member: Member, message: ToProposer) => ToProposer = (_member, message) => message;
  onNote: (text: string) => void = () => undefined;
  /** After each change of a store, in the state in which a crash would leave it. */
  onDurable: (member: Member) => void = () => undefined;
  readonly #options: WorldOptions;
  readonly #served: Record<TmrServer, Set<string>> = { A: new Set(), B: new Set() };
  #token = 0;
  #random = 7;
  readonly #replies = new Map<number, { id: TmrServer; reply: (reply: Reply) => void }>();

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.voters = { 1: newMachine(0), 2: newMachine(0), 3: newMachine(0) };
    this.witness = new Witness(this.fixture, this.configurations);
  }

  get now(): number {
    return this.clockwork.now;
  }

  get context() {
    const { crypto, root, configuration, group, issuingKey } = this.fixture;
    return { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text };
  }

  wallMs(member?: Member): number {
    const offset = member === undefined ? 0 : this.wallOffsetMs[member];
    return Date.UTC(2026, 10, 24) + Math.floor(this.now) + offset;
  }

  startVoter(member: Member): void {
    const node = this.voters[member];
    node.life++;
    node.noted = [];
    const empty = (): Voter =>
      newVoter(this.#contextOf(`L${member}`), member, this.clock(member), this.#ofMachine(member));
    const recovered = this.recover(member);
    const suspect = recovered.kind === 'suspect';
    if (suspect) node.store = { records: [], snapshots: new Map() }; // set aside
    node.voter = suspect ? empty() : recovered.voter;
    const why = suspect ? `damaged: ${recovered.why}` : CLEAN_RESTART;
    this.#voterEffects(member, startRejoin(node.voter, this.#bytes(16), why, this.clock(member)));
    this.#tickVoter(member, node.life);
    for (const id of ['A', 'B'] as const) if (this.proposers[id] !== undefined) this.link(id, member);
  }

  /** What a restart would make of the store as it stands. */
  recover(member: Member) {
    const { store } = this.voters[member];
    const stored = {
      records: store.records.map(decodeRecord),
      snapshot: (index: number) => store.snapshots.get(index),
    };
    return recoverVoter(this.#contextOf(`L${member}`), member, stored, this.clock(member), this.#ofMachine(member));
  }

  #contextOf(name: NodeName): LedgerContext {
    const rules = this.programs[name];
    return rules === undefined ? this.context : { ...this.context, rules };
  }

  #ofMachine(member: Member): VoterOptions {
    const { recentBytes } = this.#options;
    return { recentBytes, serial: this.fixture.serial(member, this.voters[member].generation) };
  }

  startProposer(id: TmrServer): void {
    const context = this.#contextOf(id);
    const key = this.fixture.tmrKeys[id];
    const random = (n: number): Uint8Array => this.#bytes(n);
    this.proposers[id] = newProposer({ context, id, key, random, ...this.#options }, this.clock());
    this.#tickProposer(id, this.proposers[id]);
    for (const member of [1, 2, 3] as const) if (this.voters[member].voter !== undefined) this.link(id, member);
  }

  /** Its admin wants the other one to lead. */
  handOver(id: TmrServer): void {
    this.#toProposer(id, { kind: 'handOver' });
  }

  /** kill −9: what was not durable is gone; connections close. */
  crash(name: NodeName): void {
    if (name === 'A' || name === 'B') {
      this.proposers[name] = undefined;
      for (const member of [1, 2, 3] as const) this.#toVoter(member, { kind: 'linkDown', from: name });
      for (const [token, waiting] of this.#replies) if (waiting.id === name) this.#reply(token, { kind: 'gone' });
      return;
    }
    const member = Number(name[1]) as Member;
    const node = this.voters[member];
    node.voter = undefined;
    node.life++;
    for (const id of ['A', 'B'] as const) this.#toProposer(id, { kind: 'linkDown', member });
  }

  /** A new connection; an old one is closed by it. */
  link(id: TmrServer, member: Member): void {
    this.clockwork.later(MESSAGE_MS, () => {
      if (this.cuts.has(`${id}>L${member}`) || this.cuts.has(`L${member}>${id}`)) return;
      this.#toVoter(member, { kind: 'linkDown', from: id });
      this.#toProposer(id, { kind: 'linkDown', member });
      if (this.voters[member].voter === undefined || this.proposers[id] === undefined) return;
      // Of the oldest programs none knows ABOUT: links between them and others are of the older form.
      const hearsAbout = [id, `L${member}` as const].every((name) => this.programs[name] !== OLDEST_RULES);
      this.#toVoter(member, { kind: 'linkUp', from: id, hearsAbout });
      this.#toProposer(id, { kind: 'linkUp', member, hearsAbout });
    });
  }

  /** `reply` is called at most once. */
  submit(
    id: TmrServer,
    command: Command | Uint8Array,
    options: { deadlineMs: number; stuck?: boolean },
    reply: (reply: Reply) => void,
  ): void {
    const token = ++this.#token;
    this.#replies.set(token, { id, reply });
    const bytes = this.tamperCommand(id, command instanceof Uint8Array ? command : encodeCommand(command));
    const priority = ({ 2: 'renew', 3: 'acquire', 4: 'release' } as const)[bytes[0] as 2 | 3 | 4] ?? 'other';
    const { deadlineMs, stuck = false } = options;
    this.clockwork.later(MESSAGE_MS, () => {
      if (this.proposers[id] === undefined) this.#reply(token, { kind: 'gone' });
      else this.#toProposer(id, { kind: 'command', token, bytes, priority, deadlineMs, stuck });
    });
  }

  /** Says something to a license server in a TMR server's name, as if it were one with altered software. */
  say(id: TmrServer, member: Member, message: ToVoter): void {
    const heard = decodeToVoter(encodeToVoter(message));
    this.#send(`${id}>L${member}`, () => this.#toVoter(member, { kind: 'message', from: id, message: heard }));
  }

  /** Whom this client is connected to now. */
  serves(id: TmrServer | undefined, client: string): void {
    for (const one of ['A', 'B'] as const) {
      const before = this.#served[one].size;
      if (one === id) this.#served[one].add(client);
      else this.#served[one].delete(client);
      const { size } = this.#served[one];
      if (size !== before) this.#toProposer(one, { kind: 'clients', count: size });
    }
  }

  clock(member?: Member) {
    return { monotonicMs: this.now, wallMs: this.wallMs(member) };
  }

  #bytes(n: number): Uint8Array {
    return Uint8Array.from({ length: n }, () => {
      this.#random = (this.#random * 1_103_515_245 + 12_345) % 2_147_483_648;
      return this.#random >> 16;
    });
  }

  #tickVoter(member: Member, life: number): void {
    this.clockwork.later(VOTER_TICK_MS, () => {
      if (this.voters[member].life !== life) return;
      this.#toVoter(member, { kind: 'tick' });
      this.#tickVoter(member, life);
    });
  }

  #tickProposer(id: TmrServer, proposer: Proposer): void {
    this.clockwork.later(PROPOSER_TICK_MS, () => {
      if (this.proposers[id] !== proposer) return;
      this.#toProposer(id, { kind: 'tick' });
      this.#tickProposer(id, proposer);
    });
  }

  #toVoter(member: Member, event: VoterEvent): void {
    const { voter } = this.voters[member];
    if (voter !== undefined) this.#voterEffects(member, stepVoter(voter, event, this.clock(member)));
  }

  #toProposer(id: TmrServer, event: ProposerEvent): void {
    const proposer = this.proposers[id];
    if (proposer === undefined) return;
    for (const effect of stepProposer(proposer, event, this.clock())) this.#proposerEffect(id, effect);
  }

  #voterEffects(member: Member, effects: readonly VoterEffect[]): void {
    for (const effect of effects) this.#voterEffect(member, effect);
  }

  #voterEffect(member: Member, effect: VoterEffect): void {
    const node = this.voters[member];
    switch (effect.kind) {
      case 'note':
        node.noted.push(...effect.records);
        return;
      case 'persist':
        node.noted.push(...effect.records);
        this.#append(member, () => ({ kind: 'persisted', ticket: effect.ticket }));
        return;
      case 'sign': {
        this.witness.signs(`L${member}${'*'.repeat(node.generation)}`, effect.statement, node.store.records);
        const signature = this.fixture.container(member, node.generation).sign(effect.statement);
        this.#answer(member, SIGN_MS, () => ({ kind: 'signed', ticket: effect.ticket, signature }));
        return;
      }
      case 'send': {
        if (effect.message.kind === 'refused')
          this.onNote(`L${member} refuses to ${effect.to}: ${effect.message.what}, ${effect.message.reason}`);
        const said = this.onSaid(member, effect.message);
        const message = decodeToProposer(encodeToProposer(said));
        this.#send(`L${member}>${effect.to}`, () => this.#deliver(effect.to, member, message));
        return;
      }
      case 'writeSnapshot':
        this.#answer(member, PERSIST_MS, () => {
          node.store.snapshots.set(effect.index, joinedParts(effect.parts));
          return { kind: 'snapshotWritten', index: effect.index };
        });
        return;
      case 'rotate':
        this.#rotate(member, effect);
        return;
      case 'needIncarnation':
        if (node.voter !== undefined)
          this.#voterEffects(member, startRejoin(node.voter, this.#bytes(16), effect.why, this.clock(member)));
        return;
      case 'alarm':
        this.onNote(`L${member} alarm ${effect.alarm}: ${effect.detail}`);
        return;
      case 'stop':
        this.onNote(`L${member} stops: ${effect.reason}`);
        this.crash(`L${member}`);
        return;
    }
  }

  #answer(member: Member, ms: number, event: () => VoterEvent): void {
    const { life } = this.voters[member];
    this.clockwork.later(ms, () => {
      if (this.voters[member].life === life) this.#toVoter(member, event());
    });
  }

  /** The disk takes its writes in order; each takes as long as the other. */
  #append(member: Member, event: () => VoterEvent): void {
    const node = this.voters[member];
    const written = node.noted.map(encodeRecord);
    node.noted = [];
    this.#answer(member, PERSIST_MS, () => {
      node.store.records.push(...written);
      this.onDurable(member);
      return event();
    });
  }

  /** As the process does it: the new file first; when it is durable, the old one goes. Notes come into the new one. */
  #rotate(member: Member, effect: Extract<VoterEffect, { kind: 'rotate' }>): void {
    const node = this.voters[member];
    const { life } = node;
    const { store } = node;
    const written = effect.records.map(encodeRecord);
    this.clockwork.later(PERSIST_MS, () => {
      if (node.life !== life) return;
      const old = store.records.length;
      for (const record of written) {
        store.records.push(record);
        this.onDurable(member);
      }
      this.clockwork.later(PERSIST_MS, () => {
        if (node.life !== life) return;
        store.records.splice(0, old);
        for (const index of store.snapshots.keys()) if (index < effect.snapshotIndex) store.snapshots.delete(index);
        this.onDurable(member);
      });
    });
  }

  #deliver(id: TmrServer, member: Member, message: ToProposer): void {
    const hurried =
      message.kind === 'vote' || message.kind === 'status'
        ? { ...message, logClock: message.logClock + this.hurryMs[id] }
        : message;
    this.#toProposer(id, { kind: 'message', member, message: hurried });
  }

  #send(way: string, deliver: () => void): void {
    if (!this.cuts.has(way)) this.clockwork.later(MESSAGE_MS, deliver);
  }

  #proposerEffect(id: TmrServer, effect: ProposerEffect): void {
    switch (effect.kind) {
      case 'send': {
        const message = this.tamper(id, effect.member, effect.message);
        if (message !== undefined) this.say(id, effect.member, message);
        return;
      }
      case 'answers':
        for (const answer of effect.answers)
          this.#reply(answer.token, { kind: 'answer', ...answer, certificate: effect.certificate });
        return;
      case 'redirect':
      case 'unavailable':
        this.#reply(effect.token, effect);
        return;
      case 'role':
        this.onNote(`${id} ${ROLE[effect.role]} ${effect.role === 'follower' ? '' : `epoch ${effect.epoch}`}`.trim());
        return;
      case 'certified':
        if (effect.certificate.length > 0) this.witness.certified(effect.certificate, effect.tail.bytes);
        return;
      case 'alarm':
        this.onNote(`${id} alarm ${effect.alarm}: ${effect.detail}`);
        return;
    }
  }

  #reply(token: number, reply: Reply): void {
    const waiting = this.#replies.get(token);
    this.#replies.delete(token);
    if (waiting === undefined) return;
    if (reply.kind === 'answer') this.witness.certified(reply.certificate, undefined);
    this.clockwork.later(MESSAGE_MS, () => waiting.reply(reply));
  }
}

const ROLE = { leading: 'leads', preparing: 'asks for', follower: 'follows' } as const;
