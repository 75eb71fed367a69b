import { createHash } from 'node:crypto';
import type { Random } from '@trefoil/host';
import { ContainerError } from './errors.ts';

/** Without I, L, O, U: what people mix up or read as a word. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const SECRET_CHARACTERS = 26;
const CHECK_CHARACTERS = 2;
const GROUP = 4;

/** 130 random bits and two check characters, in seven groups of four: `ABCD-EFGH-…`. */
export function newRecoveryCode(random: Random): string {
  const secret = [...random.bytes(SECRET_CHARACTERS)].map((byte) => ALPHABET[byte % 32]).join('');
  const groups = (secret + checkOf(secret)).match(new RegExp(`.{${GROUP}}`, 'g')) ?? [];
  return groups.join('-');
}

/**
 * The key material in a code as a person typed it: case, blanks and hyphens don't matter, O is 0, I and L are 1.
 * @throws ContainerError `recovery-code-invalid` for a typing error.
 */
export function readRecoveryCode(typed: string): Uint8Array {
  const code = typed.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1');
  const secret = code.slice(0, SECRET_CHARACTERS);
  const wellFormed =
    code.length === SECRET_CHARACTERS + CHECK_CHARACTERS && [...code].every((c) => ALPHABET.includes(c));
  if (!wellFormed || code.slice(SECRET_CHARACTERS) !== checkOf(secret)) {
    throw new ContainerError(
      'recovery-code-invalid',
      'The recovery code is mistyped: it has seven groups of four.',
      {},
    );
  }
  return Buffer.from(secret, 'latin1');
}

function checkOf(secret: string): string {
  const digest = createHash('sha256').update(`trefoil recovery code\0${secret}`).digest();
  return [digest[0] ?? 0, digest[1] ?? 0].map((byte) => ALPHABET[byte % 32]).join('');
}
