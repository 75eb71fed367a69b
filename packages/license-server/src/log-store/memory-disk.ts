import { type Content, type Disk, type DiskFile, StoreError } from './disk.ts';
import { SECTOR_BYTES } from './layout.ts';

/** A number in [0, 1). */
export type Random = () => number;

export interface Fault {
  /** Counted over all altering operations (write, sync, writeWhole, remove), from 1. */
  readonly step: number;
  /** `power` = the machine loses power within this operation: it and all later ones reject until `restart`. */
  readonly kind: 'power' | 'io' | 'no-space';
}

interface MemoryFile {
  /** What programs read. */
  cache: Buffer;
  /** What a power loss leaves at the least. */
  platter: Buffer;
  /** Sectors written since they were last handed to the disk. */
  readonly dirty: Set<number>;
  dirtySize: boolean;
}

/**
 * A disk that behaves as badly as a real one may: what isn't synced is lost or kept sector by sector, in any order; a
 * failed sync marks everything clean though it isn't; bits flip.
 */
export class MemoryDisk implements Disk {
  readonly #files = new Map<string, MemoryFile>();
  readonly #random: Random;
  #faults: Fault[] = [];
  #dead = false;
  /** Altering operations so far. */
  steps = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  failAt(fault: Fault): void {
    this.#faults.push(fault);
  }

  /** The machine comes back: each sector that wasn't synced is there or not, at random. */
  restartAfterPowerLoss(): void {
    for (const file of this.#files.values()) this.#losePower(file);
    this.restartProcess();
  }

  /** Only the process died: the page cache is still there. */
  restartProcess(): void {
    this.#faults = [];
    this.#dead = false;
  }

  /** The bytes of a file as programs see them; altering them is damage that reached the platter. */
  damage(name: string, alter: (bytes: Buffer) => Buffer | undefined): void {
    const file = this.#file(name);
    const altered = alter(Buffer.from(file.cache)) ?? Buffer.alloc(0);
    file.cache = altered;
    file.platter = Buffer.from(altered);
    file.dirty.clear();
  }

  bytes(name: string): Buffer {
    return this.#file(name).cache;
  }

  /** An independent copy in the same state, without planned faults. */
  clone(random: Random = this.#random): MemoryDisk {
    const copy = new MemoryDisk(random);
    for (const [name, file] of this.#files) {
      copy.#files.set(name, {
        cache: Buffer.from(file.cache),
        platter: Buffer.from(file.platter),
        dirty: new Set(file.dirty),
        dirtySize: file.dirtySize,
      });
    }
    return copy;
  }

  async list(): Promise<string[]> {
    this.#alive();
    return [...this.#files.keys()];
  }

  async open(name: string): Promise<DiskFile> {
    this.#alive();
    this.#file(name);
    return {
      size: async () => this.#file(name).cache.length,
      read: async (offset, length) => this.#read(name, offset, length),
      write: async (offset, bytes) => this.#write(name, offset, bytes),
      sync: async () => this.#sync(name),
      isInPlace: async () => this.#files.has(name),
      close: async () => undefined,
    };
  }

  async remove(name: string): Promise<void> {
    this.#step(name, () => this.#random() < 0.5 && this.#files.delete(name));
    this.#files.delete(name);
  }

  async writeWhole(name: string, content: Content): Promise<void> {
    const put = (): void => {
      const bytes = content instanceof Uint8Array ? Buffer.from(content) : Buffer.concat(content);
      this.#files.set(name, { cache: bytes, platter: Buffer.from(bytes), dirty: new Set(), dirtySize: false });
    };
    this.#step(name, () => this.#random() < 0.5 && put());
    put();
  }

  async readWhole(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    this.#alive();
    const bytes = this.#files.get(name)?.cache;
    if (bytes !== undefined && bytes.length > maxBytes)
      throw new StoreError('too-large', name, `${name} is too large.`);
    return bytes === undefined ? undefined : Buffer.from(bytes);
  }

  #read(name: string, offset: number, length: number): Uint8Array {
    this.#alive();
    return Buffer.from(this.#file(name).cache.subarray(offset, offset + length));
  }

  #write(name: string, offset: number, bytes: Uint8Array): void {
    // The kernel copies page by page: an interrupted write ends at the end of a sector.
    const sectors = Math.floor((this.#random() * bytes.length) / SECTOR_BYTES);
    this.#step(name, () => this.#put(name, offset, bytes.subarray(0, sectors * SECTOR_BYTES)));
    this.#put(name, offset, bytes);
  }

  #put(name: string, offset: number, bytes: Uint8Array): void {
    const file = this.#file(name);
    const end = offset + bytes.length;
    if (end > file.cache.length) {
      file.cache = Buffer.concat([file.cache, Buffer.alloc(end - file.cache.length)]);
      file.dirtySize = true;
    }
    file.cache.set(bytes, offset);
    for (let at = offset - (offset % SECTOR_BYTES); at < end; at += SECTOR_BYTES) file.dirty.add(at / SECTOR_BYTES);
  }

  #sync(name: string): void {
    const file = this.#file(name);
    this.#step(name, (kind) => {
      if (kind !== 'power') this.#forgetDirty(file);
    });
    this.#resizePlatter(file, file.cache.length);
    for (const sector of file.dirty) copySector(file.cache, file.platter, sector);
    file.dirty.clear();
    file.dirtySize = false;
  }

  /** A failed fsync: some sectors reached the platter, the cache shows all of them, and no later sync writes the rest. */
  #forgetDirty(file: MemoryFile): void {
    this.#resizePlatter(file, file.cache.length);
    for (const sector of file.dirty) if (this.#random() < 0.5) copySector(file.cache, file.platter, sector);
    file.dirty.clear();
    file.dirtySize = false;
  }

  #losePower(file: MemoryFile): void {
    if (file.dirtySize) {
      // File systems store a new size behind the blocks they wrote: it never lies inside a sector.
      const grown = (file.cache.length - file.platter.length) / SECTOR_BYTES;
      this.#resizePlatter(file, file.platter.length + SECTOR_BYTES * Math.floor(this.#random() * (grown + 1)));
    }
    const chance = this.#random();
    for (const sector of file.dirty) if (this.#random() < chance) copySector(file.cache, file.platter, sector);
    file.cache = Buffer.from(file.platter);
    file.dirty.clear();
    file.dirtySize = false;
  }

  #resizePlatter(file: MemoryFile, bytes: number): void {
    if (bytes > file.platter.length) {
      file.platter = Buffer.concat([file.platter, Buffer.alloc(bytes - file.platter.length)]);
    }
  }

  #file(name: string): MemoryFile {
    const file = this.#files.get(name);
    if (file === undefined) throw new StoreError('missing', name, `${name} does not exist.`);
    return file;
  }

  #alive(): void {
    if (this.#dead) throw new StoreError('io', 'disk', 'The machine has no power.');
  }

  /** Counts the operation; if a fault is planned for it, does `partly` and throws. */
  #step(name: string, partly: (kind: Fault['kind']) => void): void {
    this.#alive();
    this.steps += 1;
    const fault = this.#faults.find(({ step }) => step === this.steps);
    if (fault === undefined) return;
    partly(fault.kind);
    if (fault.kind === 'power') this.#dead = true;
    throw new StoreError(fault.kind === 'no-space' ? 'no-space' : 'io', name, `Cannot write ${name}: ${fault.kind}.`);
  }
}

function copySector(from: Buffer, to: Buffer, sector: number): void {
  from.copy(to, sector * SECTOR_BYTES, sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
}
