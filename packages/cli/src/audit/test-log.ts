import { join } from 'node:path';
import {
  appendEntry,
  certify,
  emptyReplica,
  encodeEntry,
  encodeRecord,
  snapshotParts,
  encodeUsageProof,
  type LedgerContext,
  RULES_VERSION,
} from '@trefoil/core';
import {
  type AcquireCommand,
  bytesKey,
  CLIENT_VERSION,
  type Command,
  decodeAccept,
  encodeAccept,
  encodeCertificate,
  encodeCommand,
  encodeUtf8,
  type EvictCommand,
  keyIdBytes,
  type OpenCommand,
  Reader,
  sessionHandleOf,
  sessionIdOf,
  signCommand,
} from '@trefoil/license';
import { fixture, secretPair, seedKey } from '@trefoil/license/fixtures';
import { Archive, keepDocuments, type LogStore, NodeDisk, openLogStore } from '@trefoil/license-server';

const START_UTC = Date.UTC(2026, 10, 24, 23, 59);

/** The data directory of a license server, as it would be after such a life; without servers, so that it is there at once. */
export class TestDirectory {
  readonly fixture = fixture('acme');
  readonly context: LedgerContext;
  readonly path: string;
  readonly #replica;
  readonly #disk: NodeDisk;
  readonly #archive: Archive;
  #store: LogStore;
  #requests = 0;

  private constructor(path: string, disks: { log: NodeDisk; archive: NodeDisk }, store: LogStore) {
    const { crypto, root, configuration, group, issuingKey } = this.fixture;
    this.context = { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text };
    this.#replica = emptyReplica(this.context, { makesSnapshots: true });
    this.path = path;
    this.#disk = disks.log;
    this.#archive = new Archive(disks);
    this.#store = store;
  }

  static async create(path: string): Promise<TestDirectory> {
    const log = await NodeDisk.at(path);
    const archive = await NodeDisk.at(join(path, 'archive'));
    const opened = await openLogStore(log, {
      storeId: new Uint8Array(16).fill(1),
      ifMissing: 'create',
      chunkBytes: 64 * 1024,
      onRecord: () => undefined,
    });
    if (opened.kind !== 'open') throw new Error('an empty log is suspect');
    const directory = new TestDirectory(path, { log, archive }, opened.store);
    await keepDocuments(log, directory.context, [directory.context.configuration]);
    await directory.entry([]);
    return directory;
  }

  get ledger() {
    return this.#replica.ledger;
  }

  /** One certified entry. `isRoot`: with the root of the ledger before it; then a new log file begins, and the old one is archived. */
  async entry(commands: readonly Command[], { afterMs = 1_000, isRoot = false } = {}): Promise<void> {
    const replica = this.#replica;
    const { ledger } = replica;
    const head = replica.lastHead;
    const ledgerRoot = isRoot ? replica.root.current(ledger) : undefined;
    const records = isRoot ? replica.root.records() : [];
    const isFirst = ledger.index === 0;
    const bytes = encodeEntry({
      set: this.fixture.set,
      index: ledger.index + 1,
      logTime: isFirst ? 0 : ledger.logTime + afterMs,
      utc: isFirst ? START_UTC : ledger.utc + afterMs,
      rulesVersion: RULES_VERSION,
      ledgerRoot,
      commands: commands.map(encodeCommand),
    });
    appendEntry(replica, bytes);
    const { statement, certificate } = this.#signed();
    certify(replica, certificate, decodeAccept(statement));
    await this.#store.append(
      [{ kind: 'voted', statement, entry: bytes } as const, { kind: 'certified', certificate } as const].map(
        encodeRecord,
      ),
    );
    if (isRoot)
      await this.#rotate(
        ledger.index,
        snapshotParts({ ...{ head, entry: bytes, certificate }, configurations: new Uint8Array(0), records }),
      );
  }

  #signed(): { statement: Uint8Array; certificate: Uint8Array } {
    const { lastHead, tail, ledger } = this.#replica;
    if (tail === undefined) throw new Error('nothing to sign');
    const statement = encodeAccept({
      ...{ set: this.fixture.set, configVersion: 1, epoch: 2, index: ledger.index, head: lastHead },
      ...{ outcomesRoot: tail.tree.root, leafCount: tail.outcomes.length, logTime: ledger.logTime, utc: ledger.utc },
    });
    const votes = ([1, 3] as const).map((member) => ({
      member,
      signature: this.fixture.containers[member - 1]?.sign(statement) as Uint8Array,
    }));
    return { statement, certificate: encodeCertificate({ statement, votes }) };
  }

  async #rotate(index: number, snapshot: readonly Uint8Array[]): Promise<void> {
    await this.#disk.writeWhole(`snapshot-${index}`, snapshot);
    const segment = await this.#store.startSegment();
    await this.#store.append([encodeRecord({ kind: 'snapshot', index, logEpoch: 2, configVersion: 1 })]);
    await this.#archive.keep({ segmentsBefore: segment, snapshotsBefore: index });
    await this.#store.dropSegmentsBefore(segment);
    for (const name of await this.#disk.list())
      if (/^snapshot-\d+$/.test(name) && name !== `snapshot-${index}`) await this.#disk.remove(name);
  }

  async sell(quantity: number, version = 1): Promise<void> {
    const terms = { quantity, sessionTimeoutSeconds: 3_600 };
    await this.entry([
      { kind: 'update', document: this.fixture.update([this.fixture.license({ version, terms })], version) },
    ]);
  }

  /** In an entry of its own. */
  async open(user: string): Promise<Uint8Array> {
    const { crypto, set } = this.fixture;
    const key = seedKey(user);
    const unsigned = {
      kind: 'open',
      sessionKey: key.publicKey.bytes,
      nonce: crypto.sha256(encodeUtf8(user)).subarray(0, 16),
      closeHash: secretPair(crypto, `${user} closes`).hash,
      atLogTime: this.ledger.logTime,
      ...{ user, host: `${user}-desk`, program: 'app', address: '10.1.2.3', client: CLIENT_VERSION },
    } as const;
    await this.entry([signCommand<OpenCommand>(set, unsigned, key)]);
    return sessionIdOf(crypto, set, unsigned);
  }

  acquire(session: Uint8Array, seats = 1): AcquireCommand {
    const requestId = ++this.#requests;
    const { hash } = secretPair(this.fixture.crypto, `hold ${requestId}`);
    return {
      ...{ kind: 'acquire', session, requestId, lowestUnanswered: requestId, releaseHash: hash, waitMs: 0 },
      items: [{ product: 'cad', feature: '', seats }],
    };
  }

  release(session: Uint8Array, hold: number): Command {
    const { secret } = secretPair(this.fixture.crypto, `hold ${hold}`);
    const requestId = ++this.#requests;
    return { kind: 'release', session, requestId, lowestUnanswered: requestId, hold, secret };
  }

  evict(session: Uint8Array): Command {
    const { crypto, set, admin } = this.fixture;
    const unsigned = {
      kind: 'evict',
      admin: keyIdBytes(crypto, admin.publicKey),
      nonce: new Uint8Array(16),
      ...{ atLogTime: this.ledger.logTime, session: sessionHandleOf(crypto, session), reason: 'needed' },
    } as const;
    return signCommand<EvictCommand>(set, unsigned, admin);
  }

  /** Of the ledger as it stands. */
  usageProof(): { proof: Uint8Array; root: Uint8Array } {
    const { root, ledger } = this.#replica;
    const current = root.current(ledger);
    const records = new Map<string, Uint8Array>();
    for (const bytes of root.records()) {
      const reader = new Reader(bytes);
      records.set(bytesKey(reader.bytes(256)), reader.bytes(bytes.length));
    }
    return { proof: encodeUsageProof(this.fixture.crypto, records), root: current };
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
