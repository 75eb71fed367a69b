import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLoopbackGroup, GroupHands, type LoopbackGroup, type LoopbackOptions, ServerProcess } from '@trefoil/cli';
import { type Client, connect } from '@trefoil/client';

/** Five real processes on loopback, with a fresh vendor; stopped and removed at the end. */
export class RunningGroup implements AsyncDisposable {
  readonly group: LoopbackGroup;
  readonly hands: GroupHands;
  readonly #stack: AsyncDisposableStack;

  private constructor(group: LoopbackGroup, hands: GroupHands, stack: AsyncDisposableStack) {
    this.group = group;
    this.hands = hands;
    this.#stack = stack;
  }

  static async start(
    options: {
      prepare?: (group: LoopbackGroup) => Promise<void>;
      beforeRemoval?: () => void;
    } & LoopbackOptions = {},
  ): Promise<RunningGroup> {
    const stack = new AsyncDisposableStack();
    try {
      const directory = await mkdtemp(join(tmpdir(), 'trefoil-e2e-'));
      stack.defer(() => rm(directory, { recursive: true, force: true }));
      stack.defer(async () => options.beforeRemoval?.());
      const group = await createLoopbackGroup(directory, options);
      await options.prepare?.(group);
      const hands = stack.use(new GroupHands(group));
      for (const folder of group.servers) hands.servers.set(folder.name, stack.use(new ServerProcess(folder)));
      await Promise.all([...hands.servers.values()].map((server) => server.start()));
      await hands.waitForLeader();
      return new RunningGroup(group, hands, stack);
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  client(user: string, patienceMs = 5_000): Promise<Client> {
    return connect({
      clientFile: this.group.clientFile,
      vendor: this.group.vendorRoot,
      user,
      host: `${user}-desk`,
      program: 'test',
      patienceMs,
    });
  }

  /** Lines of a server's JSON log. */
  async log(name: string): Promise<Record<string, unknown>[]> {
    const folder = this.group.servers.find((one) => one.name === name);
    if (folder === undefined) throw new Error(`no server ${name}`);
    const text = await readFile(join(dirname(folder.configFile), 'log.jsonl'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** What the five servers said last: for the report of a test that failed, as the group is removed with its logs. */
  async lastWords(lines = 40): Promise<string> {
    const texts = this.group.servers.map(async ({ name }) => {
      const last = (await this.log(name)).slice(-lines);
      return [`--- ${name}`, ...last.map((line) => JSON.stringify(line))].join('\n');
    });
    return (await Promise.all(texts)).join('\n');
  }

  /** `trefoil …` as a process of its own. */
  trefoil(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return this.trefoilWith({}, ...args);
  }

  /** The same in another environment. */
  trefoilWith(
    env: Record<string, string>,
    ...args: string[]
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    return trefoil(args, { TREFOIL_CLIENT: this.group.clientFile, ...env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export const trefoilMain = fileURLToPath(import.meta.resolve('@trefoil/cli').replace(/index\.ts$/, 'main.ts'));

export function trefoil(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [trefoilMain, ...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Asks again and again, for at most `ms`; for what happens by itself. */
export async function eventually(what: string, ms: number, holds: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > until) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
