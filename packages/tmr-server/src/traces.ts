import { randomBytes } from 'node:crypto';
import { type Clock, type Log, reasonOf } from '@trefoil/host';
import { decodeAccept, decodeCertificate, decodeOutcome } from '@trefoil/license';
import type { SubmitAnswer } from './service.ts';

const FLUSH_MS = 5_000;
const SEND_MS = 5_000;
/** Within the time that a stop may take. */
const LAST_SEND_MS = 500;
/** Of one message. What comes while so many wait is dropped: traces are samples anyway. */
const MOST_SPANS = 512;

export interface TracesOptions {
  /** `http://collector:4318/v1/traces` */
  readonly endpoint: string;
  /** Share of the commands, from 0 to 1. */
  readonly sample: number;
  readonly group: string;
  /** `tmr-server-A` */
  readonly server: string;
  readonly clock: Clock;
  readonly log: Log;
}

type Value = string | number;

/**
 * Spans of commands, from their arrival to their answer, for a collector of OpenTelemetry (OTLP over HTTP, as JSON). They say what
 * kind of command it was, where in the log it stands and what came of it; never who asked. Whatever the collector does, this
 * server goes on. By hand: it is one JSON object, and OpenTelemetry's own packages take 24 MiB and 150 ms to load.
 */
export class Traces implements AsyncDisposable {
  readonly #options: TracesOptions;
  readonly #random: () => number;
  #spans: object[] = [];
  #callOff: (() => void) | undefined;
  #sending = Promise.resolve();
  #failed = false;

  constructor(options: TracesOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** What to call with the answer; undefined = this one is not in the sample. */
  begin(kind: string): ((answer: SubmitAnswer) => void) | undefined {
    const { clock, sample } = this.#options;
    if (this.#random() >= sample || this.#spans.length >= MOST_SPANS) return undefined;
    const startMs = clock.wallMs();
    const startedAt = clock.monotonicMs();
    return (answer) => {
      if (this.#spans.length >= MOST_SPANS) return;
      const { failed, attributes } = described(answer);
      this.#spans.push({
        traceId: randomBytes(16).toString('hex'),
        spanId: randomBytes(8).toString('hex'),
        name: `submit ${kind}`,
        kind: 2, // server
        startTimeUnixNano: nanoseconds(startMs),
        endTimeUnixNano: nanoseconds(startMs + clock.monotonicMs() - startedAt),
        attributes: written({ 'trefoil.command': kind, ...attributes }),
        ...(failed && { status: { code: 2 } }),
      });
      this.#callOff ??= clock.later(FLUSH_MS, () => this.#flush(SEND_MS));
    };
  }

  #flush(withinMs: number): void {
    this.#callOff?.();
    this.#callOff = undefined;
    const spans = this.#spans;
    this.#spans = [];
    if (spans.length > 0) this.#sending = this.#sending.then(() => this.#send(spans, withinMs));
  }

  async #send(spans: readonly object[], withinMs: number): Promise<void> {
    const { endpoint, log } = this.#options;
    const { host } = new URL(endpoint); // the rest may be a secret
    const reason = await this.#post(spans, withinMs);
    if (reason === undefined && this.#failed) log.info({ host }, 'the collector of traces is reached again');
    if (reason !== undefined && !this.#failed) log.warn({ host, reason }, 'the collector of traces is not reached');
    this.#failed = reason !== undefined;
  }

  async #post(spans: readonly object[], withinMs: number): Promise<string | undefined> {
    const { endpoint, group, server } = this.#options;
    const resource = {
      attributes: written({
        'service.name': 'trefoil-tmr-server',
        'service.instance.id': server,
        'trefoil.group': group,
      }),
    };
    try {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'trefoil' }, spans }] }] }),
        redirect: 'error',
        signal: AbortSignal.timeout(withinMs),
      });
      await response.body?.cancel();
      return response.ok ? undefined : `it answers ${response.status}`;
    } catch (error) {
      return reasonOf(error instanceof TypeError && error.cause !== undefined ? error.cause : error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush(LAST_SEND_MS);
    await Promise.race([
      this.#sending,
      new Promise((resolve) => this.#options.clock.later(LAST_SEND_MS, () => resolve(0))),
    ]);
  }
}

function described(answer: SubmitAnswer): { failed: boolean; attributes: Record<string, Value> } {
  switch (answer.kind) {
    case 'certified': {
      const { outcome, certificate } = answer.certified;
      const { epoch, index } = decodeAccept(decodeCertificate(certificate).statement);
      const { kind } = decodeOutcome(outcome);
      return { failed: false, attributes: { 'trefoil.outcome': kind, 'trefoil.epoch': epoch, 'trefoil.index': index } };
    }
    case 'redirect':
      return { failed: false, attributes: { 'trefoil.outcome': 'redirect' } };
    case 'unavailable':
      return { failed: true, attributes: { 'trefoil.outcome': `unavailable: ${answer.reason}` } };
  }
}

/** As OTLP writes attributes: integers of 64 bits are texts in JSON. */
function written(attributes: Readonly<Record<string, Value>>): object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) },
  }));
}

function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1_000)) * 1_000n);
}
