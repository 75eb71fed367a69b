import type { Container } from '@trefoil/container';
import {
  encodeRecord,
  encodeToProposer,
  inForce,
  isSuspect,
  type LogRecord,
  REPLACED,
  startRejoin,
  stepVoter,
  type Voter,
  type VoterEffect,
  type VoterEvent,
} from '@trefoil/core';
import { Alarms, type Clock, type Log, type Random } from '@trefoil/host';
import { concatBytes, type Configuration, INCARNATION_BYTES, type TmrServer } from '@trefoil/license';
import type { FrameConnection } from '@trefoil/link';
import type { Archive } from './archive.ts';
import { ConstituentKeeper } from './constituents.ts';
import type { Disk, LogStore } from './log-store/index.ts';
import { keepConfigurations, snapshotIndex, snapshotName } from './data-directory.ts';

/** How often the container is compared with the ledger, and the log file looked for. */
const LOOK_AT_FILES_MS = 1_000;
/** Notes above this go to the disk without waiting for the next vote. */
const MAX_NOTED_BYTES = 1024 * 1024;

/** States, that end when they end; the others are events. A fork ends with the process. */
const LASTING = new Set(['rolled-back', 'unanchored', 'replaced', 'fork', 'archive']);

export interface VoterParts {
  readonly voter: Voter;
  readonly container: Container;
  readonly store: LogStore;
  readonly disk: Disk;
  /** Takes in the log files that are no longer needed, before they go. */
  readonly archive: Pick<Archive, 'keep'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of the whole server; default: its own. */
  readonly alarms?: Alarms;
  /** A state that must not be, or a disk that failed: the process has to stop. */
  readonly fail: (error: Error) => void;
}

/**
 * One virtual container on this license server: the pure voter, its log file, its container and its links. A short loop that
 * carries out effects in the order in which the voter gives them.
 */
export class VoterRuntime implements AsyncDisposable {
  readonly parts: VoterParts;
  readonly links: Partial<Record<TmrServer, Pick<FrameConnection, 'send' | 'close'>>> = {};
  readonly alarms: Alarms;
  epochChanges = 0;
  /** Told how long records took to become durable. */
  onDurable: ((seconds: number) => void) | undefined;
  readonly #constituents: ConstituentKeeper;
  #lookedAt = 0;
  #alarmsTold = '';
  #configurationsKept: number;
  #notes: Uint8Array[] = [];
  #noteBytes = 0;
  #queue: VoterEvent[] = [];
  #running = false;
  #stopped = false;
  /** Appends and file changes, one after the other: the order of the log is the order of the effects. */
  #disk: Promise<void> = Promise.resolve();

  constructor(parts: VoterParts) {
    this.parts = parts;
    this.alarms = parts.alarms ?? new Alarms(parts);
    this.#configurationsKept = parts.voter.replica.ledger.configurations.length;
    this.#constituents = new ConstituentKeeper(parts.container, parts.voter.member);
  }

  /** In force. */
  get configuration(): Configuration {
    return inForce(this.voter.replica);
  }

  get voter(): Voter {
    return this.parts.voter;
  }

  /** Withholds until both peers know the new incarnation (PROTOCOL §7.3). */
  rejoin(why: string): void {
    const incarnation = this.parts.random.bytes(INCARNATION_BYTES);
    this.#carryOut(startRejoin(this.voter, incarnation, why, this.#now()));
  }

  handle(event: VoterEvent): void {
    if (this.#stopped) return;
    if (event.kind === 'tick') this.#lookAfterFiles();
    this.#queue.push(event);
    if (this.#running) return; // a step in a step: it comes after
    this.#running = true;
    const { promised } = this.voter;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
        this.#carryOut(stepVoter(this.voter, next, this.#now()));
    } finally {
      this.#running = false;
    }
    if (this.voter.promised !== promised) this.epochChanges++;
  }

  #lookAfterFiles(): void {
    const { clock, log, store } = this.parts;
    if (clock.monotonicMs() - this.#lookedAt < LOOK_AT_FILES_MS) return;
    this.#lookedAt = clock.monotonicMs();
    this.#lookAfterAlarms();
    this.#lookAfterConfigurations();
    store.checkInPlace().catch((error: unknown) => this.#diskFailed(error));
    // A copy for the container's sake; the ledger has them all, so the group goes on without.
    this.#constituents.keep(this.voter.replica.ledger).catch((error: unknown) => {
      log.error({ err: error }, 'the constituents could not be written to the container');
    });
  }

  /** For auditors: what was in force before stands in the archive, and they need all of it. */
  #lookAfterConfigurations(): void {
    const { voter, disk, log } = this.parts;
    const { length } = voter.replica.ledger.configurations;
    if (length === this.#configurationsKept) return;
    this.#configurationsKept = length;
    keepConfigurations(disk, voter).catch((error: unknown) => {
      log.error({ err: error }, 'the configurations could not be written beside the log');
    });
  }

  /** A log that was set aside at the start is told by nothing else, and not every way out of a trouble is a re-join. */
  #lookAfterAlarms(): void {
    const { voter } = this;
    if (!voter.unanchored) this.#clear('unanchored');
    this.#tellAlarms();
    if (voter.frozen) return;
    if (voter.withholding === REPLACED) this.#alarm('replaced', 'this server has no vote any more: switch it off');
    if (isSuspect(voter)) this.#alarm('rolled-back', voter.withholding);
    else this.#clear('rolled-back');
  }

  /** To the TMR servers, so that they stand in the group's status: an admin looks there. */
  #tellAlarms(): void {
    const alarms = this.alarms.current(this.configuration.name).map(({ code, detail }) => `${code}: ${detail}`);
    const told = alarms.join('\n');
    if (told === this.#alarmsTold) return;
    this.#alarmsTold = told;
    this.handle({ kind: 'alarms', alarms });
  }

  #now(): { monotonicMs: number; wallMs: number } {
    return { monotonicMs: this.parts.clock.monotonicMs(), wallMs: this.parts.clock.wallMs() };
  }

  #carryOut(effects: readonly VoterEffect[]): void {
    for (const effect of effects) this.#effect(effect);
  }

  #effect(effect: VoterEffect): void {
    switch (effect.kind) {
      case 'note':
        this.#note(effect.records);
        if (this.#noteBytes > MAX_NOTED_BYTES) this.#append(() => undefined);
        return;
      case 'persist':
        this.#note(effect.records);
        this.#append(() => this.handle({ kind: 'persisted', ticket: effect.ticket }));
        return;
      case 'sign':
        this.#sign(effect);
        return;
      case 'send':
        this.links[effect.to]?.send(concatBytes(this.configuration.set, encodeToProposer(effect.message)));
        return;
      case 'writeSnapshot':
        this.#inOrder(async () => {
          await this.parts.disk.writeWhole(snapshotName(effect.index), effect.parts);
          this.handle({ kind: 'snapshotWritten', index: effect.index });
        });
        return;
      case 'rotate':
        this.#rotate(effect.snapshotIndex, effect.records.map(encodeRecord));
        return;
      case 'needIncarnation':
        this.rejoin(effect.why);
        return;
      case 'alarm':
        this.#alarm(effect.alarm, effect.detail);
        return;
      case 'stop':
        this.#fail(new Error(effect.reason));
        return;
    }
  }

  #alarm(alarm: string, detail: string): void {
    if (alarm === 'rejoined') {
      // The end of a trouble, or of an ordinary start, is none.
      this.parts.log.info({ detail }, 're-joined');
      for (const ended of ['rolled-back', 'unanchored']) this.#clear(ended);
      return;
    }
    // Alone it has no peers who could notice: that is its form, and not a trouble of today.
    if (alarm === 'unanchored' && this.configuration.containers.length === 1) return;
    this.alarms.raise(alarm, detail, { lasting: LASTING.has(alarm), about: this.configuration.name });
  }

  #clear(alarm: string): void {
    this.alarms.clear(alarm, this.configuration.name);
  }

  #note(records: readonly LogRecord[]): void {
    for (const record of records) {
      const bytes = encodeRecord(record);
      this.#notes.push(bytes);
      this.#noteBytes += bytes.length;
    }
  }

  /** Makes everything noted so far durable. The store joins what is asked while it writes. */
  #append(done: () => void): void {
    const records = this.#notes;
    this.#notes = [];
    this.#noteBytes = 0;
    if (records.length === 0) return done();
    const begunAt = this.parts.clock.monotonicMs();
    const durable = (): void => {
      this.onDurable?.((this.parts.clock.monotonicMs() - begunAt) / 1_000);
      done();
    };
    this.parts.store.append(records).then(durable, (error: unknown) => this.#diskFailed(error));
  }

  #inOrder(work: () => Promise<void>): void {
    this.#disk = this.#disk.then(work).catch((error: unknown) => this.#diskFailed(error));
  }

  /** The store keeps its calls in order, so what is appended from here on goes behind these records in the new file. */
  #rotate(rootIndex: number, records: readonly Uint8Array[]): void {
    const { store, disk, archive } = this.parts;
    const begun = store.startSegment();
    const durable = Promise.all([begun, store.append(records)]);
    // At once: what is before it in the order of the disk may take long, and what nobody hears of ends the process without a word.
    durable.catch((error: unknown) => this.#diskFailed(error));
    this.#inOrder(async () => {
      const [segment] = await durable;
      const { mayGo, alarms } = await archive.keep({ segmentsBefore: segment, snapshotsBefore: rootIndex });
      for (const detail of alarms) this.#alarm('archive', detail);
      if (alarms.length === 0) this.#clear('archive');
      if (!mayGo) return;
      await store.dropSegmentsBefore(segment);
      for (const name of await disk.list()) {
        if ((snapshotIndex(name) ?? Infinity) < rootIndex) await disk.remove(name);
      }
    });
  }

  #sign(effect: Extract<VoterEffect, { kind: 'sign' }>): void {
    const signed = (signature: Uint8Array): void => this.handle({ kind: 'signed', ticket: effect.ticket, signature });
    try {
      // Raised before the signature exists: a container that remembers less than it signed would be no memory.
      if (effect.mark !== undefined) this.parts.container.raiseWatermark(effect.mark);
      const signature = this.parts.container.sign(effect.statement);
      if (signature instanceof Promise) signature.then(signed, (error: unknown) => this.#fail(error));
      else signed(signature);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Never retried: after a failed fsync nobody knows what is on the disk (PROTOCOL §3.3). */
  #diskFailed(error: unknown): void {
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.parts.fail(error instanceof Error ? error : new Error(String(error)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    for (const link of Object.values(this.links)) link.close();
    if (this.#notes.length > 0) await this.parts.store.append(this.#notes).catch(() => undefined);
    await this.#disk;
    await this.parts.store.close().catch(() => undefined);
    await this.parts.container[Symbol.asyncDispose]();
  }
}
