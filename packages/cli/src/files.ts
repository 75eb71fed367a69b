import { createPrivateKey } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { readPassphraseFile } from '@trefoil/container';
import { makeDirectory, readTextFile, writeFileAtomically } from '@trefoil/host';
import { keyFromPem, VendorError, type VendorKey } from '@trefoil/vendor';
import { CliError, EXIT, print } from './terminal.ts';

const MAX_BYTES = 4 * 1024 * 1024;

/** Without white space around it. @throws HostError: one sentence that names the file. */
export async function readTrimmed(file: string, maxBytes = MAX_BYTES): Promise<string> {
  return (await readTextFile(file, maxBytes)).trim();
}

/** @throws HostError, VendorError: one sentence that names the file. */
export async function readKey(file: string, passphraseFile: string | undefined): Promise<VendorKey> {
  const pem = await readTrimmed(file);
  const passphrase = await readPassphrase(passphraseFile);
  try {
    return keyFromPem(pem, passphrase);
  } catch (error) {
    if (error instanceof VendorError) throw new VendorError(error.code, `${file}: ${error.message}`);
    throw error;
  }
}

/** The one way in which a passphrase comes in: never argv, never the environment. */
export async function readPassphrase(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return Buffer.from(await readPassphraseFile(file)).toString('utf8');
}

/** To the file, or to stdout where none is given. Refuses to overwrite what it didn't make. */
export async function writeResult(file: string | undefined, text: string, mode = 0o644): Promise<void> {
  if (file === undefined) return print(text.trimEnd());
  await refuseExisting(file);
  await writeFileAtomically(file, text, { mode });
}

export async function refuseExisting(file: string): Promise<void> {
  const there = await stat(file).then(
    () => true,
    () => false,
  );
  if (there) throw new CliError(EXIT.failure, `${file} already exists; give another name or remove it`);
}

/** A new folder, with all that `fill` puts into it, or none: what a full disk has left of one would be in the way of the next try. */
export async function writeFolder(folder: string, fill: () => Promise<void>): Promise<void> {
  await refuseExisting(folder);
  try {
    await makeDirectory(folder);
    await fill();
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** A private key in PEM, as it lies in a file. */
export function encrypted(pem: string, passphrase: string | undefined): string {
  if (passphrase === undefined) return pem;
  return createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }) as string;
}
