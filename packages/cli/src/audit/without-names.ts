import {
  type CertifiedEntries,
  decodeEntry,
  encodeUsageProof,
  genesisHead,
  headAfterHash,
  type Ledger,
  type LedgerContext,
  openSnapshot,
  openUsageProof,
  peekSnapshot,
  recordsOfSnapshot,
} from '@trefoil/core';
import {
  type Accept,
  decodeAccept,
  decodeCertificate,
  decodeCommand,
  equalBytes,
  LicenseError,
  verifyCertificate,
} from '@trefoil/license';
import { readSnapshots } from '@trefoil/license-server';
import type { BundleItem, HashedEntries, HashedEntry } from './bundle.ts';
import { CliError, EXIT } from '../terminal.ts';

/** A root entry that may be seen, and what the ledger before it says of usage. */
export interface ShownRoot {
  readonly index: number;
  readonly proof: Uint8Array;
}

/** Of the newest snapshot whose entry names nobody; undefined = there is none yet. */
export async function newestShownRoot(context: LedgerContext, directory: string): Promise<ShownRoot | undefined> {
  for await (const bytes of readSnapshots(directory)) {
    const { entry } = openSnapshot(context, bytes, bytes.length);
    if (entry.commands.some(namesSomebody)) continue;
    return { index: entry.index, proof: encodeUsageProof(context.crypto, recordsOfSnapshot(bytes)) };
  }
  return undefined;
}

/** Root entries of this program have no commands at all. */
function namesSomebody(command: Uint8Array): boolean {
  return !['renew', 'acquire', 'release', 'consume', 'close', 'update', 'reconfigure'].includes(
    decodeCommand(command).kind,
  );
}

/** Hashes in the place of entries: they make the chain of heads as well. */
export function* withoutNames(
  { crypto }: LedgerContext,
  item: Extract<BundleItem, { kind: 'snapshot' | 'entries' }>,
  root: ShownRoot | undefined,
): Generator<BundleItem> {
  const hashed = ({ from, entries, certificate }: CertifiedEntries): BundleItem => ({
    kind: 'hashes',
    entries: {
      ...{ from, certificate },
      entries: entries.map((bytes, i) => (from + i === root?.index ? { bytes } : { hash: crypto.sha256(bytes) })),
    },
  });
  if (item.kind === 'entries') return yield hashed(item.entries);
  const { head, entry, certificate } = peekSnapshot(item.bytes);
  yield { kind: 'head', index: item.index - 1, head };
  yield hashed({ from: item.index, entries: [entry], certificate });
}

/** What can be said without names. */
export interface CheckedHashes {
  readonly entries: number;
  readonly first: number;
  readonly last: Accept;
  /** With the usage records only; undefined = no root was there to prove them. */
  readonly usage: { readonly index: number; readonly ledger: Ledger } | undefined;
  readonly firstUtc: number;
  /** It begins with the first entry of the log. */
  readonly isFromGenesis: boolean;
}

/** @throws CliError with the first thing that is not right */
export class HashChain {
  readonly #context: Omit<LedgerContext, 'group'>;
  #head: Uint8Array;
  #index = 0;
  #entries = 0;
  #first: Accept | undefined;
  #last: Accept | undefined;
  #isFromGenesis = true;
  /** Entries that are there in full, by index. */
  readonly #roots = new Map<number, Uint8Array>();
  #usage: CheckedHashes['usage'];

  constructor(context: Omit<LedgerContext, 'group'>, group: Uint8Array) {
    this.#context = context;
    const { crypto, configuration } = context;
    this.#head = genesisHead(crypto, { set: configuration.set, configuration: configuration.text, group });
  }

  take(item: BundleItem): void {
    try {
      this.#take(item);
    } catch (error) {
      if (error instanceof LicenseError) throw fault(this.#index + 1, error.message);
      throw error;
    }
  }

  get result(): CheckedHashes {
    const [first, last] = [this.#first, this.#last];
    if (first === undefined || last === undefined) throw fault(1, 'it is missing: there is nothing to check');
    const entries = this.#entries;
    return {
      ...{ entries, first: last.index - entries + 1, firstUtc: first.utc, last },
      ...{ usage: this.#usage, isFromGenesis: this.#isFromGenesis },
    };
  }

  #take(item: BundleItem): void {
    switch (item.kind) {
      case 'head':
        if (this.#entries > 0) throw fault(this.#index + 1, 'the chain is broken off here and begins anew');
        this.#head = item.head;
        this.#index = item.index;
        this.#isFromGenesis = false;
        return;
      case 'hashes':
        this.#takeHashes(item.entries);
        return;
      case 'records': {
        const root = this.#roots.get(item.index);
        if (root === undefined) throw fault(item.index, 'its records are shown, and it names no root');
        this.#usage = { index: item.index, ledger: openUsageProof(this.#context, item.proof, root) };
        return;
      }
      default:
        throw fault(this.#index + 1, `a part of another kind of bundle (${item.kind})`);
    }
  }

  #takeHashes({ from, certificate, entries }: HashedEntries): void {
    const { crypto } = this.#context;
    if (from !== this.#index + 1) throw fault(this.#index + 1, `it is missing; the next one that is there is ${from}`);
    const accept = this.#verify(certificate);
    for (const one of entries) this.#head = headAfterHash(crypto, this.#head, this.#hashOf(++this.#index, one));
    if (accept.index !== this.#index || !equalBytes(accept.head, this.#head))
      throw fault(this.#index, 'it is not what was certified, or does not follow on the one before');
    this.#entries += entries.length;
    this.#first ??= accept;
    this.#last = accept;
  }

  /** Under the version that it names; and none comes back that another one has replaced (PROTOCOL §4.9). */
  #verify(bytes: Uint8Array): Accept {
    const { crypto, configuration, laterConfigurations = [] } = this.#context;
    const certificate = decodeCertificate(bytes);
    const { configVersion } = decodeAccept(certificate.statement);
    const before = this.#last?.configVersion ?? 0;
    const named = [configuration, ...laterConfigurations].find(({ version }) => version === configVersion);
    if (configVersion < before)
      throw fault(
        this.#index + 1,
        `certified under version ${configVersion} of the configuration, after version ${before}`,
      );
    return verifyCertificate(crypto, named ?? configuration, certificate);
  }

  #hashOf(index: number, one: HashedEntry): Uint8Array {
    if ('hash' in one) return one.hash;
    const entry = decodeEntry(one.bytes);
    if (entry.ledgerRoot !== undefined && entry.index === index) this.#roots.set(index, entry.ledgerRoot);
    return this.#context.crypto.sha256(one.bytes);
  }
}

function fault(index: number, reason: string): CliError {
  const sentence = `entry ${index}: ${reason}`;
  return new CliError(EXIT.failure, sentence, { kind: 'fault', index, reason });
}
