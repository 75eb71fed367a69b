import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Laboratory } from './laboratory.ts';
import type { LabHost } from './lab-host.ts';
import { Lookout, type Status } from './lookout.ts';
import { Service } from './service.ts';

export const VOTERS = ['license-server-1', 'license-server-2', 'license-server-3'] as const;
export const LEADERS = ['tmr-server-A', 'tmr-server-B'] as const;
export type Voter = (typeof VOTERS)[number];
export type ServerName = (typeof VOTERS)[number] | (typeof LEADERS)[number];

interface NewMachine {
  readonly disk: string;
  /** On the admin's host. */
  readonly reconfiguration: string;
}

const NETWORK = '10.77.0';
const VIRTUAL_IP = `${NETWORK}.10`;
export const ADDRESSES: Readonly<Record<ServerName | 'admin' | 'client', string>> = {
  'license-server-1': `${NETWORK}.1`,
  'license-server-2': `${NETWORK}.2`,
  'license-server-3': `${NETWORK}.3`,
  'tmr-server-A': `${NETWORK}.4`,
  'tmr-server-B': `${NETWORK}.5`,
  admin: `${NETWORK}.20`,
  client: `${NETWORK}.30`,
};

/** Entries; under load some are always on their way. */
const MOST_BEHIND = 100;

/** A customer's plant: seven hosts, set up with the commands that the guides tell, the vendor's on the admin's host, too. */
export class Site implements AsyncDisposable {
  readonly laboratory: Laboratory;
  readonly services = new Map<ServerName, Service>();
  #version = 0;
  #configuration = '/root/configuration.jws';
  #machines = 0;
  #virtualIp = VIRTUAL_IP;
  #lookout: Lookout | undefined;

  private constructor(laboratory: Laboratory) {
    this.laboratory = laboratory;
  }

  /** `version`: of the programs of all hosts; default: today's. */
  static async open(version?: string): Promise<Site> {
    const laboratory = await Laboratory.open();
    const site = new Site(laboratory);
    try {
      if (version !== undefined) await laboratory.unpackProgram(version);
      for (const [name, address] of Object.entries(ADDRESSES)) await laboratory.add(name, `${address}/24`, version);
      await site.#plan();
      await site.#install();
      for (const name of [...VOTERS, ...LEADERS])
        site.services.set(name, new Service(site.host(name), name.startsWith('tmr') ? 'tmr-server' : 'license-server'));
      await Promise.all([...site.services.values()].map((service) => service.start()));
      for (const name of LEADERS) await site.startKeepalived(name);
      return site;
    } catch (error) {
      await laboratory[Symbol.asyncDispose]();
      throw error;
    }
  }

  host(name: string): LabHost {
    return this.laboratory.host(name);
  }

  get admin(): LabHost {
    return this.host('admin');
  }

  service(name: ServerName): Service {
    return this.services.get(name) as Service;
  }

  async #plan(): Promise<void> {
    await this.admin.trefoil('vendor', 'init-root', '--vendor', 'acme', '--directory', '/root/vendor');
    const of = (names: readonly ServerName[]): string[] => names.map((name) => ADDRESSES[name]);
    await this.admin.trefoil(
      ...['init', '--group', 'plant-7', '--vendor-root', '/root/vendor/root.pub', '--output', '/root/plant-7'],
      ...['--license-servers', ...of(VOTERS), '--tmr-servers', ...of(LEADERS), '--virtual-ip', `${VIRTUAL_IP}/24`],
    );
  }

  async #install(): Promise<void> {
    const voters = VOTERS.map(async (name, i) => {
      await this.#unpack(name);
      await this.#request(name, `/root/${i + 1}.request`);
    });
    await Promise.all([...voters, ...LEADERS.map((name) => this.#unpack(name))]);
    const requests = [1, 2, 3].map((n) => `/root/${n}.request`);
    const output = this.#configuration;
    await this.admin.trefoil(
      ...['vendor', 'configure', ...requests, '--name', 'Plant 7', '--directory', '/root/vendor', '--output', output],
    );
    await this.copy('admin', output, [...VOTERS, ...LEADERS], '/etc/trefoil/configuration.jws');
    await this.copy('admin', '/root/vendor/issuing-key.jws', [...VOTERS, ...LEADERS], '/etc/trefoil/issuing-key.jws');
    await this.copy('admin', '/root/plant-7/client.json', ['client', 'admin'], '/etc/trefoil/client.json');
  }

  /** Of the host's container, made if there is none; the vendor gets it. */
  async #request(name: ServerName, as: string): Promise<void> {
    const container = ['--container', '/var/lib/trefoil/container.tfc'];
    const request = await this.host(name).trefoil('request', ...container, '--name', name);
    await this.admin.run(['tee', as], request);
  }

  /** A machine that was never there before, at the address of a license server, as the guide has it; its container has no vote yet. */
  async newMachine(name: Voter): Promise<NewMachine> {
    const disk = await this.#plugIn(name);
    await this.#request(name, `/root/${disk}.request`);
    const reconfiguration = await this.#reconfigure(name, disk);
    await this.#configure(name);
    return { disk, reconfiguration };
  }

  /** A TMR server needs nothing that is not in the tarball of "trefoil init": so any machine can be it. */
  async newTmrServer(name: (typeof LEADERS)[number]): Promise<void> {
    await this.#plugIn(name);
    await this.#configure(name);
    await this.startKeepalived(name);
  }

  /** The same, while the old one lives: the new container is made beside it, and its machine comes when it is asked for. */
  async nextMachine(name: Voter): Promise<NewMachine & { readonly plugIn: () => Promise<void> }> {
    const host = this.host(name);
    const next = `machine-${this.#machines + 1}`;
    await host.trefoil('request', '--container', '/root/next.tfc', '--name', name, '--output', '/root/next.request');
    await this.copy(name, '/root/next.request', ['admin'], `/root/${next}.request`);
    await this.copy(name, '/root/next.tfc', ['admin'], `/root/${next}.tfc`);
    const reconfiguration = await this.#reconfigure(name, next);
    const plugIn = async (): Promise<void> => {
      await this.#plugIn(name);
      await this.copy('admin', `/root/${next}.tfc`, [name], '/var/lib/trefoil/container.tfc');
      await host.sh('chmod 600 /var/lib/trefoil/container.tfc');
      await this.#configure(name);
    };
    return { disk: next, reconfiguration, plugIn };
  }

  async #plugIn(name: ServerName): Promise<string> {
    const host = this.host(name);
    const disk = `machine-${++this.#machines}`;
    await host.powerOff();
    host.changeDisk(disk);
    await host.powerOn();
    await this.#unpack(name);
    return disk;
  }

  async #reconfigure(name: Voter, machine: string): Promise<string> {
    const member = String(1 + VOTERS.indexOf(name));
    const output = `/root/${machine}`;
    await this.admin.trefoil(
      ...['vendor', 'reconfigure', `/root/cad-${this.#version}.update`, '--directory', '/root/vendor'],
      ...['--configuration', this.#configuration, '--member', member, '--request', `/root/${machine}.request`],
      ...['--output', output],
    );
    this.#configuration = `${output}.configuration.jws`;
    return `${output}.reconfiguration`;
  }

  async #configure(name: ServerName): Promise<void> {
    await this.copy('admin', this.#configuration, [name], '/etc/trefoil/configuration.jws');
    await this.copy('admin', '/root/vendor/issuing-key.jws', [name], '/etc/trefoil/issuing-key.jws');
    await this.service(name).start();
  }

  async #unpack(name: ServerName): Promise<void> {
    await this.copy('admin', `/root/plant-7/${name}.tar.gz`, [name], `/root/${name}.tar.gz`);
    await this.host(name).sh(`tar -C / -xzf /root/${name}.tar.gz`);
  }

  /** A license server, a TMR server and the virtual IP, in the order that "trefoil readdress" tells. */
  async changeAddresses(): Promise<void> {
    const moved: Partial<Record<ServerName, string>> = {
      'license-server-2': `${NETWORK}.12`,
      'tmr-server-B': `${NETWORK}.15`,
    };
    const of = (names: readonly ServerName[]): string[] => names.map((name) => moved[name] ?? ADDRESSES[name]);
    this.#virtualIp = `${NETWORK}.11`;
    await this.admin.trefoil(
      ...['readdress', '/root/plant-7', '--license-servers', ...of(VOTERS), '--tmr-servers', ...of(LEADERS)],
      ...['--virtual-ip', `${this.#virtualIp}/24`, '--output', '/root/moved'],
    );
    await this.copy('admin', '/root/moved/client.json', ['client', 'admin'], '/etc/trefoil/client.json');
    const moving = Object.entries(moved);
    for (const [name, address] of moving) await this.host(name).addAddress(`${address}/24`);
    for (const name of [...LEADERS, ...VOTERS]) {
      const host = this.host(name);
      await this.copy('admin', `/root/moved/${name}.tar.gz`, [name], '/root/moved.tar.gz');
      await this.service(name).stop();
      await host.sh('tar -C / -xzf /root/moved.tar.gz');
      if (name.startsWith('tmr')) {
        await host.sh(`sed -i 's/${VIRTUAL_IP}$/${this.#virtualIp}/' /etc/trefoil/tmr-server.yaml`);
        await host.sh('kill $(cat /run/keepalived.pid) && while test -e /run/keepalived.pid; do sleep 0.1; done');
        await this.startKeepalived(name as (typeof LEADERS)[number]);
      }
      await this.service(name).start();
      await this.whole();
    }
    for (const [name, address] of moving) await this.host(name).dropOldAddress(`${address}/24`);
    await this.admin.sh('cp /root/moved/admin/* /root/plant-7/admin/; cp /root/moved/client.json /root/plant-7/');
  }

  /** New authorities and new certificates, in the three rounds that "trefoil certificates" tells. */
  async rotateCertificates(): Promise<void> {
    await this.admin.trefoil('certificates', '/root/plant-7', '--new-authorities', '--output', '/root/new');
    const rounds = (await this.admin.sh('cd /root/new && ls -d [0-9]*')).trim().split('\n');
    for (const round of rounds) {
      const clientFile = `/root/new/${round}/client.json`;
      if ((await this.admin.run(['test', '-e', clientFile])).code === 0)
        await this.copy('admin', clientFile, ['client', 'admin'], '/etc/trefoil/client.json');
      for (const name of [...VOTERS, ...LEADERS]) {
        await this.copy('admin', `/root/new/${round}/${name}.tar.gz`, [name], '/root/certificates.tar.gz');
        await this.host(name).sh('tar -C / -xzf /root/certificates.tar.gz');
        await this.service(name).stop();
        await this.service(name).start();
        await this.whole();
      }
    }
    await this.admin.sh('cp /root/new/admin/* /root/plant-7/admin/; cp /etc/trefoil/client.json /root/plant-7/');
  }

  /** A second virtual container, from the vendor's set to a license in it. Servers take it in when they are started anew, one by one. */
  async addVirtualContainer(): Promise<void> {
    const requests = VOTERS.map(async (name, i) => {
      const container = ['--container', '/var/lib/trefoil/container-2.tfc', '--name', name];
      await this.admin.run(
        ['tee', `/root/tools-${i + 1}.request`],
        await this.host(name).trefoil('request', ...container),
      );
      return `/root/tools-${i + 1}.request`;
    });
    const output = '/root/tools.configuration.jws';
    await this.admin.trefoil(
      ...['vendor', 'configure', ...(await Promise.all(requests)), '--name', 'Tools', '--directory', '/root/vendor'],
      ...['--output', output],
    );
    await this.copy('admin', output, [...VOTERS, ...LEADERS], '/etc/trefoil/tools.configuration.jws');
    for (const name of [...VOTERS, ...LEADERS]) {
      const [kind, own] = name.startsWith('tmr')
        ? ['tmr-server', '']
        : ['license-server', '    container: /var/lib/trefoil/container-2.tfc\n'];
      const documents = 'issuingKey: issuing-key.jws\n    vendorRoot: vendor-root.pub\n    group: group.jws';
      const item = `  - configuration: tools.configuration.jws\n    ${documents}\n${own}`;
      await this.host(name).sh(`printf '%s' '${item}' >> /etc/trefoil/${kind}.yaml`);
      await this.service(name).stop();
      await this.service(name).start();
      await this.whole();
    }
    await this.admin.trefoil(
      ...['vendor', 'issue', '--directory', '/root/vendor', '--configuration', output, '--license', 'tools-1'],
      ...['--product', 'tools', '--quantity', '3', '--output', '/root/tools.update'],
    );
    const set = JSON.parse(
      Buffer.from((await this.admin.sh(`cat ${output}`)).split('.')[1] ?? '', 'base64url').toString(),
    ) as {
      set: string;
    };
    await this.admin.sh(`sed 's/^{/{"set":"${set.set}",/' /etc/trefoil/client.json > /root/tools.json`);
    await this.admin.trefoil('update', '/root/tools.update', '--client', '/root/tools.json');
  }

  /** As scp does. */
  async copy(from: string, path: string, to: readonly string[], as: string): Promise<void> {
    const bytes = await readFile(join(this.host(from).file(path)));
    await Promise.all(
      to.map(async (name) => {
        const { code, stderr } = await this.host(name).run(['sh', '-c', `cat > ${as}`], bytes);
        if (code !== 0) throw new Error(`${name}: ${as}: ${stderr}`);
      }),
    );
  }

  async startKeepalived(name: (typeof LEADERS)[number]): Promise<void> {
    const flags = '--dont-fork --log-console --log-detail --vrrp --pid /run/keepalived.pid --vrrp_pid /run/vrrp.pid';
    await this.host(name).sh(`keepalived ${flags} >> /var/log/keepalived.log 2>&1 &`);
  }

  async vendorRoot(): Promise<string> {
    return (await this.admin.sh('cat /root/vendor/root.pub')).trim();
  }

  /** A license of "cad" in service, or its next version. */
  async sell(quantity: number): Promise<void> {
    const version = ++this.#version;
    const output = `/root/cad-${version}.update`;
    await this.admin.trefoil(
      ...['vendor', 'issue', '--directory', '/root/vendor', '--configuration', this.#configuration],
      ...['--license', 'cad-1', '--license-version', String(version), '--product', 'cad'],
      ...['--quantity', String(quantity), '--output', output],
    );
    await this.admin.trefoil('update', output);
  }

  /** As after a power cut: what its unit and keepalived's are enabled for. */
  async powerOn(name: ServerName): Promise<void> {
    await this.host(name).powerOn();
    await this.service(name).start();
    if (name.startsWith('tmr')) await this.startKeepalived(name as (typeof LEADERS)[number]);
  }

  /** Of a process that stays: a command anew each time would take the time of those who are looked at. */
  async status(): Promise<Status> {
    this.#lookout ??= await Lookout.start(this.admin);
    return this.#lookout.status();
  }

  /** Who leads. */
  async active(): Promise<(typeof LEADERS)[number]> {
    const { tmrServers } = await this.status();
    const leads = tmrServers.find(({ active }) => active);
    if (leads === undefined) throw new Error('nobody leads');
    return `tmr-server-${leads.server}`;
  }

  /** Asks again and again: for what happens by itself. */
  async eventually(what: string, holds: () => Promise<boolean>, withinMs = 15_000): Promise<void> {
    const until = performance.now() + withinMs;
    while (!(await holds())) {
      if (performance.now() > until) throw new Error(`not within ${withinMs} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits until nothing is missing any more: one of each kind may fail. */
  async whole(withinMs = 30_000): Promise<void> {
    const until = performance.now() + withinMs;
    for (let last = 'nobody answers'; ; ) {
      const status = await this.status().catch((error: unknown) => String(error));
      if (typeof status === 'string') last = status;
      else {
        const missing = status.licenseServers.filter(
          ({ voting, lag, unanchored }) => !voting || lag > MOST_BEHIND || unanchored,
        );
        const isWhole = missing.length === 0 && [...this.services.values()].every(({ isRunning }) => isRunning);
        if (isWhole && status.redundancy === 1 && status.tmrServers.every(({ heard }) => heard)) return;
        last = JSON.stringify(status);
      }
      if (performance.now() > until) throw new Error(`the group is not whole again after ${withinMs} ms: ${last}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Seats of "cad" that were sold. */
  async quantity(): Promise<number> {
    const { licenses } = JSON.parse(await this.admin.trefoil('licenses', '--json')) as {
      licenses: { quantity: number }[];
    };
    return licenses[0]?.quantity ?? 0;
  }

  /** Who has the virtual IP. */
  async holders(): Promise<(typeof LEADERS)[number][]> {
    const has = await Promise.all(
      LEADERS.map(async (name) => {
        const host = this.host(name);
        return host.isOn && (await host.sh('ip -4 -br addr show eth0')).includes(`${this.#virtualIp}/`);
      }),
    );
    return LEADERS.filter((_, i) => has[i]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.laboratory[Symbol.asyncDispose]();
  }
}
