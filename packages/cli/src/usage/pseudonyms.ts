import { createHmac, randomBytes } from 'node:crypto';
import { ContainerError, readPassphraseFile } from '@trefoil/container';
import { writeFileAtomically } from '@trefoil/host';
import { note } from '../terminal.ts';

const KEY_BYTES = 32;
/** 96 bits: no two names of a plant get the same. */
const SHOWN_CHARACTERS = 16;

/**
 * Names → pseudonyms, the same in every export under the same key: who has the key can find out who it was, by trying names; nobody else
 * can. The key file is made if it is missing, and only its owner may read it.
 */
export async function pseudonymsBy(keyFile: string): Promise<(name: string) => string> {
  const key = await readPassphraseFile(keyFile).catch(async (error: unknown) => {
    if (!(error instanceof ContainerError) || error.code !== 'missing') throw error;
    const made = randomBytes(KEY_BYTES).toString('hex');
    await writeFileAtomically(keyFile, `${made}\n`, { mode: 0o600 });
    note(`made ${keyFile}: keep it, for the same pseudonyms in the next export; who has it can find the names`);
    return Buffer.from(made);
  });
  return (name) => `u-${createHmac('sha256', key).update(name).digest('base64url').slice(0, SHOWN_CHARACTERS)}`;
}
