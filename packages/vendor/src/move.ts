import {
  type Configuration,
  encodeCommand,
  equalBytes,
  type InstalledLicense,
  type JsonObject,
  type License,
  readEnvelope,
  type Update,
  type VerifiedReceipt,
} from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { VendorError } from './errors.ts';
import { type Issuer, issueLicense } from './issue.ts';

/**
 * From one container set to another: the licenses come back from the first with a receipt of what was left of them, and are issued
 * anew for the second. In this order: the other way round, both would grant for a while.
 */

/**
 * The same license, taken back: its next version for the same set.
 * @throws VendorError `bad-license` if it was sold for another one: whose license of that id would it end?
 */
export function returnedVersion(
  issuer: Issuer,
  configuration: Configuration,
  license: License,
  issuedAt: number,
): License {
  if (!equalBytes(license.set, configuration.set))
    throw new VendorError(
      'bad-license',
      `${license.id} was sold for another container set than that of the configuration, "${configuration.name}"`,
    );
  const terms = { ...termsOf(license), version: 2, returned: true };
  return issueLicense(issuer, configuration, { ...orderOf(license, issuedAt), terms });
}

/**
 * The licenses anew, for another set, with what the receipt says is left of them. `back`: the update that took them back; the
 * receipt has to be of that very document, for another one may bring the same version of a license, and end nothing.
 * @throws VendorError `bad-receipt` if they were not returned by this receipt, or seats of them are away yet
 */
export function reissued(
  issuer: Issuer,
  configuration: Configuration,
  back: Update,
  options: {
    readonly receipt: VerifiedReceipt;
    readonly tmrIdOf: (license: string) => number;
    /** Instead of all of it. */
    readonly quantity?: number;
    readonly issuedAt: number;
  },
): License[] {
  const { receipt, issuedAt } = options;
  checkReturn(back, receipt);
  if (equalBytes(back.set, configuration.set))
    throw new VendorError(
      'bad-receipt',
      'in its own set a license is returned for good; issue one with another id there',
    );
  return back.licenses.map((license) => {
    const counted = receipt.licenses.find((one) => one.license === license.id);
    if (counted?.version !== license.version) throw notOfThisReturn(license);
    checkSeats(counted, options.quantity);
    return issueLicense(issuer, configuration, {
      ...orderOf(license, issuedAt),
      tmrId: options.tmrIdOf(license.id),
      terms: {
        ...whatIsLeft(license, counted),
        ...(options.quantity !== undefined && { quantity: options.quantity }),
      },
    });
  });
}

/** A sale that goes on, or another group's receipt, would put the same seats into service twice. */
function checkReturn(back: Update, receipt: VerifiedReceipt): void {
  const crypto = nodeCrypto();
  for (const license of back.licenses) {
    if (!license.terms.returned)
      throw new VendorError(
        'bad-receipt',
        `the update file does not take ${license.id} back: give the one from "trefoil vendor return"`,
      );
    if (!equalBytes(license.set, receipt.configuration.set))
      throw new VendorError('bad-receipt', `the receipt is of another container set than ${license.id} was sold for`);
  }
  const command = encodeCommand({ kind: 'update', document: back.text });
  const [first] = back.licenses;
  if (first !== undefined && !equalBytes(crypto.sha256(command), receipt.commandHash)) throw notOfThisReturn(first);
}

function notOfThisReturn({ id, version }: License): VendorError {
  return new VendorError('bad-receipt', `the receipt is not of the return of ${id} version ${version}`);
}

/** Seats that are away come home to the old group, and end there. */
function checkSeats({ license, quantity: sold, borrowed }: InstalledLicense, quantity: number | undefined): void {
  if (quantity === undefined) {
    if (borrowed === 0) return;
    throw new VendorError(
      'bad-receipt',
      `${seats(borrowed)} of ${license} ${are(borrowed)} borrowed yet: have them given back first, or say how many seats are to be issued`,
    );
  }
  if (sold === 0) throw new VendorError('bad-receipt', `no seats of ${license} are counted`);
  const left = Math.max(0, sold - borrowed);
  if (quantity <= left) return;
  const away =
    borrowed > 0 ? `of ${seats(sold)} of ${license}, ${borrowed} ${are(borrowed)} borrowed yet: ${left}` : undefined;
  throw new VendorError('bad-receipt', `${away ?? `${seats(left)} of ${license}`} can be issued, not ${quantity}`);
}

const seats = (n: number): string => `${n} ${n === 1 ? 'seat' : 'seats'}`;
const are = (n: number): string => (n === 1 ? 'is' : 'are');

function whatIsLeft(license: License, { unitsUsed, firstUseUtc }: InstalledLicense): JsonObject {
  const { returned: _, ...terms } = termsOf(license);
  const { units, usagePeriodMs, whole } = license.terms;
  const left = { ...terms, ...(units !== undefined && { units: Math.max(0, units - unitsUsed) }) };
  if (usagePeriodMs === undefined || firstUseUtc === 0) return left;
  // A usage period that has begun goes on: it does not begin anew elsewhere. Its length stays among the terms, for others need it.
  return { ...left, notAfter: utc(Math.min(firstUseUtc + usagePeriodMs, whole.notAfter ?? Infinity)) };
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
