import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { trefoilMain } from '../running-group.ts';
import { type Done, Namespace } from './namespace.ts';

export const REPOSITORY = resolve(import.meta.dirname, '../../..');

/**
 * A host: its own network, processes, name, /run, and a copy of this machine's files, of which only what it changes is kept. What it has
 * written is there after a power cut.
 */
export class LabHost {
  readonly name: string;
  address: string;
  readonly #directory: string;
  readonly #plugIn: (pid: number) => Promise<void>;
  #namespace: Namespace | undefined;
  readonly #programs: string;
  #main: string;
  #disk = 'files';

  constructor(parts: {
    readonly name: string;
    /** With the length of its prefix. */
    readonly address: string;
    readonly directory: string;
    readonly plugIn: (pid: number) => Promise<void>;
    /** Where programs of other versions lie, each in a folder of its name. */
    readonly programs: string;
    /** Default: today's. */
    readonly version?: string | undefined;
  }) {
    this.name = parts.name;
    this.address = parts.address;
    this.#directory = parts.directory;
    this.#plugIn = parts.plugIn;
    this.#programs = parts.programs;
    this.#main = this.#mainOf(parts.version);
  }

  get isOn(): boolean {
    return this.#namespace !== undefined;
  }

  get namespace(): Namespace {
    if (this.#namespace === undefined) throw new Error(`${this.name} is off`);
    return this.#namespace;
  }

  async powerOn(): Promise<void> {
    const [files, work, root] = [this.#disk, `${this.#disk}-work`, 'root'].map((name) => join(this.#directory, name));
    const program = runs(this.#main);
    await mkdir(join(files as string, 'usr/local/bin'), { recursive: true });
    await writeFile(join(files as string, 'usr/local/bin/trefoil'), program, { mode: 0o755 });
    // An overlay takes no other file systems in: what is read of them is bound.
    const binds = [...new Set([REPOSITORY, dirname(process.execPath), this.#directory, this.#programs])].map(
      (path) => `mkdir -p ${root}${path}; mount --bind ${path} ${root}${path}`,
    );
    this.#namespace = await Namespace.create(
      [
        `hostname ${this.name}`,
        `mkdir -p ${files} ${work} ${root}`,
        `mount -t overlay overlay -o lowerdir=/,upperdir=${files},workdir=${work} ${root}`,
        ...binds,
        `mount -t proc proc ${root}/proc`,
        // Each start of a machine has its own: by it a lock is known to be left over from before.
        `cat /proc/sys/kernel/random/uuid > ${this.#directory}/boot`,
        `mount --bind ${this.#directory}/boot ${root}/proc/sys/kernel/random/boot_id`,
        `mount -t sysfs sysfs ${root}/sys`,
        `mount --rbind /dev ${root}/dev`,
        `mount -t tmpfs tmpfs ${root}/run`,
        `mkdir -p ${root}/run/trefoil ${root}/var/lib/trefoil ${root}/etc/trefoil`,
        'ip link set lo up',
      ].join('\n'),
      root,
    );
    await this.#plugIn(this.#namespace.pid);
    // The same card after each power cut: else its neighbours would look for the one before for half a minute.
    const card = `02:00:${this.address.match(/\d+/g)?.slice(0, 4).map(hex).join(':')}`;
    await this.#namespace.sh(
      `ip link set eth0 address ${card}; ip addr add ${this.address} dev eth0; ip link set eth0 up`,
    );
  }

  async powerOff(): Promise<void> {
    const namespace = this.#namespace;
    this.#namespace = undefined;
    await namespace?.kill();
  }

  /** With the length of its prefix; beside the one that it has. */
  async addAddress(address: string): Promise<void> {
    await this.sh(`ip addr add ${address} dev eth0`);
  }

  /** The added one is its only one. */
  async dropOldAddress(address: string): Promise<void> {
    await this.sh(`ip addr del ${this.address} dev eth0; ip addr replace ${address} dev eth0`);
    this.address = address;
  }

  /** Another machine at the same address: with this disk, an empty one if it was never used. Its power is off. */
  changeDisk(disk: string): void {
    if (this.isOn) throw new Error(`${this.name} is on`);
    this.#disk = disk;
  }

  /** As a package does: from its next start on each program is of that version. Default: today's. */
  async install(version?: string): Promise<void> {
    this.#main = this.#mainOf(version);
    const { code, stderr } = await this.run(['sh', '-c', 'cat > /usr/local/bin/trefoil'], runs(this.#main));
    if (code !== 0) throw new Error(`${this.name}: ${stderr}`);
  }

  #mainOf(version: string | undefined): string {
    return version === undefined ? trefoilMain : join(this.#programs, version, 'main.js');
  }

  run(argv: readonly string[], input?: string | Uint8Array): Promise<Done> {
    return this.namespace.run(argv, input);
  }

  /** @throws Error with what it said, if it ends with another code than 0 */
  async trefoil(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(['trefoil', ...args]);
    if (code !== 0) throw new Error(`${this.name}: trefoil ${args.join(' ')}: ${code}: ${stderr.trim() || stdout}`);
    return stdout;
  }

  sh(script: string): Promise<string> {
    return this.namespace.sh(script);
  }

  spawn(argv: readonly string[], options?: SpawnOptions): ChildProcess {
    return this.namespace.spawn(argv, options);
  }

  /** Its file, as this machine sees it. */
  file(path: string): string {
    return join(this.#directory, this.#disk, path);
  }
}

function runs(main: string): string {
  return `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`;
}

function hex(byte: string): string {
  return Number(byte).toString(16).padStart(2, '0');
}
