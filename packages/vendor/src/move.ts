import {
  type Configuration,
  type InstalledLicense,
  type JsonObject,
  type License,
  readEnvelope,
  type VerifiedReceipt,
} from '@trefoil/license';
import { VendorError } from './errors.ts';
import { type Issuer, issueLicense } from './issue.ts';

/**
 * From one container set to another: the licenses come back from the first with a receipt of what was left of them, and are issued
 * anew for the second. In this order: the other way round, both would grant for a while.
 */

/** The same license, taken back: its next version for the same set. */
export function returnedVersion(
  issuer: Issuer,
  configuration: Configuration,
  license: License,
  issuedAt: number,
): License {
  const terms = { ...termsOf(license), version: 2, returned: true };
  return issueLicense(issuer, configuration, { ...orderOf(license, issuedAt), terms });
}

/**
 * The license anew, for another set, with what the receipt says is left of it.
 * @throws VendorError `bad-receipt` if it was not returned by this receipt, or seats of it are away yet
 */
export function reissued(
  issuer: Issuer,
  configuration: Configuration,
  license: License,
  {
    receipt,
    tmrId,
    quantity,
    issuedAt,
  }: {
    readonly receipt: VerifiedReceipt;
    readonly tmrId: number;
    /** Instead of all of it. */
    readonly quantity?: number;
    readonly issuedAt: number;
  },
): License {
  const back = receipt.licenses.find((one) => one.license === license.id);
  if (back === undefined || back.version <= license.version)
    throw new VendorError(
      'bad-receipt',
      `the receipt is not of the return of ${license.id} version ${license.version}`,
    );
  if (back.borrowed > 0 && quantity === undefined)
    throw new VendorError(
      'bad-receipt',
      `${back.borrowed} seats of ${license.id} are borrowed yet: have them given back first, or say how many seats are to be issued`,
    );
  return issueLicense(issuer, configuration, {
    ...orderOf(license, issuedAt),
    version: back.version + 1,
    tmrId,
    terms: { ...whatIsLeft(license, back), ...(quantity !== undefined && { quantity }) },
  });
}

function whatIsLeft(license: License, { unitsUsed, firstUseUtc }: InstalledLicense): JsonObject {
  const { usagePeriod, returned: _, ...terms } = termsOf(license);
  const { units, usagePeriodMs, whole } = license.terms;
  const left = { ...terms, ...(units !== undefined && { units: Math.max(0, units - unitsUsed) }) };
  if (usagePeriodMs === undefined || usagePeriod === undefined) return left;
  // A usage period that has begun goes on: it does not begin anew elsewhere.
  return firstUseUtc === 0
    ? { ...left, usagePeriod }
    : { ...left, notAfter: utc(Math.min(firstUseUtc + usagePeriodMs, whole.notAfter ?? Infinity)) };
}

function orderOf({ id, version, product, name, tmrId }: License, issuedAt: number) {
  return { license: id, version: version + 1, product, name, tmrId, issuedAt };
}

function termsOf({ text }: License): JsonObject {
  const { payload } = readEnvelope(text, 'trefoil-license');
  return payload['terms'] as JsonObject;
}

function utc(ms: number): string {
  return `${new Date(Math.floor(ms / 1_000) * 1_000).toISOString().slice(0, 19)}Z`;
}
