import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { readFile, rm } from 'node:fs/promises';
import {
  type AcquireOptions,
  type AcquireResult,
  type Client,
  ClientError,
  type ConnectOptions,
  resume,
  type SavedClient,
  type Seat,
} from '@trefoil/client';
import { writeFileAtomically } from '@trefoil/host';
import { COUNTING_MODES, GRANT_FLAGS, LIMITS } from '@trefoil/license';
import { Command } from 'commander';
import { type ClientOptions, connectClient, trust, withClientOptions } from '../connection.ts';
import { refuseExisting } from '../files.ts';
import { refusal, sentenceOf } from '../refusals.ts';
import { borrowedSeat } from './borrow.ts';
import { consumedLine } from './consumed.ts';
import {
  CliError,
  date,
  duration,
  EXIT,
  note,
  print,
  printable,
  printJson,
  timeSpan,
  wholeNumber,
} from '../terminal.ts';

interface SeatOptions extends ClientOptions {
  readonly feature?: string;
  readonly seats: string;
  readonly mode?: string;
  readonly wait?: string;
  readonly productVersion?: string;
  readonly released?: string;
}

function withSeatOptions(command: Command): Command {
  return withClientOptions(command)
    .option('--feature <name>', 'a feature of the product')
    .option('--seats <n>', 'how many', '1')
    .option('--mode <mode>', `how it is counted: ${COUNTING_MODES.join(', ')}; default: the license's first`)
    .option('--wait <time>', 'wait so long if others have the seats, e.g. 90s, 15m, 2h')
    .option('--product-version <version>', "the application's version, e.g. 7.2.1")
    .option('--released <date>', 'when that version was released, e.g. 2026-10-01');
}

export function runCommand(): Command {
  return withSeatOptions(new Command('run'))
    .description(
      'Run a command that needs a seat: taken before, held as long as it runs, given back after; or one that this machine has borrowed.',
    )
    .requiredOption('--product <code>', 'the product')
    .argument('<command...>', 'after --: the command and its arguments')
    .addHelpText(
      'after',
      [
        '\nExample:\n  trefoil run --product cad -- ./solver model.dat\n',
        'Exit code: that of the command; 125 if no seat was granted or the group was not reachable.',
      ].join('\n'),
    )
    .action(async (words: string[], options: SeatOptions & { product: string }) => {
      const signals = new PassedSignals();
      await using borrowed = await borrowedSeat(options.product, options);
      if (borrowed !== undefined) {
        borrowed.over.addEventListener('abort', () => note(printable(`trefoil: ${reasonOf(borrowed.over)}`)));
        process.exitCode = await runChild(words, signals);
        return;
      }
      let client: Client;
      try {
        client = await connectClient(options, words[0] ?? 'run');
      } catch (error) {
        throw new CliError(EXIT.runRefused, error instanceof Error ? error.message : String(error));
      }
      await using connected = client;
      const giveUp = new AbortController();
      signals.wakes(() => giveUp.abort());
      const result = await acquire(connected, options.product, options, giveUp.signal);
      if (result.kind !== 'granted') throw new CliError(EXIT.runRefused, sentenceOf(result), result);
      tellWhatHappens(connected);
      process.exitCode = await runChild(words, signals);
    });
}

function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
/** Mean nothing where there is no command yet. */
const OTHERS = ['SIGCONT', 'SIGWINCH'] as const;

/** To whoever sits in front of it: what becomes of the seat that it holds. */
function tellWhatHappens(client: Client): void {
  const say = (text: string): void => note(printable(`trefoil: ${text}`));
  client.on('expiring', ({ reason, inMs }) => say(`the seat will be lost in ${duration(inMs)}: ${reason}`));
  client.on('lost', ({ reason }) => say(`the seat is lost: ${reason}`));
  client.on('restored', () => say('the seat is held again'));
}

/** Its seat is lost, and an admin wants it so. */
function evictionOf(client: Client): Promise<true> {
  return new Promise((resolve) => {
    client.on('lost', ({ seat }) => seat.evicted && resolve(true));
  });
}

/** Signals go to the child; it decides. One that comes before there is a child ends the wait for the seat. */
class PassedSignals {
  #target: ((signal: NodeJS.Signals) => void) | undefined;
  #isChild = false;
  #early: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of ENDING)
      process.on(signal, () => {
        // Also where somebody gives up for it: the seat may have been granted in the same moment.
        if (!this.#isChild) this.#early ??= signal;
        this.#target?.(signal);
      });
    for (const signal of OTHERS) process.on(signal, () => this.#isChild && this.#target?.(signal));
  }

  get early(): NodeJS.Signals | undefined {
    return this.#early;
  }

  /** Until there is a child. */
  wakes(target: () => void): void {
    this.#target = target;
  }

  to(target: (signal: NodeJS.Signals) => void): void {
    this.#isChild = true;
    this.#target = target;
  }
}

const WHY_NOT_RUN: Readonly<Record<string, string>> = {
  ENOENT: 'no such command',
  EACCES: 'no permission, or not a program',
};

/** The result is the child's own exit code, 128 + n where signal n ended it. */
function runChild([command, ...args]: string[], signals: PassedSignals): Promise<number> {
  return new Promise((resolve, reject) => {
    if (signals.early !== undefined) return resolve(128 + constants.signals[signals.early]);
    const child = spawn(command as string, args, { stdio: 'inherit' });
    signals.to((signal) => void child.kill(signal));
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new CliError(
          error.code === 'ENOENT' ? 127 : 126,
          `cannot run ${command}: ${WHY_NOT_RUN[error.code ?? ''] ?? error.message}`,
        ),
      ),
    );
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}

export function acquireCommand(): Command {
  return withSeatOptions(new Command('acquire'))
    .description('Take a seat. Holds it until Ctrl-C; with --save it lives on until its session time-out.')
    .argument('<product>')
    .option('--save <file>', 'write session and seat to a file (mode 0600) for "trefoil release", and end')
    .option('--proof <file>', 'write the grant with all that proves it, for "trefoil verify"')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil acquire cad --proof grant.json\n  trefoil acquire cad --save seat.json && trefoil release seat.json',
    )
    .action(async (product: string, options: SeatOptions & { save?: string; proof?: string }) => {
      // Before a seat is taken: what can't be written would leave it taken with nothing to give it back by.
      const files = [options.save, options.proof].filter((file) => file !== undefined);
      if (files.length === 2 && files[0] === files[1])
        throw new CliError(EXIT.usage, '--save and --proof need a file each');
      for (const file of files) await refuseExisting(file);
      await using empty = new AsyncDisposableStack();
      for (const file of files) {
        await writeFileAtomically(file, '');
        empty.defer(() => rm(file, { force: true }));
      }
      await using client = await connectClient(options, 'trefoil');
      const giveUp = new AbortController();
      process.once('SIGINT', () => giveUp.abort());
      process.once('SIGTERM', () => giveUp.abort());
      const result = await acquire(client, product, options, giveUp.signal);
      if (result.kind !== 'granted') throw refusal(result);
      empty.move(); // from here on they are to stay
      const { seat } = result;
      if (options.proof !== undefined) await writeFileAtomically(options.proof, seat.proof(), { mode: 0o644 });
      showSeat(seat, options);
      if (options.save !== undefined) {
        await writeFileAtomically(options.save, JSON.stringify(await client.detach()));
        return;
      }
      tellWhatHappens(client);
      if (!options.json) note('holding it; Ctrl-C gives it back');
      if (giveUp.signal.aborted) return;
      const isEvicted = await Promise.race([once(giveUp.signal, 'abort').then(() => false), evictionOf(client)]);
      if (isEvicted) throw new CliError(EXIT.failure, 'it is not taken again: an admin has ended it');
    });
}

export function releaseCommand(): Command {
  return withClientOptions(new Command('release'))
    .description('Give back the seats of a file that "trefoil acquire --save" wrote.')
    .argument('<file>')
    .addHelpText('after', '\nExample:\n  trefoil release seat.json')
    .action(async (file: string, options: ClientOptions) => {
      const saved = await readSaved(file);
      const { clientFile, verifier } = await trust(options);
      const { released, why } = await giveBack(saved, { clientFile, vendor: verifier });
      await rm(file, { force: true });
      if (options.json) printJson({ kind: 'released', products: released, ...(why !== '' && { why }) });
      else print(printable(why === '' ? `released: ${released.join(', ')}` : why));
    });
}

/** What is free already needs no giving back: that, and why, is as good. */
async function giveBack(saved: SavedClient, options: ConnectOptions): Promise<{ released: string[]; why: string }> {
  try {
    const client = await resume(saved, options);
    const released = [...client.seats].flatMap((seat) => seat.items.map((item) => item.product));
    const result = await client.close();
    if (result.kind === 'unknown')
      throw new CliError(EXIT.notReachable, `nobody answers (${result.reason}); the file stays, so try again`);
    return { released, why: released.length === 0 ? 'its seats were free already' : '' };
  } catch (error) {
    if (error instanceof ClientError && error.code === 'session-ended') return { released: [], why: error.message };
    throw error;
  }
}

async function readSaved(file: string): Promise<SavedClient> {
  try {
    const saved = JSON.parse(await readFile(file, 'utf8')) as SavedClient;
    if (saved.format === 'trefoil-session-1') return saved;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new CliError(EXIT.failure, `${file}: there is no such file`);
  }
  throw new CliError(EXIT.failure, `${file} is not a file that "trefoil acquire --save" wrote`);
}

export function consumeCommand(): Command {
  return withClientOptions(new Command('consume'))
    .description('Use up prepaid units of a license. Counted exactly once.')
    .argument('<product>')
    .argument('<units>')
    .option('--feature <name>', 'a feature of the product')
    .addHelpText('after', '\nExample:\n  trefoil consume render 25')
    .action(async (product: string, text: string, options: ClientOptions & { feature?: string }) => {
      const units = wholeNumber(text, 'units', 1);
      await using client = await connectClient(options, 'trefoil');
      const result = await client.consume(
        product,
        units,
        options.feature === undefined ? {} : { feature: options.feature },
      );
      if (result.kind !== 'consumed') throw refusal(result);
      if (options.json) printJson(result);
      else print(consumedLine(product, result));
    });
}

async function acquire(
  client: Client,
  product: string,
  options: SeatOptions,
  signal: AbortSignal,
): Promise<AcquireResult> {
  try {
    return await client.acquire(product, { ...seatOptions(options), signal, onPlace: sayPlace });
  } catch (error) {
    if (signal.aborted) throw new CliError(EXIT.denied, 'given up: nobody waits for it any more');
    throw error;
  }
}

/** @throws CliError usage */
function seatOptions({ feature, seats, mode, wait, productVersion, released }: SeatOptions): AcquireOptions {
  const counting = COUNTING_MODES.find((one) => one === mode);
  if (mode !== undefined && counting === undefined)
    throw new CliError(EXIT.usage, `--mode has to be one of ${COUNTING_MODES.join(', ')}, not "${printable(mode)}"`);
  return {
    seats: wholeNumber(seats, '--seats', 1, 1_000_000_000),
    ...(feature !== undefined && { feature }),
    ...(counting !== undefined && { mode: counting }),
    ...(wait !== undefined && { waitMs: timeSpan(wait, '--wait', LIMITS.waitMs) }),
    ...(productVersion !== undefined && { version: productVersion }),
    ...(released !== undefined && { releasedAt: date(released, '--released') }),
  };
}

/** To whoever sits in front of it; programs read the result. */
function sayPlace(place: number): void {
  note(place === 1 ? 'waiting: the next seat is yours' : `waiting: place ${place}; Ctrl-C gives it up`);
}

function showSeat(seat: Seat, options: ClientOptions): void {
  if (options.json)
    printJson({
      kind: 'granted',
      grants: seat.grants.map(({ license, version, product, feature, seats, mode, lifeMs, notAfter, flags }) => ({
        ...{ license, version, product, feature, seats, mode, lifeMs, notAfter, flags: flagNames(flags) },
      })),
    });
  else
    for (const { seats, product, feature, license, version, flags } of seat.grants) {
      const what = feature === '' ? product : `${product}, feature ${feature}`;
      const said = flagNames(flags).map((name) => `, ${FLAG_WORDS[name]}`);
      print(`granted: ${seats} of ${what} (license ${license}, version ${version}${said.join('')})`);
    }
}

type Flag = keyof typeof GRANT_FLAGS;
const FLAG_WORDS: Readonly<Record<Flag, string>> = {
  grace: 'in its grace: it has ended and should be renewed',
  overdraft: 'beyond the quantity that was bought',
  waited: 'after a wait',
  borrowed: 'borrowed',
};

function flagNames(flags: number): Flag[] {
  return (Object.keys(GRANT_FLAGS) as Flag[]).filter((name) => (flags & GRANT_FLAGS[name]) !== 0);
}
