import { type DayUsage, type LicenseSummary, usageOf } from '@trefoil/core';
import { DENIAL_CODES } from '@trefoil/license';
import { table, time } from '../terminal.ts';
import { rounded } from '../usage/day-rows.ts';
import type { Replayed } from './replay.ts';
import type { CheckedHashes } from './without-names.ts';

/** One license over all days that were checked. */
interface LicenseLine {
  readonly license: string;
  readonly product: string;
  readonly quantity: number;
  readonly peak: number;
  readonly overdraft: number;
  readonly seatHours: number;
  readonly grants: number;
  readonly units: number;
  readonly denials: Readonly<Record<string, number>>;
}

function licenseLine({
  license,
  product,
  days,
}: Omit<LicenseSummary, 'days'> & { days: readonly DayUsage[] }): LicenseLine {
  const sum = (of: (day: DayUsage) => number): number => days.reduce((total, day) => total + of(day), 0);
  const most = (of: (day: DayUsage) => number): number => Math.max(0, ...days.map(of));
  const denials = DENIAL_CODES.map((code, i) => [code, sum((day) => day.denials[i] ?? 0)] as const);
  return {
    ...{ license, product, quantity: days.at(-1)?.quantity ?? 0 },
    peak: most((day) => day.peak),
    overdraft: most((day) => day.overdraft),
    seatHours: rounded(sum((day) => day.seatMs) / 3_600_000),
    grants: sum((day) => day.grants),
    units: sum((day) => day.units),
    denials: Object.fromEntries(denials.filter(([, count]) => count > 0)),
  };
}

function linesTable(lines: readonly LicenseLine[]): string {
  return table(
    ['license', 'product', 'seats', 'peak', 'beyond', 'seat hours', 'grants', 'units', 'denied'],
    lines.map((one) => [
      ...[one.license, one.product, one.quantity === 0 ? 'not counted' : String(one.quantity)],
      ...[one.peak, one.overdraft, one.seatHours, one.grants, one.units],
      Object.entries(one.denials)
        .map(([code, count]) => `${code} ${count}`)
        .join(', ') || '–',
    ]),
    'No license was used.',
  );
}

/** For programs; `replayText` says the same for people. */
export function replayReport({ audit, summary, uncertified }: Replayed) {
  const { entries, certified, roots } = audit.counts;
  const licenses = [...summary.licenses.values()]
    .map((one) => ({ ...one, days: [...one.days.values()].sort((a, b) => a.day - b.day) }))
    .filter(({ days }) => days.length > 0)
    .map(licenseLine);
  const total = (of: (line: LicenseLine) => number): number => licenses.reduce((sum, one) => sum + of(one), 0);
  return {
    kind: 'sound',
    from: { index: audit.first?.index ?? 0, utc: audit.first?.utc ?? 0, isBeginning: !audit.startsAtSnapshot },
    to: { index: audit.last?.index ?? 0, utc: audit.last?.utc ?? 0 },
    ...{ entries, certified, roots, uncertified },
    grants: total((one) => one.grants),
    denials: total((one) => Object.values(one.denials).reduce((sum, count) => sum + count, 0)),
    licenses,
    ...{ acts: summary.acts, actsNotListed: summary.actsNotListed },
  };
}

export function replayText(report: ReturnType<typeof replayReport>): string {
  const { from, to, entries, certified, roots, uncertified, acts, actsNotListed } = report;
  const beginning = from.isBeginning ? 'where the log begins' : 'a snapshot with a certified root';
  const lines = [
    'SOUND: the documents, every certificate, the chain without a gap, and what came of each entry when it was executed again.',
    `from      ${time(from.utc)}, entry ${from.index}: ${beginning}`,
    `to        ${time(to.utc)}, entry ${to.index}; later entries may exist`,
    `entries   ${entries}; outcomes of ${certified} have two votes of their own, ${roots} ledger roots compared`,
    `grants    ${report.grants}`,
    `denials   ${report.denials}`,
  ];
  if (uncertified !== undefined)
    lines.push(`open      entry ${uncertified} has no certificate yet, and is not part of this`);
  lines.push('', linesTable(report.licenses));
  if (acts.length > 0) {
    const rows = acts.map(({ index, utc, kind, by, what }) => [time(utc), index, kind, by, what]);
    lines.push('', table(['when', 'entry', 'what', 'by', ''], rows, ''));
  }
  if (actsNotListed > 0) lines.push(`… and ${actsNotListed} more`);
  return lines.join('\n');
}

export function hashesReport({ entries, first, firstUtc, last, usage, isFromGenesis }: CheckedHashes) {
  const licenses = [...(usage?.ledger.licenses.values() ?? [])].map((state) => {
    const { id: license, product } = state.license;
    return licenseLine({
      license,
      product,
      days: usageOf(usage?.ledger as NonNullable<typeof usage>['ledger'], state),
    });
  });
  return {
    kind: 'sound-without-names',
    from: { index: first, utc: firstUtc, isBeginning: isFromGenesis },
    to: { index: last.index, utc: last.utc },
    entries,
    usageAt: usage === undefined ? null : { index: usage.index, utc: usage.ledger.utc },
    licenses: licenses.filter(
      ({ peak, grants, units, denials }) => peak + grants + units + Object.keys(denials).length > 0,
    ),
  };
}

export function hashesText(report: ReturnType<typeof hashesReport>): string {
  const { from, to, entries, usageAt, licenses } = report;
  const lines = [
    'SOUND, as far as it can be checked without names.',
    'Checked: the documents; every certificate; the chain of heads without a gap.',
    ...(usageAt === null ? [] : ['Also that the usage below is of a ledger root that two license servers signed.']),
    'NOT checked: what is in the entries. They are left out, as they hold names; so nothing of them could be executed again.',
    `from      ${time(from.utc)}, entry ${from.index}${from.isBeginning ? ': where the log begins' : ''}`,
    `to        ${time(to.utc)}, entry ${to.index}; later entries may exist`,
    `entries   ${entries}`,
  ];
  if (usageAt === null) lines.push('', 'There was no ledger root yet when it was made: it proves no usage.');
  else
    lines.push(
      `usage     of up to 35 days before ${time(usageAt.utc)}, entry ${usageAt.index}`,
      '',
      linesTable(licenses),
    );
  return lines.join('\n');
}
