import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type Borrowed, borrowedFolder, type BorrowResult, ClientError, openBorrowed } from '@trefoil/client';
import { COUNTING_MODES, LIMITS } from '@trefoil/license';
import { Command } from 'commander';
import { type ClientOptions, connectClient, trust, withClientOptions } from '../connection.ts';
import { refusal } from '../refusals.ts';
import { CliError, date, EXIT, note, print, printable, printJson, time, timeSpan, wholeNumber } from '../terminal.ts';

interface BorrowedOptions extends ClientOptions {
  readonly feature?: string;
  readonly folder?: string;
}

function withBorrowedOptions(command: Command): Command {
  return withClientOptions(command)
    .argument('<product>')
    .option('--feature <name>', 'a feature of the product')
    .option('--folder <path>', 'where it is kept; default: ~/.local/share/trefoil/borrowed/PRODUCT');
}

interface ReleaseOptions {
  readonly productVersion?: string;
  readonly released?: string;
}

function releaseOf({ productVersion, released }: ReleaseOptions): { version?: string; releasedAt?: Date } {
  return {
    ...(productVersion !== undefined && { version: productVersion }),
    ...(released !== undefined && { releasedAt: date(released, '--released') }),
  };
}

function folderOf(product: string, { feature, folder }: BorrowedOptions): string {
  return folder ?? borrowedFolder(product, feature);
}

export function borrowCommand(): Command {
  return withBorrowedOptions(new Command('borrow'))
    .description(
      'Take a seat away on this machine, to use it without the group. Run again after "no answer": it is borrowed once.',
    )
    .requiredOption('--for <time>', 'for how long, e.g. 8h or 14d')
    .option('--seats <n>', 'how many', '1')
    .option('--mode <mode>', `how it is counted: ${COUNTING_MODES.join(', ')}; default: the license's first`)
    .option('--product-version <version>', "the application's version, e.g. 7.2.1")
    .option('--released <date>', 'when that version was released, e.g. 2026-10-01')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil borrow cad --for 14d\n  trefoil run --product cad -- ./drawing   (also without network)',
    )
    .action(
      async (
        product: string,
        options: BorrowedOptions & {
          for: string;
          seats: string;
          mode?: string;
          productVersion?: string;
          released?: string;
        },
      ) => {
        const mode = COUNTING_MODES.find((one) => one === options.mode);
        if (options.mode !== undefined && mode === undefined)
          throw new CliError(EXIT.usage, `--mode has to be one of ${COUNTING_MODES.join(', ')}`);
        const forMs = timeSpan(options.for, '--for', LIMITS.borrowingMs);
        const seats = wholeNumber(options.seats, '--seats', 1, LIMITS.quantity);
        await using client = await connectClient(options, 'trefoil');
        const result = await client.borrow(product, {
          ...{ forMs, seats, folder: folderOf(product, options) },
          ...(options.feature !== undefined && { feature: options.feature }),
          ...(mode !== undefined && { mode }),
          ...releaseOf(options),
        });
        show(result, options);
      },
    );
}

export function extendCommand(): Command {
  return withBorrowedOptions(new Command('extend'))
    .description('Keep a borrowed seat for longer: for so long from now.')
    .requiredOption('--for <time>', 'for how long from now, e.g. 7d')
    .addHelpText('after', '\nExample:\n  trefoil extend cad --for 7d')
    .action(async (product: string, options: BorrowedOptions & { for: string }) => {
      const forMs = timeSpan(options.for, '--for', LIMITS.borrowingMs);
      await using client = await connectClient(options, 'trefoil');
      show(await client.extend(folderOf(product, options), forMs), options);
    });
}

function show(result: BorrowResult, options: ClientOptions): void {
  if (result.kind !== 'borrowed') throw refusal(result);
  if (options.json) return printJson({ ...result, until: result.until.toISOString() });
  for (const { seats, product, feature } of result.grants)
    print(`borrowed: ${seats} of ${feature === '' ? product : `${product}, feature ${feature}`}`);
  print(`until ${time(result.until.getTime())} by this machine's clock, in ${result.folder}`);
}

export function giveBackCommand(): Command {
  return withBorrowedOptions(new Command('give-back'))
    .description('Give a borrowed seat back before its time is over.')
    .addHelpText('after', '\nExample:\n  trefoil give-back cad')
    .action(async (product: string, options: BorrowedOptions) => {
      await using client = await connectClient(options, 'trefoil');
      const result = await client.giveBack(folderOf(product, options));
      if (result.kind === 'unknown')
        throw new CliError(
          EXIT.notReachable,
          `nobody answers (${result.reason}); it is not used here any more, so run this again`,
          result,
        );
      if (options.json) printJson(result);
      else print('given back');
    });
}

export function borrowedCommand(): Command {
  return withBorrowedOptions(new Command('borrowed'))
    .description('Check a borrowed seat as an application does, without network, and say until when it may be used.')
    .option('--product-version <version>', "the application's version, where the license asks for it")
    .option('--released <date>', 'when that version was released, likewise')
    .option('--proof <file>', 'write all that proves it, for "trefoil verify"')
    .addHelpText('after', '\nExample:\n  trefoil borrowed cad --proof grant.json')
    .action(async (product: string, options: BorrowedOptions & ReleaseOptions & { proof?: string }) => {
      const { verifier } = await trust(options);
      await using borrowed = await openBorrowed(product, {
        ...{ vendor: verifier, folder: folderOf(product, options), ...releaseOf(options) },
        ...(options.feature !== undefined && { feature: options.feature }),
      });
      if (options.proof !== undefined) await writeFile(options.proof, borrowed.proof(), { flag: 'wx' });
      if (options.json)
        return printJson({ kind: 'borrowed', until: borrowed.until.toISOString(), grants: borrowed.grants });
      for (const { seats, product: name, feature, license } of borrowed.grants)
        print(`${seats} of ${feature === '' ? name : `${name}, feature ${feature}`} (license ${license})`);
      print(`may be used until ${time(borrowed.until.getTime())}`);
    });
}

/** What this machine has borrowed, for `run`; undefined = nothing that could be used, and whoever sits in front of it is told why. */
export async function borrowedSeat(
  product: string,
  options: ClientOptions & ReleaseOptions & { readonly feature?: string; readonly seats: string },
): Promise<Borrowed | undefined> {
  const { feature, seats } = options;
  const folder = borrowedFolder(product, feature);
  if (!existsSync(folder)) return undefined;
  const { verifier } = await trust(options);
  try {
    const borrowed = await openBorrowed(product, {
      ...{ vendor: verifier, folder, ...releaseOf(options) },
      ...(feature !== undefined && { feature }),
    });
    if (borrowed.grants.reduce((all, grant) => all + grant.seats, 0) >= Number(seats)) return borrowed;
    await borrowed[Symbol.asyncDispose]();
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    note(printable(`trefoil: the borrowed seat is not used: ${error.message}`));
  }
  return undefined;
}
