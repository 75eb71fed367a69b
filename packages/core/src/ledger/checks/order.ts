import type { Ask, Denial } from './ask.ts';
import { checkBorrowing } from './borrowing.ts';
import { checkClientVersion } from './client-version.ts';
import { checkCountingMode } from './counting-mode.ts';
import { checkBegin, checkConfiguration, checkEnd } from './dates.ts';
import { checkFeature } from './feature.ts';
import { checkMaintenance } from './maintenance.ts';
import { checkName } from './names.ts';
import { checkProductVersion } from './product-version.ts';
import { checkRules } from './rules.ts';
import { checkSeatTime } from './units.ts';

/** The order of PROTOCOL §5.8, which decides what a client is told. Seats and overdraft come behind: allocate.ts. */
const SEAT_CHECKS: readonly ((ask: Ask & { seats: number }) => Denial | undefined)[] = [
  checkFeature,
  checkCountingMode,
  checkClientVersion,
  checkProductVersion,
  checkMaintenance,
  checkBegin,
  checkEnd,
  checkConfiguration,
  checkRules,
  checkName,
  checkSeatTime,
  checkBorrowing,
];

/** The same for what takes no seat, but uses up units. */
const UNIT_CHECKS: readonly ((ask: Ask) => Denial | undefined)[] = [
  checkFeature,
  checkClientVersion,
  checkProductVersion,
  checkMaintenance,
  checkBegin,
  checkEnd,
  checkConfiguration,
  (ask) => checkRules({ ...ask, seats: 0 }),
  checkName,
];

export function seatDenial(ask: Ask & { seats: number }): Denial | undefined {
  for (const check of SEAT_CHECKS) {
    const denial = check(ask);
    if (denial !== undefined) return denial;
  }
  return undefined;
}

/** What borrowed seats need to stay where they are: they are counted and named already. */
export function extensionDenial(ask: Ask): Denial | undefined {
  return unitDenial(ask) ?? checkBorrowing(ask);
}

export function unitDenial(ask: Ask): Denial | undefined {
  for (const check of UNIT_CHECKS) {
    const denial = check(ask);
    if (denial !== undefined) return denial;
  }
  return undefined;
}
