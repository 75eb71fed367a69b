import {
  AwaitTurnReplySchema,
  AwaitTurnRequestSchema,
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
  type Accept,
  type Configuration,
  type Crypto,
  decodeAccept,
  decodeCertificate,
  fromBase64url,
  type Grant,
  type GrantBundle,
  LicenseError,
  type Outcome,
} from '@trefoil/license';
import type { ClientFile } from './client-file.ts';
import { ClientError, UnshownLicense } from './errors.ts';
import type { ClientMachine } from './machine.ts';
import { Servers } from './servers.ts';
import type { SubmitResult } from './submission.ts';
import { Stopwatch } from './time.ts';
import type { Documents, Verifier } from './verifier.ts';

/** How long a server keeps the question whose turn it is, ms. */
const TURN_MS = 30_000;

/** The virtual container as a client knows it: its servers, and the documents against which every answer is checked. */
export class Group {
  readonly file: ClientFile;
  readonly servers: Servers;
  readonly verifier: Verifier;
  readonly machine: ClientMachine;
  /** What passes on this machine, for all that is counted from when it was sent. */
  readonly stopwatch: Stopwatch;
  readonly #set: Uint8Array;
  #described: Described;
  /** By version of the configuration: what was certified under an earlier one is proved with that one. */
  readonly #versions = new Map<number, Documents>();
  #newestLogTime = 0;

  private constructor(parts: {
    file: ClientFile;
    servers: Servers;
    verifier: Verifier;
    machine: ClientMachine;
    described: Described;
  }) {
    this.file = parts.file;
    this.servers = parts.servers;
    this.verifier = parts.verifier;
    this.machine = parts.machine;
    this.stopwatch = new Stopwatch(parts.machine);
    this.#described = parts.described;
    // From here on this very one, whatever else the group will have.
    this.#set = parts.described.documents.configuration.set;
    this.#keepDocuments();
  }

  /** Finds the group and checks that the vendor vouches for it. @throws ClientError `not-reachable`, `not-trusted` */
  static async find(options: {
    file: ClientFile;
    verifier: Verifier;
    machine: ClientMachine;
    patienceMs: number;
  }): Promise<Group> {
    const { file, machine, verifier, patienceMs } = options;
    const set = file.set === undefined ? new Uint8Array(0) : fromBase64url(file.set);
    const servers = new Servers(file, set, machine);
    try {
      const described = await describe(servers, verifier, set, patienceMs);
      const { addresses, activeAddress } = described.description;
      servers.learn(addresses, activeAddress, file);
      return new Group({ ...options, servers, described });
    } catch (error) {
      servers.close();
      throw error;
    }
  }

  get description(): DescribeReply {
    return this.#described.description;
  }

  get configuration(): Configuration {
    return this.#described.documents.configuration;
  }

  get crypto(): Crypto {
    return this.verifier.crypto;
  }

  /** The newest log time for which this client has seen a certificate. */
  get newestLogTime(): number {
    return Math.max(this.#newestLogTime, this.#described.logTime);
  }

  /** For `open`: the same, after asking. */
  async certifiedLogTime(): Promise<number> {
    await this.#refresh();
    return this.newestLogTime;
  }

  async #refresh(): Promise<void> {
    this.#described = await describe(this.servers, this.verifier, this.#set, 5_000);
    this.#keepDocuments();
  }

  #keepDocuments(): void {
    const { documents } = this.#described;
    this.#versions.set(documents.configuration.version, documents);
  }

  /** Of an answer that was verified before. */
  #documentsOf({ certificate }: Pick<Certified, 'certificate'>): Documents {
    const { configVersion } = decodeAccept(decodeCertificate(certificate).statement);
    return this.#versions.get(configVersion) ?? this.#described.documents;
  }

  /** What was certified with an answer that was verified before. */
  acceptOf(certified: Pick<Certified, 'certificate'>): Accept {
    return this.verifier.certificate(this.#documentsOf(certified).configuration, certified.certificate);
  }

  /** Until the group's certified answer to this very command is here and verified. */
  submit(command: Uint8Array, patienceMs: number): Promise<SubmitResult<Outcome>> {
    const commandHash = this.crypto.sha256(command);
    return this.servers.submit(command, patienceMs, (certified) => this.#verified(certified, commandHash));
  }

  /** Licenses that it names are fetched and verified, too. @throws LicenseError, ClientError, UnshownLicense */
  async #verified(certified: Certified, commandHash: Uint8Array): Promise<Outcome> {
    const outcome = await this.#answer(certified, commandHash);
    if (outcome.kind === 'granted' || outcome.kind === 'renewed')
      for (const grant of outcome.grants)
        if (!this.verifier.knows(this.configuration, grant.licenseDigest)) await this.#learn(grant);
    return outcome;
  }

  async #answer(certified: Certified, commandHash: Uint8Array): Promise<Outcome> {
    const answer = (): Outcome => {
      const outcome = this.verifier.answer(this.configuration, certified, commandHash);
      const { logTime } = this.verifier.certificate(this.configuration, certified.certificate);
      this.#newestLogTime = Math.max(this.#newestLogTime, logTime);
      return outcome;
    };
    try {
      return answer();
    } catch (error) {
      if (!(error instanceof LicenseError) || error.code !== 'wrong-configuration') throw error;
      await this.#refresh(); // a container was replaced: the new configuration is vouched for like the old one
      return answer();
    }
  }

  async #learn({ licenseDigest }: Grant): Promise<void> {
    const request = create(GetLicenseRequestSchema, { set: this.#set, digest: licenseDigest });
    const take = (reply: Uint8Array): void => {
      this.verifier.learn(this.#described.documents, licenseIn(reply));
      if (!this.verifier.knows(this.configuration, licenseDigest))
        throw new LicenseError('wrong-license', 'the server shows another license than the one that the grant names');
    };
    try {
      await this.servers.call('getLicense', toBinary(GetLicenseRequestSchema, request), take);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new UnshownLicense(`the license of the grant is shown by nobody: ${why}`, { cause: error });
    }
  }

  /** Whether it is still waiting, as the server that was asked knows; undefined = it has not answered. */
  async awaitTurn(session: Uint8Array, hold: number): Promise<boolean | undefined> {
    const request = create(AwaitTurnRequestSchema, {
      set: this.#set,
      session,
      hold: BigInt(hold),
      patienceMs: TURN_MS,
    });
    const result = await this.servers.askOnce('awaitTurn', toBinary(AwaitTurnRequestSchema, request), 2 * TURN_MS);
    try {
      return result.kind === 'reply' ? fromBinary(AwaitTurnReplySchema, result.body).waiting : undefined;
    } catch {
      return undefined;
    }
  }

  bundle(certified: Certified): GrantBundle {
    return this.verifier.bundle(this.#documentsOf(certified), certified);
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

interface Described {
  readonly description: DescribeReply;
  readonly documents: Documents;
  /** Of the certificate in it; 0 = none yet. */
  readonly logTime: number;
}

/** By whoever shows what the vendor vouches for. @throws ClientError */
function describe(servers: Servers, verifier: Verifier, set: Uint8Array, patienceMs: number): Promise<Described> {
  const request = toBinary(DescribeRequestSchema, create(DescribeRequestSchema, { set }));
  return servers.call('describe', request, (reply) => described(verifier, reply), patienceMs);
}

/** @throws ClientError `not-trusted` */
function described(verifier: Verifier, reply: Uint8Array): Described {
  let description: DescribeReply;
  try {
    description = fromBinary(DescribeReplySchema, reply);
  } catch (error) {
    throw new ClientError('not-trusted', 'what the servers say of the group is no such message', { cause: error });
  }
  const { issuingKey, configuration, certificate } = description;
  const documents = verifier.documents(issuingKey, configuration);
  if (certificate.length === 0) return { description, documents, logTime: 0 };
  try {
    return { description, documents, logTime: verifier.certificate(documents.configuration, certificate).logTime };
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
    const why = `the servers show a certificate that proves nothing: ${error.message}`;
    throw new ClientError('not-trusted', why, { cause: error });
  }
}
