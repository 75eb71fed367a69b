import { type Answer, bytesKey, type WriteOffCommand } from '@trefoil/license';
import { type Ledger, type LicenseState, recordName, type Session, touchSession } from '../state.ts';
import { byAdmin } from './by-admin.ts';
import { endSession } from './expire.ts';
import { refused } from './refused.ts';

/**
 * PROTOCOL §5.18: the machine is lost, and its seats come back before their time; so often as the vendor allows, for they may be in
 * use on it until then.
 */
export function writeOff(ledger: Ledger, command: WriteOffCommand): Answer {
  const admin = byAdmin(ledger, command);
  if ('refusal' in admin) return admin.refusal;
  const session = ledger.handles.get(bytesKey(command.session));
  if (session === undefined || session.closed) return refused('unknown-session');
  const lost = borrowedOf(ledger, session);
  if (lost.size === 0) return refused('unknown-hold', 'it has borrowed nothing');
  for (const [state, seats] of lost) {
    const { writeOffs } = state.license.terms.borrowing ?? {};
    if (writeOffs === undefined)
      return refused('too-soon', `the license ${state.license.id} lets no seat be written off`);
    if (recent(ledger, state).reduce((all, one) => all + one.seats, seats) > writeOffs.count)
      return refused('too-soon', `the license ${state.license.id} allows ${writeOffs.count} in its time`);
  }
  for (const [state, seats] of lost) {
    ledger.journal.set(state, 'writeOffs', [...recent(ledger, state), { utc: ledger.utc, seats }]);
    ledger.dirty.add(recordName.counters(state.license.id));
  }
  touchSession(ledger, session);
  endSession(ledger, session);
  return {
    kind: 'evicted',
    reason: command.reason === '' ? 'its machine is lost' : command.reason,
    freeAtLogTime: ledger.logTime,
  };
}

function borrowedOf(ledger: Ledger, session: Session): Map<LicenseState, number> {
  const lost = new Map<LicenseState, number>();
  for (const hold of session.holds.values())
    for (const { license, seats } of hold.borrowed ? hold.items : []) {
      const state = ledger.licenses.get(license) as LicenseState;
      lost.set(state, (lost.get(state) ?? 0) + seats);
    }
  return lost;
}

function recent({ utc }: Ledger, { license, writeOffs }: LicenseState): LicenseState['writeOffs'] {
  const withinMs = license.terms.borrowing?.writeOffs?.withinMs ?? 0;
  return writeOffs.filter((one) => one.utc + withinMs > utc);
}
