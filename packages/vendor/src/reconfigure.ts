import {
  type Configuration,
  type ContainerRecord,
  type License,
  type Member,
  type PublicKey,
  type Reconfiguration,
  sealEnvelope,
  sharesSerialOrKey,
  toBase64url,
  verifyContainerRequest,
  verifyReconfiguration,
} from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { VendorError } from './errors.ts';
import { constituentFor, containerJson, type Issuer, utc } from './issue.ts';

/**
 * The next version of a set's configuration (PROTOCOL §4.9): the same containers for longer, or another one in the place of a
 * member's. `licenses`: all that the group has, in the versions that it has.
 * @throws LicenseError for an altered request, VendorError `bad-requests` where the container can't take the place
 */
export function makeReconfiguration(
  issuer: Issuer,
  root: PublicKey,
  versions: readonly [Configuration, ...Configuration[]],
  options: {
    readonly place?: { readonly member: Member; readonly request: string } | undefined;
    readonly licenses: readonly License[];
    readonly issuedAt: number;
    readonly expires: number;
  },
): Reconfiguration {
  const crypto = nodeCrypto();
  const current = versions.at(-1) as Configuration;
  const { place, licenses, issuedAt, expires } = options;
  const placed = place === undefined ? undefined : containerFor(versions, place);
  const containers = current.containers.map((one) => (one.member === placed?.member ? placed : one));
  const configuration = sealEnvelope(
    crypto,
    'trefoil-configuration',
    {
      ...{ format: 1, vendor: current.vendor, set: toBase64url(current.set), name: current.name },
      ...{ version: current.version + 1, threshold: current.threshold, containers: containers.map(containerJson) },
      ...{ issuedAt: utc(issuedAt), expires: utc(expires) },
    },
    issuer.key,
  );
  const payload = {
    format: 1,
    issuingKey: issuer.document.text,
    configuration,
    constituents: placed === undefined ? [] : licenses.map((license) => constituentFor(issuer, license, placed)),
    issuedAt: utc(issuedAt),
  };
  return verifyReconfiguration(crypto, root, sealEnvelope(crypto, 'trefoil-reconfiguration', payload, issuer.key));
}

function containerFor(
  versions: readonly Configuration[],
  { member, request }: { readonly member: Member; readonly request: string },
): ContainerRecord {
  const { kind, serial, signingKey, sealingKey } = verifyContainerRequest(nodeCrypto(), request.trim());
  const placed = { member, kind, serial, signingKey, sealingKey };
  const current = versions.at(-1) as Configuration;
  if (current.threshold !== 2)
    throw new VendorError(
      'bad-requests',
      'the only container of a set can not be replaced: return its licenses instead',
    );
  const known = versions.flatMap(({ containers }) => containers);
  if (known.some((one) => sharesSerialOrKey(one, placed)))
    throw new VendorError(
      'bad-requests',
      'this container is, or was, one of the set: a new one is needed, with a request of its own',
    );
  return placed;
}
