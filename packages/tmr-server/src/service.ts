import {
  type AwaitTurnReply,
  AwaitTurnReplySchema,
  type AwaitTurnRequest,
  type CertifiedFields,
  create,
  type DescribeReply,
  type GetLicenseReply,
  type GetRulesReply,
  GetRulesReplySchema,
  GetLicenseReplySchema,
  type GetUsageReply,
  type GetUsageRequest,
  type HandOverReply,
  HandOverReplySchema,
  type ListLicensesReply,
  type ListSessionsReply,
  type StatusReply,
  type SubmitReply,
  SubmitReplySchema,
  type SubmitRequest,
  type TryRulesReply,
  TryRulesReplySchema,
  type WatchEvent,
  WatchEventSchema,
} from '@trefoil/api';
import { otherIsHeard, type Priority, tryRules } from '@trefoil/core';
import type { Clock } from '@trefoil/host';
import {
  bytesKey,
  type Command,
  copyBytes,
  decodeCommand,
  equalBytes,
  type HandOverOrder,
  LicenseError,
  LIMITS,
  verifyHandOver,
} from '@trefoil/license';
import type { ProposerRuntime, Submitted } from './proposer-runtime.ts';
import type { Traces } from './traces.ts';
import { getUsage } from './usage-view.ts';
import { describe, listLicenses, listSessions, status, TooMany } from './views.ts';

/** A request that can't be served as it is; the message is for the one who sent it. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: 'unknown-set' | 'malformed' | 'not-found' | 'too-many' | 'not-now';

  constructor(code: ServiceError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** What the host of a TMR server does beside serving. */
export interface ServiceHost {
  /** As people know it; undefined: there is none. */
  readonly virtualIp?: string;
  readonly onHandedOver?: (admin: string) => void;
  readonly traces?: Pick<Traces, 'begin'>;
}

/** What became of a command; each door writes it in its own way. */
export type SubmitAnswer =
  | { readonly kind: 'certified'; readonly certified: CertifiedFields }
  | { readonly kind: 'redirect'; readonly address: string; readonly server: string }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly retryAfterMs: number };

const DEFAULT_PATIENCE_MS = 5_000;
const DEFAULT_TURN_MS = 30_000;
const MAX_PATIENCE_MS = 60_000;
const PATIENCE_SHARE = 0.8;
/** Of those whom rules would deny: the longest first. */
const MOST_SHOWN = 1_000;
/** A long list is work: within this time everybody gets the same one. */
const LIST_AGAIN_MS = 1_000;
const HAND_OVER_MS = 2_000;

/**
 * The service of trefoil.proto, once: frames and HTTP are two doors to it. Throws ServiceError. `submit` answers by callback,
 * because it is called ten thousand times a second.
 */
export class Service {
  readonly #runtimes: ReadonlyMap<string, ProposerRuntime>;
  readonly #clock: Clock;
  readonly #listed = new WeakMap<ProposerRuntime, { readonly at: number; readonly reply: ListSessionsReply }>();

  readonly #host: ServiceHost;

  constructor(runtimes: ReadonlyMap<string, ProposerRuntime>, clock: Clock, host: ServiceHost = {}) {
    this.#runtimes = runtimes;
    this.#clock = clock;
    this.#host = host;
  }

  describe(request: { set: Uint8Array }): DescribeReply {
    return describe(this.#runtime(request.set), this.#clock);
  }

  status(request: { set: Uint8Array }): StatusReply {
    return status(this.#runtime(request.set), { clock: this.#clock, virtualIp: this.#host.virtualIp ?? '' });
  }

  listLicenses(request: { set: Uint8Array }): ListLicensesReply {
    return listLicenses(this.#runtime(request.set));
  }

  listSessions(request: { set: Uint8Array }): ListSessionsReply {
    const runtime = this.#runtime(request.set);
    const before = this.#listed.get(runtime);
    const now = this.#clock.monotonicMs();
    if (before !== undefined && now - before.at < LIST_AGAIN_MS) return before.reply;
    try {
      const reply = listSessions(runtime);
      this.#listed.set(runtime, { at: now, reply });
      return reply;
    } catch (error) {
      if (error instanceof TooMany) throw new ServiceError('too-many', error.message);
      throw error;
    }
  }

  getLicense(request: { set: Uint8Array; digest: Uint8Array }): GetLicenseReply {
    const { ledger } = this.#runtime(request.set).proposer.replica;
    for (const { license, licenseDigest, replaced } of ledger.licenses.values())
      for (const one of [{ digest: licenseDigest, text: license.text }, ...replaced])
        if (equalBytes(one.digest, request.digest)) return create(GetLicenseReplySchema, { license: one.text });
    throw new ServiceError('not-found', 'no license with that digest is installed');
  }

  getRules(request: { set: Uint8Array }): GetRulesReply {
    const { policy } = this.#runtime(request.set).proposer.replica.ledger;
    if (policy === undefined) return create(GetRulesReplySchema);
    const { text, version, admin, sinceUtc } = policy;
    return create(GetRulesReplySchema, { document: text, version, admin, sinceUtc: BigInt(sinceUtc) });
  }

  getUsage(request: GetUsageRequest): GetUsageReply {
    return getUsage(this.#runtime(request.set), request);
  }

  tryRules(request: { set: Uint8Array; document: string }): TryRulesReply {
    const { ledger } = this.#runtime(request.set).proposer.replica;
    try {
      const { denied, remarks } = tryRules(ledger, request.document);
      const shown = denied.slice(0, MOST_SHOWN);
      return create(TryRulesReplySchema, { index: BigInt(ledger.index), denied: shown, remarks: [...remarks] });
    } catch (error) {
      if (error instanceof LicenseError) throw new ServiceError('malformed', error.message);
      throw error;
    }
  }

  submit(request: SubmitRequest, done: (answer: SubmitAnswer) => void): void {
    const runtime = this.#runtime(request.set);
    // A view of the network's buffer: the entry outlives it.
    const bytes = copyBytes(request.command);
    const command = readCommand(bytes);
    const priority = priorityOf(runtime, command);
    const traced = this.#host.traces?.begin(command.kind);
    // A little sooner than the client gives up, so that it learns why there is no answer.
    const patienceMs =
      PATIENCE_SHARE * (request.patienceMs === 0 ? DEFAULT_PATIENCE_MS : Math.min(request.patienceMs, MAX_PATIENCE_MS));
    runtime.submit({ bytes, priority, patienceMs, stuck: request.stuck }, (result) => {
      const answer = answerOf(runtime, result);
      done(answer);
      traced?.(answer);
    });
  }

  /** A planned switch, by an admin's order for this very epoch (PROTOCOL §4.8). Only the one that leads can answer. */
  async handOver(request: { set: Uint8Array; order: string }): Promise<HandOverReply> {
    const runtime = this.#runtime(request.set);
    const { proposer } = runtime;
    if (proposer.role !== 'leading') throw new ServiceError('not-now', `TMR server ${proposer.id} does not lead`);
    const to = proposer.id === 'A' ? 'B' : 'A';
    const order = readOrder(runtime, request.order);
    if (typeof order === 'string') return create(HandOverReplySchema, { refused: order });
    if (!otherIsHeard(proposer, { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() })) {
      const refused = `TMR server ${to} is not heard by enough license servers: nobody would take over`;
      return create(HandOverReplySchema, { refused });
    }
    if (!(await runtime.handOver(HAND_OVER_MS)))
      return create(HandOverReplySchema, { refused: 'the open entry gets no certificate' });
    this.#host.onHandedOver?.(order.admin);
    return create(HandOverReplySchema, { to });
  }

  /** Calls `listener` for each certified entry from now on; returns how to stop. */
  watch(request: { set: Uint8Array }, listener: (event: WatchEvent) => void): () => void {
    const { watchers } = this.#runtime(request.set);
    const watcher: Parameters<typeof watchers.add>[0] = (event) =>
      listener(
        'role' in event
          ? create(WatchEventSchema, { role: event.role, epoch: BigInt(event.epoch) })
          : create(WatchEventSchema, {
              index: BigInt(event.index),
              utc: BigInt(event.utc),
              outcomes: [...event.outcomes],
              certificate: event.certificate,
            }),
      );
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }

  /** Answers when that wait has ended, as far as this server knows, or its patience has; returns how to call that off. */
  awaitTurn(request: AwaitTurnRequest, done: (reply: AwaitTurnReply) => void): () => void {
    const { turns, proposer } = this.#runtime(request.set);
    const { session, hold: asked, patienceMs } = request;
    const hold = Number(asked);
    const waits = proposer.replica.ledger.handles.get(bytesKey(session))?.waits.has(hold) === true;
    const reply = (waiting: boolean): void => done(create(AwaitTurnReplySchema, { waiting }));
    if (!waits) {
      reply(false);
      return () => undefined;
    }
    const end = (waiting: boolean): void => {
      callOff();
      forget();
      reply(waiting);
    };
    const forget = turns.add(session, hold, () => end(false));
    const patience = patienceMs === 0 ? DEFAULT_TURN_MS : Math.min(patienceMs, MAX_PATIENCE_MS);
    const callOff = this.#clock.later(patience, () => end(true));
    return () => {
      callOff();
      forget();
    };
  }

  /** Who names none means the first: so nobody has to do anything when a second one is added. */
  #runtime(set: Uint8Array): ProposerRuntime {
    const [first] = this.#runtimes.values();
    const found = set.length === 0 ? first : this.#runtimes.get(bytesKey(set));
    if (found === undefined) throw new ServiceError('unknown-set', 'no such virtual container here');
    return found;
  }
}

/** What an admin wants; or why it is of no use, in words. */
function readOrder({ proposer, configuration }: ProposerRuntime, text: string): HandOverOrder | string {
  const { crypto, group, epoch } = proposer;
  try {
    const order = verifyHandOver(crypto, group, text);
    if (!equalBytes(order.set, configuration.set)) return 'the order is for another virtual container';
    return order.epoch === epoch ? order : `the order is for epoch ${order.epoch}; this is epoch ${epoch}`;
  } catch (error) {
    if (error instanceof LicenseError) return `no order of an admin: ${error.message}`;
    throw error;
  }
}

/** What keeps people's seats goes first, if it is of a session that there is. */
function priorityOf(runtime: ProposerRuntime, command: Command): Priority {
  switch (command.kind) {
    case 'renew':
      return isOpen(runtime, command.session) ? 'renew' : 'other';
    case 'release':
    case 'close':
      return isOpen(runtime, command.session) ? 'release' : 'other';
    case 'acquire':
      return 'acquire';
    default:
      return 'other';
  }
}

function isOpen({ proposer }: ProposerRuntime, session: Uint8Array): boolean {
  return proposer.replica.ledger.sessions.has(bytesKey(session));
}

/** Nothing that is no command enters the log. */
function readCommand(bytes: Uint8Array): Command {
  if (bytes.length > 2 * LIMITS.updateBytes) throw new ServiceError('malformed', `a command of ${bytes.length} bytes`);
  try {
    return decodeCommand(bytes);
  } catch (error) {
    if (error instanceof LicenseError) throw new ServiceError('malformed', `not a command: ${error.message}`);
    throw error;
  }
}

function answerOf(runtime: ProposerRuntime, result: Submitted): SubmitAnswer {
  switch (result.kind) {
    case 'certified': {
      const { outcome, leafIndex, path } = result.answer;
      return { kind: 'certified', certified: { outcome, leafIndex, path, certificate: result.certificate } };
    }
    case 'redirect': {
      const address = runtime.proposer.group.tmrServers.find((one) => one.id === result.to)?.address ?? '';
      return { kind: 'redirect', address, server: result.to };
    }
    case 'unavailable':
      return result;
  }
}

/** The answer as a message of trefoil.proto. */
export function submitReply(answer: SubmitAnswer): SubmitReply {
  switch (answer.kind) {
    case 'certified': {
      const { certified } = answer;
      const value = { ...certified, path: [...certified.path] };
      return create(SubmitReplySchema, { result: { case: 'certified', value } });
    }
    case 'redirect': {
      const { address, server } = answer;
      return create(SubmitReplySchema, { result: { case: 'redirect', value: { address, server } } });
    }
    case 'unavailable': {
      const { reason, retryAfterMs } = answer;
      return create(SubmitReplySchema, { result: { case: 'unavailable', value: { reason, retryAfterMs } } });
    }
  }
}
