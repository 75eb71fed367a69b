import {
  type Answer,
  bytesKey,
  type Command,
  decodeCommand,
  encodeOutcome,
  equalBytes,
  LicenseError,
  SESSION_ID_BYTES,
  sessionHandleOf,
  sessionIdOf,
} from '@trefoil/license';
import type { Entry } from '../entry.ts';
import { LIMITS } from '../limits.ts';
import { borrowSeats, extendBorrowed } from './rules/borrow-seats.ts';
import { consumeUnits } from './rules/consume-units.ts';
import { evictSession } from './rules/evict-session.ts';
import { type Derived, expire, forget, isNextSecond, rememberedKey } from './rules/expire.ts';
import { grantSeats } from './rules/grant-seats.ts';
import { installRules } from './rules/install-rules.ts';
import { installUpdate } from './rules/install-update.ts';
import { openSession } from './rules/open-session.ts';
import { reconfigure } from './rules/reconfigure.ts';
import { FULL, refused } from './rules/refused.ts';
import { closeSession, releaseSeats } from './rules/release-seats.ts';
import { renewSession } from './rules/renew-session.ts';
import { endHopeless, type Served, serveWaiting } from './rules/serve-waiting.ts';
import { unname } from './rules/unname.ts';
import { writeOff } from './rules/write-off.ts';
import { forgetAnswer, remember, rememberAnswer } from './size.ts';
import { type Answered, type Ledger, type RequestWindow, type Session, touchSession } from './state.ts';
import { beginDays } from './usage.ts';

/** The outcomes of an entry are longer than they may be in one (PROTOCOL §5.1); so many commands of it fit. */
export class TooMuchSaid extends LicenseError {
  readonly fitting: number;

  constructor(fitting: number) {
    super('malformed', `outcomes of more than ${LIMITS.outcomeBytes} bytes in an entry`);
    this.fitting = fitting;
  }
}

/**
 * Executes one entry (PROTOCOL §5.1) and returns its encoded outcomes: those of the commands in order, then what fell due.
 * The journal is left full, for `undo`. Throws `malformed` and leaves no change if a command is none, or TooMuchSaid: such an
 * entry gets no vote.
 */
export function applyEntry(ledger: Ledger, entry: Entry): Uint8Array[] {
  const commands = entry.commands.map(decodeCommand);
  const { journal } = ledger;
  const before = { logTime: ledger.logTime, utc: ledger.utc };
  if (ledger.index > 0) {
    const lead = entry.utc - ledger.utc - (entry.logTime - ledger.logTime);
    journal.set(ledger, 'utcLead', ledger.utcLead + lead);
  }
  journal.set(ledger, 'index', entry.index);
  journal.set(ledger, 'logTime', entry.logTime);
  journal.set(ledger, 'utc', entry.utc);
  journal.set(ledger, 'rulesVersion', entry.rulesVersion);
  beginDays(ledger, before);
  const derived = expire(ledger);
  if (isNextSecond(ledger, before.logTime)) {
    forget(ledger);
    // A license may have begun, or a rule's hours: nothing in the log says when.
    for (const product of ledger.queues.keys()) journal.add(ledger.stirred, product);
  }
  const outcomes: Uint8Array[] = [];
  let bytes = 0;
  for (const command of commands) {
    const outcome = execute(ledger, command, entry.commands[outcomes.length] as Uint8Array, outcomes.length);
    bytes += outcome.length;
    if (bytes > LIMITS.outcomeBytes) {
      journal.undoTo(0);
      throw new TooMuchSaid(outcomes.length);
    }
    outcomes.push(outcome);
  }
  for (const one of derived) outcomes.push(derivedOutcome(one));
  for (const one of endHopeless(ledger, commands)) outcomes.push(derivedOutcome(one));
  for (const one of serveWaiting(ledger)) outcomes.push(servedOutcome(one));
  return outcomes;
}

const NO_SESSION = new Uint8Array(SESSION_ID_BYTES);
const NO_COMMAND = new Uint8Array(32);
const NOTHING = new Uint8Array(0);

function derivedOutcome({ session, answer }: Derived): Uint8Array {
  return encodeOutcome({ ...answer, commandHash: NO_COMMAND, session: session.handle, requestId: 0 });
}

/** The answer, though late, to the acquire that waited. */
function servedOutcome({ session, wait, answer }: Served): Uint8Array {
  return encodeOutcome({ ...answer, commandHash: wait.commandHash, session: session.handle, requestId: wait.id });
}

function execute(ledger: Ledger, command: Command, bytes: Uint8Array, position: number): Uint8Array {
  const commandHash = ledger.context.crypto.sha256(bytes);
  switch (command.kind) {
    case 'open':
      return executeOpen(ledger, command, commandHash);
    case 'evict':
      return executeOnce(ledger, commandHash, () => evictSession(ledger, command));
    case 'update':
      return executeOnce(ledger, commandHash, () => installUpdate(ledger, command));
    case 'reconfigure':
      return executeOnce(ledger, commandHash, () => reconfigure(ledger, command));
    case 'rules':
      return executeOnce(ledger, commandHash, () => installRules(ledger, command));
    case 'unname':
      return executeOnce(ledger, commandHash, () => unname(ledger, command));
    case 'write-off':
      return executeOnce(ledger, commandHash, () => writeOff(ledger, command));
    default:
      return executeInSession(ledger, command, { commandHash, seq: ledger.index * LIMITS.batchCommands + position });
  }
}

/** Commands outside sessions are known by their bytes. Refusals are not remembered: they change nothing. */
function executeOnce(ledger: Ledger, commandHash: Uint8Array, run: () => Answer): Uint8Array {
  const key = bytesKey(commandHash);
  const before = ledger.remembered.get(key);
  if (before !== undefined) return before.outcome;
  const answer = run();
  const outcome = encodeOutcome({ ...answer, commandHash, session: NO_SESSION, requestId: 0 });
  if (answer.kind !== 'refused') {
    remember(ledger, key, { commandHash, outcome, forgetAt: ledger.logTime + LIMITS.openWindowMs });
  }
  return outcome;
}

function executeOpen(ledger: Ledger, command: Extract<Command, { kind: 'open' }>, commandHash: Uint8Array): Uint8Array {
  const id = sessionIdOf(ledger.context.crypto, ledger.context.configuration.set, command);
  const standing = ledger.sessions.get(bytesKey(id))?.proven.answered.get(0);
  // The id covers all but the signature; other bytes can only mean another (P-256-like) signature over the same request.
  if (standing !== undefined && equalBytes(standing.commandHash, commandHash)) return standing.outcome;
  const { answer, session } = openSession(ledger, command);
  const handle = session?.handle ?? sessionHandleOf(ledger.context.crypto, id);
  const outcome = encodeOutcome({ ...answer, commandHash, session: handle, requestId: 0 });
  if (session !== undefined && answer.kind === 'opened')
    rememberAnswer(ledger, session.proven, 0, { commandHash, outcome, consume: false });
  return outcome;
}

type SessionCommand = Extract<Command, { session: Uint8Array; requestId: number }>;

/** A command by its bytes, and its place in the log. */
interface AskedAt {
  readonly commandHash: Uint8Array;
  readonly seq: number;
}

/** Exactly once (PROTOCOL §5.11): a known id gets its remembered bytes; what is below the window never runs. */
function executeInSession(ledger: Ledger, command: SessionCommand, asked: AskedAt): Uint8Array {
  const { commandHash } = asked;
  const { requestId } = command;
  const session = ledger.sessions.get(bytesKey(command.session));
  const handle = session?.handle ?? sessionHandleOf(ledger.context.crypto, command.session);
  const reply = (answer: Answer): Uint8Array => encodeOutcome({ ...answer, commandHash, session: handle, requestId });
  if (session === undefined) {
    const before = ledger.remembered.get(rememberedKey(command.session, requestId));
    return before !== undefined && equalBytes(before.commandHash, commandHash)
      ? before.outcome
      : reply(refused('unknown-session'));
  }
  // By its hold, not by its number: what is not held any more was given back, and no number of anybody's stands in the way.
  if (command.kind === 'release') {
    const answer = session.closed ? refused('unknown-session', 'it is closed') : releaseSeats(ledger, session, command);
    if (answer.kind === 'released') touchSession(ledger, session);
    return reply(answer);
  }
  const window = windowOf(session, command);
  const before = window.answered.get(requestId);
  const isRepeat = before !== undefined && equalBytes(before.commandHash, commandHash);
  if (isRepeat && command.kind !== 'renew') return before.outcome;
  if (session.closed) return reply(refused('unknown-session', 'it is closed'));
  if (before !== undefined && !isRepeat) return reply(refused('other-bytes'));
  if (requestId < window.lowestUnanswered) return reply(refused('forgotten'));
  // Of the other window: anybody may have acquired under this number.
  if (before === undefined && takesSeats(command) && (session.holds.has(requestId) || session.waits.has(requestId)))
    return reply(refused('other-bytes'));
  if (requestId - command.lowestUnanswered >= 32) return reply(refused('too-many', 'requests in flight'));
  if (makesMore(command) && ledger.bytes >= LIMITS.ledgerBytes) return reply(refused('too-many', FULL));
  const answer = executeFresh(ledger, session, command, asked);
  const outcome = reply(answer);
  if (showsNoAuthority(answer)) return outcome;
  // The numbers of a close are not signed, and whoever passes its secret on could change them.
  if (command.kind !== 'close') forgetAnswered(ledger, window, command.lowestUnanswered);
  if (before === undefined) rememberAnswer(ledger, window, requestId, answered(command, commandHash, outcome));
  touchSession(ledger, session);
  return outcome;
}

/** Anybody may send what carries no authority, with any number; so it has numbers of its own. A close's are not signed. */
function windowOf(session: Session, { kind }: SessionCommand): RequestWindow {
  return kind === 'acquire' || kind === 'renew' ? session.free : session.proven;
}

/** To renew again does no harm, and what a renewal says of all that a session holds would fill the ledger. */
function answered({ kind }: SessionCommand, commandHash: Uint8Array, outcome: Uint8Array): Answered {
  return { commandHash, outcome: kind === 'renew' ? NOTHING : outcome, consume: kind === 'consume' };
}

/** They are kept under its number. */
function takesSeats({ kind }: SessionCommand): boolean {
  return kind === 'acquire' || kind === 'borrow';
}

/** What is refused when the ledger is full; what only keeps or gives back is not. */
function makesMore({ kind }: SessionCommand): boolean {
  return kind === 'acquire' || kind === 'borrow' || kind === 'consume';
}

/** It may not be the client's, so it must use up no request id of the client's and make nothing forgotten. */
function showsNoAuthority(answer: Answer): boolean {
  return answer.kind === 'refused' && ['bad-signature', 'wrong-secret'].includes(answer.code);
}

function forgetAnswered(ledger: Ledger, window: RequestWindow, lowestUnanswered: number): void {
  if (lowestUnanswered <= window.lowestUnanswered) return;
  ledger.journal.set(window, 'lowestUnanswered', lowestUnanswered);
  for (const id of [...window.answered.keys()]) if (id < lowestUnanswered) forgetAnswer(ledger, window, id);
}

function executeFresh(
  ledger: Ledger,
  session: Session,
  command: Exclude<SessionCommand, { kind: 'release' }>,
  asked: AskedAt,
): Answer {
  switch (command.kind) {
    case 'renew':
      return renewSession(ledger, session, command);
    case 'acquire':
      return grantSeats(ledger, session, command, asked);
    case 'consume':
      return consumeUnits(ledger, session, command);
    case 'borrow':
      return borrowSeats(ledger, session, command);
    case 'extend':
      return extendBorrowed(ledger, session, command);
    case 'close':
      return closeSession(ledger, session, command);
  }
}
