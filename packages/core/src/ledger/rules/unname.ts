import type { Answer, UnnameCommand } from '@trefoil/license';
import { nameOf, nextChange } from '../checks/names.ts';
import { dropName } from '../size.ts';
import { type Ledger, recordName, stir } from '../state.ts';
import { byAdmin } from './by-admin.ts';
import { refused } from './refused.ts';

/** PROTOCOL §5.17: a seat that belongs to a user or device gets free for another; so often as the license allows. */
export function unname(ledger: Ledger, command: UnnameCommand): Answer {
  const admin = byAdmin(ledger, command);
  if ('refusal' in admin) return admin.refusal;
  const state = ledger.licenses.get(command.license);
  const named = state?.license.terms.named;
  if (state === undefined || !state.names.has(command.name)) return refused('unknown-name');
  if (named !== undefined) {
    // His seat would go on beside that of the next one.
    if (state.holders.some(({ session }) => nameOf(named, session) === command.name)) return refused('in-use');
    const next = nextChange(state, ledger.utc);
    if (next === 0) return refused('too-soon', 'the license lets no name be taken off');
    if (next > ledger.utc) return refused('too-soon', `the next one on ${new Date(next).toISOString()}`);
    const recent = state.nameChanges.filter((at) => at + named.withinMs > ledger.utc);
    ledger.journal.set(state, 'nameChanges', [...recent, ledger.utc]);
  }
  dropName(ledger, state, command.name);
  ledger.dirty.add(recordName.names(command.license));
  stir(ledger, state);
  return { kind: 'unnamed', license: command.license, name: command.name };
}
