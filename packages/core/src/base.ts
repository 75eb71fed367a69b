import {
  compareBytes,
  type Configuration,
  type Crypto,
  decodePromise,
  equalBytes,
  type LogPromise,
  type Member,
} from '@trefoil/license';
import type { Signed } from './signed.ts';

/**
 * Which log a new epoch builds on (PROTOCOL §4.3), computed by the TMR server and again by every license server, which is why
 * the TMR server needn't be believed.
 */
export type Base =
  | {
      readonly kind: 'base';
      readonly index: number;
      readonly head: Uint8Array | undefined;
      readonly from: Member | undefined;
    }
  /** Two logs of one epoch, neither a prefix of the other: its TMR server lied. The third promise has to decide. */
  | { readonly kind: 'needThird' }
  | { readonly kind: 'none'; readonly why: string };

/**
 * `head` is undefined where the base ends below every reported head: "all but the last entry". With one entry in flight, logs
 * of one epoch differ in their last, uncertified entry at most.
 */
export function chooseBase(promises: readonly LogPromise[], quorum: 1 | 2): Base {
  const first = promises[0];
  if (first === undefined || promises.length < quorum) return { kind: 'none', why: 'too few promises' };
  for (const promise of promises)
    if (!promises.every((other) => isOfThisStart(promise, other)))
      return { kind: 'none', why: 'the promises differ in the incarnations they know' };
  const logEpoch = Math.max(...promises.map((one) => one.logEpoch));
  const newest = promises.filter((one) => one.logEpoch === logEpoch);
  const index = Math.max(...newest.map((one) => one.lastIndex));
  const longest = newest.filter((one) => one.lastIndex === index);
  const heads = distinctHeads(longest);
  if (heads.length === 1) {
    const base = longest[0] as LogPromise;
    // A tail that one of three reports has no certificate anywhere; it may be poisoned, so it is dropped.
    return promises.length === 3 && promises.every((one) => one === base || lacks(one, base))
      ? { kind: 'base', index: index - 1, head: undefined, from: undefined }
      : baseOf(base);
  }
  // Equivocation of the TMR server of `logEpoch`: two heads at one index of one epoch.
  if (promises.length < 3) return { kind: 'needThird' };
  for (const head of heads) {
    const sharing = longest.filter((one) => equalBytes(one.lastHead, head));
    if (sharing.length >= 2) return baseOf(sharing[0] as LogPromise);
  }
  return { kind: 'base', index: index - 1, head: undefined, from: undefined };
}

function lacks(log: LogPromise, tail: LogPromise): boolean {
  return (
    log.lastIndex < tail.lastIndex || (log.lastIndex === tail.lastIndex && !equalBytes(log.lastHead, tail.lastHead))
  );
}

function baseOf(promise: LogPromise): Base {
  return { kind: 'base', index: promise.lastIndex, head: promise.lastHead, from: promise.member };
}

function distinctHeads(promises: readonly LogPromise[]): Uint8Array[] {
  const heads: Uint8Array[] = [];
  for (const { lastHead } of promises) if (!heads.some((head) => equalBytes(head, lastHead))) heads.push(lastHead);
  return heads.sort(compareBytes);
}

/** `other` was made in the start by which `promise` knows its signer, and not before a rollback. */
function isOfThisStart(promise: LogPromise, other: LogPromise): boolean {
  const place = other.member - 1;
  return equalBytes(promise.incarnations[place] as Uint8Array, other.incarnations[place] as Uint8Array);
}

/** The promises of a justification, each checked; undefined = the justification proves nothing. */
export function verifyJustification(
  crypto: Crypto,
  configuration: Configuration,
  epoch: number,
  justification: readonly Signed[],
): LogPromise[] | undefined {
  const promises: LogPromise[] = [];
  for (const signed of justification) {
    const promise = verifyPromise(crypto, configuration, signed);
    if (promise === undefined || promise.epoch !== epoch) return undefined;
    // One member's promise shown twice must not count as two.
    if (promises.some((one) => one.member === promise.member)) return undefined;
    promises.push(promise);
  }
  return promises;
}

export function verifyPromise(crypto: Crypto, configuration: Configuration, signed: Signed): LogPromise | undefined {
  let promise: LogPromise;
  try {
    promise = decodePromise(signed.bytes);
  } catch {
    return undefined;
  }
  const container = configuration.containers.find((one) => one.member === promise.member);
  if (
    container === undefined ||
    promise.configVersion !== configuration.version ||
    !equalBytes(promise.set, configuration.set)
  )
    return undefined;
  return crypto.verify(container.signingKey, signed.bytes, signed.signature) ? promise : undefined;
}
