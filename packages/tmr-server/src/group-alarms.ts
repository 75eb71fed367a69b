import {
  ableMembers,
  activeElsewhere,
  heardMembers,
  inForce,
  type MemberLink,
  type Now,
  OLDEST_RULES,
  otherIsHeard,
  type Proposer,
} from '@trefoil/core';
import { type Clock, clockAlarm } from '@trefoil/host';
import { epochOwner, type TmrServer } from '@trefoil/license';
import type { ProposerRuntime } from './proposer-runtime.ts';

/** Who has just started hears nobody yet: that is no news. */
const STARTING_MS = 3_000;
const LOOK_MS = 500;
/** What ends by itself sooner is for graphs, and wakes nobody. */
const HOLDS_MS = 1_000;
/** A process that stood still takes what waited meanwhile for what the time is now. */
const CLOCK_OFF_HOLDS_MS = 3_000;

const CODES = [
  'no-quorum',
  'redundancy-lost',
  'tmr-server-not-heard',
  'virtual-ip-twice',
  'clock-off',
  'older-program',
] as const;
type Findings = Readonly<Record<(typeof CODES)[number], string | undefined>>;

/** What this server sees of the five right now. */
function findings(runtime: ProposerRuntime, now: Now, virtualIp: string): Findings {
  const { proposer } = runtime;
  return {
    'no-quorum': noQuorum(proposer, now),
    'redundancy-lost': redundancyLost(proposer, now),
    'tmr-server-not-heard': notHeard(runtime, now),
    'virtual-ip-twice': heldTwice(runtime, now, virtualIp),
    'clock-off': clocksOff(proposer, now),
    'older-program': olderProgram(proposer, now),
  };
}

/** One line for each alarm. Of the group as it is now, also if that has not lasted long enough to be told to anybody else. */
export function alarmsOf(runtime: ProposerRuntime, now: Now, virtualIp: string): string[] {
  const found = findings(runtime, now, virtualIp);
  const raised = runtime.alarms.current(runtime.configuration.name);
  const lines: string[] = [];
  for (const code of CODES) {
    const lasts = code !== 'clock-off' || raised.some((one) => one.code === code);
    if (found[code] !== undefined && lasts) lines.push(`${code}: ${found[code]}`);
  }
  const others = raised.filter(({ code }) => !CODES.some((one) => one === code));
  const own = [...lines, ...others.map(({ code, detail }) => `${code}: ${detail}`)];
  return [...own, ...licenseServersAlarms(runtime, own)];
}

/** What they alarm by themselves; who is silent is in an alarm of its own. */
function licenseServersAlarms({ proposer }: ProposerRuntime, own: readonly string[]): string[] {
  return inForce(proposer.replica).containers.flatMap(({ member }) =>
    (proposer.members[member].about?.alarms ?? [])
      .filter((line) => !own.includes(line)) // the same, seen here too
      .map((line) => line.replace(/^([a-z-]+): /, `$1: license server ${member}: `)),
  );
}

/** As license servers heard it last. */
function programOf({ members, replica }: Proposer, server: TmrServer): string {
  const said = inForce(replica).containers.map(({ member }) => members[member].about?.tmrPrograms);
  return said.map((one) => one?.[server === 'A' ? 0 : 1] ?? '').find((one) => one !== '') ?? '';
}

/** Raises and clears the alarms of one virtual container. */
export class GroupWatch implements Disposable {
  readonly #runtime: ProposerRuntime;
  readonly #clock: Clock;
  readonly #virtualIp: string;
  readonly #startedAt: number;
  /** Since when each is seen, monotonic. */
  readonly #since = new Map<string, number>();
  #callOff: (() => void) | undefined;

  constructor(runtime: ProposerRuntime, { clock, virtualIp }: { clock: Clock; virtualIp: string }) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#virtualIp = virtualIp;
    this.#startedAt = clock.monotonicMs();
    this.#look();
  }

  #look(): void {
    const now = { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() };
    const { alarms, configuration } = this.#runtime;
    const found = findings(this.#runtime, now, this.#virtualIp);
    for (const code of CODES) {
      const detail = found[code];
      if (detail === undefined || this.#holds(code, now)) alarms.keep(code, detail, configuration.name);
      if (detail === undefined) this.#since.delete(code);
    }
    this.#callOff = this.#clock.later(LOOK_MS, () => this.#look());
  }

  #holds(code: string, { monotonicMs }: Now): boolean {
    const since = this.#since.get(code) ?? monotonicMs;
    this.#since.set(code, since);
    const holdsMs = code === 'clock-off' ? CLOCK_OFF_HOLDS_MS : HOLDS_MS;
    return monotonicMs >= this.#startedAt + STARTING_MS && monotonicMs >= since + holdsMs;
  }

  [Symbol.dispose](): void {
    this.#callOff?.();
  }
}

function noQuorum(proposer: Proposer, now: Now): string | undefined {
  const { threshold } = inForce(proposer.replica);
  const { length } = ableMembers(proposer, now);
  return length < threshold
    ? `only ${length} of ${threshold} needed license servers vote, no seats are granted: ${whoDoesNotVote(proposer, now)}`
    : undefined;
}

/** Loss of redundancy is an alarm, not a footnote: a group of two that looks healthy is the classic trap. */
function redundancyLost(proposer: Proposer, now: Now): string | undefined {
  const { threshold, containers } = inForce(proposer.replica);
  // A group without any has not lost it.
  if (containers.length === threshold || ableMembers(proposer, now).length > threshold) return undefined;
  return `no redundancy left, one more failure stops grants: ${whoDoesNotVote(proposer, now)}`;
}

function whoDoesNotVote(proposer: Proposer, now: Now): string {
  const heard = heardMembers(proposer, now);
  return inForce(proposer.replica)
    .containers.flatMap(({ member }) => {
      const withholding = proposer.members[member].status?.withholding ?? '';
      if (!heard.includes(member)) return [`license server ${member} is not heard`];
      return withholding === '' ? [] : [`license server ${member} withholds (${withholding})`];
    })
    .join('; ');
}

function notHeard(runtime: ProposerRuntime, now: Now): string | undefined {
  const { proposer } = runtime;
  // Who hears too few license servers can't tell; that has its own alarm.
  if (heardMembers(proposer, now).length < inForce(proposer.replica).threshold) return undefined;
  const silent = tmrServers(runtime, now).find(({ server, heard }) => !heard && server !== proposer.id);
  if (silent === undefined) return undefined;
  return `TMR server ${silent.server} is not heard: if the other one fails, nobody takes over`;
}

function heldTwice(runtime: ProposerRuntime, now: Now, virtualIp: string): string | undefined {
  if (tmrServers(runtime, now).filter(({ holdsVirtualIp }) => holdsVirtualIp).length < 2) return undefined;
  return `both TMR servers hold the virtual IP ${virtualIp}: look for a keepalived that died, or a cut between them`;
}

/** Heard, and so as good as there; but it can not read the log, which shows when it is needed (PROTOCOL §4.10). */
function olderProgram(proposer: Proposer, now: Now): string | undefined {
  const { members, replica } = proposer;
  const { rulesVersion } = replica.ledger;
  // Who is not there has an alarm of its own.
  if (!otherIsHeard(proposer, now)) return undefined;
  const knows = heardMembers(proposer, now).map((member) => members[member].about?.rules ?? OLDEST_RULES);
  if (knows.length === 0 || Math.min(...knows) >= rulesVersion) return undefined;
  return `a server does not know rules ${rulesVersion}, by which the group goes: "trefoil status" shows which has an older program`;
}

function clocksOff(proposer: Proposer, now: Now): string | undefined {
  const own = { name: `TMR server ${proposer.id}`, wallMs: now.wallMs };
  const others = heardMembers(proposer, now).map((member) => ({
    name: `license server ${member}`,
    wallMs: now.wallMs + (clockOffsetMs(proposer.members[member], now) ?? 0),
  }));
  return clockAlarm([own, ...others]);
}

/** Of a license server, compared with this host's; undefined = not known. */
export function clockOffsetMs({ status, statusAt }: MemberLink, now: Now): number | undefined {
  return status === undefined ? undefined : status.wallMs + (now.monotonicMs - statusAt) - now.wallMs;
}

export function activeServer({ proposer }: ProposerRuntime, now: Now): TmrServer | undefined {
  return proposer.role === 'leading' ? epochOwner(proposer.epoch) : activeElsewhere(proposer, now);
}

interface TmrServerView {
  readonly server: TmrServer;
  readonly address: string;
  readonly active: boolean;
  readonly heard: boolean;
  readonly holdsVirtualIp: boolean;
  /** Version of its program; '' = not known. */
  readonly program: string;
}

/** This one knows itself; of the other it knows what license servers say. */
export function tmrServers(runtime: ProposerRuntime, now: Now): TmrServerView[] {
  const { proposer } = runtime;
  const active = activeServer(runtime, now);
  return proposer.group.tmrServers.map(({ id: server, address }) => {
    const isOwn = server === proposer.id;
    const said = heardMembers(proposer, now).map((member) => proposer.members[member].status);
    return {
      ...{ server, address, active: server === active },
      heard: isOwn ? said.length >= inForce(proposer.replica).threshold : otherIsHeard(proposer, now),
      program: isOwn ? proposer.program : programOf(proposer, server),
      holdsVirtualIp: isOwn ? proposer.holdsVirtualIp : said.some((one) => one?.holdVirtualIp.includes(server)),
    };
  });
}
