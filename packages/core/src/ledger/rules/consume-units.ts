import { type Answer, type ConsumeCommand, type DenialCode, signedCommandBytes } from '@trefoil/license';
import { endOf } from '../seats.ts';
import { type Ledger, type LicenseState, licensesOf, recordName, type Session } from '../state.ts';
import { denied, endsBefore, nearer } from './grant-seats.ts';
import { refused } from './refused.ts';

/** PROTOCOL §5.7: units only ever fall, never below zero. Signed by the session key, or a TMR server could use them up. */
export function consumeUnits(ledger: Ledger, session: Session, command: ConsumeCommand): Answer {
  const { crypto, configuration } = ledger.context;
  const key = { alg: 'ed25519', bytes: session.key } as const;
  if (!crypto.verify(key, signedCommandBytes(configuration.set, command), command.signature))
    return refused('bad-signature');
  if (session.evicted !== '') return refused('evicted', session.evicted);
  let best: LicenseState | undefined;
  let worst: { code: DenialCode; state: LicenseState } | undefined;
  for (const state of licensesOf(ledger, command.product)) {
    const code = unitsDenial(ledger, state, command);
    if (code === undefined) {
      if (best === undefined || endsBefore(state, best)) best = state;
    } else if (worst === undefined || nearer(code, state, worst)) worst = { code, state };
  }
  if (best === undefined) return denied(worst?.code ?? 'unknown-product', command);
  ledger.journal.set(best, 'consumed', best.consumed + command.units);
  ledger.dirty.add(recordName.license(best.license.id));
  const { license } = best;
  return {
    kind: 'consumed',
    license: license.id,
    version: license.version,
    units: command.units,
    remaining: unitsLeft(best),
  };
}

function unitsDenial(ledger: Ledger, state: LicenseState, command: ConsumeCommand): DenialCode | undefined {
  const { terms } = state.license;
  const feature = terms.features.find((one) => one.name === command.feature);
  if (command.feature !== '' && feature === undefined) return 'unknown-feature';
  if (terms.notBefore !== undefined && ledger.utc < terms.notBefore) return 'not-yet';
  if (ledger.utc >= endOf(state, feature)) return 'expired';
  if (ledger.utc >= ledger.context.configuration.expires) return 'configuration-expired';
  return terms.units === undefined || unitsLeft(state) < command.units ? 'units' : undefined;
}

/** An update may bring fewer units than were used: then none are left, and none are owed. */
export function unitsLeft(state: LicenseState): number {
  return Math.max(0, (state.license.terms.units ?? 0) - state.consumed);
}
