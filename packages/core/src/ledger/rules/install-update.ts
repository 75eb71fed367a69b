import {
  type Answer,
  encodeUtf8,
  equalBytes,
  type License,
  LicenseError,
  readEnvelope,
  type Update,
  type UpdateCommand,
  verifyUpdate,
} from '@trefoil/license';
import { LIMITS } from '../../limits.ts';
import { newestConfiguration } from '../configurations.ts';
import { addLicense, type Ledger, type LicenseState, newLicense, recordName, stir } from '../state.ts';
import { countQuantity } from '../usage.ts';
import { refused } from './refused.ts';

/** PROTOCOL §5.10: the vendor's update; all of it or nothing. Sessions live on, also where the quantity falls below use. */
export function installUpdate(ledger: Ledger, command: UpdateCommand): Answer {
  const { crypto, vendorRoot } = ledger.context;
  const configuration = newestConfiguration(ledger);
  let update: Update;
  try {
    const older = olderByItsOwnWords(ledger, command.document);
    if (older !== undefined) return older;
    update = verifyUpdate(crypto, vendorRoot, command.document);
  } catch (error) {
    if (error instanceof LicenseError) return refused('bad-document', error.message);
    throw error;
  }
  if (update.vendor !== configuration.vendor) return refused('wrong-group', `an update of vendor ${update.vendor}`);
  if (!equalBytes(update.set, configuration.set)) return refused('wrong-group', 'an update for another container set');
  // Clients are shown the configuration's key and no other: they could not verify what was issued under a newer one.
  if (update.issuingKey.text !== ledger.context.issuingKey)
    return refused('bad-document', 'it comes under another issuing key than the configuration');
  if (ledger.utc >= update.issuingKey.notAfter) return refused('bad-document', 'the issuing key has expired');
  for (const license of update.licenses) {
    const fault = faultOf(ledger, update, license);
    if (fault !== undefined) return fault;
  }
  for (const license of update.licenses) install(ledger, update, license);
  return {
    kind: 'updated',
    licenses: update.licenses.map(({ id, version, product, terms }) => {
      const { used, borrowed, consumed, firstUseUtc } = ledger.licenses.get(id) as LicenseState;
      const counters = { used, borrowed, unitsUsed: consumed, firstUseUtc };
      return { license: id, version, product, quantity: terms.quantity, ...counters };
    }),
  };
}

/**
 * Before any signature is verified, for that takes long with many licenses, and anybody who has an update may send it again and
 * again. What isn't verified is only refused. @throws LicenseError
 */
function olderByItsOwnWords(ledger: Ledger, document: string): Answer | undefined {
  const { licenses } = readEnvelope(document, 'trefoil-update').payload;
  for (const text of Array.isArray(licenses) ? licenses : []) {
    if (typeof text !== 'string') continue;
    const { license, version } = readEnvelope(text, 'trefoil-license').payload;
    const standing = typeof license === 'string' ? ledger.licenses.get(license) : undefined;
    if (standing !== undefined && typeof version === 'number' && standing.license.version >= version)
      return older(standing.license, version);
  }
  return undefined;
}

function older({ id, version: installed }: License, version: number): Answer {
  return refused('older-license', `${id} version ${version}; installed is ${installed}`);
}

function faultOf(ledger: Ledger, update: Update, license: License): Answer | undefined {
  const { crypto } = ledger.context;
  const configuration = newestConfiguration(ledger);
  if (!equalBytes(license.set, configuration.set))
    return refused('wrong-group', `license ${license.id} is for another container set`);
  if (license.tmrId !== 0 && configuration.threshold !== 2)
    return refused('bad-document', `license ${license.id} has a TMR ID: it needs a group of three`);
  const standing = ledger.licenses.get(license.id);
  if (standing !== undefined && standing.license.version >= license.version)
    return older(standing.license, license.version);
  if (standing !== undefined && standing.license.product !== license.product)
    return refused('bad-document', `license ${license.id} changed its product`);
  // Its receipt may have been turned into seats elsewhere: here it would be sold twice.
  if (standing?.license.terms.returned === true && !license.terms.returned)
    return refused('bad-document', `license ${license.id} was returned for good; a license with another id is needed`);
  const { whole, graceMs, minimum } = license.terms;
  const last = (whole.notAfter ?? Infinity) + graceMs;
  if (last <= ledger.utc)
    return refused('bad-document', `license ${license.id} ended on ${new Date(last).toISOString()}`);
  // Of the group, not of this program: all have to come to the same (PROTOCOL §4.10).
  if (minimum.server > ledger.rulesVersion)
    return refused(
      'bad-document',
      `license ${license.id} needs servers with rules ${minimum.server}; these have ${ledger.rulesVersion}`,
    );
  const digest = crypto.sha256(encodeUtf8(license.text));
  for (const container of configuration.containers) {
    const constituent = update.constituents.find(
      (one) => one.license === license.id && one.member === container.member,
    );
    const fits =
      constituent !== undefined &&
      constituent.version === license.version &&
      constituent.tmrId === license.tmrId &&
      equalBytes(constituent.set, license.set) &&
      equalBytes(constituent.serial, container.serial) &&
      equalBytes(constituent.licenseDigest, digest);
    if (!fits)
      return refused('bad-document', `the constituent of ${license.id} for container ${container.member} does not fit`);
  }
  return undefined;
}

function install(ledger: Ledger, update: Update, license: License): void {
  const { journal } = ledger;
  const fields = {
    license,
    licenseDigest: ledger.context.crypto.sha256(encodeUtf8(license.text)),
    constituents: update.constituents.filter((one) => one.license === license.id),
    issuingKey: update.issuingKey.text,
  };
  const standing = ledger.licenses.get(license.id);
  if (standing === undefined) addLicense(ledger, newLicense(fields));
  else {
    const before = { digest: standing.licenseDigest, text: standing.license.text };
    journal.set(standing, 'replaced', [...standing.replaced, before].slice(-LIMITS.replacedLicenses));
    for (const key of Object.keys(fields) as (keyof typeof fields)[]) journal.set(standing, key, fields[key]);
    countQuantity(ledger, standing);
  }
  ledger.dirty.add(recordName.license(license.id));
  if (standing === undefined) ledger.dirty.add(recordName.counters(license.id));
  stir(ledger, ledger.licenses.get(license.id) as LicenseState);
}
