import { test } from 'node:test';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { decodeClientFile, encodeClientFile } from './client-file.ts';
import { Verifier } from './verifier.ts';

const file = {
  group: 'plant',
  set: 'A'.repeat(22),
  addresses: ['10.0.0.8:7410', '[fe80::1]'],
  authority: '-----BEGIN',
};
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test('client files', () =>
  fuzz({
    valid: [encodeClientFile(file), encodeClientFile({ ...file, vendorRoot: 'x', certificate: 'y', key: 'z' })].map(
      (one) => new TextEncoder().encode(one),
    ),
    refuses: errorsOf('ClientError'),
    read: (bytes) => {
      const read = decodeClientFile(text(bytes), 'client.json');
      decodeClientFile(encodeClientFile(read), 'client.json'); // what was read can be written
      return undefined;
    },
  }));

test('a pinned root key', () =>
  fuzz({
    valid: [new TextEncoder().encode('PovMrN5xHpRU4lfxVlFPPIk59jbsX-VH-Fz6UAZs1bo')],
    refuses: errorsOf('ClientError'),
    read: (bytes) => void new Verifier(text(bytes)),
  }));
