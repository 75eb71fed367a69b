import type { StatusReply } from '@trefoil/api';
import type { Group } from '@trefoil/client';
import { NOT_YET } from '@trefoil/core';
import {
  encodeCommand,
  LicenseError,
  LIMITS,
  type Member,
  newContainers,
  readEnvelope,
  type Reconfiguration,
  verifyReconfiguration,
} from '@trefoil/license';
import { Command } from 'commander';
import { type ClientOptions, findGroup, statusOf, withClientOptions } from '../connection.ts';
import { readTrimmed } from '../files.ts';
import { CliError, EXIT, note, print, printable, printJson, time, wholeNumber } from '../terminal.ts';
import { submitOutside } from './apply-update.ts';

const PATIENCE_MS = 10_000;
const LOOK_MS = 500;

export function replaceCommand(): Command {
  return withClientOptions(new Command('replace'))
    .description(
      'Put a new license server in the place of another one, by the document that the vendor has made for its container. No request fails.',
    )
    .argument('<file>', 'NAME.reconfiguration of "trefoil vendor reconfigure"')
    .option('--wait <seconds>', 'for the new one to vote', '120')
    .addHelpText(
      'after',
      [
        '\nExample:\n  trefoil replace plant7-v2.reconfiguration',
        '\nThe new machine stands at the address of the old one, with NAME.configuration.jws as its configuration file. If the old',
        'one is alive, leave it on until this command asks for the new one. See docs/guides/replace-a-license-server.md.',
      ].join('\n'),
    )
    .action(async (file: string, options: ClientOptions & { wait: string }) => {
      const waitMs = 1_000 * wholeNumber(options.wait, '--wait', 0, 86_400);
      const document = await readTrimmed(file, LIMITS.updateBytes);
      const group = await findGroup(options);
      try {
        const change = readChange(group, document);
        const { version } = change.configuration;
        const member = placedIn(group, change);
        const isDone = group.configuration.version >= version;
        if (!isDone && member === undefined)
          throw new CliError(EXIT.usage, `nobody is replaced by it: run "trefoil update ${file}"`);
        if (!isDone) {
          mayBegin(await statusOf(group), member as Member);
          await submit(group, document);
          note(`version ${version} of the configuration is in force: container ${member} is new`);
        } else note(`version ${group.configuration.version} of the configuration is in force already`);
        const status = await waitForVotes(group, version, waitMs);
        if (options.json) return printJson({ version, ...(member !== undefined && { member }), done: true });
        print(`done: all three license servers vote under version ${status.configurationVersion} of the configuration`);
      } finally {
        group.close();
      }
    });
}

export function isReconfiguration(document: string): boolean {
  try {
    readEnvelope(document, 'trefoil-reconfiguration');
    return true;
  } catch {
    return false;
  }
}

/** For `trefoil update`: the same containers for longer. */
export async function renewConfiguration(group: Group, document: string, { json }: ClientOptions): Promise<void> {
  const change = readChange(group, document);
  const { version, expires } = change.configuration;
  const member = placedIn(group, change);
  if (member !== undefined && group.configuration.version < version)
    throw new CliError(
      EXIT.usage,
      `it puts a new container in the place of license server ${member}: run "trefoil replace"`,
    );
  await submit(group, document);
  if (json) return printJson({ version, expires });
  print(`version ${version} of the configuration is in force, until ${time(expires)}`);
}

function readChange(group: Group, document: string): Reconfiguration {
  if (!isReconfiguration(document))
    throw new CliError(
      EXIT.failure,
      'this is no reconfiguration: what the vendor sells is put into service with "trefoil update"',
    );
  try {
    return verifyReconfiguration(group.crypto, group.verifier.vendorRoot, document);
  } catch (error) {
    if (error instanceof LicenseError) throw new CliError(EXIT.failure, `it is not the vendor's: ${error.message}`);
    throw error;
  }
}

/** Whose place is taken, compared with what is in force. */
function placedIn({ configuration }: Group, change: Reconfiguration): Member | undefined {
  return newContainers(configuration, change.configuration)[0]?.member;
}

/** Two have to be left that vote: else the group would stand still until the new one is there, or for good. */
function mayBegin({ redundancy, licenseServers }: StatusReply, placed: Member): void {
  if (redundancy < 0)
    throw new CliError(
      EXIT.failure,
      'too few license servers vote to decide anything: bring one back first. Two that are lost for good are another case: ' +
        'see docs/guides/two-license-servers-lost.md',
    );
  const staying = licenseServers.filter(({ member }) => member !== placed);
  const out = staying.find(({ voting }) => !voting);
  if (out !== undefined)
    throw new CliError(
      EXIT.failure,
      `license server ${out.member} does not vote now, and is one of the two that stay: bring it back first, then run this again`,
    );
  const replaced = licenseServers.find(({ member }) => member === placed);
  if (replaced?.voting === true) note(`license server ${placed} votes: it is replaced while it lives`);
  else if (replaced?.withholding !== NOT_YET)
    note(`license server ${placed} is not there: its new machine may come later`);
}

/** @throws CliError */
async function submit(group: Group, document: string): Promise<void> {
  const outcome = await submitOutside(group, encodeCommand({ kind: 'reconfigure', document }), PATIENCE_MS);
  if (outcome.kind === 'unknown')
    throw new CliError(
      EXIT.notReachable,
      `not known whether it is in force: ${outcome.reason}; run it again, it is done once`,
      outcome,
    );
  if (outcome.kind === 'refused')
    throw new CliError(EXIT.denied, `refused (${outcome.code}): ${printable(outcome.detail)}`, outcome);
}

/** Says what it waits for, each time that changes. */
async function waitForVotes(group: Group, version: number, waitMs: number): Promise<StatusReply> {
  const until = performance.now() + waitMs;
  let said = '';
  for (;;) {
    const status = await statusOf(group).catch(() => undefined);
    const missing = status === undefined ? 'no TMR server answers' : missingIn(status, version);
    if (status !== undefined && missing === '') return status;
    if (missing !== said) note(`waiting: ${missing}`);
    said = missing;
    if (performance.now() > until)
      throw new CliError(
        EXIT.failure,
        `the new configuration is in force, but ${missing}; nothing is lost, and this command may be run again to wait for it`,
      );
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function missingIn({ configurationVersion, licenseServers }: StatusReply, version: number): string {
  if (configurationVersion < version) return 'the TMR server that was asked has yet to take the new configuration over';
  const out = licenseServers.find(({ voting }) => !voting);
  if (out === undefined) return '';
  const { member, connected, address, withholding, lag } = out;
  if (!connected) return `license server ${member} is not connected: start the new machine at ${address}`;
  return `license server ${member} does not vote yet (${printable(withholding)}${lag > 0n ? `, ${lag} entries behind` : ''})`;
}
