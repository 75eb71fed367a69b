import type { ClientFile } from '@trefoil/client';
import { createHash } from 'node:crypto';
import type { Ledger, LedgerContext } from '@trefoil/core';
import { type Log, type LogFields, silentLog } from '@trefoil/host';
import { bytesKey, type JsonObject, type Member, type SigningKey, type TmrServer as Id } from '@trefoil/license';
import { type Fixture, fixture, seedKey } from '@trefoil/license/fixtures';
import { Agenda } from './agenda.ts';
import type { Assortment } from './assortment.ts';
import { Checks } from './checks.ts';
import { Application } from './application.ts';
import { quickFixture, quickKey } from './crypto.ts';
import { CommitOrder } from './commit-order.ts';
import { Evidence } from './evidence.ts';
import { History } from './history.ts';
import { LicenseServer } from './license-server.ts';
import { Office } from './office.ts';
import { Network, type Place } from './network.ts';
import { Programs } from './programs.ts';
import { Random } from './random.ts';
import { Shelf } from './replacement.ts';
import { TmrServer } from './tmr-server.ts';
import type { Traitor } from './traitor.ts';
import { Vendor } from './vendor.ts';

/** One that forgets and one that lies about what it knows, at once, are more than the protocol promises to survive (§10). */
export type Burden = 'a server forgets' | 'a server lies' | 'a store is cloned';

interface Link {
  readonly from: Id;
  readonly to: Place;
  readonly alive: () => boolean;
  readonly cut: () => void;
}

/** From a seed to that of which programs there are. */
const PROGRAMS = 0x9806;
const LOOK_AT_LINKS_MS = 100;
/** What the load of a busy group can show it has shown by then. */
const ENOUGH_ENTRIES = 300;
/** A pace at which each client acts about twice a second. */
export const SELDOM = 8;
export const BUSY = 1;
const MEMBERS = [1, 2, 3] as const;

/** Until a group that starts for the first time has taken in all three: it waits for two seconds (PROTOCOL §7.5). */
export const FIRST_START_MS = 3_000;

/** Five servers, their clients and all that lies between, in one process and one order. */
export class World {
  readonly agenda = new Agenda();
  readonly fixture: Fixture;
  readonly keyOf: (name: string) => SigningKey;
  readonly context: LedgerContext;
  readonly checks: Checks;
  readonly evidence: Evidence;
  readonly commitOrder: CommitOrder;
  readonly history: History;
  readonly network: Network;
  readonly licenseServers: Record<Member, LicenseServer>;
  readonly tmrServers: Record<Id, TmrServer>;
  readonly clients: Application[] = [];
  /** Where the vendor's updates and the admin's commands come from. */
  readonly office: Office;
  readonly vendor: Vendor;
  readonly shelf = new Shelf();
  readonly programs: Programs;
  /** One that was replaced and is on again, and which TMR server takes it for the one in its place; undefined = both. */
  zombie: { readonly server: LicenseServer; readonly reachedBy: Id | undefined } | undefined;
  readonly random: Random;
  /** By license. */
  readonly sold = new Map<string, { version: number; quantity: number; product: string; units: number | undefined }>();
  /** The highest quantity so far: who has a seat keeps it when fewer are sold. */
  readonly mostSold = new Map<string, number>();
  /** Licenses whose terms say more than that; undefined = none in this run. */
  assortment: Assortment | undefined;
  readonly counts = new Map<string, number>();
  readonly notes: string[] = [];
  /** Who has signed what it should not have. */
  readonly lied = new Set<string>();
  /** The one license server that may be false. */
  traitor: Traitor | undefined;
  /** Of what the protocol bears at one license server at a time only, that which a run tries. */
  burden: Burden = 'a server forgets';
  /** What all wall clocks show beside the true time, but for those that are wrong by themselves. */
  wallOffsetMs = 0;
  /** A second process with a copy of a license server's store and container, and the TMR server that takes it for the original. */
  clone: { readonly server: LicenseServer; readonly reachedBy: Id } | undefined;
  /** The one license server of which there may be two. */
  cloned: Member | undefined;
  /** The one license server whose clock may run wild. */
  wild: Member | undefined;
  /** Two entries are certified at one index, as a clone or a false license server can bring about: then only the proof counts. */
  forked = false;
  /** It may stand still for good, as PROTOCOL §10 says. */
  halted = false;
  /** Things that went wrong so far. */
  harms = 0;
  /** From when all was mended until the next entry was certified. */
  backAfterMs: number | undefined;
  /** From then on everybody is to be served. */
  servedFrom = Infinity;
  readonly unserved: string[] = [];
  /** Nobody wants anything new; what is held is kept. */
  idle = false;
  /** Nobody asks for anything any more. */
  quiet = false;
  readonly snapshotEveryEntries: number;
  /** Who remembers little feeds with snapshots. */
  readonly recentBytes: number;
  /** Factor on the time that clients take to think: some groups are busy all the time, others seldom. */
  #pace: number;
  /** Nothing goes wrong any more, save what is broken for good. */
  mended = false;
  readonly #mending = new Set<() => void>();
  /** Of all that was ever delivered, and when. */
  readonly #trace = createHash('sha256');
  #links: { link: Link; cutSince: number | undefined; patienceMs: number }[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
    // One run in a hundred has real keys.
    const real = seed % 100 === 0;
    this.fixture = real ? fixture() : quickFixture();
    this.keyOf = real ? seedKey : quickKey;
    this.#pace = this.random.pick([0.02, 0.1, 1, 1]);
    this.snapshotEveryEntries = this.random.chance(0.3) ? 10 + this.random.below(20) : 30 + this.random.below(400);
    this.recentBytes = this.random.pick([2_000, 20_000, 2_000_000]);
    const { crypto, root, configuration, group, issuingKey } = this.fixture;
    this.context = { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text };
    this.programs = new Programs(this, new Random(seed + PROGRAMS));
    this.checks = new Checks(this);
    this.evidence = new Evidence(this);
    this.commitOrder = new CommitOrder(this);
    this.history = new History(this);
    this.network = new Network(this, this.random.fork());
    const server = (member: Member): LicenseServer => new LicenseServer(this, member, this.random.fork());
    this.licenseServers = { 1: server(1), 2: server(2), 3: server(3) };
    this.tmrServers = {
      A: new TmrServer(this, 'A', this.random.fork()),
      B: new TmrServer(this, 'B', this.random.fork()),
    };
    this.office = new Office(this, this.random.fork());
    this.vendor = new Vendor(this);
    this.#lookAtLinks();
  }

  async start(): Promise<void> {
    // Some computers are slower than others; with one in flight, that is what makes logs differ.
    for (const member of MEMBERS) this.licenseServers[member].slowDown(this.random.pick([0.3, 1, 1, 6]));
    await Promise.all([
      ...MEMBERS.map((member) => this.licenseServers[member].start()),
      this.agenda.runUntil(100).then(() => undefined),
    ]);
    this.tmrServers.A.start();
    this.tmrServers.B.start();
  }

  arrive(clients: number): void {
    for (let number = 1; number <= clients; number++) {
      const client = new Application(this, number, this.random.fork());
      this.clients.push(client);
      void client.live();
    }
  }

  /** How the SDK finds this group. */
  get clientFile(): ClientFile {
    const { group, tmrServers } = this.fixture.group;
    return { group, addresses: tmrServers.map((one) => one.address), authority: 'simulated' };
  }

  /** Whom that TMR server finds at the address of that license server. */
  reached(id: Id, member: Member): LicenseServer {
    const { clone, zombie } = this;
    if (clone?.reachedBy === id && clone.server.member === member) return clone.server;
    const isOld = zombie?.server.member === member && (zombie.reachedBy ?? id) === id;
    return isOld ? zombie.server : this.licenseServers[member];
  }

  /** The vendor's update, on its way until it is installed. */
  sell(license: string, product: string, quantity: number, units?: number, more: JsonObject = {}): void {
    const version = (this.sold.get(license)?.version ?? 0) + 1;
    this.sold.set(license, { version, quantity, product, units });
    const terms = { quantity, ...(units !== undefined && { units }), ...more };
    const offered = (command: Uint8Array): void => this.history.sold(command, { license, quantity, units });
    this.vendor.offer({ license, product, version, terms, most: quantity, offered });
  }

  trace(what: string, bytes: Uint8Array): void {
    this.#trace.update(`${this.agenda.now} ${what} ${bytes.length} `).update(bytes);
  }

  get pace(): number {
    return this.checks.newestCertified > ENOUGH_ENTRIES ? Math.max(this.#pace, SELDOM) : this.#pace;
  }

  set pace(pace: number) {
    this.#pace = pace;
  }

  get traceHash(): string {
    return this.#trace.copy().digest('hex').slice(0, 32);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  note(text: string): void {
    this.notes.push(`${this.agenda.now.toFixed(1).padStart(9)}  ${text}`);
  }

  /** What a server would write into its log, at its place between all else that happens. */
  logOf(name: string): Log {
    const say = (fields: LogFields, message: string): void => {
      const { alarm, role, why } = fields as { alarm?: string; role?: string; why?: string };
      if (role === 'preparing' && why !== undefined) this.count(`asks for an epoch: ${why}`);
      this.count(alarm === undefined ? `${message}${role === undefined ? '' : `: ${role}`}` : `${message}: ${alarm}`);
      this.note(`${name}: ${message} ${JSON.stringify(fields)}`);
    };
    return { ...silentLog, info: say, warn: say, error: say, fatal: say, child: () => this.logOf(name) };
  }

  /** A fault that ends by itself; at the latest when all is mended. */
  mend(ms: number, act: () => void): void {
    const once = (): void => {
      if (this.#mending.delete(once)) act();
    };
    this.#mending.add(once);
    this.agenda.later(ms, once);
  }

  mendNow(): void {
    for (const act of [...this.#mending]) act();
  }

  harmed(how: string): void {
    this.harms++;
    this.count(`fault: ${how}`);
  }

  watchLink(link: Link): void {
    this.#links.push({ link, cutSince: undefined, patienceMs: this.random.between(100, 2_000) });
  }

  /** A connection through a cut is noticed as dead after a while, as TCP would. */
  #lookAtLinks(): void {
    this.agenda.later(LOOK_AT_LINKS_MS, () => {
      this.#links = this.#links.filter(({ link }) => link.alive());
      for (const watched of this.#links) {
        const { from, to } = watched.link;
        const cut = this.network.isCut(from, to) || this.network.isCut(to, from);
        watched.cutSince = cut ? (watched.cutSince ?? this.agenda.now) : undefined;
        if (watched.cutSince !== undefined && this.agenda.now - watched.cutSince > watched.patienceMs)
          watched.link.cut();
      }
      this.#lookAtLinks();
    });
  }

  /** As they stand at all servers that are up and have nothing uncertified. */
  ledgers(): { name: string; ledger: Ledger; head: string }[] {
    const replicas = [
      ...MEMBERS.map((member) => ({
        name: `L${member}`,
        replica: this.licenseServers[member].runtime?.voter.replica,
      })),
      ...(['A', 'B'] as const).map((id) => ({ name: id, replica: this.tmrServers[id].runtime?.proposer.replica })),
    ];
    return replicas.flatMap(({ name, replica }) => {
      if (replica === undefined || replica.tail !== undefined) return [];
      const { ledger, lastHead } = replica;
      return [{ name, ledger, head: bytesKey(lastHead) }];
    });
  }
}
