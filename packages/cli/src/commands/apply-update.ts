import type { Group } from '@trefoil/client';
import { encodeCommand, type Outcome, type Receipt } from '@trefoil/license';

export type Applied =
  | (Extract<Outcome, { kind: 'updated' }> & { readonly receipt: Receipt })
  | Extract<Outcome, { kind: 'refused' }>
  | { readonly kind: 'unknown'; readonly reason: string };

/** Puts an update file into service: one command, decided by a vote. */
export async function applyUpdate(group: Group, document: string, patienceMs = 10_000): Promise<Applied> {
  const result = await group.submit(encodeCommand({ kind: 'update', document: document.trim() }), patienceMs);
  if (result.kind !== 'certified') return { kind: 'unknown', reason: result.reason };
  const { outcome, certified } = result;
  if (outcome.kind === 'refused') return outcome;
  if (outcome.kind === 'updated') {
    const { licenses: _, ...receipt } = group.bundle(certified);
    return { ...outcome, receipt };
  }
  throw new Error(`an outcome that does not answer an update: ${outcome.kind}`);
}

/** A command outside of any session: the vendor's or an admin's. */
export async function submitOutside(
  group: Group,
  command: Uint8Array,
  patienceMs: number,
): Promise<Outcome | { readonly kind: 'unknown'; readonly reason: string }> {
  const result = await group.submit(command, patienceMs);
  return result.kind === 'certified' ? result.outcome : { kind: 'unknown', reason: result.reason };
}
