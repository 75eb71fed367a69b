import { type AcquireItem, decodeOutcome, type Grant, LicenseError, LIMITS, type Outcome } from '@trefoil/license';
import { checkedCount } from '../arguments.ts';
import { ClientError } from '../errors.ts';
import type { Group } from '../group.ts';
import { deniedResult, type Denied, type Refused, refusedResult, type Unknown } from '../results.ts';
import { lifeOf, type ReleaseResult } from '../seat.ts';
import { type Answer, type Claims, Session, type SessionRequest } from '../session.ts';
import { remainingMs } from '../time.ts';
import { checkItems } from '../verifier.ts';
import { BorrowedFolder, readState } from './folder.ts';
import type { BorrowedState } from './state.ts';

export type BorrowResult =
  | {
      readonly kind: 'borrowed';
      readonly folder: string;
      readonly grants: readonly Grant[];
      /** By this machine's clock: a hundredth less than was asked for. */
      readonly until: Date;
    }
  | Denied
  | Refused
  | Unknown<BorrowResult>;

export interface Borrower {
  readonly group: Group;
  readonly claims: Claims;
  readonly patienceMs: number;
}

/** For how long, ms. */
export function checkedTime(forMs: unknown): number {
  return checkedCount('forMs', forMs, LIMITS.borrowingMs);
}

/** Seats for this machine: with a key that its container makes for them. What was asked for before, and not answered, is asked again. */
export async function borrow(
  borrower: Borrower,
  folder: string,
  items: readonly AcquireItem[],
  forMs: number,
): Promise<BorrowResult> {
  const options = optionsOf(borrower);
  const before = await stillAsked(borrower, folder, items, forMs);
  await using opened =
    before === undefined ? await BorrowedFolder.make(folder, options) : await BorrowedFolder.open(folder, options);
  if (before === undefined) {
    const session = await Session.open(borrower.group, borrower.claims, borrower.patienceMs, opened.own);
    if (!(session instanceof Session)) {
      await opened.remove();
      return notOpened(session, () => borrow(borrower, folder, items, forMs));
    }
    const { id, timeoutMs } = session;
    const asking = { kind: 'borrow', requestId: 1, forMs } as const;
    await opened.save({ session: id, timeoutMs, items, nextRequest: 2, asking, givingBack: false });
  }
  const result = await ask(borrower, opened, () => borrow(borrower, folder, items, forMs));
  if (result.kind === 'denied' || result.kind === 'refused') {
    await sessionIn(borrower.group, opened).close(borrower.patienceMs);
    await opened.remove();
  }
  // Its session had ended before it was asked in: it holds nothing.
  if (before !== undefined && result.kind === 'refused' && result.code === 'unknown-session')
    return borrow(borrower, folder, items, forMs);
  return result;
}

/**
 * The question that was asked in this folder and not answered yet; undefined = none, and what had been borrowed in it is over.
 * @throws ClientError `bad-request` if there is something else
 */
async function stillAsked(
  borrower: Borrower,
  folder: string,
  items: readonly AcquireItem[],
  forMs: number,
): Promise<BorrowedState | undefined> {
  const before = await readState(folder);
  if (before === undefined) return undefined;
  // An extension that nobody has answered may have been given: then it is not over.
  if (before.proof !== undefined && !before.givingBack && before.asking === undefined) {
    await using opened = await BorrowedFolder.open(folder, optionsOf(borrower));
    if (opened.clock.setBackMs === 0 && leftMs(opened) <= 0) {
      await sessionIn(borrower.group, opened).close(borrower.patienceMs); // unheard, its seats are free soon all the same
      await opened.remove();
      return undefined;
    }
  }
  if (before.proof !== undefined || before.givingBack)
    throw new ClientError(
      'bad-request',
      `something is borrowed in ${folder} already: extend it, or give it back first`,
    );
  if (before.asking?.forMs !== forMs || shown(before.items) !== shown(items))
    throw new ClientError(
      'bad-request',
      `nobody has answered yet what was asked in ${folder} before, and that was something else: ask the same again, or give it back first`,
    );
  return before;
}

function shown(items: readonly AcquireItem[]): string {
  return JSON.stringify(items.map((item) => Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Of what was granted, by the borrower's clock. */
function leftMs({ state, sentAt, clock }: BorrowedFolder): number {
  const outcome = state.proof === undefined ? undefined : decodeOutcome(state.proof.outcome);
  return outcome?.kind === 'granted' ? remainingMs(sentAt, lifeOf(outcome.grants), clock.now()) : 0;
}

/** The seats that were borrowed, for that long from now. */
export async function extend(borrower: Borrower, folder: string, forMs: number): Promise<BorrowResult> {
  await using opened = await BorrowedFolder.open(folder, optionsOf(borrower));
  checkUsable(opened);
  const { state } = opened;
  if (state.proof === undefined)
    throw new ClientError('not-borrowed', `the seat in ${opened.path} was never granted: borrow it again`);
  if (state.asking === undefined) {
    if (leftMs(opened) <= 0)
      throw new ClientError('not-borrowed', `the time of the borrowed seat in ${opened.path} is over: borrow it again`);
    if (leftMs(opened) > forMs)
      throw new ClientError(
        'bad-request',
        'it may be used for longer than that already: an extension would change nothing',
      );
    const asking = { kind: 'extend', requestId: state.nextRequest, forMs } as const;
    await opened.save({ ...state, nextRequest: state.nextRequest + 1, asking });
  }
  const result = await ask(borrower, opened, () => extend(borrower, folder, forMs));
  if (result.kind === 'denied' || result.kind === 'refused') {
    const { asking: _, ...rest } = opened.state;
    await opened.save(rest);
  }
  return result;
}

/** Before their time is over. From here on they are not used on this machine. `unknown`: nobody answered; ask again. */
export async function giveBack({ group, patienceMs, claims }: Borrower, folder: string): Promise<ReleaseResult> {
  await using opened = await BorrowedFolder.open(folder, optionsOf({ group, patienceMs, claims }));
  await opened.save({ ...opened.state, givingBack: true });
  const answer = await sessionIn(group, opened).close(patienceMs);
  if (answer.kind === 'unknown') return { kind: 'unknown', reason: answer.reason };
  await opened.remove(); // also where its session had ended before: it holds nothing
  return { kind: 'released' };
}

function optionsOf({ group }: Borrower): { machine: Group['machine']; crypto: Group['crypto'] } {
  return { machine: group.machine, crypto: group.crypto };
}

function checkUsable({ memoryFault, state, path, clock }: BorrowedFolder): void {
  if (memoryFault !== undefined) throw new ClientError('clock-set-back', memoryFault);
  if (state.givingBack) throw new ClientError('not-borrowed', `the seat in ${path} is being given back`);
  if (clock.setBackMs > 0)
    throw new ClientError('clock-set-back', "this machine's clock is behind what it showed before: put it right first");
}

/** `asking`: goes on with the question that nobody has answered yet, under its number. All else has a number of its own. */
function sessionIn(group: Group, { state, own }: BorrowedFolder, asking?: BorrowedState['asking']): Session {
  const { session: id, timeoutMs, nextRequest } = state;
  return Session.of(group, { ...own, id, timeoutMs, nextRequest: asking?.requestId ?? nextRequest });
}

/** The question that the state names: with the same bytes, however often. */
async function ask(
  { group, patienceMs }: Borrower,
  opened: BorrowedFolder,
  again: () => Promise<BorrowResult>,
): Promise<BorrowResult> {
  const session = sessionIn(group, opened, opened.state.asking);
  const sentAt = opened.clock.now();
  const answer = await session.request(questionOf(group, opened), patienceMs);
  if (answer.kind === 'unknown') return { kind: 'unknown', reason: answer.reason, again };
  const { outcome } = answer;
  if (outcome.kind === 'denied') return deniedResult(outcome);
  if (outcome.kind === 'refused') return refusedResult(outcome);
  if (outcome.kind !== 'granted') throw new ClientError('not-trusted', `the group answers with "${outcome.kind}"`);
  return granted(group, opened, { ...answer, outcome }, sentAt);
}

function questionOf(group: Group, { state, own }: BorrowedFolder): SessionRequest {
  const { asking, items, proof } = state;
  if (asking === undefined) throw new ClientError('not-borrowed', 'nothing was asked');
  const { forMs } = asking;
  if (asking.kind === 'extend') return { kind: 'extend', hold: holdIn(proof), forMs };
  return { kind: 'borrow', items, forMs, releaseHash: group.crypto.sha256(own.closeSecret) };
}

async function granted(
  group: Group,
  opened: BorrowedFolder,
  { outcome, certified }: Extract<Answer, { kind: 'outcome' }> & { outcome: Outcome & { kind: 'granted' } },
  sentAt: number,
): Promise<BorrowResult> {
  const { grants } = outcome;
  const { state, own } = opened;
  const sessionKey = own.key.publicKey.bytes;
  try {
    const releaseHash = group.crypto.sha256(own.closeSecret);
    for (const grant of grants) group.verifier.grant(grant, { sessionKey, releaseHash });
    checkItems(grants, state.items);
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
    throw new ClientError('not-trusted', error.message, { cause: error });
  }
  // It may have been granted when it was asked for the first time: so long ago by the group's own clock.
  const { utc } = group.acceptOf(certified);
  const issuedAt = sentAt - Math.max(0, ...grants.map(({ issuedUtc }) => utc - issuedUtc));
  const { asking: _, ...rest } = state;
  await opened.save({ ...rest, proof: group.bundle(certified) });
  opened.granted(issuedAt);
  const leftMs = remainingMs(issuedAt, lifeOf(grants), opened.clock.now());
  return { kind: 'borrowed', folder: opened.path, grants, until: new Date(opened.clock.now() + leftMs) };
}

function holdIn(proof: BorrowedState['proof']): number {
  const outcome = proof === undefined ? undefined : decodeOutcome(proof.outcome);
  if (outcome?.kind !== 'granted') throw new ClientError('not-borrowed', 'what is borrowed is not proved');
  return outcome.grants[0]?.hold ?? 0;
}

function notOpened(
  opened: Outcome | Extract<Answer, { kind: 'unknown' }>,
  again: () => Promise<BorrowResult>,
): BorrowResult {
  if (opened.kind === 'unknown') return { kind: 'unknown', reason: opened.reason, again };
  if (opened.kind === 'refused') return refusedResult(opened);
  throw new ClientError('not-trusted', `the group answers with "${opened.kind}"`);
}
