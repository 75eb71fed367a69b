import { Damage } from './damage.ts';
import type { DiskFile } from './disk.ts';
import { FrameDecoder, START_OF_CHAIN, type DecodedFrame } from './frame.ts';
import { SECTOR_BYTES } from './layout.ts';
import { SectorBuffer, sectorSeed, type SectorState } from './sector.ts';

/** 1 MiB at a time: large enough to stream at the disk's speed, small beside everything else. */
const WINDOW_SECTORS = 2_048;

export interface Frame extends DecodedFrame {
  readonly firstSector: number;
  readonly sectors: number;
}

/** Why there is no further frame: unwritten space or the end of the file, or a frame of which sectors are missing. */
export interface EndOfFrames {
  readonly kind: 'end' | 'torn';
  /** Sectors that belong to the torn frame; 0 for `end`. */
  readonly sectors: number;
}

export function isFrame(step: Frame | EndOfFrames): step is Frame {
  return 'records' in step;
}

/** Reads one segment frame by frame, never more of it in memory than a window or one frame. */
export class FrameReader {
  readonly #file: Pick<DiskFile, 'read'>;
  readonly #name: string;
  readonly #decoder = new FrameDecoder();
  #window: SectorBuffer;
  #windowStart = 0;
  #windowCount = 0;
  /** Whole sectors that may be read. */
  readonly limit: number;
  /** Sector at which the next frame starts. */
  position = 0;
  /** Hash of the frame before `position`. */
  chain: Buffer = START_OF_CHAIN;

  constructor(file: Pick<DiskFile, 'read'>, name: string, limit: number) {
    this.#file = file;
    this.#name = name;
    this.limit = limit;
    this.#window = new SectorBuffer(Math.min(WINDOW_SECTORS, limit));
  }

  /** The next frame, verified against checksums and chain. @throws Damage */
  async next(): Promise<Frame | EndOfFrames> {
    const first = this.position;
    if (first >= this.limit) return { kind: 'end', sectors: 0 };
    const state = await this.state(first);
    if (state === 'pattern' || state === 'zero') return { kind: 'end', sectors: 0 };
    if (state !== 'first') throw this.damage(first, 'a sector is damaged or stands where no record can begin');
    const sectors = FrameDecoder.sectorsOf(this.#window, first - this.#windowStart);
    if (sectors === undefined) throw this.damage(first, 'a record is longer than the limit');
    if (first + sectors > this.limit) throw this.damage(first, 'the file ends inside a record');
    if (!(await this.#complete(first, sectors))) return { kind: 'torn', sectors };
    const frame = this.#decoder.decode(this.#window, first - this.#windowStart, sectors, this.chain);
    if (typeof frame === 'string') throw this.damage(first, frame);
    this.position += sectors;
    this.chain = frame.chain;
    return { ...frame, firstSector: first, sectors };
  }

  /** What a sector holds, judged as a part of the frame that follows the present chain. */
  async state(sector: number): Promise<SectorState> {
    if (!this.#holds(sector, 1)) await this.#load(sector, 1);
    return this.#window.state(sector - this.#windowStart, sectorSeed(this.chain, sector));
  }

  damage(sector: number, reason: string): Damage {
    return new Damage(this.#name, sector * SECTOR_BYTES, reason);
  }

  /** False if the frame still shows unwritten sectors: torn. Anything else that doesn't belong there is damage. */
  async #complete(first: number, sectors: number): Promise<boolean> {
    if (!this.#holds(first, sectors)) await this.#load(first, sectors);
    let complete = true;
    for (let sector = first + 1; sector < first + sectors; sector++) {
      const state = this.#window.state(sector - this.#windowStart, sectorSeed(this.chain, sector));
      if (state === 'pattern') complete = false;
      else if (state !== 'next') throw this.damage(sector, 'a sector inside a record is damaged');
    }
    return complete;
  }

  #holds(sector: number, count: number): boolean {
    return sector >= this.#windowStart && sector + count <= this.#windowStart + this.#windowCount;
  }

  async #load(sector: number, count: number): Promise<void> {
    if (count > this.#window.capacity) this.#window = new SectorBuffer(count);
    const wanted = Math.min(this.#window.capacity, this.limit - sector);
    const bytes = await this.#file.read(sector * SECTOR_BYTES, wanted * SECTOR_BYTES);
    if (bytes.length < wanted * SECTOR_BYTES) throw this.damage(sector, 'the file became shorter while it was read');
    this.#window.bytes.set(bytes);
    this.#windowStart = sector;
    this.#windowCount = wanted;
  }
}
