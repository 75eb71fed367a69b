import {
  type CertifiedAnswer,
  encodeToVoter,
  inForce,
  newProposer,
  type Proposer,
  type ProposerEffect,
  type ProposerEvent,
  proposerWakeAt,
  type Priority,
  type Role,
  stepProposer,
  type LedgerContext,
  type Unavailable,
} from '@trefoil/core';
import { Alarms, type Clock, type Log, PROGRAM_VERSION, type Random } from '@trefoil/host';
import { concatBytes, type Configuration, type Member, type SigningKey, type TmrServer } from '@trefoil/license';
import type { FrameConnection } from '@trefoil/link';
import { AwaitedTurns } from './awaited-turns.ts';

/** What became of a submitted command, as far as this server is concerned. */
export type Submitted =
  | { readonly kind: 'certified'; readonly answer: CertifiedAnswer; readonly certificate: Uint8Array }
  | { readonly kind: 'redirect'; readonly to: TmrServer }
  | { readonly kind: 'unavailable'; readonly reason: Unavailable | 'stopping'; readonly retryAfterMs: number };

export interface CertifiedEvent {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly utc: number;
  readonly outcomes: readonly Uint8Array[];
  readonly certificate: Uint8Array;
}

/** From 0 to 32,767, below half of what an epoch may jump. */
function stretch([high = 0, low = 0]: Uint8Array): number {
  return ((high << 8) | low) >> 1;
}

export interface ProposerParts {
  readonly context: LedgerContext;
  readonly id: TmrServer;
  readonly key: SigningKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of the whole server; default: its own. */
  readonly alarms?: Alarms;
  /** Default: LIMITS.snapshotEveryEntries. */
  readonly snapshotEveryEntries?: number;
  /** Default: LIMITS.recentBytes. */
  readonly recentBytes?: number;
}

/** One virtual container on this TMR server: the pure proposer, its links, and the clients that wait for answers. */
export class ProposerRuntime implements AsyncDisposable {
  readonly proposer: Proposer;
  readonly links: Partial<Record<Member, Pick<FrameConnection, 'send' | 'close'>>> = {};
  readonly alarms: Alarms;
  readonly watchers = new Set<(event: CertifiedEvent | { role: Role; epoch: number }) => void>();
  readonly turns = new AwaitedTurns();
  certifiedCommands = 0;
  certifiedEntries = 0;
  takeovers = 0;
  /** Told of each entry of its own that gets its certificate, seconds after it was proposed. */
  onCommitted: ((seconds: number) => void) | undefined;
  #proposed = { index: 0, at: 0 };
  readonly #parts: ProposerParts;
  readonly #waiting = new Map<number, (result: Submitted) => void>();
  #token = 0;
  #queue: ProposerEvent[] = [];
  #running = false;
  #stopped = false;
  #callOff: (() => void) | undefined;
  #timerAt = Infinity;

  constructor(parts: ProposerParts) {
    this.#parts = parts;
    this.alarms = parts.alarms ?? new Alarms(parts);
    const { context, id, key, random, snapshotEveryEntries, recentBytes } = parts;
    this.proposer = newProposer(
      {
        context,
        id,
        key,
        random: (n) => random.bytes(n),
        program: PROGRAM_VERSION,
        // 15 bits: what it asked for before it was killed, it must not ask for again (PROTOCOL §4.1).
        epochStretch: stretch(random.bytes(2)),
        ...(snapshotEveryEntries !== undefined && { snapshotEveryEntries }),
        ...(recentBytes !== undefined && { recentBytes }),
      },
      this.#now(),
    );
    this.#schedule();
  }

  /** In force. */
  get configuration(): Configuration {
    return inForce(this.proposer.replica);
  }

  /** `done` is called once. `patienceMs`: how long the answer is of use. */
  submit(
    command: { bytes: Uint8Array; priority: Priority; patienceMs: number; stuck: boolean },
    done: (result: Submitted) => void,
  ): void {
    if (this.#stopped) return done({ kind: 'unavailable', reason: 'stopping', retryAfterMs: 100 });
    const token = ++this.#token;
    this.#waiting.set(token, done);
    const { bytes, priority, stuck } = command;
    const deadlineMs = this.#parts.clock.monotonicMs() + command.patienceMs;
    this.handle({ kind: 'command', token, bytes, priority, deadlineMs, stuck });
  }

  /** Lets the other one lead (PROTOCOL §4.8). False: it leads on, for the open entry is not certified in time. */
  async handOver(withinMs: number): Promise<boolean> {
    this.handle({ kind: 'handOver' });
    if (this.proposer.role !== 'leading') return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = (event: object): void => void ('role' in event && resolve());
    this.watchers.add(watcher);
    const callOff = this.#parts.clock.later(withinMs, resolve);
    await promise;
    callOff();
    this.watchers.delete(watcher);
    return this.proposer.role !== 'leading';
  }

  handle(event: ProposerEvent): void {
    if (this.#stopped) return;
    this.#queue.push(event);
    if (this.#running) return; // a step in a step: it comes after
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
        for (const effect of stepProposer(this.proposer, next, this.#now())) this.#effect(effect);
    } finally {
      this.#running = false;
    }
    this.#schedule();
  }

  #now(): { monotonicMs: number; wallMs: number } {
    return { monotonicMs: this.#parts.clock.monotonicMs(), wallMs: this.#parts.clock.wallMs() };
  }

  #schedule(): void {
    const now = this.#now();
    const at = proposerWakeAt(this.proposer, now);
    if (this.#callOff !== undefined && this.#timerAt <= at) return;
    this.#callOff?.();
    this.#timerAt = at;
    this.#callOff = this.#parts.clock.later(Math.max(0, at - now.monotonicMs), () => this.#tick());
  }

  #tick(): void {
    this.#callOff = undefined;
    this.#timerAt = Infinity;
    this.handle({ kind: 'tick' });
  }

  #effect(effect: ProposerEffect): void {
    const { log } = this.#parts;
    switch (effect.kind) {
      case 'send':
        if (effect.message.kind === 'propose' && effect.message.index !== this.#proposed.index)
          this.#proposed = { index: effect.message.index, at: this.#parts.clock.monotonicMs() };
        this.links[effect.member]?.send(concatBytes(this.configuration.set, encodeToVoter(effect.message)));
        return;
      case 'answers':
        this.certifiedCommands += effect.answers.length;
        for (const answer of effect.answers)
          this.#finish(answer.token, { kind: 'certified', answer, certificate: effect.certificate });
        return;
      case 'redirect':
        this.#finish(effect.token, { kind: 'redirect', to: effect.to });
        return;
      case 'unavailable':
        this.#finish(effect.token, { kind: 'unavailable', reason: effect.reason, retryAfterMs: effect.retryAfterMs });
        return;
      case 'role':
        log.info({ role: effect.role, epoch: effect.epoch, why: effect.why }, 'role changed');
        if (effect.role === 'leading') this.takeovers++;
        this.#proposed = { index: 0, at: 0 };
        for (const watcher of this.watchers) watcher({ role: effect.role, epoch: effect.epoch });
        return;
      case 'certified':
        this.#measure(effect.tail.entry.index);
        this.turns.certified(effect.tail.outcomes);
        if (this.watchers.size > 0) this.#announce(effect);
        return;
      case 'alarm':
        this.alarms.raise(effect.alarm, effect.detail, { about: this.configuration.name });
        return;
    }
  }

  #measure(index: number): void {
    if (index !== this.#proposed.index) return; // another server's
    this.certifiedEntries++;
    this.onCommitted?.((this.#parts.clock.monotonicMs() - this.#proposed.at) / 1_000);
  }

  #finish(token: number, result: Submitted): void {
    const done = this.#waiting.get(token);
    this.#waiting.delete(token);
    done?.(result);
  }

  #announce({ tail, certificate }: Extract<ProposerEffect, { kind: 'certified' }>): void {
    const { index, utc } = tail.entry;
    for (const watcher of this.watchers)
      watcher({ index, entry: tail.bytes, utc, outcomes: tail.outcomes, certificate });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#callOff?.();
    for (const token of [...this.#waiting.keys()])
      this.#finish(token, { kind: 'unavailable', reason: 'stopping', retryAfterMs: 50 });
    for (const link of Object.values(this.links)) link.close();
  }
}
