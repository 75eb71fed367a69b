import type { LedgerContext, Voter } from '@trefoil/core';
import { type Configuration, encodeUtf8, equalBytes } from '@trefoil/license';
import type { Disk } from './log-store/index.ts';

/** What lies in the folder of one virtual container beside the segments of its log. */
export function snapshotName(index: number): string {
  return `snapshot-${index}`;
}

/** undefined = it is no snapshot. */
export function snapshotIndex(name: string): number | undefined {
  const digits = /^snapshot-(\d{1,15})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** What is no longer needed to go on, but by an auditor. */
export const ARCHIVE_FOLDER = 'archive';

export function archivedName(name: string): string {
  return `${name}.zst`;
}

/** Copies of the documents that the log stands on: so that whoever has the folder can check it. */
export const KEPT_DOCUMENTS = {
  issuingKey: 'issuing-key.jws',
  configuration: 'configuration.jws',
  group: 'group.jws',
} as const;

const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** `configurations`: the versions that the log has seen, oldest first. */
export async function keepDocuments(
  disk: Disk,
  { issuingKey, group }: LedgerContext,
  configurations: readonly Configuration[],
): Promise<void> {
  const configuration = configurations.map(({ text }) => text).join('\n');
  const texts = { issuingKey, configuration, group: group.text };
  for (const [document, name] of Object.entries(KEPT_DOCUMENTS) as [keyof typeof texts, string][]) {
    const bytes = encodeUtf8(texts[document]);
    const there = await disk.readWhole(name, MAX_DOCUMENT_BYTES);
    if (there === undefined || !equalBytes(there, bytes)) await disk.writeWhole(name, bytes);
  }
}

/** As far as its log goes. */
export function keepConfigurations(disk: Disk, { context, replica }: Voter): Promise<void> {
  const versions = replica.ledger.configurations.map(({ configuration }) => configuration);
  return keepDocuments(disk, context, versions);
}
