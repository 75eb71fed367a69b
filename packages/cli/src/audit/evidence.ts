import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AuditFault, type ContextTexts, type LedgerContext, readContext, readVendorsTexts } from '@trefoil/core';
import { readTextFile, reasonOf } from '@trefoil/host';
import type { LicenseError } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { readAuditTrail, readKeptDocuments, TrailError, type TrailItem } from '@trefoil/license-server';
import { CliError, EXIT } from '../terminal.ts';
import { BlockFault } from './blocks.ts';
import { type BundleDocuments, type BundleItem, readBundle } from './bundle.ts';

type Item = Exclude<BundleItem, { kind: 'documents' }> | TrailItem;

/** What an auditor was given: a license server's data directory, or a bundle. */
export interface Evidence extends AsyncDisposable {
  readonly path: string;
  readonly documents: BundleDocuments;
  /** Behind the documents. */
  readonly items: AsyncIterable<Item>;
}

/** `fromUtc`: of a data directory, begin at the last snapshot that is not younger. @throws CliError with one sentence */
export async function openEvidence(path: string, fromUtc = -Infinity): Promise<Evidence> {
  const found = await stat(path).catch((error: unknown) => {
    throw new CliError(EXIT.failure, `${path}: ${reasonOf(error)}`);
  });
  if (found.isDirectory()) return openDirectory(path, fromUtc);
  const items = readBundle(path);
  const first = await items.next();
  if (first.done === true || first.value.kind !== 'documents') {
    await items.return(undefined);
    throw new BlockFault('it does not begin with the documents of a group');
  }
  return evidenceOf(path, first.value.documents, items as AsyncGenerator<Item>);
}

async function openDirectory(path: string, fromUtc: number): Promise<Evidence> {
  const directory = await setDirectory(path);
  const documents = await readKeptDocuments(directory);
  if (documents === undefined)
    throw new CliError(
      EXIT.failure,
      `${directory}: the documents of the group are not in it; a license server writes them there when it starts`,
    );
  return evidenceOf(directory, documents, readAuditTrail(directory, fromUtc));
}

/** Closes its files, also where it is not read to its end. */
function evidenceOf(path: string, documents: BundleDocuments, items: AsyncGenerator<Item>): Evidence {
  return { path, documents, items, [Symbol.asyncDispose]: async () => void (await items.return(undefined)) };
}

/** That of a virtual container, or the data directory of a license server that has one only. */
async function setDirectory(path: string): Promise<string> {
  const names = await readdir(path);
  if (names.some((name) => name.endsWith('.seg') || name === 'archive')) return path;
  const sets = names.filter((name) => /^[A-Za-z0-9_-]{22}$/.test(name));
  const [only] = sets;
  if (sets.length === 1 && only !== undefined) return join(path, only);
  const what =
    sets.length === 0
      ? 'it is not the data directory of a license server'
      : `it has several virtual containers: give one of ${sets.map((name) => join(path, name)).join(', ')}`;
  throw new CliError(EXIT.failure, `${path}: ${what}`);
}

/** The vendor's key, and documents that hold under it. @throws CliError that names the one that doesn't */
export async function trusted(documents: BundleDocuments, vendorFile: string): Promise<LedgerContext> {
  const { issuingKey, configuration, group } = documents;
  if (typeof group !== 'string')
    throw new BlockFault('it was made without names: this takes a whole bundle, or a data directory');
  const vendorRoot = await readTextFile(vendorFile);
  return contextOf(readContext(nodeCrypto(), { vendorRoot, issuingKey, configuration, group }), vendorFile);
}

/** The same without the group document. */
export async function trustedVendor(
  { issuingKey, configuration }: BundleDocuments,
  vendorFile: string,
): Promise<Omit<LedgerContext, 'group'>> {
  const vendorRoot = await readTextFile(vendorFile);
  return contextOf(readVendorsTexts(nodeCrypto(), { vendorRoot, issuingKey, configuration }), vendorFile);
}

function contextOf<T>(
  read: { context: T } | { faulty: keyof ContextTexts; fault: LicenseError },
  vendorFile: string,
): T {
  if ('context' in read) return read.context;
  const words: Record<keyof ContextTexts, string> = {
    vendorRoot: vendorFile,
    issuingKey: 'the issuing key',
    configuration: 'the configuration',
    group: 'the group document',
  };
  throw new CliError(EXIT.failure, `${words[read.faulty]}: ${read.fault.message}`);
}

/** What can't be read is a fault of the evidence, not of the program. */
export async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BlockFault) throw new CliError(EXIT.failure, `${path}: ${error.message}`);
    if (error instanceof TrailError) throw new CliError(EXIT.failure, error.message);
    throw error;
  }
}

/** What is not right is a failure that names the entry. */
export async function sound<T>(path: string, check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof AuditFault)) throw error;
    const { message, index } = error;
    throw new CliError(EXIT.failure, `${path}: NOT SOUND: ${message}`, { kind: 'fault', index, reason: message });
  }
}
