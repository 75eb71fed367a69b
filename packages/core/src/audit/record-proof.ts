import {
  bytesKey,
  compareBytes,
  concatBytes,
  type Crypto,
  equalBytes,
  type GroupDocument,
  LicenseError,
  malformed,
  Reader,
  Writer,
} from '@trefoil/license';
import { ledgerFromRecords } from '../ledger/records.ts';
import { BUCKETS, hashBucket, nameBytes } from '../ledger/root.ts';
import type { Ledger, LedgerContext } from '../ledger/state.ts';

/** Records that say what was used, and of which licenses: none of them names a user or a host. */
const SHOWN_KINDS = 'MDLCUH';

/**
 * What a ledger says of usage, with the hashes of all its other records: enough to see that it is that of a certified root, and nothing of
 * what the others say (FORMATS §9.4).
 */
export function encodeUsageProof(crypto: Crypto, records: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const all = [...records].map(([name, value]) => ({ name, value, order: crypto.sha256(nameBytes(name)) }));
  all.sort((a, b) => compareBytes(a.order, b.order));
  const writer = new Writer().u32(all.length);
  for (const { name, value, order } of all) {
    if (SHOWN_KINDS.includes(name.charAt(0))) writer.u8(1).bytes(nameBytes(name)).bytes(value);
    else writer.u8(0).raw(order).raw(crypto.sha256(value));
  }
  return writer.done();
}

/**
 * A ledger with these records only. @throws LicenseError if they are not those of this root, or if something is held back of a license
 * that is shown
 */
export function openUsageProof(context: Omit<LedgerContext, 'group'>, bytes: Uint8Array, root: Uint8Array): Ledger {
  const { crypto } = context;
  const shown = new Map<string, Uint8Array>();
  const hidden = new Set<string>();
  const buckets: [string, Uint8Array][][] = Array.from({ length: BUCKETS }, () => []);
  const reader = new Reader(bytes);
  let previous = '';
  for (let left = reader.u32(); left > 0; left--) {
    const name = reader.code(0, 1, 'flag') === 1 ? reader.bytes(256) : undefined;
    const order = name === undefined ? reader.raw(32) : crypto.sha256(name);
    const value = name === undefined ? undefined : reader.bytes(bytes.length);
    const key = bytesKey(order);
    // One form, and no record twice.
    if (key <= previous) throw malformed('records out of order');
    previous = key;
    buckets[order[0] as number]?.push([key, value === undefined ? reader.raw(32) : crypto.sha256(value)]);
    if (name === undefined || value === undefined) hidden.add(key);
    else shown.set(bytesKey(name), value);
  }
  reader.end();
  const hashes = buckets.map((bucket) => hashBucket(crypto, bucket));
  if (!equalBytes(crypto.sha256(concatBytes(...hashes)), root))
    throw new LicenseError('wrong-proof', 'the records that are shown are not those of the certified root');
  const isHidden = (name: string): boolean => hidden.has(bytesKey(crypto.sha256(nameBytes(name))));
  const ledger = ledgerFromRecords({ ...context, group: NO_GROUP }, checkedKinds(shown));
  const heldBack = ['M', 'D', ...[...ledger.licenses.keys()].flatMap((id) => [`C${id}`, `U${id}`, `H${id}`])].find(
    isHidden,
  );
  if (heldBack !== undefined) throw new LicenseError('wrong-proof', `the record ${heldBack} is there and is not shown`);
  return ledger;
}

function checkedKinds(shown: Map<string, Uint8Array>): Map<string, Uint8Array> {
  for (const name of shown.keys())
    if (!SHOWN_KINDS.includes(name.charAt(0))) throw malformed('a record that does not speak of usage');
  return shown;
}

const NO_GROUP: GroupDocument = { group: '', version: 0, tmrServers: [], licenseServers: [], admins: [], text: '' };
