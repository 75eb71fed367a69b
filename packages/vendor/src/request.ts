import type { Container } from '@trefoil/container';
import { keyId, sealEnvelope, toBase64url } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';

/** The request that a container's host sends to the vendor: its public keys, signed by itself. No secret in it. */
export async function containerRequest(container: Container, name: string): Promise<string> {
  const { serial, signingKey, sealingKey, kind } = container;
  const payload = {
    format: 1,
    kind,
    serial: toBase64url(serial),
    name,
    alg: signingKey.alg,
    signingKey: toBase64url(signingKey.bytes),
    sealingKey: toBase64url(sealingKey),
  };
  // Hardware signs later: first the bytes, then the signature, then the same envelope with it.
  let input: Uint8Array | undefined;
  sealEnvelope(nodeCrypto(), 'trefoil-request', payload, {
    publicKey: signingKey,
    sign: (message) => {
      input = message;
      return new Uint8Array(64);
    },
  });
  if (input === undefined) throw new Error(`nothing to sign for ${keyId(nodeCrypto(), signingKey)}`);
  const signature = await container.sign(input);
  return `${new TextDecoder().decode(input)}.${toBase64url(signature)}`;
}
