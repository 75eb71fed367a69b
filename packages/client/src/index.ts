/**
 * The SDK an application links. Common path: `connect` → `acquire` → work → `release`. Runs on Node ≥ 20.
 * Compatible within a major version; results and events may get new fields, codes new values.
 */
export { type Borrowed, openBorrowed, type OpenBorrowedOptions } from './borrowed/borrowed.ts';
export type { BorrowResult } from './borrowed/borrowing.ts';
export { borrowedFolder } from './borrowed/default-folder.ts';
export {
  type AcquireOptions,
  type BorrowOptions,
  Client,
  type ClientEvents,
  connect,
  type ConnectOptions,
  resume,
  type SavedClient,
} from './client.ts';
export { type ClientFile, decodeClientFile, encodeClientFile, readClientFile } from './client-file.ts';
export { ClientError, type ClientErrorCode } from './errors.ts';
export { Group } from './group.ts';
export type { AcquireResult, ConsumeResult, Denied, Refused, Unknown } from './results.ts';
export type { ReleaseResult, Seat } from './seat.ts';
export type { SubmitResult } from './submission.ts';
export { type ClientMachine, systemMachine } from './machine.ts';
export type { Moment } from './time.ts';
export { Verifier } from './verifier.ts';
