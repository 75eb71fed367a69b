import { type Grant, GRANT_FLAGS } from '@trefoil/license';
import { askOf, endOf, lastOf } from './checks/ask.ts';
import type { HeldItem, Hold, Ledger, LicenseState, Session } from './state.ts';

/** What the holder can show for each license of a hold, as of its last issue. */
export function grantsOf(ledger: Ledger, session: Session, hold: Hold): Grant[] {
  return hold.items.map((item) => {
    const state = ledger.licenses.get(item.license) as LicenseState;
    const ask = askOf(ledger, state, session, { product: state.license.product, ...item });
    const last = lastOf(ask);
    return {
      license: item.license,
      version: state.license.version,
      licenseDigest: state.licenseDigest,
      tmrId: state.license.tmrId,
      product: state.license.product,
      feature: item.feature,
      seats: item.seats,
      mode: item.mode,
      user: session.user,
      host: session.host,
      sessionKey: session.key,
      hold: hold.id,
      item: item.item,
      flags: flagsOf(hold, item, ledger.utc >= endOf(ask)),
      releaseHash: hold.releaseHash,
      issuedLogTime: hold.issuedLogTime,
      issuedUtc: ledger.utc,
      lifeMs: hold.lifeMs,
      notAfter: last === Infinity ? 0 : last,
    };
  });
}

function flagsOf(hold: Hold, item: HeldItem, inGrace: boolean): number {
  return (
    (inGrace ? GRANT_FLAGS.grace : 0) |
    (item.overdraft ? GRANT_FLAGS.overdraft : 0) |
    (hold.waited ? GRANT_FLAGS.waited : 0) |
    (hold.borrowed ? GRANT_FLAGS.borrowed : 0)
  );
}
