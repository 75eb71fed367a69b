import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LabHost, REPOSITORY } from './lab-host.ts';
import { Namespace } from './namespace.ts';

const run = promisify(execFile);
const FIXTURES = join(REPOSITORY, 'e2e/fixtures');
const PROGRAMS = 'programs';
const SLOW_CABLE = join(import.meta.dirname, 'slow-cable.py');

/** A network of hosts on this machine: namespaces around a switch that is one, too. The machine's own network is left alone. */
export class Laboratory implements AsyncDisposable {
  readonly directory: string;
  readonly #switch: Namespace;
  readonly hosts = new Map<string, LabHost>();
  readonly #slow: { readonly port: string; readonly tap: string; readonly relay: ChildProcess }[] = [];

  private constructor(directory: string, theSwitch: Namespace) {
    this.directory = directory;
    this.#switch = theSwitch;
  }

  static async open(): Promise<Laboratory> {
    if (process.getuid?.() !== 0) throw new Error('the laboratory makes network namespaces: run it as root');
    const directory = await mkdtemp(join(tmpdir(), 'trefoil-laboratory-'));
    await mkdir(join(directory, PROGRAMS));
    const bridge = 'ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0; ip link set br0 up';
    return new Laboratory(directory, await Namespace.create(bridge));
  }

  /** Seen by all hosts. */
  get shared(): string {
    return join(this.directory, PROGRAMS);
  }

  /** A program that was given away before, for hosts to run. */
  async unpackProgram(version: string): Promise<void> {
    const folder = join(this.shared, version);
    await mkdir(folder, { recursive: true });
    await run('tar', ['-C', folder, '-xzf', join(FIXTURES, `trefoil-${version}.tar.gz`)]);
    await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  }

  /** Powers a new host on, with `address/prefix` on its eth0. `version`: of its programs; default: today's. */
  async add(name: string, address: string, version?: string): Promise<LabHost> {
    const directory = join(this.directory, name);
    await mkdir(directory);
    const plugIn = (pid: number): Promise<void> => this.#plugIn(name, pid);
    const host = new LabHost({ name, address, directory, plugIn, version, programs: this.shared });
    this.hosts.set(name, host);
    await host.powerOn();
    return host;
  }

  host(name: string): LabHost {
    const found = this.hosts.get(name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  async #plugIn(name: string, pid: number): Promise<void> {
    await this.#switch.network(
      // The cable of a host that was powered off is there until the kernel has cleared up.
      `ip link del ${this.#portOf(name)} 2>/dev/null || true
      ip link add ${this.#portOf(name)} type veth peer name eth0 netns ${pid}; ip link set ${this.#portOf(name)} master br0 up`,
    );
  }

  /** Of the switch. Names of interfaces are short. */
  #portOf(name: string): string {
    return `port-${[...this.hosts.keys()].indexOf(name) + 1}`;
  }

  /** What goes from the one to the other is lost, until `mend`. @param only e.g. `ip protocol vrrp` */
  async cut(from: string, to: string, only = ''): Promise<void> {
    await this.#switch.network(
      `nft add table bridge cuts; nft 'add chain bridge cuts forward { type filter hook forward priority 0; }'
      nft 'add rule bridge cuts forward iifname ${this.#portOf(from)} oifname ${this.#portOf(to)} ${only} drop'`,
    );
  }

  /** Of all packets from and to that host so many per cent are lost, until `mend`. */
  async lose(name: string, percent: number): Promise<void> {
    const port = this.#portOf(name);
    const rules = ['iifname', 'oifname'].map(
      (way) => `nft 'add rule bridge cuts forward ${way} ${port} numgen random mod 100 < ${percent} drop'`,
    );
    await this.#switch.network(
      `nft add table bridge cuts; nft 'add chain bridge cuts forward { type filter hook forward priority 0; }'
      ${rules.join('; ')}`,
    );
  }

  /** All packets from and to that host are `delayMs` ± `jitterMs` late on each way, in their order, until `mend`. */
  async delay(name: string, { delayMs, jitterMs }: { delayMs: number; jitterMs: number }): Promise<void> {
    const [port, tap] = [this.#portOf(name), this.#portOf(name).replace('port', 'slow')];
    await this.#switch.network(`ip tuntap add dev ${tap} mode tap vnet_hdr; ip link set ${port} nomaster promisc on`);
    const relay = this.#switch.spawnInNetwork(['python3', SLOW_CABLE, port, tap, String(delayMs), String(jitterMs)]);
    const [said] = (await Promise.race([once(relay.stdout as NodeJS.EventEmitter, 'data'), once(relay, 'exit')])) as [
      unknown,
    ];
    if (!String(said).startsWith('ready')) throw new Error('the slow cable did not come up');
    await this.#switch.network(`ip link set ${tap} master br0 up`);
    this.#slow.push({ port, tap, relay });
  }

  async mend(): Promise<void> {
    await this.#switch.network('nft delete table bridge cuts 2>/dev/null || true');
    for (const { port, tap, relay } of this.#slow.splice(0)) {
      await this.#switch.network(`ip link set ${tap} nomaster; ip link set ${port} promisc off master br0`);
      const ended = once(relay, 'exit');
      relay.stdin?.end();
      await ended;
      await this.#switch.network(`ip link del ${tap}`);
    }
  }

  /** Its cable. */
  async unplug(name: string): Promise<void> {
    await this.#switch.network(`ip link set ${this.#portOf(name)} nomaster`);
  }

  async plugBackIn(name: string): Promise<void> {
    await this.#switch.network(`ip link set ${this.#portOf(name)} master br0`);
  }

  async writeFile(name: string, text: string): Promise<string> {
    const file = join(this.directory, name);
    await writeFile(file, text);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { relay } of this.#slow.splice(0)) relay.stdin?.end();
    await Promise.all([...this.hosts.values()].map((host) => host.powerOff()));
    await this.#switch.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}
