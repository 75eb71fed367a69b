import {
  CLIENT_VERSION,
  type Answer,
  type BorrowCommand,
  type Command,
  type ConsumeCommand,
  decodeOutcome,
  encodeCommand,
  encodeUtf8,
  equalBytes,
  type ExtendCommand,
  type Grant,
  type OpenCommand,
  type Outcome,
  sessionIdOf,
  type SigningKey,
  signCommand,
  type TmrServer,
  verifyMerklePath,
} from '@trefoil/license';
import { secretPair, seedKey } from '@trefoil/license/fixtures';
import { LIMITS } from '../index.ts';
import { inWords } from './in-words.ts';
import { verifyByAny } from './witness.ts';
import type { World } from './world.ts';

/** How long a client waits before it asks the other TMR server as well, and before it gives up. */
const HEDGE_MS = 150;
const PATIENCE_MS = 5_000;
const REDIAL_MS = 20;
/** Attempts after which it says that the active TMR server is of no use to it. */
const STUCK_AFTER = 8;

/** What a TMR server's connection gave back. */
export type Reply =
  | {
      readonly kind: 'answer';
      readonly outcome: Uint8Array;
      readonly leafIndex: number;
      readonly path: readonly Uint8Array[];
      readonly certificate: Uint8Array;
    }
  | { readonly kind: 'redirect'; readonly to: TmrServer }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly retryAfterMs: number }
  /** The connection is closed. */
  | { readonly kind: 'gone' };

interface Hold {
  readonly id: number;
  readonly products: readonly string[];
  readonly secret: Uint8Array;
  licenses: readonly string[];
  seats: number;
  /** Not used beyond, by the client's own clock. */
  until: number;
}

interface Request {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly commandHash: Uint8Array;
  readonly sentAt: number;
  readonly answered: (outcome: Outcome, bytes: Uint8Array) => void;
  attempts: number;
  done: boolean;
}

/** One application process: sends, asks again, verifies, and believes a grant for no longer than it may. */
export class Client {
  readonly name: string;
  readonly host: string;
  readonly holds: Hold[] = [];
  readonly key: SigningKey;
  readonly #world: World;
  readonly #say: (text: string) => void;
  #active: TmrServer = 'A';
  #stuck = false;
  session: Uint8Array = new Uint8Array(16);
  requestId = 0;
  open = new Set<number>();
  waiting = 0;
  last: { bytes: Uint8Array; what: string; outcome: Uint8Array | undefined } | undefined;
  renewing = false;

  constructor(world: World, name: string, host: string, say: (text: string) => void) {
    this.#world = world;
    this.name = name;
    this.host = host;
    this.key = seedKey(`session of ${name}`);
    this.#say = say;
  }

  openSession(): void {
    const { fixture, proposers } = this.#world;
    const atLogTime = (proposers.A ?? proposers.B)?.replica.certified?.logTime ?? 0;
    const command = signCommand<OpenCommand>(
      fixture.set,
      {
        kind: 'open',
        sessionKey: this.key.publicKey.bytes,
        nonce: fixture.crypto.sha256(encodeUtf8(`${this.name} ${this.requestId}`)).subarray(0, 16),
        closeHash: secretPair(fixture.crypto, `${this.name} closes`).hash,
        atLogTime,
        user: this.name,
        host: this.host,
        program: 'app',
        address: '',
        client: CLIENT_VERSION,
      },
      this.key,
    );
    this.session = sessionIdOf(fixture.crypto, fixture.set, command);
    this.request(command, 'open a session');
  }

  /** `waitMs` 0: not at all. */
  acquire(items: readonly { product: string; seats: number }[], waitMs = 0): void {
    const id = this.requestId + 1;
    const { secret, hash } = secretPair(this.#world.fixture.crypto, `${this.name} ${id}`);
    const products = items.map((one) => one.product);
    const command: Command = {
      kind: 'acquire',
      ...this.next(),
      releaseHash: hash,
      waitMs,
      items: items.map((one) => ({ ...one, feature: '' })),
    };
    const what = items
      .map(({ product, seats }) => (seats === 1 ? product : `${seats} seats of ${product}`))
      .join(' and ');
    const sentAt = this.#world.now;
    this.request(command, `acquire ${what}`, (answer) => {
      // Of one that waits, a renewal tells when it has its seats.
      if (answer.kind !== 'granted' && answer.kind !== 'queued') return;
      this.holds.push({ id, products, secret, licenses: [], seats: 0, until: 0 });
      if (answer.kind === 'granted') this.#believe(answer.grants, sentAt);
    });
  }

  /** For a machine that goes away: nobody renews them. */
  borrow(items: readonly { product: string; seats: number }[], forMs: number): void {
    const { fixture, now: sentAt } = this.#world;
    const id = this.requestId + 1;
    const { secret, hash } = secretPair(fixture.crypto, `${this.name} ${id}`);
    const asked = items.map((one) => ({ ...one, feature: '' }));
    const unsigned = { kind: 'borrow', ...this.next(), releaseHash: hash, forMs, items: asked } as const;
    this.request(signCommand<BorrowCommand>(fixture.set, unsigned, this.key), 'borrow', (answer) => {
      if (answer.kind !== 'granted') return;
      const products = items.map((one) => one.product);
      this.holds.push({ id, products, secret, licenses: [], seats: 0, until: 0 });
      this.#believe(answer.grants, sentAt);
    });
  }

  extend(product: string, forMs: number): void {
    const { fixture, now: sentAt } = this.#world;
    const hold = this.holds.find((one) => one.products.includes(product))?.id;
    if (hold === undefined) throw new RangeError(`${this.name} has borrowed no ${product}`);
    const unsigned = { kind: 'extend', ...this.next(), hold, forMs } as const;
    this.request(signCommand<ExtendCommand>(fixture.set, unsigned, this.key), 'extend', (answer) => {
      if (answer.kind === 'granted') this.#believe(answer.grants, sentAt);
    });
  }

  renew(): void {
    const sentAt = this.#world.now;
    this.request({ kind: 'renew', ...this.next(), nonce: new Uint8Array(16), idleMs: 0 }, 'renew', (answer) => {
      if (answer.kind === 'renewed') this.#believe(answer.grants, sentAt);
    });
  }

  /** Uses the seats no more from the moment at which it asks. */
  release(product: string): void {
    const at = this.holds.findIndex((one) => one.products.includes(product));
    const [hold] = this.holds.splice(at, at < 0 ? 0 : 1);
    if (hold === undefined) throw new RangeError(`${this.name} holds no ${product}`);
    this.request({ kind: 'release', ...this.next(), hold: hold.id, secret: hold.secret }, `release ${product}`);
  }

  consume(items: readonly { product: string; feature: string; count: number }[]): void {
    const { fixture } = this.#world;
    const unsigned = { kind: 'consume', ...this.next(), items } as const;
    const what = items.map(({ product, feature, count }) => `${count} of ${feature === '' ? product : feature}`);
    this.request(signCommand<ConsumeCommand>(fixture.set, unsigned, this.key), `consume ${what.join(' and ')}`);
  }

  close(): void {
    const { secret } = secretPair(this.#world.fixture.crypto, `${this.name} closes`);
    this.holds.length = 0;
    this.request({ kind: 'close', ...this.next(), secret }, 'close');
  }

  /** The same request once more, as after a lost answer. */
  askAgain(): void {
    const { last } = this;
    if (last === undefined) throw new RangeError(`${this.name} has asked nothing yet`);
    this.#send(last.bytes, `${last.what}, again`, (_outcome, bytes) => {
      if (last.outcome === undefined) return; // the first answer
      const same = equalBytes(last.outcome, bytes);
      this.#say(`${this.name} got ${same ? 'the very same bytes' : 'other bytes'} as before`);
    });
  }

  /** Renews what it holds at half of its life, until told otherwise. */
  keepRenewing(): void {
    this.renewing = true;
    const lives = this.holds.flatMap(({ until }) => (until === 0 ? [] : [until - this.#world.now]));
    const pause = Math.max(1_000, Math.min(LIMITS.sessionTimeoutMs, ...lives) / 2);
    this.#world.clockwork.later(pause, () => {
      if (!this.renewing) return;
      this.renew();
      this.keepRenewing();
    });
  }

  next(): { session: Uint8Array; requestId: number; lowestUnanswered: number } {
    const requestId = ++this.requestId;
    this.open.add(requestId);
    return { session: this.session, requestId, lowestUnanswered: Math.min(...this.open) };
  }

  request(command: Command, what: string, then: (answer: Answer) => void = () => undefined): void {
    const bytes = encodeCommand(command);
    const kept: NonNullable<Client['last']> = { bytes, what, outcome: undefined };
    this.last = kept;
    this.#send(bytes, what, (outcome, outcomeBytes) => {
      kept.outcome = outcomeBytes;
      this.open.delete(outcome.requestId);
      then(outcome);
    });
  }

  #believe(grants: readonly Grant[], sentAt: number): void {
    for (const hold of this.holds) {
      const mine = grants.filter((one) => one.hold === hold.id);
      if (mine.length === 0) continue;
      hold.licenses = mine.map((one) => one.license);
      hold.seats = Math.max(...mine.map((one) => one.seats));
      // What is extended never ends sooner for that.
      const until = sentAt + Math.min(...mine.map((one) => one.lifeMs)) * (1 - LIMITS.clockRate);
      hold.until = Math.max(hold.until, until);
    }
  }

  #send(bytes: Uint8Array, what: string, answered: Request['answered']): void {
    const { fixture, now, clockwork } = this.#world;
    const request: Request = {
      ...{ what, bytes, answered, commandHash: fixture.crypto.sha256(bytes), sentAt: now },
      attempts: 0,
      done: false,
    };
    this.waiting++;
    this.#attempt(request, this.#active);
    clockwork.later(PATIENCE_MS, () => this.#giveUp(request));
  }

  #giveUp(request: Request): void {
    if (request.done) return;
    request.done = true;
    this.waiting--;
    this.#say(`${this.name} does not know what became of "${request.what}": no certified answer within 5 s`);
  }

  #attempt(request: Request, to: TmrServer): void {
    if (request.done) return;
    const { clockwork, cuts } = this.#world;
    const attempt = ++request.attempts;
    if (attempt > STUCK_AFTER) this.#stuck = true;
    const other = to === 'A' ? 'B' : 'A';
    const again = (ms: number, whom: TmrServer): void =>
      clockwork.later(ms, () => {
        if (request.attempts === attempt) this.#attempt(request, whom);
      });
    again(HEDGE_MS, other);
    if (cuts.has(`${this.name}>${to}`)) {
      this.#stuck = true;
      this.#world.serves(undefined, this.name);
      again(REDIAL_MS, other);
      return;
    }
    const options = { deadlineMs: this.#world.now + 1_000, stuck: this.#stuck };
    this.#world.submit(to, request.bytes, options, (reply) => {
      if (request.done) return;
      switch (reply.kind) {
        case 'answer':
          return this.#answer(request, to, reply);
        case 'redirect':
          return again(0, reply.to);
        case 'unavailable':
          this.#say(`${this.name} is told to come back later: ${reply.reason}`);
          return again(reply.retryAfterMs, to);
        case 'gone':
          return again(REDIAL_MS, other);
      }
    });
  }

  /** Takes nothing that two license servers didn't certify, and nothing that answers other bytes than it sent. */
  #answer(request: Request, from: TmrServer, reply: Extract<Reply, { kind: 'answer' }>): void {
    const { crypto } = this.#world.fixture;
    const accept = verifyByAny(crypto, this.#world.configurations, reply.certificate);
    const { outcome: data, leafIndex: index, path } = reply;
    const proved = verifyMerklePath(crypto, {
      ...{ data, index, path },
      leafCount: accept.leafCount,
      root: accept.outcomesRoot,
    });
    const outcome = decodeOutcome(data);
    if (!proved || !equalBytes(outcome.commandHash, request.commandHash)) {
      this.#say(`${this.name} takes no answer from ${from} that is not for what was asked`);
      return;
    }
    request.done = true;
    this.waiting--;
    this.#active = from;
    this.#world.serves(from, this.name);
    this.#stuck = false;
    const ms = (this.#world.now - request.sentAt).toFixed(1);
    const tries = request.attempts === 1 ? '' : `, asked ${request.attempts} times`;
    request.answered(outcome, data);
    this.#say(`${this.name} ${inWords(outcome, this.#world.wallMs() - this.#world.now)} (${ms} ms${tries})`);
  }
}
