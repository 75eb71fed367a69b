import {
  type Certified,
  create,
  type DescribeReply,
  DescribeReplySchema,
  DescribeRequestSchema,
  fromBinary,
  GetLicenseReplySchema,
  GetLicenseRequestSchema,
  toBinary,
} from '@trefoil/api';
import {
  type Configuration,
  type Crypto,
  fromBase64url,
  type Grant,
  type GrantBundle,
  LicenseError,
  type Outcome,
} from '@trefoil/license';
import type { ClientFile } from './client-file.ts';
import { ClientError } from './errors.ts';
import type { ClientMachine } from './machine.ts';
import { Servers } from './servers.ts';
import type { Verifier } from './verifier.ts';

/** The virtual container as a client knows it: its servers, and the documents against which every answer is checked. */
export class Group {
  readonly file: ClientFile;
  readonly servers: Servers;
  readonly verifier: Verifier;
  readonly machine: ClientMachine;
  readonly #set: Uint8Array;
  #documents: ReturnType<Verifier['documents']>;
  description: DescribeReply;

  private constructor(parts: {
    file: ClientFile;
    servers: Servers;
    verifier: Verifier;
    machine: ClientMachine;
    set: Uint8Array;
    description: DescribeReply;
  }) {
    this.file = parts.file;
    this.servers = parts.servers;
    this.verifier = parts.verifier;
    this.machine = parts.machine;
    this.#set = parts.set;
    this.description = parts.description;
    this.#documents = parts.verifier.documents(parts.description.issuingKey, parts.description.configuration);
  }

  /** Finds the group and checks that the vendor vouches for it. @throws ClientError `not-reachable`, `not-trusted` */
  static async find(options: {
    file: ClientFile;
    verifier: Verifier;
    machine: ClientMachine;
    patienceMs: number;
  }): Promise<Group> {
    const { file, machine, patienceMs } = options;
    const set = file.set === undefined ? new Uint8Array(0) : fromBase64url(file.set);
    const servers = new Servers(file, set, machine);
    try {
      const description = await describe(servers, set, patienceMs);
      servers.learn(description.addresses, description.activeAddress, file);
      return new Group({ ...options, servers, set, description });
    } catch (error) {
      servers.close();
      throw error;
    }
  }

  get configuration(): Configuration {
    return this.#documents.configuration;
  }

  get crypto(): Crypto {
    return this.verifier.crypto;
  }

  /** For `open`: the newest log time for which there is a certificate. */
  async certifiedLogTime(): Promise<number> {
    await this.#refresh();
    const { certificate } = this.description;
    return certificate.length === 0 ? 0 : this.verifier.certificate(this.configuration, certificate).logTime;
  }

  async #refresh(): Promise<void> {
    this.description = await describe(this.servers, this.#set, 5_000);
    this.#documents = this.verifier.documents(this.description.issuingKey, this.description.configuration);
  }

  /** The certified outcome of the command with this hash; licenses that it names are fetched and verified. @throws LicenseError */
  async verified(certified: Certified, commandHash: Uint8Array): Promise<Outcome> {
    const outcome = await this.#answer(certified, commandHash);
    if (outcome.kind === 'granted' || outcome.kind === 'renewed')
      for (const grant of outcome.grants) if (!this.verifier.knows(grant.licenseDigest)) await this.#learn(grant);
    return outcome;
  }

  async #answer(certified: Certified, commandHash: Uint8Array): Promise<Outcome> {
    try {
      return this.verifier.answer(this.configuration, certified, commandHash);
    } catch (error) {
      if (!(error instanceof LicenseError) || error.code !== 'wrong-configuration') throw error;
      await this.#refresh(); // a container was replaced: the new configuration is vouched for like the old one
      return this.verifier.answer(this.configuration, certified, commandHash);
    }
  }

  async #learn(grant: Grant): Promise<void> {
    const request = create(GetLicenseRequestSchema, { set: this.#set, digest: grant.licenseDigest });
    const body = await this.servers.call('getLicense', toBinary(GetLicenseRequestSchema, request));
    this.verifier.learn(this.#documents, licenseIn(body));
    if (!this.verifier.knows(grant.licenseDigest))
      throw new LicenseError('wrong-license', 'the server shows another license than the one that the grant names');
  }

  bundle(certified: Certified): GrantBundle {
    return this.verifier.bundle(this.#documents, certified);
  }

  close(): void {
    this.servers.close();
  }
}

/** @throws LicenseError: bytes that are no answer are as good as a license that isn't the vendor's. */
function licenseIn(body: Uint8Array): string {
  try {
    return fromBinary(GetLicenseReplySchema, body).license;
  } catch {
    throw new LicenseError('malformed', 'a license was asked for, and the answer is no such message');
  }
}

async function describe(servers: Servers, set: Uint8Array, patienceMs: number): Promise<DescribeReply> {
  const request = toBinary(DescribeRequestSchema, create(DescribeRequestSchema, { set }));
  const body = await servers.call('describe', request, patienceMs);
  try {
    return fromBinary(DescribeReplySchema, body);
  } catch (error) {
    throw new ClientError('not-trusted', 'what the servers say of the group is no such message', { cause: error });
  }
}
