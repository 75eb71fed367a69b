import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Container, openSoftwareContainer, readPassphraseFile } from '@trefoil/container';
import {
  CLEAN_RESTART,
  decodeRecord,
  encodeRecord,
  isSuspect,
  type LedgerContext,
  type LogRecord,
  OtherRules,
  type Recovered,
  recoverVoter,
  type Voter,
} from '@trefoil/core';
import { type Clock, fileInvalid, type Log, PROGRAM_VERSION } from '@trefoil/host';
import { equalBytes, type Member, toBase64url } from '@trefoil/license';
import { Archive } from './archive.ts';
import { ARCHIVE_FOLDER, keepConfigurations, snapshotName } from './data-directory.ts';
import { type Disk, type LogStore, NodeDisk, openLogStore } from './log-store/index.ts';

export interface OpenedVoter {
  readonly voter: Voter;
  readonly container: Container;
  readonly store: LogStore;
  readonly disk: Disk;
  readonly archive: Archive;
  /** Why it has to re-join before it votes. */
  readonly rejoin: string;
}

/** Of a suspicion, UTF-16 units; what a record takes at three bytes each. */
const MAX_REASON = 300;
const MAX_SNAPSHOT_BYTES = 1024 * 1024 * 1024;

export interface OpenVoterOptions {
  readonly context: LedgerContext;
  readonly member: Member;
  readonly containerFile: string;
  readonly passphraseFile: string | undefined;
  /** Folder of all virtual containers of this server. */
  readonly dataDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What is kept in memory to feed those who lag. Default: LIMITS.logBytesInMemory. */
  readonly recentBytes?: number;
}

/**
 * Opens the container and the log of one virtual container and decides whether they may be believed (PROTOCOL §7.1). What is
 * damaged is set aside, never cut or overwritten.
 */
export async function openVoter(options: OpenVoterOptions): Promise<OpenedVoter> {
  const { context, member, dataDirectory, log } = options;
  const passphrase =
    options.passphraseFile === undefined ? undefined : await readPassphraseFile(options.passphraseFile);
  const container = await openSoftwareContainer({
    file: options.containerFile,
    ...(passphrase !== undefined && { passphrase }),
  });
  try {
    checkContainer(container, context, member, options.containerFile);
    const directory = join(dataDirectory, toBase64url(context.configuration.set));
    const instead = `${directory}.new`;
    // Died between the two renames below.
    if (!existsSync(directory) && existsSync(instead)) await rename(instead, directory);
    const open = async () => {
      const disk = await NodeDisk.at(directory);
      const opened = await openLog(options, container, disk).catch((error: unknown) => {
        throw error instanceof OtherRules ? fileInvalid(directory, error.message) : error;
      });
      if (opened.suspect === undefined) await keepConfigurations(disk, opened.opened.voter);
      return opened;
    };
    const first = await open();
    const archive = async () =>
      new Archive({ log: await NodeDisk.at(directory), archive: await NodeDisk.at(join(directory, ARCHIVE_FOLDER)) });
    if (first.suspect === undefined)
      return { ...first.opened, archive: await archive(), container, rejoin: first.rejoin };
    const aside = `${directory}.suspect-${options.clock.wallMs()}`;
    await rm(instead, { recursive: true, force: true });
    await beginSuspectLog(container, await NodeDisk.at(instead), first.suspect);
    await rename(directory, aside);
    await rename(instead, directory);
    log.error({ reason: first.suspect, kept: aside }, 'the log is suspect: set aside, re-joining from both peers');
    const second = await open();
    if (second.suspect !== undefined) throw fileInvalid(directory, second.suspect);
    return { ...second.opened, archive: await archive(), container, rejoin: first.suspect };
  } catch (error) {
    await container[Symbol.asyncDispose]();
    throw error;
  }
}

function checkContainer(container: Container, context: LedgerContext, member: Member, file: string): void {
  const { configuration, laterConfigurations = [] } = context;
  const isIts = [configuration, ...laterConfigurations].some(({ containers }) =>
    containers.some(
      (record) =>
        record.member === member &&
        equalBytes(record.serial, container.serial) &&
        equalBytes(record.signingKey.bytes, container.signingKey.bytes),
    ),
  );
  if (isIts) return;
  const reason = `it is not container ${member} of "${configuration.name}" (configuration version ${versionsOf(context)})`;
  throw fileInvalid(file, reason);
}

function versionsOf({ configuration, laterConfigurations = [] }: LedgerContext): string {
  const last = laterConfigurations.at(-1);
  return last === undefined ? `${configuration.version}` : `${configuration.version} to ${last.version}`;
}

/** Either a log that may be believed, or why it may not. */
export type OpenedLog =
  | { readonly suspect: string }
  | {
      readonly suspect: undefined;
      readonly opened: Pick<OpenedVoter, 'voter' | 'store' | 'disk'>;
      readonly rejoin: string;
    };

export async function openLog(
  options: Pick<OpenVoterOptions, 'context' | 'member' | 'clock' | 'log' | 'recentBytes'>,
  container: Container,
  disk: Disk,
): Promise<OpenedLog> {
  const records: LogRecord[] = [];
  const faults: string[] = [];
  const opened = await openLogStore(disk, {
    storeId: container.serial,
    ifMissing: 'create',
    onRecord: ({ payload }) => {
      try {
        records.push(decodeRecord(new Uint8Array(payload)));
      } catch (error) {
        faults.push(error instanceof Error ? error.message : String(error));
      }
    },
  });
  if (opened.kind === 'suspect') return { suspect: `${opened.reason} (${opened.file}, byte ${opened.offset})` };
  if (opened.torn) options.log.warn({}, 'an unconfirmed write at the end of the log was cut');
  const snapshots = await readSnapshots(disk, records, (fault) => faults.push(fault));
  const snapshot = (index: number): Uint8Array | undefined => snapshots.get(index);
  let recovered: Recovered;
  try {
    const stored = { records, snapshot };
    recovered = recoverVoter(options.context, options.member, stored, now(options.clock), {
      recentBytes: options.recentBytes,
      serial: container.serial,
      program: PROGRAM_VERSION,
    });
  } catch (error) {
    await opened.store.close();
    throw error;
  }
  const why =
    faults[0] ??
    (recovered.kind === 'suspect' ? recovered.why : undefined) ??
    behindContainer(recovered.voter, container);
  // One that is known to be suspect needn't be set aside once more: it withholds until its peers have taken it in.
  const isKnown = faults.length === 0 && recovered.kind === 'recovered' && isSuspect(recovered.voter);
  if (why !== undefined && records.length > 0 && !isKnown) {
    await opened.store.close();
    return { suspect: why };
  }
  // Also with an empty log: it may have been emptied, and the container's files put back to what they were before.
  const opening = { voter: recovered.voter, store: opened.store, disk };
  return { suspect: undefined, opened: opening, rejoin: why ?? CLEAN_RESTART };
}

/**
 * A log that begins with the suspicion, durable before the one that it replaces is set aside: else who dies in between starts
 * with an empty one, and an empty one is a first start.
 */
export async function beginSuspectLog(container: Container, disk: Disk, why: string): Promise<void> {
  const opened = await openLogStore(disk, {
    storeId: container.serial,
    ifMissing: 'create',
    onRecord: () => undefined,
  });
  if (opened.kind === 'suspect') throw new Error(`a new log is suspect: ${opened.reason}`);
  await opened.store.append([encodeRecord({ kind: 'suspect', why: why.slice(0, MAX_REASON) })]);
  await opened.store.close();
}

/** By index; two where a crash left the old log file before the new one (PROTOCOL §8.4). */
async function readSnapshots(
  disk: Disk,
  records: readonly LogRecord[],
  unreadable: (fault: string) => void,
): Promise<Map<number, Uint8Array>> {
  const snapshots = new Map<number, Uint8Array>();
  for (const record of records) {
    if (record.kind !== 'snapshot' || snapshots.has(record.index)) continue;
    const bytes = await disk.readWhole(snapshotName(record.index), MAX_SNAPSHOT_BYTES).catch((error: unknown) => {
      // A sector that can't be read, under a snapshot as under the log: suspect, and not the end of this server.
      unreadable(error instanceof Error ? error.message : String(error));
      return undefined;
    });
    if (bytes !== undefined) snapshots.set(record.index, bytes);
  }
  return snapshots;
}

/** A log older than its own container was copied back, or lost what it had signed. */
function behindContainer(voter: Voter, container: Container): string | undefined {
  const { watermark, watermarkFault } = container;
  if (watermark === undefined) return `the container's watermark is ${watermarkFault}`;
  const signed = voter.signedHigh?.accept ?? { epoch: 0, index: 0 };
  const behind = signed.epoch < watermark.epoch || (signed.epoch === watermark.epoch && signed.index < watermark.index);
  if (!behind) return undefined;
  const at = (mark: { epoch: number; index: number }): string => `epoch ${mark.epoch}, entry ${mark.index}`;
  return `the log ends at ${at(signed)}, but the container has signed ${at(watermark)}`;
}

function now(clock: Clock): { monotonicMs: number; wallMs: number } {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
}
