import { stat } from 'node:fs/promises';
import { readPassphraseFile } from '@trefoil/container';
import { readFileWithLimit, writeFileAtomically } from '@trefoil/host';
import { CliError, EXIT, print } from './terminal.ts';

const MAX_BYTES = 4 * 1024 * 1024;

/** @throws HostError: one sentence that names the file. */
export async function readTextFile(file: string): Promise<string> {
  return Buffer.from(await readFileWithLimit(file, MAX_BYTES))
    .toString('utf8')
    .trim();
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
