import type { Certified } from '@trefoil/api';
import {
  type AcquireItem,
  CLIENT_VERSION,
  type Command,
  encodeCommand,
  fromBase64url,
  LIMITS,
  type OpenCommand,
  type Outcome,
  sessionHandleOf,
  sessionIdOf,
  signCommand,
  toBase64url,
  type SigningKey,
  type SessionSigned,
} from '@trefoil/license';
import { ed25519FromSeed } from '@trefoil/license/node-crypto';
import { ClientError } from './errors.ts';
import type { Group } from './group.ts';
import { mayBeForgotten } from './time.ts';

/** What a request came to: an outcome that the group certified, or no answer that could be believed. */
export type Answer =
  | { readonly kind: 'outcome'; readonly outcome: Outcome; readonly certified: Certified; readonly sentAtMs: number }
  | {
      readonly kind: 'unknown';
      readonly reason: string;
      /** 0 = an `open`, or nothing was sent. */
      readonly requestId: number;
      readonly again: () => Promise<Answer>;
    };

/** What a client says of itself: claims, for admins and for what their rules say. */
export interface Claims {
  readonly user: string;
  readonly host: string;
  readonly program: string;
  /** Of its machine; '' = not said. */
  readonly address: string;
}

export interface SavedSession {
  readonly id: string;
  readonly seed: string;
  readonly closeSecret: string;
  readonly timeoutMs: number;
  readonly nextRequest: number;
}

type InSession = 'session' | 'requestId' | 'lowestUnanswered';
type Bare<C> = C extends { requestId: number } ? Omit<C, InSession | 'signature'> : never;
/** A command of a session without what the session fills in. */
export type SessionRequest = Bare<Command>;

/** What a session is known by, and ended with. */
export interface Own {
  readonly key: SigningKey;
  readonly closeSecret: Uint8Array;
  /** Of the key; undefined = it is not ours to give: it stays in a container. */
  readonly seed?: Uint8Array;
}

interface SessionParts extends Own {
  readonly id: Uint8Array;
  readonly timeoutMs: number;
  readonly nextRequest: number;
}

/** So many numbers of the window are kept for renewals: what is asked in vain must not keep seats from being renewed. */
const KEPT_FOR_RENEWALS = 8;

/** Its number is below those that the group still knows: others were asked in this session since. */
export const FORGOTTEN = 'too much was asked since; its outcome is forgotten';

/** Sent first at `sentAtMs`; asked again with the same bytes. */
interface Sent {
  readonly requestId: number;
  readonly bytes: Uint8Array;
  readonly kind: Command['kind'];
  readonly sentAtMs: number;
  /** Its window, if it has one. */
  readonly unanswered: Set<number> | undefined;
}

/** One stay with the group: its key, its numbering of requests, its secrets. Ends with `close`, or when the group forgets it. */
export class Session {
  readonly id: Uint8Array;
  readonly key: SigningKey;
  /** How long the group keeps a silent session, ms. */
  readonly timeoutMs: number;
  /** The group knows it no more, and has freed its seats. */
  ended = false;
  /** By their request: seats that it may hold and the application does not use. What was not asked for again is given back. */
  readonly loose = new Map<number, { readonly secret: Uint8Array; givenBack: boolean }>();
  readonly #group: Group;
  readonly #closeSecret: Uint8Array;
  readonly #seed: Uint8Array | undefined;
  #nextRequest = 1;
  /** Asked, and not answered yet, in ascending order: what is below the first of them the group may forget. */
  readonly #unanswered = new Set<number>();
  /** The same of consumes. */
  readonly #unansweredProven = new Set<number>();
  /** Of these: given up for now. The application may ask again, unless so much was asked since that it falls out of the window. */
  readonly #unknown = new Set<number>();
  #turns: (() => void)[] = [];

  private constructor(group: Group, parts: SessionParts) {
    this.#group = group;
    this.id = parts.id;
    this.key = parts.key;
    this.timeoutMs = parts.timeoutMs;
    this.#closeSecret = parts.closeSecret;
    this.#seed = parts.seed;
    this.#nextRequest = parts.nextRequest;
  }

  /** Opens a session, or says why there is none. */
  static async open(
    group: Group,
    claims: Claims,
    patienceMs: number,
    own: Own = { ...group.machine.sessionKey(), closeSecret: group.machine.secret() },
  ): Promise<Session | Extract<Answer, { kind: 'unknown' }> | Outcome> {
    const { machine } = group;
    const { key, closeSecret } = own;
    const { set } = group.configuration;
    const asked = {
      kind: 'open',
      sessionKey: key.publicKey.bytes,
      nonce: machine.nonce(16),
      closeHash: group.crypto.sha256(closeSecret),
      ...claims,
      client: CLIENT_VERSION,
    } as const;
    const openAt = (atLogTime: number) => ({ ...asked, atLogTime });
    const sendAt = (atLogTime: number): Promise<Answer> =>
      send(group, encodeCommand(signCommand<OpenCommand>(set, openAt(atLogTime), key)), patienceMs);
    let atLogTime = await group.certifiedLogTime();
    let answer = await sendAt(atLogTime);
    // A server may have shown an old certificate; the refusal's own is new.
    if (answer.kind === 'outcome' && answer.outcome.kind === 'refused' && answer.outcome.code === 'stale') {
      atLogTime = group.newestLogTime;
      answer = await sendAt(atLogTime);
    }
    if (answer.kind === 'unknown') return answer;
    const { outcome } = answer;
    if (outcome.kind !== 'opened') return outcome;
    return new Session(group, {
      id: sessionIdOf(group.crypto, set, openAt(atLogTime)),
      ...own,
      timeoutMs: outcome.timeoutMs,
      nextRequest: 1,
    });
  }

  /** Sends one command; waits for its turn when too many are under way. @throws ClientError `bad-request` */
  async request(request: SessionRequest, patienceMs: number): Promise<Answer> {
    const askedAt = this.#group.servers.now();
    let leftMs = patienceMs;
    for (; this.#windowIsFull(request); leftMs = patienceMs - (this.#group.servers.now() - askedAt)) {
      if (leftMs <= 0) return this.#notSent(request, patienceMs);
      await this.#turn(leftMs);
    }
    return this.#sendNew(request, leftMs);
  }

  #notSent(request: SessionRequest, patienceMs: number): Answer {
    const reason = 'too much was under way, and it was not sent';
    return { kind: 'unknown', reason, requestId: 0, again: () => this.request(request, patienceMs) };
  }

  #sendNew(request: SessionRequest, patienceMs: number): Promise<Answer> {
    // A release is known by its hold and needs no number: many of them keep nothing else from being asked.
    const requestId = request.kind === 'release' ? request.hold : this.#nextRequest++;
    const unanswered = this.#window(request);
    unanswered?.add(requestId);
    const lowestUnanswered = unanswered === undefined ? requestId : this.#lowest(unanswered);
    const numbered = { ...request, session: this.id, requestId, lowestUnanswered };
    const { set } = this.#group.configuration;
    const command = isSigned(numbered)
      ? signCommand<SessionSigned>(set, numbered, this.key)
      : (numbered as Exclude<Command, { signature: Uint8Array }>);
    const sentAtMs = this.#group.stopwatch.now();
    return this.#send(
      { requestId, bytes: encodeCommand(command), sentAtMs, kind: command.kind, unanswered },
      patienceMs,
    );
  }

  async #send(sent: Sent, patienceMs: number): Promise<Answer> {
    const { requestId, bytes, sentAtMs, unanswered } = sent;
    if (unanswered !== undefined) this.#unknown.delete(requestId);
    const stillKnown = unanswered?.has(requestId) === true;
    let answered = true;
    try {
      const answer = await send(this.#group, bytes, patienceMs, sentAtMs);
      const forgotten = answer.kind === 'outcome' && this.#isForgotten(answer.outcome, sent, stillKnown);
      if (answer.kind === 'outcome' && !forgotten) return answer;
      // Asking again keeps the first sending's time: the group may have granted then, and counts from there.
      const again = (): Promise<Answer> => this.#send(sent, patienceMs);
      if (answer.kind === 'outcome') return { kind: 'unknown', reason: FORGOTTEN, requestId, again };
      answered = false;
      return { ...answer, requestId, again };
    } finally {
      if (answered) unanswered?.delete(requestId);
      else if (unanswered?.has(requestId) === true) this.#unknown.add(requestId);
      this.#wake();
    }
  }

  /**
   * Nobody knows what came of it. Of a consume that is said of an unknown session, too, after a day, or if others were asked since
   * that let the group forget it.
   */
  #isForgotten(outcome: Outcome, { kind, sentAtMs }: Sent, stillKnown: boolean): boolean {
    if (outcome.kind !== 'refused') return false;
    if (outcome.code === 'forgotten') return true;
    const late = mayBeForgotten(sentAtMs, this.#group.stopwatch.now());
    return outcome.code === 'unknown-session' && kind === 'consume' && (late || !stillKnown);
  }

  /** As the group has them (PROTOCOL §5.11); what gives back waits for nothing. */
  #window({ kind }: SessionRequest): Set<number> | undefined {
    if (kind === 'acquire' || kind === 'renew') return this.#unanswered;
    return kind === 'consume' || kind === 'borrow' || kind === 'extend' ? this.#unansweredProven : undefined;
  }

  /** What was given up and not asked for again must not stop everything else for ever. */
  #windowIsFull(request: SessionRequest): boolean {
    const own = this.#window(request);
    if (own === undefined) return false;
    const isNew = request.kind !== 'renew';
    // Whatever takes a number takes it from both windows.
    const windows = isNew ? [this.#unanswered, this.#unansweredProven] : [own];
    const room = LIMITS.requestsInFlight - (isNew ? KEPT_FOR_RENEWALS : 0);
    for (const window of windows)
      while (this.#nextRequest - this.#lowest(window) >= room) {
        const lowest = this.#lowest(window);
        if (!this.#unknown.delete(lowest)) return true;
        window.delete(lowest);
      }
    return false;
  }

  /** Until something was answered, or that time has passed. */
  #turn(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.#group.machine.later(ms, resolve);
      this.#turns.push(() => {
        callOff();
        resolve();
      });
    });
  }

  #wake(): void {
    const turns = this.#turns;
    this.#turns = [];
    for (const turn of turns) turn();
  }

  #lowest(window: ReadonlySet<number>): number {
    const [first = this.#nextRequest] = window;
    return first;
  }

  /** Its nonce is new: a renewal that somebody foretold would have an outcome from before it was sent. */
  renew(patienceMs: number, idleMs = 0): Promise<Answer> {
    return this.request({ kind: 'renew', nonce: this.#group.machine.nonce(16), idleMs }, patienceMs);
  }

  acquire(
    items: readonly AcquireItem[],
    asked: { readonly releaseHash: Uint8Array; readonly waitMs: number },
    patienceMs: number,
  ): Promise<Answer> {
    return this.request({ kind: 'acquire', ...asked, items }, patienceMs);
  }

  async close(patienceMs: number): Promise<Answer> {
    const answer = await this.request({ kind: 'close', secret: this.#closeSecret }, patienceMs);
    this.ended ||= answer.kind === 'outcome';
    return answer;
  }

  /** Everything needed to go on in another process. It is secret: whoever has it has the seats. */
  saved(): SavedSession {
    return {
      id: toBase64url(this.id),
      seed: toBase64url(this.#seed as Uint8Array), // of a key of our own
      closeSecret: toBase64url(this.#closeSecret),
      timeoutMs: this.timeoutMs,
      nextRequest: this.#nextRequest,
    };
  }

  /** By which admins see and evict it. */
  get handle(): Uint8Array {
    return sessionHandleOf(this.#group.crypto, this.id);
  }

  /** One whose key is elsewhere, as it was left. */
  static of(group: Group, parts: SessionParts): Session {
    return new Session(group, parts);
  }

  static resume(group: Group, saved: SavedSession): Session {
    const seed = fromBase64url(saved.seed);
    return new Session(group, {
      id: fromBase64url(saved.id),
      key: ed25519FromSeed(seed),
      seed,
      closeSecret: fromBase64url(saved.closeSecret),
      timeoutMs: saved.timeoutMs,
      nextRequest: saved.nextRequest,
    });
  }
}

function isSigned<R extends { readonly kind: Command['kind'] }>(
  request: R,
): request is Extract<R, { kind: SessionSigned['kind'] }> {
  return request.kind === 'consume' || request.kind === 'borrow' || request.kind === 'extend';
}

async function send(
  group: Group,
  bytes: Uint8Array,
  patienceMs: number,
  sentAtMs = group.stopwatch.now(),
): Promise<Answer> {
  const result = await group.submit(bytes, patienceMs);
  switch (result.kind) {
    case 'rejected':
      throw new ClientError('bad-request', `the server refuses it: ${result.reason}`);
    case 'unknown': {
      const again = (): Promise<Answer> => send(group, bytes, patienceMs, sentAtMs);
      return { kind: 'unknown', reason: result.reason, requestId: 0, again };
    }
    case 'certified':
      return { kind: 'outcome', outcome: result.outcome, certified: result.certified, sentAtMs };
  }
}
