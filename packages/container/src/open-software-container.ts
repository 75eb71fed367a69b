import { type FileLock, machineTraits, type Random, removeLeftovers, systemRandom } from '@trefoil/host';
import { type Algorithm, equalBytes, LicenseError } from '@trefoil/license';
import {
  bind,
  type Binding,
  type Comparison,
  compareTraits,
  passphraseKey,
  type PassphraseParameters,
  rebindTraits,
  SALT_BYTES,
  type Trait,
  unlockWithRecovery,
  unlockWithTraits,
} from './binding.ts';
import { type ContainerFile, type ContainerHeader, damaged, decodeFile, SERIAL_BYTES } from './container-file.ts';
import { type Contents, decodeContents } from './contents.ts';
import { ContainerError } from './errors.ts';
import { exists, lockContainer, readSecretFile } from './files.ts';
import { ephemeral } from './hpke.ts';
import { generateKeyPairs, signingPublicKey } from './key-pairs.ts';
import { CONTAINER_LIMITS } from './limits.ts';
import { newRecoveryCode, readRecoveryCode } from './recovery-code.ts';
import { KEY_BYTES, unlockBox } from './sealed-box.ts';
import { type OpenedParts, SoftwareContainer, writeContainer } from './software-container.ts';
import { WatermarkFile } from './watermark-file.ts';
import { type Delay, systemDelay } from './watermark-keeper.ts';

export interface SoftwareContainerOptions {
  /** The container's file. Beside it: `<file>.mark` (watermark) and `<file>.lock`. */
  readonly file: string;
  /** From `readPassphraseFile`. Needed to open if the container was made, or bound again, with one. */
  readonly passphrase?: Uint8Array;
  /** Default: this machine's. */
  readonly traits?: readonly Trait[];
  readonly random?: Random;
  readonly delay?: Delay;
}

export interface CreateOptions extends SoftwareContainerOptions {
  /** Default ed25519. */
  readonly alg?: Algorithm;
  /** Cost of the passphrase: scrypt with N = 2^this. Default 17 (128 MiB, some 0.4 s). */
  readonly scryptLogN?: number;
}

export interface RebindOptions extends SoftwareContainerOptions {
  readonly recoveryCode: string;
  readonly scryptLogN?: number;
}

export interface Bound {
  readonly container: SoftwareContainer;
  /** To be shown once and kept elsewhere: opens the container on any machine, without the passphrase. */
  readonly recoveryCode: string;
}

/** Makes new keys in a new file. @throws ContainerError `exists`, `no-traits`, `in-use`, `unwritable` */
export async function createSoftwareContainer(options: CreateOptions): Promise<Bound> {
  const { file } = options;
  return withLock(file, async (lock) => {
    if (await exists(file)) throw new ContainerError('exists', `${file} already exists.`, { file });
    const random = options.random ?? systemRandom;
    const keys = generateKeyPairs(options.alg ?? 'ed25519');
    const sealingKey = ephemeral(keys.sealing).publicKey;
    const serial = random.bytes(SERIAL_BYTES);
    const fileKey = Buffer.from(random.bytes(KEY_BYTES));
    const { binding, recoveryCode } = await bindHere(options, serial, fileKey);
    const header = { serial, signingKey: signingPublicKey(keys.signing), sealingKey, timesBound: 1, binding };
    const contents = { keys, watermark: { epoch: 0, index: 0 }, constituents: [] };
    const parts = partsOf(options, lock, header, fileKey, contents);
    // The mark first: a container without one would be suspect from birth if the power failed between the two.
    await parts.watermarkFile.write(contents.watermark);
    await writeContainer(parts, contents);
    return { container: new SoftwareContainer({ ...parts, watermark: contents.watermark }), recoveryCode };
  });
}

/**
 * Opens a container on the machine to which it is bound. If one trait of the machine changed, it opens all the same and is
 * bound to the traits as they are now. On any error nothing is altered.
 * @throws ContainerError `missing`, `too-open`, `unreadable`, `not-a-container`, `other-version`, `truncated`, `damaged`,
 *   `in-use`, `wrong-machine`, `passphrase-needed`, `passphrase-not-used`, `wrong-passphrase`, `unwritable`
 */
export async function openSoftwareContainer(options: SoftwareContainerOptions): Promise<SoftwareContainer> {
  const { file } = options;
  await checkThere(file);
  return withLock(file, async (lock) => {
    const stored = await readContainer(file);
    const { serial, binding } = stored.header;
    const traits = traitsOf(options);
    const passphrase = await passphraseFor(options, binding);
    const fileKey = unlockWithTraits(binding, serial, traits, passphrase?.key);
    const comparison = compareTraits(binding, traits);
    if (fileKey === undefined) throw whyLocked(file, comparison, passphrase !== undefined);
    const contents = unlockContents(file, stored, fileKey);
    let { header } = stored;
    if (comparison.changed.length > 0) {
      const random = options.random ?? systemRandom;
      const renewed = rebindTraits({ random, serial, fileKey, traits, passphrase }, binding.salt);
      header = { ...header, binding: { ...renewed, recoveryBox: binding.recoveryBox } };
      await writeContainer({ file, random, header, fileKey }, contents);
    }
    passphrase?.key.fill(0);
    return finishOpening(partsOf(options, lock, header, fileKey, contents));
  });
}

/**
 * Binds a container to this machine by hand, with its recovery code: after a move, after several changes at once, or with a
 * forgotten passphrase. The passphrase is the one given, or none from now on. The old code is spent.
 * @throws ContainerError `recovery-code-invalid`, `wrong-recovery-code`, and as `openSoftwareContainer`
 */
export async function rebindSoftwareContainer(options: RebindOptions): Promise<Bound> {
  const { file } = options;
  const secret = readRecoveryCode(options.recoveryCode);
  await checkThere(file);
  return withLock(file, async (lock) => {
    const stored = await readContainer(file);
    const { serial, timesBound } = stored.header;
    const fileKey = unlockWithRecovery(stored.header.binding, serial, secret);
    if (fileKey === undefined) {
      const message = `The recovery code does not open ${file}: it belongs to another container, or is an older one.`;
      throw new ContainerError('wrong-recovery-code', message, { file });
    }
    const contents = unlockContents(file, stored, fileKey);
    const { binding, recoveryCode } = await bindHere(options, serial, fileKey);
    const header = { ...stored.header, timesBound: timesBound + 1, binding };
    const parts = partsOf(options, lock, header, fileKey, contents);
    await writeContainer(parts, contents);
    return { container: await finishOpening(parts), recoveryCode };
  });
}

async function withLock<T>(file: string, act: (lock: FileLock) => Promise<T>): Promise<T> {
  const lock = lockContainer(file);
  try {
    await removeLeftovers(file);
    await removeLeftovers(`${file}.mark`);
    return await act(lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Before the lock: in a folder that doesn't exist, "cannot write the lock" would be a riddle. */
async function checkThere(file: string): Promise<void> {
  if (!(await exists(file))) throw missing(file);
}

async function readContainer(file: string): Promise<ContainerFile> {
  const bytes = await readSecretFile(file, CONTAINER_LIMITS.fileBytes);
  if (bytes === undefined) throw missing(file);
  return decodeFile(file, bytes);
}

function missing(file: string): ContainerError {
  return new ContainerError('missing', `There is no container ${file}.`, { file });
}

function traitsOf({ traits }: SoftwareContainerOptions): readonly Trait[] {
  return (traits ?? machineTraits('software container')).filter(({ value }) => value !== '');
}

async function bindHere(
  options: CreateOptions | RebindOptions,
  serial: Uint8Array,
  fileKey: Uint8Array,
): Promise<{ binding: Binding; recoveryCode: string }> {
  const random = options.random ?? systemRandom;
  const traits = traitsOf(options);
  if (traits.length === 0) {
    throw new ContainerError('no-traits', 'This machine has no trait to which a container could be bound.', {});
  }
  const recoveryCode = newRecoveryCode(random);
  const recoverySecret = readRecoveryCode(recoveryCode);
  const parameters = { salt: random.bytes(SALT_BYTES), logN: options.scryptLogN ?? CONTAINER_LIMITS.scryptLogN };
  const passphrase =
    options.passphrase === undefined
      ? undefined
      : { key: await passphraseKey(options.passphrase, parameters), parameters };
  const binding = bind({ random, serial, fileKey, traits, passphrase, recoverySecret });
  passphrase?.key.fill(0);
  return { binding, recoveryCode };
}

async function passphraseFor(
  { file, passphrase }: SoftwareContainerOptions,
  binding: Binding,
): Promise<{ key: Uint8Array; parameters: PassphraseParameters } | undefined> {
  const parameters = binding.passphrase;
  if (parameters === undefined) {
    if (passphrase === undefined) return undefined;
    throw new ContainerError('passphrase-not-used', `${file} has no passphrase, but one was given.`, { file });
  }
  if (passphrase === undefined) {
    throw new ContainerError('passphrase-needed', `${file} needs its passphrase.`, { file });
  }
  return { key: await passphraseKey(passphrase, parameters), parameters };
}

/** The tags say whether it was the machine; if not, it was the passphrase; if there is none, somebody altered the file. */
function whyLocked(file: string, { changed, same, tolerated }: Comparison, hasPassphrase: boolean): ContainerError {
  if (!tolerated) {
    const unchanged = same.length === 0 ? 'nothing is the same' : `${same.join(', ')} as before`;
    const message =
      `${file} is bound to another machine: ${changed.join(', ')} changed, ${unchanged}. ` +
      'If it was moved on purpose, bind it again with its recovery code.';
    return new ContainerError('wrong-machine', message, { file, changed, same });
  }
  if (hasPassphrase) return new ContainerError('wrong-passphrase', `The passphrase does not open ${file}.`, { file });
  return damaged(file, 'its locks were altered');
}

/** @throws ContainerError `damaged` */
function unlockContents(file: string, { header, headerBytes, box }: ContainerFile, fileKey: Uint8Array): Contents {
  const plain = unlockBox(fileKey, box, headerBytes);
  if (plain === undefined) throw damaged(file, 'its contents or its header were altered');
  try {
    const contents = decodeContents(plain);
    const signing = signingPublicKey(contents.keys.signing);
    if (equalBytes(signing.bytes, header.signingKey.bytes)) return contents;
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
  }
  throw damaged(file, "its contents can't be read");
}

function partsOf(
  { file, random, delay }: SoftwareContainerOptions,
  lock: FileLock,
  header: ContainerHeader,
  fileKey: Buffer,
  contents: Contents,
): Omit<OpenedParts, 'watermark'> {
  const watermarkFile = new WatermarkFile(file, header.serial, fileKey);
  return {
    file,
    lock,
    random: random ?? systemRandom,
    delay: delay ?? systemDelay,
    header,
    fileKey,
    contents,
    watermarkFile,
  };
}

async function finishOpening(parts: Omit<OpenedParts, 'watermark'>): Promise<SoftwareContainer> {
  const watermark = await parts.watermarkFile.read(parts.contents.watermark);
  return new SoftwareContainer({ ...parts, watermark });
}
