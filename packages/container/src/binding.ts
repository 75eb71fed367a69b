import { createHmac, hkdfSync, scrypt, type ScryptOptions } from 'node:crypto';
import { encodeUtf8, Writer } from '@trefoil/license';
import type { Random } from '@trefoil/host';
import { KEY_BYTES, lockBox, unlockBox } from './sealed-box.ts';

/** Something that stays the same on this machine and differs on others. `value` is compared, never stored. */
export interface Trait {
  readonly name: string;
  readonly value: string;
}

/** How the file key is locked: to the machine (and a passphrase), and to the recovery code. All of it is public. */
export interface Binding {
  readonly salt: Uint8Array;
  readonly traits: readonly BoundTrait[];
  readonly passphrase: PassphraseParameters | undefined;
  /** Each opens with all traits but one; `without` counts within `traits`, 255 = with all of them. */
  readonly locks: readonly { readonly without: number; readonly box: Uint8Array }[];
  readonly recoveryBox: Uint8Array;
}

/** `tag`: 16 bits of a keyed hash of the value, so that an error can say what changed. Tells next to nothing of it. */
export interface BoundTrait {
  readonly name: string;
  readonly tag: number;
}

export interface PassphraseParameters {
  readonly salt: Uint8Array;
  readonly logN: number;
}

export const SALT_BYTES = 32;
const WITHOUT_NONE = 255;

/** Traits that can't be guessed. Host name and processor can: a lock must never hang on such alone. */
const STRONG_TRAITS = new Set(['machine-id', 'product-uuid', 'root-filesystem']);
/** With two traits, "all but one" would be a single one. */
const MIN_TRAITS_FOR_TOLERANCE = 3;

export interface BindingRequest {
  readonly random: Random;
  readonly serial: Uint8Array;
  readonly fileKey: Uint8Array;
  readonly traits: readonly Trait[];
  /** Key made from the passphrase, and how. */
  readonly passphrase: { readonly key: Uint8Array; readonly parameters: PassphraseParameters } | undefined;
  readonly recoverySecret: Uint8Array;
}

export function bind(request: BindingRequest): Binding {
  const { random, serial, fileKey } = request;
  const salt = random.bytes(SALT_BYTES);
  const recoveryKey = deriveKey(request.recoverySecret, salt, 'recovery');
  const recoveryBox = lockBox(random, recoveryKey, fileKey, associated(serial, 'recovery'));
  return { ...rebindTraits(request, salt), recoveryBox };
}

/** The machine's part of a binding, anew; salt and recovery box stay. */
export function rebindTraits(
  { random, serial, fileKey, traits, passphrase }: Omit<BindingRequest, 'recoverySecret'>,
  salt: Uint8Array,
): Omit<Binding, 'recoveryBox'> {
  const locks = omissions(traits).map((without) => {
    const key = machineKey(traits, without, passphrase?.key, salt);
    const box = lockBox(random, key, fileKey, associated(serial, `without ${without}`));
    key.fill(0);
    return { without, box };
  });
  const bound = traits.map(({ name, value }) => ({ name, tag: tagOf({ name, value }, salt) }));
  return { salt, traits: bound, passphrase: passphrase?.parameters, locks };
}

/** Which traits may be missing, one at a time: the others must hold something that can't be guessed. */
function omissions(traits: readonly Trait[]): number[] {
  const strong = traits.filter(({ name }) => STRONG_TRAITS.has(name)).length;
  const allowed = [...traits.entries()]
    .filter(([, { name }]) => traits.length >= MIN_TRAITS_FOR_TOLERANCE && strong > (STRONG_TRAITS.has(name) ? 1 : 0))
    .map(([index]) => index);
  return allowed.length > 0 ? allowed : [WITHOUT_NONE];
}

export interface Comparison {
  readonly changed: readonly string[];
  readonly same: readonly string[];
  /** The present traits suffice for one of the locks. */
  readonly tolerated: boolean;
}

/** Which of the bound traits are as they were, judged by their tags. */
export function compareTraits(binding: Binding, traits: readonly Trait[]): Comparison {
  const isSame = ({ name, tag }: BoundTrait): boolean =>
    traits.some((trait) => trait.name === name && tagOf(trait, binding.salt) === tag);
  const changed = [...binding.traits.entries()].filter(([, bound]) => !isSame(bound));
  return {
    changed: changed.map(([, { name }]) => name),
    same: binding.traits.filter(isSame).map(({ name }) => name),
    tolerated: binding.locks.some(({ without }) => changed.every(([index]) => index === without)),
  };
}

/** The file key, if at most one trait changed and the passphrase is right. */
export function unlockWithTraits(
  binding: Binding,
  serial: Uint8Array,
  traits: readonly Trait[],
  passphraseKey: Uint8Array | undefined,
): Buffer | undefined {
  // In the file's order, and one absent stands as an empty value, which no trait has.
  const present = binding.traits.map(({ name }) => traits.find((trait) => trait.name === name) ?? { name, value: '' });
  for (const { without, box } of binding.locks) {
    const key = machineKey(present, without, passphraseKey, binding.salt);
    const fileKey = unlockBox(key, box, associated(serial, `without ${without}`));
    key.fill(0);
    if (fileKey?.length === KEY_BYTES) return fileKey;
  }
  return undefined;
}

export function unlockWithRecovery(binding: Binding, serial: Uint8Array, secret: Uint8Array): Buffer | undefined {
  const key = deriveKey(secret, binding.salt, 'recovery');
  return unlockBox(key, binding.recoveryBox, associated(serial, 'recovery'));
}

/** scrypt, r = 8, p = 1, 32 bytes. */
export function passphraseKey(passphrase: Uint8Array, { salt, logN }: PassphraseParameters): Promise<Buffer> {
  const options: ScryptOptions = { N: 2 ** logN, r: 8, p: 1, maxmem: 2 ** (logN + 11) };
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, KEY_BYTES, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

function machineKey(
  traits: readonly Trait[],
  without: number,
  passphrase: Uint8Array | undefined,
  salt: Uint8Array,
): Buffer {
  const writer = new Writer().u8(traits.length);
  for (const [index, { name, value }] of traits.entries()) if (index !== without) writer.text(name).text(value);
  const secret = Buffer.concat([writer.done(), passphrase ?? new Uint8Array(0)]);
  const key = deriveKey(secret, salt, `machine without ${without}`);
  secret.fill(0);
  return key;
}

function deriveKey(secret: Uint8Array, salt: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, `trefoil container ${purpose}`, KEY_BYTES));
}

function associated(serial: Uint8Array, purpose: string): Uint8Array {
  return Buffer.concat([encodeUtf8(`trefoil container ${purpose}\0`), serial]);
}

function tagOf({ name, value }: Trait, salt: Uint8Array): number {
  return createHmac('sha256', salt).update(`trefoil container tag\0${name}\0${value}`).digest().readUInt16BE(0);
}
