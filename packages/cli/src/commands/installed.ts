import type { Group } from '@trefoil/client';
import { type InstalledLicense, parseTerms, readEnvelope, type Terms } from '@trefoil/license';
import { counted, printable } from '../terminal.ts';
import { readLicenses } from './views.ts';

/** What the group has of a license now: a repeated update is answered as it was the first time. */
export interface Standing {
  readonly version: number;
  readonly returned: boolean;
}

export interface Installed {
  readonly id: string;
  readonly version: number;
  readonly product: string;
  readonly terms: Pick<Terms, 'quantity' | 'units' | 'metering' | 'returned'>;
}

/** Of an update that the group has verified and installed. */
export function installedLicenses(document: string, licenses: readonly InstalledLicense[]): Installed[] {
  const texts = readEnvelope(document, 'trefoil-update').payload['licenses'] as readonly string[];
  const payloads = texts.map((text) => readEnvelope(text, 'trefoil-license').payload);
  const terms = new Map(payloads.map((one) => [one['license'], parseTerms(one['terms'])]));
  return licenses.map(({ license, version, product }) => ({
    ...{ id: license, version, product },
    terms: terms.get(license) as Terms,
  }));
}

/** Empty if nobody says it now: the update is installed all the same. */
export async function standingLicenses(group: Group): Promise<ReadonlyMap<string, Standing>> {
  try {
    const { licenses } = await readLicenses(group);
    return new Map(licenses.map((one) => [one.license, one]));
  } catch {
    return new Map();
  }
}

export function installedLine({ id, version, product, terms }: Installed, standing: Standing | undefined): string {
  if (standing !== undefined && standing.version > version) {
    const returned = standing.returned ? ', and nothing is granted of it any more: it was returned' : '';
    return `${id} version ${version} was installed before; version ${standing.version} is in force${returned}`;
  }
  const what = whatOf(product, terms);
  return terms.returned
    ? `returned: ${id} version ${version} (${what}); nothing is granted of it any more`
    : `installed: ${id} version ${version}, ${what}`;
}

function whatOf(product: string, { quantity, units, metering }: Installed['terms']): string {
  const metered = units !== undefined ? counted(units, 'unit') : metering === undefined ? '' : 'any number of units';
  if (quantity > 0) return `${quantity} × ${product}${metered === '' ? '' : ` and ${metered}`}`;
  return metered === '' ? `${product}, not counted` : `${metered} of ${product}`;
}

const LATE_RECEIPT =
  'a receipt is given when an update is installed: for another one of a return, ' +
  'have the vendor return it again (trefoil vendor return FILE.return)';

/** With the way to a receipt, where one was wanted of what was installed long ago. */
export function refusedUpdate({ code, detail }: { code: string; detail: string }, forReceipt: boolean): string {
  const said = `refused (${code}): ${printable(detail)}`;
  return code === 'older-license' && forReceipt ? `${said}; ${LATE_RECEIPT}` : said;
}
