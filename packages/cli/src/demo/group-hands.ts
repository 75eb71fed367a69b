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
import { encodeCommand } from '@trefoil/license';
import { issueLicense, makeUpdate } from '@trefoil/vendor';
import { applyUpdate } from '../commands/apply-update.ts';
import type { LoopbackGroup } from '../group/loopback-group.ts';
import type { ServerProcess } from '../group/server-process.ts';

const POLL_MS = 50;
const WAIT_MS = 20_000;

/** The hands of admin and vendor on a running group. */
export class GroupHands implements AsyncDisposable {
  readonly group: LoopbackGroup;
  readonly servers = new Map<string, ServerProcess>();
  readonly #verifier: Verifier;
  #client: Client | undefined;

  constructor(group: LoopbackGroup) {
    this.group = group;
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
    const { clientFile } = this.group;
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
  async sell({ version, quantity }: { version: number; quantity: number }): Promise<void> {
    const { issuer, configuration, root } = this.group;
    const license = issueLicense(issuer, configuration, {
      license: 'cad-1',
      version,
      product: 'cad',
      name: 'CAD Professional',
      tmrId: 1,
      terms: { quantity },
      issuedAt: Date.now(),
    });
    const document = makeUpdate(issuer, root.publicKey, configuration, {
      licenses: [license],
      serial: version,
      issuedAt: Date.now(),
    });
    const result = await applyUpdate((await this.client()).group, document);
    if (result.kind !== 'updated') throw new Error(`the update was not installed: ${JSON.stringify(result)}`);
  }

  async quantity(): Promise<number> {
    const request = toBinary(ListLicensesRequestSchema, create(ListLicensesRequestSchema, {}));
    const reply = fromBinary(ListLicensesReplySchema, await (await this.client()).read('listLicenses', request));
    return Number(reply.licenses[0]?.quantity ?? 0);
  }

  async status(): Promise<StatusReply> {
    const request = toBinary(StatusRequestSchema, create(StatusRequestSchema, {}));
    return fromBinary(StatusReplySchema, await (await this.client()).read('status', request));
  }

  /** The running TMR server that leads. */
  async waitForLeader(): Promise<ServerProcess> {
    let leader: ServerProcess | undefined;
    await this.#until(async () => {
      const { tmrServers } = await this.status();
      const active = tmrServers.find((one) => one.active);
      leader = active === undefined ? undefined : this.server(`tmr-server-${active.server}`);
      return leader?.running === true;
    });
    return leader as ServerProcess;
  }

  /** All three vote and none lags. */
  waitForRedundancy(): Promise<boolean> {
    return this.#until(async () => {
      const { redundancy, licenseServers, index } = await this.status();
      return redundancy === 1 && licenseServers.every((one) => one.certifiedIndex + 2n >= index);
    });
  }

  async #until(holds: () => Promise<boolean>): Promise<boolean> {
    const until = performance.now() + WAIT_MS;
    while (performance.now() < until) {
      if (await holds().catch(() => false)) return true;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error('the group did not come to order in time; its logs are beside the configurations');
  }

  /** True if nobody grants a seat now, though one is free. */
  async refusesAcquire(): Promise<boolean> {
    const { servers } = (await this.client()).group;
    const session = await (await this.client()).session();
    const command = encodeCommand({
      kind: 'acquire',
      session: session.id,
      requestId: 1_000,
      lowestUnanswered: 1_000,
      releaseHash: new Uint8Array(32).fill(1),
      items: [{ product: 'cad', feature: '', seats: 1 }],
    });
    return (await servers.submit(command, 1_500)).kind !== 'certified';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.close().catch(() => undefined);
  }
}
