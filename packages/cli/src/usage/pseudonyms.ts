import { createHmac, randomBytes } from 'node:crypto';
import { ContainerError, readPassphraseFile } from '@trefoil/container';
import { writeFileAtomically } from '@trefoil/host';
import { CliError, EXIT, note } from '../terminal.ts';

const KEY_BYTES = 32;
/** 96 bits: no two names of a plant get the same. */
const SHOWN_CHARACTERS = 16;

/**
 * Names → pseudonyms, the same in every export under the same key: who has the key can find out who it was, by trying names; nobody else
 * can. The key file is made if it is missing, and only its owner may read it.
 */
export async function pseudonymsBy(keyFile: string): Promise<(name: string) => string> {
  const key = (await readKey(keyFile)) ?? (await makeKey(keyFile));
  return (name) => `u-${createHmac('sha256', key).update(name).digest('base64url').slice(0, SHOWN_CHARACTERS)}`;
}

/** undefined = there is no such file. A short key would be found by trying, and so the names. */
async function readKey(keyFile: string): Promise<Uint8Array | undefined> {
  const text = await readPassphraseFile(keyFile).catch((error: unknown) => {
    if (!(error instanceof ContainerError)) throw error;
    if (error.code === 'missing') return undefined;
    if (error.code === 'passphrase-invalid') return new Uint8Array(0);
    throw error;
  });
  if (text === undefined) return undefined;
  const key = Buffer.from(Buffer.from(text).toString('latin1'), 'base64url');
  if (key.length === KEY_BYTES && Buffer.from(text).toString('latin1') === key.toString('base64url')) return key;
  const what = 'it is no key for pseudonyms, which is 32 bytes in base64url; give a new name, and one is made';
  throw new CliError(EXIT.failure, `${keyFile}: ${what}`);
}

async function makeKey(keyFile: string): Promise<Uint8Array> {
  const key = randomBytes(KEY_BYTES);
  await writeFileAtomically(keyFile, `${key.toString('base64url')}\n`, { mode: 0o600 });
  note(`made ${keyFile}: keep it, for the same pseudonyms in the next export; who has it can find the names`);
  return key;
}
