import {
  type AcquireCommand,
  type AcquireItem,
  type BorrowCommand,
  CLIENT_VERSION,
  type Command,
  type ConsumeCommand,
  decodeOutcome,
  encodeCommand,
  encodeUtf8,
  type EvictCommand,
  type ExtendCommand,
  type JsonObject,
  keyIdBytes,
  type OpenCommand,
  type Outcome,
  type RulesCommand,
  sessionHandleOf,
  sessionIdOf,
  signCommand,
  type SigningKey,
  type UnnameCommand,
  type WriteOffCommand,
} from '@trefoil/license';
import { type Fixture, fixture, secretPair, seedKey } from '@trefoil/license/fixtures';
import { type Entry, RULES_VERSION } from '../entry.ts';
import { applyEntry } from './apply.ts';
import { LedgerRoot } from './root.ts';
import { emptyLedger, type Ledger, type LedgerContext } from './state.ts';

type WithoutSession<C> = C extends Command ? Omit<C, 'session' | 'requestId' | 'lowestUnanswered'> : never;
type Extra = Partial<{ requestId: number; lowestUnanswered: number }>;

/** A ledger that commands go into directly, without log and servers: for tests of the rules. */
export class TestLedger {
  readonly fixture: Fixture = shared;
  readonly ledger: Ledger;
  readonly utc: number;

  /** `utc`: when its log begins. */
  constructor(ledger?: Ledger, utc = Date.UTC(2026, 10, 24)) {
    this.ledger = ledger ?? emptyLedger(this.context);
    this.utc = ledger?.utc ?? utc;
    if (ledger === undefined) this.apply([]); // the first entry sets the clock
  }

  get context(): LedgerContext {
    const { crypto, root, configuration, group, issuingKey } = this.fixture;
    return { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text };
  }

  /** From scratch; leaves alone what an incremental root still has to take in. */
  get root(): Uint8Array {
    const { ledger } = this;
    const dirty = [...ledger.dirty];
    const root = LedgerRoot.of(ledger).current(ledger);
    for (const name of dirty) ledger.dirty.add(name);
    return root;
  }

  entry(commands: readonly (Command | Uint8Array)[], afterMs = 1): Entry {
    const { ledger } = this;
    return {
      set: this.fixture.set,
      index: ledger.index + 1,
      logTime: ledger.index === 0 ? 0 : ledger.logTime + afterMs,
      utc: ledger.index === 0 ? this.utc : ledger.utc + afterMs,
      rulesVersion: RULES_VERSION,
      ledgerRoot: undefined,
      commands: commands.map((one) => (one instanceof Uint8Array ? one : encodeCommand(one))),
    };
  }

  /** One entry, certified at once. */
  apply(commands: readonly (Command | Uint8Array)[], afterMs = 1): Outcome[] {
    return this.applyEntry(this.entry(commands, afterMs));
  }

  applyEntry(entry: Entry): Outcome[] {
    const outcomes = applyEntry(this.ledger, entry).map(decodeOutcome);
    this.ledger.journal.clear();
    return outcomes;
  }

  do(command: Command | Uint8Array, afterMs = 1): Outcome {
    return this.apply([command], afterMs)[0] as Outcome;
  }

  wait(ms: number): Outcome[] {
    return this.apply([], ms);
  }

  sell(terms: JsonObject, options: { id?: string; version?: number; product?: string } = {}): Outcome {
    const { fixture } = this;
    const document = fixture.update([fixture.license({ ...options, terms })], this.ledger.index + 1);
    return this.do({ kind: 'update', document });
  }

  evict(session: Uint8Array, options: { key?: SigningKey; atLogTime?: number; nonce?: number } = {}): EvictCommand {
    const { crypto, set, admin } = this.fixture;
    const { key = admin, atLogTime = this.ledger.logTime, nonce = 1 } = options;
    const unsigned = {
      kind: 'evict',
      admin: keyIdBytes(crypto, admin.publicKey),
      nonce: new Uint8Array(16).fill(nonce),
      ...{ atLogTime, session: sessionHandleOf(crypto, session), reason: 'needed' },
    } as const;
    return signCommand<EvictCommand>(set, unsigned, key);
  }

  writeOff(session: Uint8Array, nonce = 1): Outcome {
    const { set, admin } = this.fixture;
    const evict = this.evict(session, { nonce });
    return this.do(signCommand<WriteOffCommand>(set, { ...evict, kind: 'write-off' }, admin));
  }

  rule(rules: readonly JsonObject[], more: JsonObject = {}, key = this.fixture.admin): Outcome {
    const { crypto, set, admin } = this.fixture;
    const document = JSON.stringify({ format: 1, version: (this.ledger.policy?.version ?? 0) + 1, rules, ...more });
    const by = {
      admin: keyIdBytes(crypto, admin.publicKey),
      nonce: new Uint8Array(16),
      atLogTime: this.ledger.logTime,
    };
    return this.do(signCommand<RulesCommand>(set, { kind: 'rules', ...by, document }, key));
  }

  unname(license: string, name: string): Outcome {
    const { crypto, set, admin } = this.fixture;
    const by = {
      admin: keyIdBytes(crypto, admin.publicKey),
      nonce: new Uint8Array(16),
      atLogTime: this.ledger.logTime,
    };
    return this.do(signCommand<UnnameCommand>(set, { kind: 'unname', ...by, license, name }, admin));
  }
}

const shared = fixture();

export type TestItem = Partial<AcquireItem> & { readonly product: string };

export interface TestSessionOptions {
  readonly host?: string;
  readonly user?: string;
  readonly atLogTime?: number;
  readonly signedBy?: SigningKey;
  readonly client?: number;
  readonly address?: string;
}

/** A client's side of a session. */
export class TestSession {
  readonly key: SigningKey;
  readonly open: OpenCommand;
  readonly id: Uint8Array;
  readonly handle: Uint8Array;
  requestId = 0;
  readonly #name: string;
  readonly #fixture: Fixture;

  constructor(test: TestLedger, name: string, options: TestSessionOptions = {}) {
    const { crypto, set } = test.fixture;
    this.#name = name;
    this.#fixture = test.fixture;
    this.key = seedKey(name);
    const unsigned = {
      kind: 'open',
      sessionKey: this.key.publicKey.bytes,
      nonce: crypto.sha256(encodeUtf8(name)).subarray(0, 16),
      closeHash: secretPair(crypto, `${name} closes`).hash,
      atLogTime: options.atLogTime ?? test.ledger.logTime,
      user: options.user ?? name,
      host: options.host ?? 'ws-1',
      program: 'app',
      address: options.address ?? '',
      client: options.client ?? CLIENT_VERSION,
    } as const;
    this.open = signCommand<OpenCommand>(set, unsigned, options.signedBy ?? this.key);
    this.id = sessionIdOf(crypto, set, unsigned);
    this.handle = sessionHandleOf(crypto, this.id);
  }

  static opened(test: TestLedger, name: string, options?: TestSessionOptions): TestSession {
    const session = new TestSession(test, name, options);
    test.do(session.open);
    return session;
  }

  command(body: WithoutSession<Exclude<Command, OpenCommand>>, extra: Extra = {}): Command {
    const requestId = extra.requestId ?? ++this.requestId;
    const lowestUnanswered = extra.lowestUnanswered ?? requestId;
    return { ...body, session: this.id, requestId, lowestUnanswered } as Command;
  }

  acquire(products: string | readonly TestItem[] = 'cad', extra: Extra & { waitMs?: number } = {}): Command {
    const list = typeof products === 'string' ? [{ product: products }] : products;
    const items = list.map((one) => ({ feature: '', seats: 1, ...one }));
    const { hash } = this.secret(extra.requestId ?? this.requestId + 1);
    const { waitMs = 0, ...numbers } = extra;
    return this.command({ kind: 'acquire', releaseHash: hash, waitMs, items }, numbers);
  }

  release(hold: number, extra: Extra = {}): Command {
    return this.command({ kind: 'release', hold, secret: this.secret(hold).secret }, extra);
  }

  borrow(
    forMs: number,
    products: string | readonly TestItem[] = 'cad',
    { key = this.key, ...extra }: Extra & { key?: SigningKey } = {},
  ): Command {
    const { releaseHash, items, ...rest } = this.acquire(products, extra) as AcquireCommand;
    const { session, requestId, lowestUnanswered } = rest;
    const borrow = { kind: 'borrow', session, requestId, lowestUnanswered, releaseHash, items, forMs } as const;
    return signCommand<BorrowCommand>(this.#fixture.set, borrow, key);
  }

  extend(hold: number, forMs: number, { key = this.key, ...extra }: Extra & { key?: SigningKey } = {}): Command {
    const unsigned = this.command({ kind: 'extend', hold, forMs } as never, extra);
    return signCommand<ExtendCommand>(this.#fixture.set, unsigned as Omit<ExtendCommand, 'signature'>, key);
  }

  renew(extra: Extra & { idleMs?: number } = {}): Command {
    const { idleMs = 0, ...numbers } = extra;
    return this.command({ kind: 'renew', nonce: new Uint8Array(16), idleMs }, numbers);
  }

  consume(units: number, options: Extra & { key?: SigningKey; product?: string; feature?: string } = {}): Command {
    const { product = 'sim', feature = '', key = this.key } = options;
    return this.consumeAll([{ product, feature, count: units }], { ...options, key });
  }

  consumeAll(items: ConsumeCommand['items'], options: Extra & { key?: SigningKey } = {}): Command {
    const { key = this.key, ...extra } = options;
    const unsigned = this.command({ kind: 'consume', items } as never, extra);
    return signCommand<ConsumeCommand>(this.#fixture.set, unsigned as Omit<ConsumeCommand, 'signature'>, key);
  }

  close(secret = secretPair(this.#fixture.crypto, `${this.#name} closes`).secret): Command {
    return this.command({ kind: 'close', secret });
  }

  secret(hold: number): { secret: Uint8Array; hash: Uint8Array } {
    return secretPair(this.#fixture.crypto, `${this.#name} ${hold}`);
  }
}
