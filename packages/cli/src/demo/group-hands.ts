import { connect, type Client, Verifier } from '@trefoil/client';
import {
  create,
  fromBinary,
  ListLicensesReplySchema,
  ListLicensesRequestSchema,
  type StatusReply,
  StatusReplySchema,
  StatusRequestSchema,
  toBinary,
} from '@trefoil/api';
import { encodeCommand, type JsonObject } from '@trefoil/license';
import { issueLicense, makeUpdate } from '@trefoil/vendor';
import { applyUpdate } from '../commands/apply-update.ts';
import type { LoopbackGroup } from '../group/loopback-group.ts';
import type { ServerProcess } from '../group/server-process.ts';

export interface Sale {
  readonly version: number;
  readonly quantity: number;
  readonly terms?: JsonObject;
  readonly license?: string;
  readonly product?: string;
  /** 0 = not for a group of three. */
  readonly tmrId?: number;
}

const POLL_MS = 50;
const WAIT_MS = 20_000;

/** The hands of admin and vendor on a running group. */
export class GroupHands implements AsyncDisposable {
  readonly group: LoopbackGroup;
  readonly servers = new Map<string, ServerProcess>();
  readonly #verifier: Verifier;
  readonly #virtualContainer: LoopbackGroup['virtualContainers'][0];
  #client: Client | undefined;

  /** `number` of the virtual container, from 1 on. */
  constructor(group: LoopbackGroup, number = 1) {
    this.group = group;
    this.#virtualContainer = group.virtualContainers[number - 1] as LoopbackGroup['virtualContainers'][0];
    this.#verifier = new Verifier(group.vendorRoot);
  }

  server(name: string): ServerProcess {
    const server = this.servers.get(name);
    if (server === undefined) throw new Error(`no server ${name}`);
    return server;
  }

  async client(): Promise<Client> {
    this.#client ??= await this.#connect(5_000);
    return this.#client;
  }

  #connect(patienceMs: number): Promise<Client> {
    const { clientFile } = this.#virtualContainer;
    return connect({
      clientFile,
      vendor: this.#verifier,
      user: 'admin',
      host: 'office',
      program: 'trefoil',
      patienceMs,
    });
  }

  /** A license of "cad", put into service. */
  async sell(options: Sale): Promise<void> {
    const result = await applyUpdate((await this.client()).group, this.updateFor(options));
    if (result.kind !== 'updated') throw new Error(`the update was not installed: ${JSON.stringify(result)}`);
  }

  /** Many products at once, one license each. */
  async sellMany(products: readonly string[], quantity: number): Promise<void> {
    const { issuer, root } = this.group;
    const { configuration } = this.#virtualContainer;
    const issuedAt = Date.now();
    const licenses = products.map((product) =>
      issueLicense(issuer, configuration, {
        license: product,
        version: 1,
        product,
        name: product,
        tmrId: 1,
        terms: { quantity },
        issuedAt,
      }),
    );
    const document = makeUpdate(issuer, root.publicKey, configuration, { licenses, serial: issuedAt, issuedAt });
    const result = await applyUpdate((await this.client()).group, document);
    if (result.kind !== 'updated') throw new Error(`the update was not installed: ${JSON.stringify(result)}`);
  }

  /** The update file that the vendor would send. */
  updateFor({ version, quantity, terms, license = 'cad-1', product = 'cad', tmrId }: Sale): string {
    const { issuer, root } = this.group;
    const { configuration } = this.#virtualContainer;
    const issuedAt = Date.now();
    const issued = issueLicense(issuer, configuration, {
      license,
      version,
      product,
      name: 'CAD Professional',
      tmrId: tmrId ?? (configuration.threshold === 2 ? 1 : 0),
      terms: { quantity, ...terms },
      issuedAt,
    });
    return makeUpdate(issuer, root.publicKey, configuration, { licenses: [issued], serial: version, issuedAt });
  }

  async quantity(): Promise<number> {
    return Number((await this.#licenses())[0]?.quantity ?? 0);
  }

  async used(): Promise<number> {
    return Number((await this.#licenses())[0]?.used ?? 0);
  }

  async #licenses() {
    const request = toBinary(
      ListLicensesRequestSchema,
      create(ListLicensesRequestSchema, { set: this.#virtualContainer.configuration.set }),
    );
    return fromBinary(ListLicensesReplySchema, await (await this.client()).read('listLicenses', request)).licenses;
  }

  async status(): Promise<StatusReply> {
    const request = toBinary(
      StatusRequestSchema,
      create(StatusRequestSchema, { set: this.#virtualContainer.configuration.set }),
    );
    return fromBinary(StatusReplySchema, await (await this.client()).read('status', request));
  }

  /** The running TMR server that leads. */
  async waitForLeader(): Promise<ServerProcess> {
    let leader: ServerProcess | undefined;
    await this.#until(async () => {
      const { tmrServers } = await this.status();
      const active = tmrServers.find((one) => one.active);
      if (active === undefined) return 'no TMR server leads';
      leader = this.server(`tmr-server-${active.server}`);
      return leader.running ? undefined : `${leader.folder.name}, which does not run, is said to lead`;
    });
    return leader as ServerProcess;
  }

  /** All three vote, and have what the group had when they did. */
  async waitForRedundancy(): Promise<boolean> {
    let had: bigint | undefined;
    await this.#until(async () => {
      const { redundancy, licenseServers, index, role, server } = await this.status();
      if (redundancy === 1) had ??= index;
      const isThere = had !== undefined && licenseServers.every((one) => one.certifiedIndex >= (had as bigint));
      if (redundancy === 1 && isThere) return undefined;
      const standing = licenseServers.map(({ member, connected, voting, withholding, certifiedIndex }) =>
        connected && voting ? `${member} at ${certifiedIndex}` : `${member} ${connected ? withholding : 'away'}`,
      );
      return `of the license servers ${standing.join(', ')}; TMR server ${server}, ${role}, at ${index}`;
    });
    return true;
  }

  /** `lacks` says what is not yet as it has to be. */
  async #until(lacks: () => Promise<string | undefined>): Promise<void> {
    const until = performance.now() + WAIT_MS;
    let seen: string | undefined = '';
    while (performance.now() < until) {
      seen = await lacks().catch(String);
      if (seen === undefined) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`the group did not come to order within ${WAIT_MS / 1_000} s: ${seen}`);
  }

  /** True if nobody grants a seat now, though one is free. */
  async refusesAcquire(): Promise<boolean> {
    const client = await this.client();
    const session = await client.session();
    const command = encodeCommand({
      kind: 'acquire',
      session: session.id,
      requestId: 1_000,
      lowestUnanswered: 1_000,
      releaseHash: new Uint8Array(32).fill(1),
      waitMs: 0,
      items: [{ product: 'cad', feature: '', seats: 1 }],
    });
    return (await client.group.submit(command, 1_500)).kind !== 'certified';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.close().catch(() => undefined);
  }
}
