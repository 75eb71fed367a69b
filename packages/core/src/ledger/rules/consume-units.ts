import {
  type Answer,
  type ConsumeCommand,
  type Consumed,
  type ConsumeItem,
  LIMITS,
  signedCommandBytes,
} from '@trefoil/license';
import { isNearer } from '../allocate.ts';
import { type Ask, askOf, type Denial, endOf } from '../checks/ask.ts';
import { unitDenial } from '../checks/order.ts';
import { unitsLeft } from '../checks/units.ts';
import { denied } from '../denied.ts';
import { type Ledger, type LicenseState, licensesOf, type Session } from '../state.ts';
import { beginUse, consume } from '../use.ts';
import { refused } from './refused.ts';

/**
 * PROTOCOL §5.7: units only ever fall, never below zero, for all items or none. Signed by the session key, or a TMR server could use
 * them up.
 */
export function consumeUnits(ledger: Ledger, session: Session, command: ConsumeCommand): Answer {
  const { crypto, configuration } = ledger.context;
  const key = { alg: 'ed25519', bytes: session.key } as const;
  if (!crypto.verify(key, signedCommandBytes(configuration.set, command), command.signature))
    return refused('bad-signature');
  if (session.evicted !== '') return refused('evicted', session.evicted);
  const start = ledger.journal.mark();
  const parts: Consumed[] = [];
  for (const [position, item] of command.items.entries()) {
    const { asks, denial } = licensesFor(ledger, session, item);
    let left = item.count;
    // What is left of one that ends sooner is used before what lasts longer.
    for (const ask of denial === undefined ? asks : []) {
      const units = unitsFrom(ask, left);
      if (units === 0) continue;
      left -= units;
      use(ask, units * weightOf(ask));
      parts.push(partOf(ask.state, position, units * weightOf(ask)));
    }
    if (parts.length > LIMITS.partsPerConsume) {
      ledger.journal.undoTo(start);
      return refused('too-many', `units of more than ${LIMITS.partsPerConsume} licenses at once`);
    }
    if (denial === undefined && left === 0) continue;
    ledger.journal.undoTo(start);
    return denied(ledger, { ...(denial ?? tooFew(asks)), item });
  }
  return { kind: 'consumed', parts };
}

/** The detail says how many are left in all. */
function tooFew(asks: readonly Ask[]): Denial & { readonly asked: readonly LicenseState[] } {
  const left = asks.reduce((sum, { state }) => sum + unitsLeft(state), 0);
  return { code: 'units', detail: String(left), asked: [] };
}

/** How often it can be used. */
function unitsFrom(ask: Ask, wanted: number): number {
  if (ask.state.license.terms.metering === undefined) return 0;
  const weight = weightOf(ask);
  return weight === 0 ? wanted : Math.min(wanted, Math.floor(unitsLeft(ask.state) / weight));
}

function weightOf({ scope }: Ask): number {
  return scope?.weight ?? 1;
}

function use({ ledger, state, session }: Ask, units: number): void {
  beginUse(ledger, state, session);
  consume(ledger, state, units);
}

function partOf(state: LicenseState, item: number, units: number): Consumed {
  const { license } = state;
  const left = license.terms.units === undefined ? LIMITS.units : unitsLeft(state);
  return { item, license: license.id, version: license.version, units, left };
}

/** Those that pass all checks but that of units, in the order in which they are used; or why none does. */
function licensesFor(
  ledger: Ledger,
  session: Session,
  item: ConsumeItem,
): { asks: readonly Ask[]; denial?: Denial & { readonly asked: readonly LicenseState[] } } {
  const asks: Ask[] = [];
  let nearest: (Denial & { state: LicenseState }) | undefined;
  for (const state of licensesOf(ledger, item.product)) {
    const ask = askOf(ledger, state, session, item);
    const denial = unitDenial(ask);
    if (denial === undefined) asks.push(ask);
    else if (nearest === undefined || isNearer({ ...denial, state }, nearest)) nearest = { ...denial, state };
  }
  if (asks.length > 0) return { asks: asks.sort(byEnd) };
  const { state, ...denial } = nearest ?? { code: 'unknown-product' };
  return { asks, denial: { ...denial, asked: state === undefined ? [] : [state] } };
}

/** Prepaid units first: what is paid for afterwards costs more. */
function byEnd(a: Ask, b: Ask): number {
  const [paidA, paidB] = [isPostpaid(a), isPostpaid(b)];
  if (paidA !== paidB) return paidA ? 1 : -1;
  const [endA, endB] = [endOf(a), endOf(b)];
  if (endA !== endB) return endA < endB ? -1 : 1;
  return a.state.license.id < b.state.license.id ? -1 : 1;
}

function isPostpaid({ state }: Ask): boolean {
  return state.license.terms.metering === 'postpaid';
}
