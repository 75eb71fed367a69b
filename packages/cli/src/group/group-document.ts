import { type GroupDocument, type PublicKey, sealEnvelope, toBase64url } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import type { VendorKey } from '@trefoil/vendor';

/** FORMATS §2.7: one version of it, signed by one of its admins. */
export function makeGroupDocument(parts: Omit<GroupDocument, 'text'>, admin: VendorKey): string {
  const { group, version, tmrServers, licenseServers, admins } = parts;
  const payload = {
    ...{ format: 1, group, version },
    tmrServers: tmrServers.map(({ id, key, address }) => ({ id, ...keyJson(key), address })),
    licenseServers: licenseServers.map(({ member, address }) => ({ member, address })),
    admins: admins.map(({ name, key }) => ({ name, ...keyJson(key) })),
  };
  return sealEnvelope(nodeCrypto(), 'trefoil-group', payload, admin);
}

function keyJson({ alg, bytes }: PublicKey): { readonly alg: string; readonly key: string } {
  return { alg, key: toBase64url(bytes) };
}
