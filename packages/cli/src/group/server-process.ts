import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { programs, serverProgram } from '../programs.ts';
import { CliError, EXIT } from '../terminal.ts';
import type { ServerFolder } from './loopback-group.ts';

const READY_MS = 20_000;
const END_WITH_PARENT = pathToFileURL(programs.endWithParent).href;

/** One of the five servers as a process of its own. Its JSON log goes to `log.jsonl` in its folder. */
export class ServerProcess implements AsyncDisposable {
  readonly folder: ServerFolder;
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #disposed = false;
  #exited: Promise<number | null> = Promise.resolve(null);

  /** `environment` is added to that of this process. */
  constructor(folder: ServerFolder, environment: Readonly<Record<string, string>> = {}) {
    this.folder = folder;
    this.#environment = environment;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it has said that it is ready. Rejects with its own words if it ends before. */
  async start(readyWithinMs = READY_MS): Promise<void> {
    if (this.#disposed) throw new CliError(EXIT.failure, `${this.folder.name} is not started any more`);
    const child = spawn(
      process.execPath,
      ['--import', END_WITH_PARENT, serverProgram(this.folder.kind), this.folder.configFile],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...this.#environment },
      },
    );
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        if (this.#child === child) this.#child = undefined;
        resolve(code);
      });
    });
    const log = createWriteStream(join(dirname(this.folder.configFile), 'log.jsonl'), { flags: 'a', mode: 0o600 });
    let complaint = '';
    child.stderr.on('data', (bytes: Buffer) => {
      complaint = `${complaint}${bytes.toString()}`.slice(-2_000);
    });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new CliError(EXIT.failure, `${this.folder.name} is not ready after ${readyWithinMs / 1_000} s`)),
        readyWithinMs,
      );
      createInterface({ input: child.stdout }).on('line', (line) => {
        log.write(`${line}\n`);
        if (!line.includes('"msg":"ready"')) return;
        clearTimeout(timer);
        resolve();
      });
      child.once('error', reject);
      child.once('exit', (code) => {
        clearTimeout(timer);
        log.end();
        reject(new CliError(EXIT.failure, `${this.folder.name} ended with code ${code}: ${complaint.trim()}`));
      });
    });
  }

  /** kill −9: as a power cut is for this process. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.stop();
  }
}
