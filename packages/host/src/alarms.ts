import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/**
 * Everything that a server alarms, in one place: the code is what rules, dashboards and receivers of webhooks go by, so it never
 * changes its meaning. The core has those of its own; a test compares.
 */
export const ALARMS = {
  'redundancy-lost': 'One more license server may not fail.',
  'no-quorum': 'Too few license servers vote: no seats are granted.',
  'tmr-server-not-heard': 'The other TMR server is not heard: nobody would take over.',
  'clock-off': 'A clock differs by more than 2 s from the median of those that are known.',
  'certificate-expires': 'A certificate of this server has expired, or will within 30 days.',
  'configuration-expires': 'The configuration that the vendor signed has expired, or will within 30 days.',
  'disk-filling': 'The disk of the data directory has less than 2 GiB or 5 % free.',
  'virtual-ip-twice': 'Both TMR servers hold the virtual IP.',
  archive: 'Audit records could not be archived, or the oldest were dropped.',
  'rolled-back': 'A license server has forgotten something that it has signed.',
  unanchored:
    'A license server started without both of its peers: a store that was put back would not have been noticed.',
  replaced: 'Another container has the place of this license server: it has no vote any more.',
  fork: 'Two certificates contradict each other: somebody has signed what must not be signed.',
  equivocation: 'A TMR server proposed two entries at one place.',
  'double-vote': 'A license server signed two votes at one place.',
  'odd-vote': 'A license server voted for other outcomes than the rest.',
  'no-two-agree': 'No two license servers voted for the same.',
  'own-outcomes-differ': 'This TMR server came to other outcomes than the license servers, and handed over.',
  'certified-entry-missing': 'Promises lack an entry that was certified.',
  'bad-promise': 'A license server promised what it must not.',
  'bad-feed': 'Somebody sent entries that do not hash to what was certified.',
  'bad-snapshot': 'Somebody sent a snapshot that is not what was certified.',
  'older-program': 'A server has an older program than the group goes by: it could not take over, or vote.',
  'newer-rules': 'The group goes by rules that this program does not know: this server has no part in it.',
  refused: 'A license server refuses entries.',
} as const;

export type AlarmCode = keyof typeof ALARMS;

export interface Alarm {
  readonly code: string;
  readonly detail: string;
  /** Name of the virtual container; '' = of the whole server. */
  readonly about: string;
}

export interface AlarmChange extends Alarm {
  readonly state: 'raised' | 'cleared';
  readonly atWallMs: number;
}

/** What was seen once and says nothing of its end is shown for so long after it was last seen. */
const SEEN_MS = 60_000;

interface Raised extends Alarm {
  /** Monotonic; Infinity = until it is cleared. */
  readonly until: number;
}

/**
 * The alarms of one server: each is logged once when it begins and once when it ends, however often it is raised meanwhile. At most
 * one of each code for each virtual container; its detail is the newest.
 */
export class Alarms {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'wallMs'>;
  readonly #log: Log;
  readonly #raised = new Map<string, Raised>();
  readonly #listeners: ((change: AlarmChange) => void)[] = [];

  constructor({ clock, log }: { clock: Pick<Clock, 'monotonicMs' | 'wallMs'>; log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  onChange(listener: (change: AlarmChange) => void): void {
    this.#listeners.push(listener);
  }

  /** `lasting`: until `clear`; else it ends a minute after it was last raised. */
  raise(code: string, detail: string, { lasting = false, about = '' } = {}): void {
    this.#expire();
    const key = keyOf(code, about);
    const isNew = !this.#raised.has(key);
    const until = lasting ? Infinity : this.#clock.monotonicMs() + SEEN_MS;
    this.#raised.set(key, { code, detail, about, until });
    if (isNew) this.#changed({ code, detail, about }, 'raised');
  }

  clear(code: string, about = ''): void {
    const key = keyOf(code, about);
    const raised = this.#raised.get(key);
    if (raised === undefined) return;
    this.#raised.delete(key);
    this.#changed(raised, 'cleared');
  }

  /** What is looked at again and again: why it holds, or undefined. */
  keep(code: AlarmCode, detail: string | undefined, about = ''): void {
    if (detail === undefined) this.clear(code, about);
    else this.raise(code, detail, { lasting: true, about });
  }

  /** Those of the whole server, and of one virtual container; without it all. */
  current(about?: string): Alarm[] {
    this.#expire();
    return [...this.#raised.values()]
      .filter((one) => about === undefined || ['', about].includes(one.about))
      .map(({ code, detail, about: of }) => ({ code, detail, about: of }));
  }

  #expire(): void {
    const now = this.#clock.monotonicMs();
    for (const { code, about, until } of [...this.#raised.values()]) if (until <= now) this.clear(code, about);
  }

  #changed({ code, detail, about }: Alarm, state: AlarmChange['state']): void {
    const fields = { alarm: code, detail, ...(about !== '' && { virtualContainer: about }) };
    if (state === 'raised') this.#log.warn(fields, 'alarm');
    else this.#log.info(fields, 'alarm ended');
    const change = { code, detail, about, state, atWallMs: this.#clock.wallMs() };
    for (const listener of this.#listeners) listener(change);
  }
}

function keyOf(code: string, about: string): string {
  return `${code} ${about}`;
}
