import { create, ListSessionsReplySchema, ListSessionsRequestSchema } from '@trefoil/api';
import type { Group } from '@trefoil/client';
import {
  encodeCommand,
  encodeReceipt,
  type EvictCommand,
  keyIdBytes,
  LIMITS,
  nameFault,
  type Outcome,
  signCommand,
  type WriteOffCommand,
} from '@trefoil/license';
import { systemRandom, writeFileAtomically } from '@trefoil/host';
import { Command } from 'commander';
import { type ClientOptions, findGroup, read, withClientOptions } from '../connection.ts';
import { readKey, readTrimmed, refuseExisting } from '../files.ts';
import { CliError, duration, EXIT, print, printable, printJson } from '../terminal.ts';
import { applyUpdate, submitOutside } from './apply-update.ts';
import { isReconfiguration, renewConfiguration } from './replace.ts';
import { installedLicenses, installedLine, refusedUpdate, standingLicenses } from './installed.ts';

const PATIENCE_MS = 10_000;

export function updateCommand(): Command {
  return withClientOptions(new Command('update'))
    .description(
      'Put an update file of the vendor into service: licenses, or a configuration that is good for longer. Nobody has to stop working.',
    )
    .argument('<file>')
    .option(
      '--receipt <file>',
      'write what proves to the vendor that it was installed, and what was left of each license',
    )
    .addHelpText('after', '\nExample:\n  trefoil update cad-2026-0042.update --receipt cad.receipt.json')
    .action(async (file: string, options: ClientOptions & { receipt?: string }) => {
      if (options.receipt !== undefined) await refuseExisting(options.receipt);
      const document = await readTrimmed(file, LIMITS.updateBytes);
      const group = await findGroup(options);
      try {
        if (isReconfiguration(document)) return await renewConfiguration(group, document, options);
        const result = await applyUpdate(group, document, PATIENCE_MS);
        if (result.kind === 'unknown')
          throw new CliError(
            EXIT.notReachable,
            `not known whether it was installed: ${result.reason}; run it again, it is done once`,
            result,
          );
        if (result.kind === 'refused')
          throw new CliError(EXIT.denied, refusedUpdate(result, options.receipt !== undefined), result);
        const { receipt, ...outcome } = result;
        if (options.receipt !== undefined)
          await writeFileAtomically(options.receipt, `${encodeReceipt(receipt)}\n`, { mode: 0o644 });
        const standing = await standingLicenses(group);
        const inForce = (license: string, version: number): number => standing.get(license)?.version ?? version;
        if (options.json)
          return printJson({
            ...outcome,
            licenses: outcome.licenses.map((one) => ({ ...one, inForce: inForce(one.license, one.version) })),
          });
        for (const one of installedLicenses(document, result.licenses)) print(installedLine(one, standing.get(one.id)));
      } finally {
        group.close();
      }
    });
}

interface EndingOptions extends ClientOptions {
  readonly adminKey: string;
  readonly passphraseFile?: string;
  readonly reason: string;
}

function withEndingOptions(command: Command): Command {
  return withClientOptions(command)
    .argument('<session>', 'its id from "trefoil sessions", or the beginning of it')
    .requiredOption('--admin-key <file>', 'PEM of an admin key that the group document names')
    .option('--passphrase-file <file>', 'passphrase of the admin key');
}

export function evictCommand(): Command {
  return withEndingOptions(new Command('evict'))
    .description("End somebody's session. Its seats are free when its last grant has run out, not sooner.")
    .option('--reason <text>', 'shown to the one who is evicted', '')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil evict 3fa9 --admin-key admin.key.pem --reason "needed for the release build"',
    )
    .action(async (prefix: string, options: EndingOptions) => {
      const { outcome, json, group } = await endSession('evict', prefix, options);
      try {
        if (options.json) return printJson(json);
        const waitMs = Math.max(0, outcome.freeAtLogTime - (await group.certifiedLogTime()));
        print(`evicted; its seats are free in ${duration(waitMs)} at the latest`);
      } finally {
        group.close();
      }
    });
}

export function writeOffCommand(): Command {
  return withEndingOptions(new Command('write-off'))
    .description('Have the borrowed seats of a lost machine back at once, as many as the license allows.')
    .option('--reason <text>', 'what became of the machine', '')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil write-off 3fa9 --admin-key admin.key.pem --reason "laptop stolen on the train"',
    )
    .action(async (prefix: string, options: EndingOptions) => {
      const { json, group } = await endSession('write-off', prefix, options);
      group.close();
      if (options.json) printJson(json);
      else print('written off; its seats are free');
    });
}

/** What an admin says of a session, and what came of it; the group is open yet. */
async function endSession(
  kind: 'evict' | 'write-off',
  prefix: string,
  options: EndingOptions,
): Promise<{ outcome: Outcome & { kind: 'evicted' }; json: object; group: Group }> {
  const fault = nameFault(options.reason, LIMITS.reasonBytes);
  if (fault !== undefined) throw new CliError(EXIT.usage, `--reason ${fault}`);
  const key = await readKey(options.adminKey, options.passphraseFile);
  const group = await findGroup(options);
  try {
    const session = await findSession(group, prefix);
    const unsigned = {
      admin: keyIdBytes(group.crypto, key.publicKey),
      nonce: systemRandom.bytes(16),
      atLogTime: await group.certifiedLogTime(),
      ...{ session, reason: options.reason },
    };
    const { set } = group.configuration;
    const command =
      kind === 'evict'
        ? signCommand<EvictCommand>(set, { kind, ...unsigned }, key)
        : signCommand<WriteOffCommand>(set, { kind, ...unsigned }, key);
    const outcome = await submitOutside(group, encodeCommand(command), PATIENCE_MS);
    const json = { ...outcome, session: Buffer.from(session).toString('hex') };
    if (outcome.kind === 'unknown') throw new CliError(EXIT.notReachable, outcome.reason, json);
    if (outcome.kind !== 'evicted') throw new CliError(EXIT.denied, `refused: ${refusalOf(outcome)}`, json);
    return { outcome, json, group };
  } catch (error) {
    group.close();
    throw error;
  }
}

function refusalOf(outcome: Outcome): string {
  if (outcome.kind !== 'refused') return outcome.kind;
  if (outcome.code === 'unknown-admin') return "this key is not an admin's of this group (unknown-admin)";
  return outcome.detail === '' ? outcome.code : `${printable(outcome.detail)} (${outcome.code})`;
}

async function findSession(group: Group, prefix: string): Promise<Uint8Array> {
  if (prefix === '') throw new CliError(EXIT.usage, 'which session? Give its id, or the beginning of it');
  if (!/^[0-9a-f]{1,32}$/i.test(prefix))
    throw new CliError(EXIT.usage, `not (the beginning of) a session's id: ${printable(prefix.slice(0, 40))}`);
  const request = create(ListSessionsRequestSchema, { set: group.configuration.set });
  const { sessions } = await read(
    group,
    'listSessions',
    { request: ListSessionsRequestSchema, reply: ListSessionsReplySchema },
    request,
  );
  const fitting = sessions.filter((one) => Buffer.from(one.id).toString('hex').startsWith(prefix.toLowerCase()));
  const [found] = fitting;
  if (found === undefined)
    throw new CliError(EXIT.failure, `no session begins with ${printable(prefix)}; see "trefoil sessions"`);
  if (fitting.length > 1)
    throw new CliError(EXIT.usage, `${fitting.length} sessions begin with ${printable(prefix)}; give more of the id`);
  return found.id;
}
