import { DENIAL_CODES, type DenialCode, LIMITS as FORMAT } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { type Hold, type Ledger, type LicenseState, licensesOf, recordName, type Wait } from './state.ts';
import { type DayStart, type DayUsage, NOTHING_USED, type Usage } from './usage-records.ts';

/**
 * What is used of each license, by UTC days (PROTOCOL §5.19). At midnight nothing is done but to note when it was: a license that
 * nobody touches is counted on when somebody does, or asks. So ten thousand of them do not hold up an entry.
 */
export const DAY_MS = 24 * 3_600_000;

/** The new entry's clocks are set. UTC follows log time, and what it gains on it, it gains at the end (PROTOCOL §6.3). */
export function beginDays(ledger: Ledger, before: { readonly logTime: number; readonly utc: number }): void {
  const { journal, days } = ledger;
  const today = Math.floor(ledger.utc / DAY_MS);
  const last = days.at(-1)?.day ?? today - 1;
  if (last >= today) return;
  const begun: DayStart[] = [];
  for (let day = Math.max(last + 1, today - LIMITS.usageDays); day <= today; day++) {
    const after = days.length === 0 ? Infinity : day * DAY_MS - before.utc;
    begun.push({ day, logTime: Math.min(ledger.logTime, before.logTime + after) });
  }
  journal.set(ledger, 'days', [...days, ...begun].slice(-LIMITS.usageDays - 1));
  ledger.dirty.add(recordName.days);
}

/** Its seats were given. */
export function countGrants(ledger: Ledger, { items }: Hold): void {
  for (const { license } of items) count(ledger, ledger.licenses.get(license), (so) => ({ grants: so.grants + 1 }));
}

/** Its seats are free. */
export function countFreed(ledger: Ledger, { items }: Hold): void {
  for (const { license } of items) count(ledger, ledger.licenses.get(license));
}

/** How many there are is no longer what it was. */
export function countQuantity(ledger: Ledger, state: LicenseState): void {
  if (state.usage.day !== 0) count(ledger, state);
}

export function countUnits(ledger: Ledger, state: LicenseState, units: number): void {
  if (units > 0) count(ledger, state, (so) => ({ units: capped(so.units + units) }));
}

/** Of several licenses that add up, the first stands for all. What there is no license for is nobody's: anybody may ask for it. */
export function countDenial(
  ledger: Ledger,
  {
    code,
    asked,
    product,
  }: { readonly code: DenialCode; readonly asked: readonly LicenseState[]; readonly product: string },
): void {
  const place = DENIAL_CODES.indexOf(code);
  count(ledger, first(asked) ?? first(licensesOf(ledger, product)), ({ denials }) => ({
    denials: denials.map((so, i) => (i === place ? so + 1 : so)),
  }));
}

/** Once for each product that is waited for. */
export function countWait(ledger: Ledger, { items }: Pick<Wait, 'items'>, what: 'queued' | 'unserved'): void {
  for (const product of new Set(items.map((item) => item.product)))
    count(ledger, first(licensesOf(ledger, product)), (so) => ({ [what]: so[what] + 1 }));
}

/** All that is known of it, oldest day first; days in which nothing happened are left out. */
export function usageOf(ledger: Ledger, state: LicenseState): readonly DayUsage[] {
  if (ledger.days.length === 0) return [];
  const { usage, before } = upToNow(ledger, state);
  const { seats: _seats, countedTo: _countedTo, ...today } = usage;
  return hasAny(today) ? [...before, today] : before;
}

function first(states: Iterable<LicenseState>): LicenseState | undefined {
  let least: LicenseState | undefined;
  for (const state of states) if (least === undefined || state.license.id < least.license.id) least = state;
  return least;
}

/** Also takes in what seats are in use now: whatever changes them comes by here. */
function count(
  ledger: Ledger,
  state: LicenseState | undefined,
  more: (usage: DayUsage) => Partial<DayUsage> = () => ({}),
): void {
  if (state === undefined) return;
  const { usage, before } = upToNow(ledger, state);
  const seats = capped(state.used);
  const { quantity } = state.license.terms;
  const peak = Math.max(usage.peak, seats);
  const overdraft = Math.max(usage.overdraft, beyond(seats, quantity));
  ledger.journal.set(state, 'usage', { ...usage, quantity, seats, peak, overdraft, ...more(usage) });
  ledger.dirty.add(recordName.usage(state.license.id));
  if (before === state.usageBefore) return;
  ledger.journal.set(state, 'usageBefore', before);
  ledger.dirty.add(recordName.usageBefore(state.license.id));
}

/** Its usage as of the ledger's log time, and the days before; changes nothing. */
function upToNow(
  ledger: Ledger,
  { usage: last, usageBefore }: LicenseState,
): { readonly usage: Usage; readonly before: readonly DayUsage[] } {
  const today = (ledger.days.at(-1) as DayStart).day;
  if (last.day === today) return { usage: counted(last, ledger.logTime), before: usageBefore };
  let usage = last;
  const before = [...usageBefore];
  for (const { day, logTime } of ledger.days) {
    if (day <= last.day) continue;
    const { seats, countedTo: _countedTo, ...closed } = counted(usage, logTime);
    if (hasAny(closed)) before.push(closed);
    const { quantity } = closed;
    const carried = { peak: seats, overdraft: beyond(seats, quantity) };
    usage = { ...NOTHING_USED, ...carried, day, quantity, seats, countedTo: logTime };
  }
  const kept = before.filter(({ day }) => day > today - LIMITS.usageDays);
  return { usage: counted(usage, ledger.logTime), before: kept };
}

function counted(usage: Usage, logTime: number): Usage {
  const ms = logTime - usage.countedTo;
  return ms === 0 ? usage : { ...usage, seatMs: capped(usage.seatMs + usage.seats * ms), countedTo: logTime };
}

/** Of what is not limited nothing is beyond. */
function beyond(seats: number, quantity: number): number {
  return quantity === 0 ? 0 : Math.max(0, seats - quantity);
}

/** Where nothing is limited, a client may take seats by the billion. */
function capped(sum: number): number {
  return Math.min(FORMAT.units, sum);
}

function hasAny({ peak, grants, queued, unserved, units, denials }: DayUsage): boolean {
  return peak + grants + queued + unserved + units > 0 || denials.some((so) => so > 0);
}
