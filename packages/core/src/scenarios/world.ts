import { type Member, type TmrServer, encodeCommand, type Command } from '@trefoil/license';
import { type Fixture, fixture } from '@trefoil/license/fixtures';
import {
  decodeToProposer,
  decodeToVoter,
  encodeRecord,
  decodeRecord,
  encodeToProposer,
  encodeToVoter,
  newProposer,
  newVoter,
  type Proposer,
  type ProposerEffect,
  recoverVoter,
  startRejoin,
  CLEAN_RESTART,
  stepProposer,
  stepVoter,
  type Voter,
  type VoterEffect,
  type VoterEvent,
  type ProposerEvent,
  type ToProposer,
  type ToVoter,
} from '../index.ts';

export type NodeName = TmrServer | 'L1' | 'L2' | 'L3';
export interface Reply {
  readonly kind: 'answer' | 'redirect' | 'unavailable';
  readonly outcome?: Uint8Array;
  readonly leafIndex?: number;
  readonly path?: readonly Uint8Array[];
  readonly certificate?: Uint8Array;
  readonly to?: TmrServer;
}

/** One license server with a disk that forgets what was not made durable. */
interface VoterNode {
  voter: Voter | undefined;
  /** Durable records, then those that a crash loses. */
  disk: Uint8Array[];
  cached: Uint8Array[];
  snapshot: Uint8Array | undefined;
  generation: number;
}

const MESSAGE_MS = 0.3;
const PERSIST_MS = 0.8;
const SIGN_MS = 0.1;
const TICK_MS = 10;

/**
 * Five servers on a simulated clock, network and disk, without chance: for the scenario texts. Messages go through their
 * encodings. The seeded simulator with its faults is another room.
 */
export class World {
  readonly fixture: Fixture = fixture();
  readonly voters: Record<Member, VoterNode>;
  readonly proposers: Record<TmrServer, Proposer | undefined> = { A: undefined, B: undefined };
  readonly trace: string[] = [];
  now = 0;
  wallOffset = Date.UTC(2026, 10, 24);
  /** Messages from → to that don't arrive: `A>L1`. */
  readonly cuts = new Set<string>();
  /** Lets a scenario change what a TMR server says. */
  tamper: ((from: TmrServer, to: Member, message: ToVoter) => ToVoter | undefined) | undefined;
  #events: { at: number; sequence: number; run: () => void }[] = [];
  #sequence = 0;
  #token = 0;
  #random = 7;
  readonly #replies = new Map<number, (reply: Reply) => void>();

  constructor() {
    const node = (): VoterNode => ({ voter: undefined, disk: [], cached: [], snapshot: undefined, generation: 0 });
    this.voters = { 1: node(), 2: node(), 3: node() };
  }

  get context() {
    const { crypto, root, configuration, group, issuingKey } = this.fixture;
    return { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text };
  }

  startVoter(member: Member, options: { incarnation?: number } = {}): void {
    const node = this.voters[member];
    const fresh = node.disk.length === 0;
    node.generation++;
    if (fresh) node.voter = newVoter(this.context, member, this.#clock());
    else {
      const records = node.disk.map(decodeRecord);
      const recovered = recoverVoter(this.context, member, { records, snapshot: node.snapshot }, this.#clock());
      node.voter = recovered.voter;
      const why = recovered.kind === 'suspect' ? `damaged: ${recovered.why}` : CLEAN_RESTART;
      const incarnation = new Uint8Array(16).fill(options.incarnation ?? 16 * node.generation + member);
      this.#voterEffects(member, startRejoin(node.voter, incarnation, why, this.#clock()));
    }
    this.#tickVoter(member, node.generation);
    for (const id of ['A', 'B'] as const) if (this.proposers[id] !== undefined) this.#link(id, member, true);
  }

  startProposer(id: TmrServer): void {
    const { context } = this;
    this.proposers[id] = newProposer(
      { context, id, key: this.fixture.tmrKeys[id], random: (n) => this.#bytes(n) },
      this.#clock(),
    );
    this.#tickProposer(id, this.proposers[id]);
    for (const member of [1, 2, 3] as const) if (this.voters[member].voter !== undefined) this.#link(id, member, true);
  }

  /** kill −9: what was not durable is gone; connections close. */
  crash(name: NodeName): void {
    if (name === 'A' || name === 'B') {
      this.proposers[name] = undefined;
      for (const member of [1, 2, 3] as const) this.#toVoter(member, { kind: 'linkDown', from: name });
      return;
    }
    const member = Number(name[1]) as Member;
    const node = this.voters[member];
    node.voter = undefined;
    node.cached = [];
    node.generation++;
    for (const id of ['A', 'B'] as const) this.#toProposer(id, { kind: 'linkDown', member });
  }

  command(id: TmrServer, command: Command | Uint8Array, reply: (reply: Reply) => void, stuck = false): void {
    const token = ++this.#token;
    const bytes = command instanceof Uint8Array ? command : encodeCommand(command);
    this.#replies.set(token, reply);
    const kind = command instanceof Uint8Array ? 'other' : command.kind;
    const priority = kind === 'renew' || kind === 'release' || kind === 'acquire' ? kind : 'other';
    this.#later(MESSAGE_MS, () =>
      this.#toProposer(id, { kind: 'command', token, bytes, priority, deadlineMs: this.now + 5_000, stuck }),
    );
  }

  run(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.#events[0];
      if (next === undefined || next.at > until) break;
      this.#events.shift();
      this.now = next.at;
      next.run();
    }
    this.now = until;
  }

  note(text: string): void {
    this.trace.push(`${this.now.toFixed(1).padStart(8)}  ${text}`);
  }

  #clock() {
    return { monotonicMs: this.now, wallMs: this.wallOffset + Math.floor(this.now) };
  }

  #bytes(n: number): Uint8Array {
    return Uint8Array.from({ length: n }, () => {
      this.#random = (this.#random * 1_103_515_245 + 12_345) % 2_147_483_648;
      return this.#random >> 16;
    });
  }

  #later(ms: number, run: () => void): void {
    const event = { at: this.now + ms, sequence: ++this.#sequence, run };
    let at = this.#events.length;
    while (at > 0 && (this.#events[at - 1] as typeof event).at > event.at) at--;
    this.#events.splice(at, 0, event);
  }

  #link(id: TmrServer, member: Member, up: boolean): void {
    const kind = up ? 'linkUp' : 'linkDown';
    this.#later(MESSAGE_MS, () => {
      this.#toVoter(member, { kind, from: id });
      this.#toProposer(id, { kind, member });
    });
  }

  #tickVoter(member: Member, generation: number): void {
    this.#later(TICK_MS, () => {
      if (this.voters[member].generation !== generation) return;
      this.#toVoter(member, { kind: 'tick' });
      this.#tickVoter(member, generation);
    });
  }

  #tickProposer(id: TmrServer, proposer: Proposer): void {
    this.#later(TICK_MS / 10, () => {
      if (this.proposers[id] !== proposer) return;
      this.#toProposer(id, { kind: 'tick' });
      this.#tickProposer(id, proposer);
    });
  }

  #toVoter(member: Member, event: VoterEvent): void {
    const { voter } = this.voters[member];
    if (voter !== undefined) this.#voterEffects(member, stepVoter(voter, event, this.#clock()));
  }

  #toProposer(id: TmrServer, event: ProposerEvent): void {
    const proposer = this.proposers[id];
    if (proposer !== undefined) this.#proposerEffects(id, stepProposer(proposer, event, this.#clock()));
  }

  #voterEffects(member: Member, effects: readonly VoterEffect[]): void {
    for (const effect of effects) this.#voterEffect(member, effect);
  }

  #voterEffect(member: Member, effect: VoterEffect): void {
    const node = this.voters[member];
    const { generation } = node;
    const answer = (ms: number, event: () => VoterEvent): void =>
      this.#later(ms, () => {
        if (node.generation === generation) this.#toVoter(member, event());
      });
    switch (effect.kind) {
      case 'note':
      case 'persist':
        node.cached.push(...effect.records.map(encodeRecord));
        if (effect.kind === 'persist')
          answer(PERSIST_MS, () => {
            node.disk.push(...node.cached.splice(0));
            return { kind: 'persisted', ticket: effect.ticket };
          });
        return;
      case 'sign': {
        const signature = (this.fixture.containers[member - 1] as Fixture['root']).sign(effect.statement);
        answer(SIGN_MS, () => ({ kind: 'signed', ticket: effect.ticket, signature }));
        return;
      }
      case 'send':
        this.#send(`L${member}>${effect.to}`, () =>
          this.#toProposer(effect.to, { kind: 'message', member, message: this.#coded(effect.message) }),
        );
        return;
      case 'writeSnapshot':
        answer(PERSIST_MS, () => {
          node.snapshot = effect.bytes;
          return { kind: 'snapshotWritten', index: effect.index };
        });
        return;
      case 'rotate':
        node.disk = effect.records.map(encodeRecord);
        node.cached = [];
        return;
      case 'needIncarnation':
        if (node.voter !== undefined)
          this.#voterEffects(member, startRejoin(node.voter, this.#bytes(16), effect.why, this.#clock()));
        return;
      case 'alarm':
        this.note(`L${member} alarm ${effect.alarm}: ${effect.detail}`);
        return;
      case 'stop':
        this.note(`L${member} stops: ${effect.reason}`);
        this.crash(`L${member}`);
        return;
    }
  }

  #coded(message: ToProposer): ToProposer {
    return decodeToProposer(encodeToProposer(message));
  }

  #send(way: string, deliver: () => void): void {
    if (!this.cuts.has(way)) this.#later(MESSAGE_MS, deliver);
  }

  #proposerEffects(id: TmrServer, effects: readonly ProposerEffect[]): void {
    for (const effect of effects)
      switch (effect.kind) {
        case 'send': {
          const message = this.tamper === undefined ? effect.message : this.tamper(id, effect.member, effect.message);
          if (message === undefined) break;
          this.#send(`${id}>L${effect.member}`, () =>
            this.#toVoter(effect.member, { kind: 'message', from: id, message: decodeToVoter(encodeToVoter(message)) }),
          );
          break;
        }
        case 'answers':
          for (const answer of effect.answers)
            this.#reply(answer.token, { kind: 'answer', ...answer, certificate: effect.certificate });
          break;
        case 'redirect':
          this.#reply(effect.token, { kind: 'redirect', to: effect.to });
          break;
        case 'unavailable':
          this.#reply(effect.token, { kind: 'unavailable' });
          break;
        case 'role':
          this.note(
            `${id} ${effect.role === 'leading' ? 'leads' : effect.role === 'preparing' ? 'prepares' : 'follows;'} epoch ${effect.epoch}`,
          );
          break;
        case 'alarm':
          this.note(`${id} alarm ${effect.alarm}: ${effect.detail}`);
          break;
        case 'certified':
          break;
      }
  }

  #reply(token: number, reply: Reply): void {
    const waiting = this.#replies.get(token);
    this.#replies.delete(token);
    if (waiting !== undefined) this.#later(MESSAGE_MS, () => waiting(reply));
  }
}
