import { equalBytes } from '@trefoil/license';
import type { Entry } from './entry.ts';
import { newestRules } from './ledger/state.ts';
import { utcAllowed } from './log-clock.ts';
import type { Refusal } from './messages.ts';
import type { Replica } from './replica.ts';

/** Bounds by the clocks of who looks: the highest log time that passes, and the wall clock (PROTOCOL §6.2, §6.3). Milliseconds. */
interface Clocks {
  readonly ceilingMs: number;
  readonly wallMs: number;
}

/** Why an entry can't be the next one of this log (PROTOCOL §3.2, 7 to 9); undefined: it can, if all its commands can be read. */
export function entryFault(
  { ledger, root }: Replica,
  entry: Entry,
  { ceilingMs, wallMs }: Clocks,
): Refusal | undefined {
  if (entry.index !== ledger.index + 1 || !equalBytes(entry.set, ledger.context.configuration.set)) return 'malformed';
  const { rulesVersion } = entry;
  if (rulesVersion < ledger.rulesVersion || rulesVersion > newestRules(ledger.context)) return 'rules-version';
  if (entry.logTime < ledger.logTime || entry.logTime > ceilingMs) return 'log-time';
  if (!utcAllowed(ledger, entry, wallMs)) return 'utc';
  if (entry.ledgerRoot !== undefined && !equalBytes(entry.ledgerRoot, root.current(ledger))) return 'ledger-root';
  return undefined;
}
