import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLoopbackGroup, GroupHands, type LoopbackGroup, type ServerFolder } from '@trefoil/cli';
import { dialler, steadyPorts } from './relay.ts';
import { TestedServer } from './tested-server.ts';
import { Link } from './way.ts';

const LICENSE_SERVERS = ['license-server-1', 'license-server-2', 'license-server-3'] as const;
const TMR_SERVERS = ['tmr-server-A', 'tmr-server-B'] as const;

/** Five real servers, and all that stands between them and their clients: the ways, the clocks, the disks. */
export class TestedGroup implements AsyncDisposable {
  readonly group: LoopbackGroup;
  readonly hands: GroupHands;
  readonly servers = new Map<string, TestedServer>();
  /** By `license-server-1 tmr-server-A`, and `tmr-server-A clients`. */
  readonly links = new Map<string, Link>();
  readonly #stack: AsyncDisposableStack;

  private constructor(group: LoopbackGroup, stack: AsyncDisposableStack) {
    this.group = group;
    this.#stack = stack;
    this.hands = stack.use(new GroupHands(group));
    for (const tmr of TMR_SERVERS) {
      this.links.set(`${tmr} clients`, new Link());
      for (const voter of LICENSE_SERVERS) this.links.set(`${voter} ${tmr}`, new Link());
    }
  }

  static async start(): Promise<TestedGroup> {
    const stack = new AsyncDisposableStack();
    try {
      const directory = await mkdtemp(join(tmpdir(), 'trefoil-nemesis-'));
      stack.defer(() => rm(directory, { recursive: true, force: true }));
      const tested = new TestedGroup(await createLoopbackGroup(directory), stack);
      await tested.#prepareServers();
      await Promise.all(tested.all().map((server) => server.start()));
      await tested.hands.waitForLeader();
      return tested;
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  async #prepareServers(): Promise<void> {
    const ports = await steadyPorts(2 * this.group.servers.length);
    for (const folder of this.group.servers) {
      const linkOf = async (socket: Socket): Promise<Link | undefined> =>
        this.links.get(`${folder.name} ${await this.#whoDials(folder, socket)}`);
      const server = await TestedServer.prepare(folder, { ports: ports.splice(0, 2) as [number, number], linkOf });
      this.servers.set(folder.name, this.#stack.use(server));
      this.hands.servers.set(folder.name, server.process);
    }
  }

  async #whoDials({ kind }: ServerFolder, socket: Socket): Promise<string | undefined> {
    if (kind === 'tmr-server') return 'clients';
    const pids = TMR_SERVERS.map((name) => [name, this.servers.get(name)?.process.pid ?? 0] as const);
    return dialler(socket, new Map(pids));
  }

  /** Of the kind, or all. */
  all(kind?: TestedServer['kind']): TestedServer[] {
    return [...this.servers.values()].filter((server) => kind === undefined || server.kind === kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
