import type { AlarmChange, Alarms } from './alarms.ts';
import type { Clock } from './clock.ts';
import { reasonOf } from './errors.ts';
import { httpUrl } from './http-url.ts';
import type { Log } from './log.ts';
import { readSecretFile } from './text-file.ts';
import { z } from 'zod';

/** Of both servers' configurations. */
export const webhookSchema = z.strictObject({
  url: httpUrl('https://monitor.example/trefoil'),
  /** A bearer token: one line, in a file of mode 0600. Read anew each time, so that it may be changed. */
  tokenFile: z.string().min(1).optional(),
});

type WebhookConfiguration = z.output<typeof webhookSchema>;

export interface WebhookOptions {
  readonly webhook: WebhookConfiguration;
  readonly group: string;
  /** `tmr-server-A` */
  readonly server: string;
  readonly clock: Clock;
  readonly log: Log;
}

const TRY_MS = 5_000;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 30_000;
/** What happened longer ago is of no use to anybody on call; metrics and log have it. */
const GIVE_UP_MS = 10 * 60_000;
/** Far more than there are alarms; beyond it the oldest goes. */
const MOST_WAITING = 256;

/**
 * Tells alarms to somebody else's HTTP server: in order, again and again for some minutes, and in the background. Whatever happens
 * there, this server goes on. The address is never logged, as it may be a secret, too; only its host.
 */
export class Webhook implements AsyncDisposable {
  readonly #options: WebhookOptions;
  readonly #host: string;
  readonly #stop = new AbortController();
  readonly #waiting: { readonly change: AlarmChange; readonly giveUpAt: number }[] = [];
  #working: Promise<void> | undefined;
  #failed = false;

  private constructor(options: WebhookOptions) {
    this.#options = options;
    this.#host = new URL(options.webhook.url).host;
  }

  /** Throws `HostError` for a token that is not there, or that others could read. */
  static async start(options: WebhookOptions, alarms: Alarms): Promise<Webhook> {
    await readToken(options.webhook);
    const webhook = new Webhook(options);
    const atWallMs = options.clock.wallMs();
    for (const alarm of alarms.current()) webhook.#tell({ ...alarm, state: 'raised', atWallMs });
    alarms.onChange((change) => webhook.#tell(change));
    return webhook;
  }

  #tell(change: AlarmChange): void {
    if (this.#stop.signal.aborted) return;
    this.#waiting.push({ change, giveUpAt: this.#options.clock.monotonicMs() + GIVE_UP_MS });
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    const { clock, log } = this.#options;
    let pauseMs = FIRST_PAUSE_MS;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { change, giveUpAt } = next;
      const reason = await this.#post(change);
      if (this.#stop.signal.aborted) return;
      if (reason === undefined) {
        this.#drop(next);
        pauseMs = FIRST_PAUSE_MS;
        if (this.#failed) log.info({ host: this.#host }, 'the webhook is reached again');
        this.#failed = false;
        continue;
      }
      if (!this.#failed) log.warn({ host: this.#host, reason }, 'the webhook is not reached');
      this.#failed = true;
      if (clock.monotonicMs() + pauseMs > giveUpAt) {
        log.warn({ host: this.#host, alarm: change.code, state: change.state }, 'the webhook was not told of an alarm');
        this.#drop(next);
        continue;
      }
      await this.#pause(pauseMs);
      if (this.#stop.signal.aborted) return;
      pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS);
    }
  }

  /** It may have been dropped meanwhile, as the oldest. */
  #drop(done: object): void {
    if (this.#waiting[0] === done) this.#waiting.shift();
  }

  /** Why it was not taken; undefined = it was. */
  async #post(change: AlarmChange): Promise<string | undefined> {
    const { webhook } = this.#options;
    try {
      const token = await readToken(webhook);
      const response = await fetch(webhook.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(this.#body(change)),
        // A token goes to the server that was configured, and to no other.
        redirect: 'error',
        signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(TRY_MS)]),
      });
      await response.body?.cancel();
      return response.ok ? undefined : `it answers ${response.status}`;
    } catch (error) {
      return reasonOf(error instanceof TypeError && error.cause !== undefined ? error.cause : error);
    }
  }

  #body({ code, detail, about, state, atWallMs }: AlarmChange): object {
    const { group, server } = this.#options;
    const at = new Date(atWallMs).toISOString();
    return { group, server, ...(about !== '' && { virtualContainer: about }), code, detail, state, at };
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      const end = (): void => {
        callOff();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const callOff = this.#options.clock.later(ms, end);
      signal.addEventListener('abort', end);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#working;
  }
}

async function readToken({ tokenFile }: WebhookConfiguration): Promise<string | undefined> {
  return tokenFile === undefined ? undefined : (await readSecretFile(tokenFile, 'tokenFile')).trim();
}
