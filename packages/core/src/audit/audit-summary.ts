import { bytesKey, type Command, keyIdBytes, type Outcome, toBase64url } from '@trefoil/license';
import type { Ledger, LicenseState } from '../ledger/state.ts';
import { usageOf } from '../ledger/usage.ts';
import type { DayUsage } from '../ledger/usage-records.ts';
import type { Audited, AuditObserver } from './audit.ts';

/** What somebody with a key has done. */
export interface Act {
  readonly index: number;
  readonly utc: number;
  readonly kind: 'evict' | 'reconfigure' | 'rules' | 'unname' | 'update' | 'write-off';
  /** The admin's name; the vendor. */
  readonly by: string;
  readonly what: string;
}

export interface LicenseSummary {
  readonly license: string;
  readonly product: string;
  /** By day; from the day of the first entry on. */
  readonly days: Map<number, DayUsage>;
}

/** More are counted, not listed. */
const MAX_ACTS = 10_000;

/** What was used, and what those did who have keys: for whoever reads an audit. */
export class AuditSummary implements AuditObserver {
  readonly licenses = new Map<string, LicenseSummary>();
  readonly acts: Act[] = [];
  actsNotListed = 0;
  #firstDay: number | undefined;
  #today: number | undefined;
  /** Repeated, a command has the same outcome, and does nothing. */
  readonly #done = new Set<string>();

  observe({ entry, commands, outcomes, ledger }: Audited): void {
    const today = ledger.days.at(-1)?.day as number;
    this.#firstDay ??= today;
    if (this.#today !== today) this.takeIn(ledger);
    this.#today = today;
    commands.forEach((command, i) => this.#act(entry, ledger, command, outcomes[i] as Outcome));
  }

  /** Once a day, while the ledger knows what it was, and at the end. */
  takeIn(ledger: Ledger): void {
    for (const state of ledger.licenses.values()) {
      const { days } = this.#summaryOf(state);
      for (const one of usageOf(ledger, state)) if (one.day >= (this.#firstDay ?? 0)) days.set(one.day, one);
    }
  }

  #summaryOf({ license: { id, product } }: LicenseState): LicenseSummary {
    let summary = this.licenses.get(id);
    if (summary === undefined) {
      summary = { license: id, product, days: new Map() };
      this.licenses.set(id, summary);
    }
    return summary;
  }

  #act({ index, utc }: Audited['entry'], ledger: Ledger, command: Command, outcome: Outcome): void {
    const act = actOf(ledger, command, outcome);
    const key = bytesKey(outcome.commandHash);
    if (act === undefined || this.#done.has(key)) return;
    if (this.acts.length >= MAX_ACTS) {
      this.actsNotListed++;
      return;
    }
    this.#done.add(key);
    this.acts.push({ index, utc, ...act });
  }
}

function actOf(ledger: Ledger, command: Command, outcome: Outcome): Omit<Act, 'index' | 'utc'> | undefined {
  if (command.kind === 'update' && outcome.kind === 'updated') {
    const what = outcome.licenses.map(
      ({ license, version, quantity }) => `${license} version ${version}: ${quantity} seats`,
    );
    return { kind: 'update', by: `vendor ${ledger.context.configuration.vendor}`, what: what.join(', ') };
  }
  if ((command.kind === 'evict' || command.kind === 'write-off') && outcome.kind === 'evicted') {
    const session = [...command.session].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return { kind: command.kind, by: adminOf(ledger, command.admin), what: `session ${session}: ${command.reason}` };
  }
  if (command.kind === 'rules' && outcome.kind === 'ruled') {
    const what = `version ${outcome.version}, ${outcome.rules} rules`;
    return { kind: 'rules', by: adminOf(ledger, command.admin), what };
  }
  if (command.kind === 'reconfigure' && outcome.kind === 'reconfigured') {
    const placed = outcome.member === 0 ? '' : `, container ${outcome.member} is new`;
    const what = `version ${outcome.version} of the configuration${placed}`;
    return { kind: 'reconfigure', by: `vendor ${ledger.context.configuration.vendor}`, what };
  }
  if (command.kind === 'unname' && outcome.kind === 'unnamed')
    return { kind: 'unname', by: adminOf(ledger, command.admin), what: `${outcome.name} off ${outcome.license}` };
  return undefined;
}

function adminOf({ context: { group, crypto } }: Ledger, key: Uint8Array): string {
  const found = group.admins.find((one) => bytesKey(keyIdBytes(crypto, one.key)) === bytesKey(key));
  return found?.name ?? `key ${toBase64url(key)}`;
}
