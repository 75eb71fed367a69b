import { copyFile, cp, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ServerFolder, ServerProcess } from '@trefoil/cli';
import { fakeTime, sweepUpAfter, WallClock } from './clock.ts';
import { Relay, type RelayOptions } from './relay.ts';
import { SmallDisk } from './small-disk.ts';

/** On a machine with a lot to do. */
const READY_MS = 60_000;

/** One of the five: a process behind a relay, on a clock and, for root, a disk of its own. */
export class TestedServer implements AsyncDisposable {
  readonly name: string;
  readonly kind: ServerFolder['kind'];
  readonly process: ServerProcess;
  readonly clock: WallClock | undefined;
  readonly disk: SmallDisk | undefined;
  readonly #folder: ServerFolder;
  readonly #stack: AsyncDisposableStack;
  readonly #pids = new Set<number>();
  /** What is being done to its process: one thing at a time. */
  hurt: string | undefined;
  #ending = false;
  /** How often its log was damaged or put back. */
  timesHarmed = 0;

  private constructor(parts: {
    folder: ServerFolder;
    clock: WallClock | undefined;
    disk: SmallDisk | undefined;
    stack: AsyncDisposableStack;
  }) {
    this.name = parts.folder.name;
    this.kind = parts.folder.kind;
    this.clock = parts.clock;
    this.disk = parts.disk;
    this.#folder = parts.folder;
    this.#stack = parts.stack;
    this.process = new ServerProcess(parts.folder, parts.clock?.environment);
  }

  /** `ports`: where it shall really listen, for others and for its health. */
  static async prepare(
    folder: ServerFolder,
    options: { ports: [number, number]; linkOf: RelayOptions['linkOf'] },
  ): Promise<TestedServer> {
    await using stack = new AsyncDisposableStack();
    const [target, health] = options.ports;
    const yaml = await readFile(folder.configFile, 'utf8');
    const listening = yaml
      .replace(/^listen: .*$/m, `listen: 127.0.0.1:${target}`)
      .replace(/^health: .*$/m, `health: 127.0.0.1:${health}`);
    await writeFile(folder.configFile, listening);
    const home = dirname(folder.configFile);
    const disk = process.getuid?.() === 0 ? stack.use(await SmallDisk.mount(join(home, 'data'))) : undefined;
    const clock = fakeTime === undefined ? undefined : await WallClock.at(join(home, 'clock'));
    stack.use(await Relay.listen({ port: folder.port, target, linkOf: options.linkOf }));
    return new TestedServer({ folder, clock, disk, stack: stack.move() });
  }

  get running(): boolean {
    return this.process.running;
  }

  async start(): Promise<void> {
    if (this.#ending) return;
    const started = this.process.start(READY_MS);
    if (this.process.pid !== undefined) this.#pids.add(this.process.pid);
    await started;
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    const { pid } = this.process;
    try {
      if (pid !== undefined) process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has just ended
    }
  }

  /** Lines of its JSON log. */
  async log(): Promise<Record<string, unknown>[]> {
    const text = await readFile(join(dirname(this.#folder.configFile), 'log.jsonl'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** The end of its log since its last start. */
  async lastWords(): Promise<string> {
    const log = await this.log();
    const since = log.slice(1 + log.findLastIndex((line) => line['msg'] === 'ready'));
    const last = since.slice(-6).map((line) => JSON.stringify(line));
    return last.join(' ');
  }

  /** Directory of its only virtual container's log. */
  async store(): Promise<string> {
    const data = join(dirname(this.#folder.configFile), 'data');
    const [set] = (await readdir(data, { withFileTypes: true })).filter(
      (entry) => entry.isDirectory() && !entry.name.includes('.suspect-'),
    );
    if (set === undefined) throw new Error(`${this.name} has no store`);
    return join(data, set.name);
  }

  /** While it doesn't run: one bit of the newest file of its log. `at` in [0, 1). */
  async flipBit(at: number): Promise<void> {
    this.timesHarmed++;
    const store = await this.store();
    const segments = (await readdir(store)).filter((name) => !name.startsWith('snapshot')).sort();
    const handle = await open(join(store, segments.at(-1) as string), 'r+');
    try {
      const { size } = await handle.stat();
      const byte = Buffer.alloc(1);
      const place = Math.floor(at * size);
      await handle.read(byte, 0, 1, place);
      byte[0] = (byte[0] as number) ^ 0x10;
      await handle.write(byte, 0, 1, place);
    } finally {
      await handle.close();
    }
  }

  /** While it doesn't run: a copy of its log, to be put back later. */
  async copyStore(): Promise<void> {
    await rm(this.#copy, { recursive: true, force: true });
    await cp(await this.store(), this.#copy, { recursive: true });
  }

  async putStoreBack(): Promise<void> {
    this.timesHarmed++;
    const store = await this.store();
    await rm(store, { recursive: true, force: true });
    await mkdir(store, { mode: 0o700 });
    for (const name of await readdir(this.#copy)) await copyFile(join(this.#copy, name), join(store, name));
  }

  get #copy(): string {
    return join(dirname(this.#folder.configFile), 'copy-of-store');
  }

  /** Ends in good order, unless it can't. */
  async stop(): Promise<void> {
    this.#ending = true;
    this.signal('SIGCONT');
    await this.process.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    await this.process.kill();
    await this.#stack.disposeAsync();
    for (const pid of this.#pids) await sweepUpAfter(pid);
  }
}
