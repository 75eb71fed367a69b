import { hash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { decodeFile, encodeFile, encodeHeader } from './container-file.ts';
import { createSoftwareContainer, openSoftwareContainer } from './open-software-container.ts';
import { newRecoveryCode, readRecoveryCode } from './recovery-code.ts';
import { SCRYPT_LOG_N, temporaryFile, TRAITS } from './test-container.ts';

const refuses = errorsOf('ContainerError');
const CHECKSUM_BYTES = 32;

/** The same with a checksum that fits: what somebody makes on purpose, and no accident. */
function withChecksum(bytes: Uint8Array): Uint8Array {
  const covered = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES));
  return Buffer.concat([covered, hash('sha256', covered, 'buffer')]);
}

async function files(t: Parameters<typeof temporaryFile>[0]): Promise<{ file: string; bytes: Uint8Array }[]> {
  return Promise.all(
    [{}, { passphrase: Buffer.from('passphrase 123'), scryptLogN: SCRYPT_LOG_N }].map(async (options) => {
      const file = await temporaryFile(t);
      const { container } = await createSoftwareContainer({ file, traits: TRAITS, ...options });
      await container[Symbol.asyncDispose]();
      return { file, bytes: new Uint8Array(await readFile(file)) };
    }),
  );
}

test('container files: one form, and nothing altered by accident is read', async (t) => {
  const valid = (await files(t)).map(({ bytes }) => bytes);
  await fuzz({
    valid,
    refuses,
    seals: true,
    read: (bytes) => {
      const { headerBytes, box } = decodeFile('x', bytes);
      return encodeFile(headerBytes, box);
    },
  });
  await fuzz({
    valid,
    refuses,
    read: (bytes) => {
      const sound = withChecksum(bytes);
      const { header, box } = decodeFile('x', sound);
      const again = encodeFile(encodeHeader(header), box);
      if (Buffer.compare(again, sound) !== 0) throw new Error('two forms of one container file');
      return undefined;
    },
  });
});

test('container files that somebody has altered, to the opened container', async (t) => {
  const [plain] = await files(t);
  if (plain === undefined) return;
  const { file, bytes } = plain;
  await fuzz({
    valid: [bytes],
    refuses,
    read: async (bent) => {
      await writeFile(file, withChecksum(bent));
      await using container = await openSoftwareContainer({ file, traits: TRAITS });
      container.sign(Buffer.from('a vote'));
      return undefined;
    },
  });
});

test('recovery codes as people type them', () => {
  const code = newRecoveryCode({ bytes: (count) => new Uint8Array(count).fill(77) });
  return fuzz({
    valid: [new TextEncoder().encode(code)],
    refuses,
    read: (bytes) => void readRecoveryCode(new TextDecoder().decode(bytes)),
  });
});
