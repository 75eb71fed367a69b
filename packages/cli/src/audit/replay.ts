import { Audit, AuditFault, type AuditObserver, AuditSummary, type LedgerContext } from '@trefoil/core';
import { note } from '../terminal.ts';
import { dayName } from '../usage/day-rows.ts';
import type { Evidence } from './evidence.ts';

export interface Replayed {
  readonly audit: Audit;
  readonly summary: AuditSummary;
  /** Of the entry behind the last one that was certified, if it was there. */
  readonly uncertified: number | undefined;
}

const PROGRESS_MS = 2_000;

/** Checks all of it (PROTOCOL §9.8). @throws AuditFault that names the first entry that is not right */
export async function replay(
  context: LedgerContext,
  items: Evidence['items'],
  observers: readonly AuditObserver[] = [],
): Promise<Replayed> {
  const summary = new AuditSummary();
  const audit = new Audit(context, [summary, ...observers]);
  let uncertified: number | undefined;
  const progress = new Progress();
  for await (const item of items) {
    switch (item.kind) {
      case 'snapshot': {
        const last = audit.last?.index;
        if (last !== undefined) throw new AuditFault(last + 1, gap(item.index, audit.last?.utc ?? 0));
        audit.begin(item.bytes);
        break;
      }
      case 'entries':
        audit.take(item.entries);
        break;
      case 'uncertified':
        uncertified = item.index;
        break;
      default:
        throw new AuditFault(0, 'what is there are hashes: nothing of it can be executed again');
    }
    if (progress.isDue()) progress.say(audit.counts.entries, audit.last?.utc ?? 0);
  }
  if (audit.last === undefined)
    throw new AuditFault(1, 'it is missing, and so is all behind it: there is nothing to check');
  summary.takeIn(audit.ledger);
  return { audit, summary, uncertified };
}

function gap(snapshot: number, utc: number): string {
  return (
    `it is missing, and so are those behind it up to ${snapshot - 1}: this license server was away and took a snapshot over, or ` +
    `files were removed. Look at another license server, or begin behind the gap: --from with a day after ${dayOf(utc)}`
  );
}

function dayOf(utc: number): string {
  return dayName(Math.floor(utc / 86_400_000));
}

/** For people who wait: on standard error, every other second. */
class Progress {
  #saidAt = performance.now();

  isDue(): boolean {
    return performance.now() - this.#saidAt >= PROGRESS_MS;
  }

  say(entries: number, utc: number): void {
    this.#saidAt = performance.now();
    note(`checked ${entries.toLocaleString('en')} entries, up to ${new Date(utc).toISOString()} …`);
  }
}
