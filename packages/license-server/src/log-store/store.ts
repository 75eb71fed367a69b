import { createSegment } from './create-segment.ts';
import { Damage } from './damage.ts';
import { type Disk, type DiskFile, StoreError } from './disk.ts';
import { type EncodedFrame, FrameEncoder, recordSpace } from './frame.ts';
import { FrameReader, isFrame } from './frame-reader.ts';
import { FRAME_KIND, FRAME_OVERHEAD_BYTES, SECTOR_BYTES, sectorsFor } from './layout.ts';
import { STORE_LIMITS } from './limits.ts';
import type { ScannedSegment, StoredRecord } from './scan-segment.ts';
import { patternBytes } from './sector.ts';
import { encodeSeal, type SegmentHeader, segmentName } from './segment.ts';

/** Append-only store of opaque records. One process, one instance; the caller holds the lock. */
export interface LogStore {
  /**
   * Appends the records, in this order, all or none of them; resolves when they survive a power loss. Calls may
   * overlap: those that wait are joined in one write and keep their order. The records must not be altered before.
   * @throws StoreError after a failed write or sync: the same one for this and every later call, nothing is retried.
   * @throws RangeError for a record above 1 MiB + 64 KiB, or 4 MiB in one call.
   */
  append(records: readonly Uint8Array[]): Promise<void>;
  /** Ends the present segment and begins a new file, chained to it. Resolves to the new segment's number. */
  startSegment(): Promise<number>;
  /**
   * Rejects if the file that is written was removed meanwhile, and fails every later call: what is appended to it would be lost
   * with the process.
   */
  checkInPlace(): Promise<void>;
  /** Removes older segments, durably. The segment that is being written always stays. */
  dropSegmentsBefore(segment: number): Promise<void>;
  /**
   * Reads what is durable at the time of the call, from the start of that segment on (default: the oldest), verifying
   * it again. @throws StoreError `damaged`, or `missing` if a segment is dropped meanwhile.
   */
  read(fromSegment?: number): AsyncIterable<StoredRecord>;
  /** Number of the segment that is being written. */
  readonly segment: number;
  /** Bytes used in that segment. */
  readonly segmentBytes: number;
  /** Waits for what was asked before, then closes. */
  close(): Promise<void>;
}

interface AppendTask {
  readonly kind: 'append';
  readonly records: readonly Uint8Array[];
  readonly bytes: number;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

interface OtherTask {
  readonly kind: 'other';
  readonly run: () => Promise<void>;
  readonly failed: (error: unknown) => void;
}

export class Log implements LogStore {
  readonly #disk: Disk;
  readonly #encoder = new FrameEncoder();
  readonly #segments: number[];
  /** One chunk of pattern, made once: making it takes as long as half an append. */
  readonly #unwritten: Buffer;
  #file: DiskFile;
  #header: SegmentHeader;
  /** Hash of the newest frame; where the next one goes; sectors that exist. Invariant: #end ≤ #capacity. */
  #chain: Buffer;
  #end: number;
  #capacity: number;
  #queue: (AppendTask | OtherTask)[] = [];
  #running = false;
  #fault: StoreError | undefined;
  #closing: Promise<void> | undefined;

  /** `newest` was verified and repaired; `segments` are the numbers of all files, ascending. */
  constructor(disk: Disk, file: DiskFile, segments: number[], newest: ScannedSegment) {
    this.#disk = disk;
    this.#file = file;
    this.#segments = segments;
    this.#header = newest.header;
    this.#chain = newest.endChain;
    this.#end = newest.endSector;
    const { chunkBytes } = newest.header;
    this.#unwritten = patternBytes(chunkBytes);
    this.#capacity = (Math.ceil(newest.sizeBytes / chunkBytes) * chunkBytes) / SECTOR_BYTES;
  }

  get segment(): number {
    return this.#header.segment;
  }

  get segmentBytes(): number {
    return this.#end * SECTOR_BYTES;
  }

  append(records: readonly Uint8Array[]): Promise<void> {
    // In the promise: who appends too much has a fault like any other of the disk, not an exception on the way.
    return new Promise((done, failed) => {
      const bytes = checkedSize(records);
      this.#enqueue({ kind: 'append', records, bytes, done, failed });
    });
  }

  startSegment(): Promise<number> {
    return this.#other(() => this.#startSegment());
  }

  checkInPlace(): Promise<void> {
    return this.#other(async () => {
      if (await this.#file.isInPlace()) return;
      const name = segmentName(this.segment);
      throw new StoreError(
        'missing',
        name,
        `${name} was removed while it was in use: what was signed since is not kept.`,
      );
    });
  }

  dropSegmentsBefore(segment: number): Promise<void> {
    return this.#other(() => this.#dropSegmentsBefore(segment));
  }

  close(): Promise<void> {
    this.#closing ??= this.#other(async () => {
      this.#fault ??= new StoreError('closed', segmentName(this.segment), 'The log is closed.');
      await this.#file.close();
    }).catch(() => this.#file.close());
    return this.#closing;
  }

  async *read(fromSegment = 0): AsyncGenerator<StoredRecord> {
    const end = { segment: this.segment, sector: this.#end };
    for (const segment of this.#segments.filter((number) => number >= fromSegment && number <= end.segment)) {
      yield* this.#readSegment(segment, segment === end.segment ? end.sector : undefined);
    }
  }

  async *#readSegment(segment: number, endSector: number | undefined): AsyncGenerator<StoredRecord> {
    const name = segmentName(segment);
    if (!this.#segments.includes(segment)) throw new StoreError('missing', name, `${name} was dropped meanwhile.`);
    const file = await this.#disk.open(name);
    try {
      const reader = new FrameReader(file, name, endSector ?? Math.floor((await file.size()) / SECTOR_BYTES));
      for (let step = await reader.next(); isFrame(step); step = await reader.next()) {
        if (step.kind !== FRAME_KIND.records) continue;
        for (const payload of step.records) yield { segment, payload };
      }
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      throw new StoreError('damaged', name, `${name} is damaged at byte ${error.offset}: ${error.message}.`);
    } finally {
      await file.close();
    }
  }

  #other<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((done, failed) => {
      this.#enqueue({ kind: 'other', run: async () => done(await run()), failed });
    });
  }

  #enqueue(task: AppendTask | OtherTask): void {
    if (this.#fault !== undefined) return task.failed(this.#fault);
    this.#queue.push(task);
    if (!this.#running) void this.#run();
  }

  /** The only place that writes: one task, or one group of appends, at a time. Never rejects. */
  async #run(): Promise<void> {
    this.#running = true;
    while (this.#queue.length > 0) {
      const tasks = takeGroup(this.#queue);
      try {
        if (this.#fault !== undefined) throw this.#fault;
        const [first] = tasks;
        if (first?.kind === 'other') await first.run();
        else await this.#write(tasks.filter((task) => task.kind === 'append'));
      } catch (error) {
        for (const task of tasks) task.failed(this.#poison(error));
      }
    }
    this.#running = false;
  }

  /** After a failed write or sync nobody knows what is on the disk: no second try, ever (PROTOCOL §3.3). */
  #poison(error: unknown): StoreError {
    const name = segmentName(this.segment);
    this.#fault ??= error instanceof StoreError ? error : new StoreError('io', name, String(error), { cause: error });
    return this.#fault;
  }

  async #write(tasks: readonly AppendTask[]): Promise<void> {
    const records = tasks.flatMap((task) => task.records);
    if (records.length > 0) {
      await this.#grow(sectorsFor(FRAME_OVERHEAD_BYTES + tasks.reduce((sum, task) => sum + task.bytes, 0)));
      const frame = this.#encoder.encode(FRAME_KIND.records, records, this.#chain, this.#end);
      await this.#put(frame);
    }
    for (const task of tasks) task.done();
  }

  async #put(frame: EncodedFrame): Promise<void> {
    await this.#file.write(this.#end * SECTOR_BYTES, frame.bytes);
    await this.#file.sync();
    this.#end += frame.sectors;
    this.#chain = frame.chain;
  }

  /** Chunk by chunk, each durable before the next and all before the append, so that its sync moves no metadata. */
  async #grow(sectors: number): Promise<void> {
    const { chunkBytes } = this.#header;
    while (this.#end + sectors > this.#capacity) {
      await this.#file.write(this.#capacity * SECTOR_BYTES, this.#unwritten);
      await this.#file.sync();
      this.#capacity += chunkBytes / SECTOR_BYTES;
    }
  }

  async #startSegment(): Promise<number> {
    const next = this.segment + 1;
    if (next > STORE_LIMITS.segmentNumber) throw new StoreError('too-large', segmentName(next), 'The log is full.');
    const previousChain = this.#chain;
    const seal = (nextChain: Buffer): EncodedFrame =>
      this.#encoder.encode(FRAME_KIND.seal, [encodeSeal({ nextSegment: next, nextChain })], previousChain, this.#end);
    await this.#grow(seal(previousChain).sectors);
    const begun = await createSegment(this.#disk, next, this.#header, previousChain);
    await this.#put(seal(begun.chain));
    await this.#file.close();
    this.#file = await this.#disk.open(segmentName(next));
    this.#segments.push(next);
    this.#header = { ...this.#header, segment: next, previousChain };
    this.#chain = begun.chain;
    this.#end = begun.sectors;
    this.#capacity = this.#header.chunkBytes / SECTOR_BYTES;
    return next;
  }

  /** Oldest first: an interruption leaves a row without gaps. */
  async #dropSegmentsBefore(segment: number): Promise<void> {
    for (let oldest = this.#segments[0]; oldest !== undefined; oldest = this.#segments[0]) {
      if (oldest >= Math.min(segment, this.segment)) return;
      this.#segments.shift();
      await this.#disk.remove(segmentName(oldest));
    }
  }
}

function checkedSize(records: readonly Uint8Array[]): number {
  if (records.length > STORE_LIMITS.recordsPerFrame) throw new RangeError('too many records in one append');
  let bytes = 0;
  for (const record of records) {
    if (record.length > STORE_LIMITS.recordBytes) throw new RangeError('a record is larger than the limit');
    bytes += recordSpace(record);
  }
  if (bytes > STORE_LIMITS.frameBytes) throw new RangeError('an append is larger than the limit');
  return bytes;
}

/** Takes the first task off the queue, and with an append the ones behind it that fit in the same frame. */
function takeGroup(queue: (AppendTask | OtherTask)[]): (AppendTask | OtherTask)[] {
  let bytes = 0;
  let records = 0;
  let count = 0;
  for (const task of queue) {
    if (task.kind === 'other') break;
    bytes += task.bytes;
    records += task.records.length;
    if (count > 0 && (bytes > STORE_LIMITS.frameBytes || records > STORE_LIMITS.recordsPerFrame)) break;
    count += 1;
  }
  return queue.splice(0, Math.max(1, count));
}
