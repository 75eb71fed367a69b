import fc from 'fast-check';
import { mutate } from './mutate.ts';

/** A reader of bytes that come from outside. */
export interface Target {
  /** What it accepts; bent in every way. */
  readonly valid: readonly Uint8Array[];
  /**
   * Reads. Where a value has one encoding, it returns the value encoded again: then that has to be what was read. Throws what is
   * documented for bytes that mean nothing.
   */
  readonly read: (bytes: Uint8Array) => Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Whether that is what it may throw. */
  readonly refuses: (error: unknown) => boolean;
  /** It reads nothing of which a single bit has changed: for what is signed, or has a checksum. */
  readonly seals?: boolean;
}

/** A short run with each check; `npm run fuzz` sets how long each target is beaten instead. */
const RUNS = 300;
const forMs = Number(process.env['TREFOIL_FUZZ_MS'] ?? 0);
const MAX_MS = 2_000;
const MAX_ALLOCATED_BYTES = 256 * 1_024 * 1_024;

/** For room by its name: `error.name` is the class of operational failures of that room. */
export function errorsOf(...names: readonly string[]): (error: unknown) => boolean {
  return (error) => error instanceof Error && names.includes(error.name);
}

export async function fuzz(target: Target): Promise<void> {
  for (const bytes of target.valid) {
    const again = await target.read(bytes);
    if (again !== undefined && !equal(again, bytes)) throw new Error('what is valid is not read as it was written');
  }
  const bent = fc
    .tuple(fc.constantFrom(...target.valid), fc.uint8Array({ minLength: 4, maxLength: 24 }))
    .map(([valid, program]) => mutate(valid, program, target.valid));
  const bytes = fc.oneof({ weight: 15, arbitrary: bent }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }) });
  const limits = forMs > 0 ? { numRuns: 1e9, interruptAfterTimeLimit: forMs } : { numRuns: RUNS };
  await fc.assert(
    fc.asyncProperty(bytes, (one) => withstands(target, one)),
    limits,
  );
}

async function withstands(target: Target, bytes: Uint8Array): Promise<void> {
  const startedAt = performance.now();
  const before = process.memoryUsage();
  const again = await readOrRefuse(target, bytes);
  const tookMs = performance.now() - startedAt;
  const after = process.memoryUsage();
  const allocated = after.arrayBuffers + after.heapTotal - before.arrayBuffers - before.heapTotal;
  if (tookMs > MAX_MS) throw new Error(`it took ${tookMs.toFixed(0)} ms`);
  if (allocated > MAX_ALLOCATED_BYTES) throw new Error(`it took ${allocated} bytes of memory`);
  if (again !== undefined && !equal(again, bytes)) throw new Error('two encodings of one value');
}

async function readOrRefuse(target: Target, bytes: Uint8Array): Promise<Uint8Array | undefined> {
  let again: Uint8Array | undefined;
  try {
    again = await target.read(bytes);
  } catch (error) {
    if (!target.refuses(error)) throw error;
    return undefined;
  }
  if (target.seals === true && !target.valid.some((one) => equal(one, bytes)))
    throw new Error('what was altered is accepted');
  return again;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
