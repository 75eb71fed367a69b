import { dirname } from 'node:path';
import {
  type AcquireItem,
  COUNTING_MODES,
  decodeGrantBundle,
  encodeGrantBundle,
  fromBase64url,
  type GrantBundle,
  type JsonObject,
  LicenseError,
  LIMITS,
  parseStrictJson,
  toBase64url,
} from '@trefoil/license';
import { checkedItems } from '../arguments.ts';
import { ClientError } from '../errors.ts';

/** What is kept of a borrowing beside its container: nothing in it is secret, and nothing in it is believed without the proof. */
export interface BorrowedState {
  readonly session: Uint8Array;
  readonly timeoutMs: number;
  readonly items: readonly AcquireItem[];
  readonly nextRequest: number;
  /** Sent, and perhaps done: it is asked again with the same number. */
  readonly asking?: { readonly kind: 'borrow' | 'extend'; readonly requestId: number; readonly forMs: number };
  /** From here on it isn't used any more. */
  readonly givingBack: boolean;
  /** Of the seats, once they were granted. */
  readonly proof?: GrantBundle;
}

const FORMAT = 'trefoil-borrowed-1';
export const MAX_STATE_BYTES = LIMITS.grantBundleBytes + 65_536;

export function encodeState({ session, proof, ...state }: BorrowedState): string {
  const bundle = proof === undefined ? {} : { proof: JSON.parse(encodeGrantBundle(proof)) as JsonObject };
  return `${JSON.stringify({ format: FORMAT, session: toBase64url(session), ...state, ...bundle }, undefined, 2)}\n`;
}

/** @throws ClientError `not-borrowed` */
export function decodeState(bytes: Uint8Array, file: string): BorrowedState {
  try {
    return readState(parseStrictJson(bytes, MAX_STATE_BYTES));
  } catch (error) {
    if (!(error instanceof LicenseError || error instanceof ClientError)) throw error;
    throw new ClientError(
      'not-borrowed',
      `${file} is damaged (${error.message}): it was altered, or is no borrowed seat. ${withoutCopy(dirname(file))}`,
    );
  }
}

/** What helps if nothing else does. */
export function withoutCopy(folder: string): string {
  return `Without a copy of it, remove ${folder}: the group has the seat back when its time is over.`;
}

function readState(json: unknown): BorrowedState {
  const { format, session, timeoutMs, items, nextRequest, asking, givingBack, proof } = objectIn(json);
  if (format !== FORMAT) throw new ClientError('not-borrowed', 'an unknown format');
  const state = {
    session: fromBase64url(textIn(session)),
    timeoutMs: wholeIn(timeoutMs),
    items: checkedItems(items as unknown as AcquireItem[]),
    nextRequest: wholeIn(nextRequest),
    givingBack: givingBack === true,
  };
  for (const { mode } of state.items)
    if (mode !== undefined && !COUNTING_MODES.includes(mode)) throw new ClientError('not-borrowed', 'an unknown mode');
  return {
    ...state,
    ...(asking !== undefined && { asking: askingIn(objectIn(asking)) }),
    ...(proof !== undefined && { proof: decodeGrantBundle(JSON.stringify(proof)) }),
  };
}

function askingIn({ kind, requestId, forMs }: JsonObject): NonNullable<BorrowedState['asking']> {
  if (kind !== 'borrow' && kind !== 'extend') throw new ClientError('not-borrowed', 'an unknown question');
  return { kind, requestId: wholeIn(requestId), forMs: wholeIn(forMs) };
}

function objectIn(value: unknown): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new ClientError('not-borrowed', 'a field is missing');
}

function textIn(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new ClientError('not-borrowed', 'a field is missing');
}

function wholeIn(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
  throw new ClientError('not-borrowed', 'a number is missing');
}
