import type { Content, Disk, DiskFile } from '@trefoil/license-server/log-store';
import type { MemoryDisk } from '@trefoil/license-server/log-store/memory-disk';
import type { Agenda } from './agenda.ts';
import type { Random } from './random.ts';

/** What one process sees of its disk: each operation takes its time, and none comes back once the process is dead. */
export class SlowDisk implements Disk {
  readonly #memory: MemoryDisk;
  readonly #agenda: Agenda;
  readonly #random: Random;
  #dead = false;
  /** Factor on all times: a disk may be slow, or another process may be busy with it. */
  slowness = 1;
  /** Waits while the process is stopped. */
  awake: () => Promise<void> = async () => undefined;

  constructor(memory: MemoryDisk, agenda: Agenda, random: Random) {
    this.#memory = memory;
    this.#agenda = agenda;
    this.#random = random;
  }

  die(): void {
    this.#dead = true;
  }

  list(): Promise<string[]> {
    return this.#take(0.05, () => this.#memory.list());
  }

  async open(name: string): Promise<DiskFile> {
    const file = await this.#take(0.05, () => this.#memory.open(name));
    return {
      size: () => this.#take(0, () => file.size()),
      read: (offset, length) => this.#take(0, () => file.read(offset, length)),
      write: (offset, bytes) => this.#take(0.05, () => file.write(offset, bytes)),
      sync: () => this.#take(0.5, () => file.sync()),
      isInPlace: () => this.#take(0, () => file.isInPlace()),
      close: () => this.#take(0, () => file.close()),
    };
  }

  remove(name: string): Promise<void> {
    return this.#take(0.3, () => this.#memory.remove(name));
  }

  writeWhole(name: string, content: Content): Promise<void> {
    return this.#take(1.5, () => this.#memory.writeWhole(name, content));
  }

  readWhole(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    return this.#take(0.1, () => this.#memory.readWhole(name, maxBytes));
  }

  async #take<T>(ms: number, act: () => Promise<T>): Promise<T> {
    if (ms > 0) await this.#agenda.sleep(ms * this.slowness * this.#random.between(0.5, 2.5));
    await this.awake();
    if (this.#dead) return new Promise<T>(() => undefined);
    const result = await act();
    return this.#dead ? new Promise<T>(() => undefined) : result;
  }
}
