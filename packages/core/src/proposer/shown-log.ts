import { equalBytes, type LogPromise } from '@trefoil/license';
import type { Base } from '../base.ts';
import { entryFault } from '../entry-fault.ts';
import { decodeEntry, genesisHead, headAfter } from '../entry.ts';
import { checkCertificate } from '../feed.ts';
import type { ToProposer } from '../messages.ts';
import { canAppend } from '../replica.ts';
import { parsed } from '../signed.ts';
import type { Proposer } from './state.ts';

/**
 * Where the certified part of the promised log ends, or of what became of it; undefined: what came with the promise doesn't lead
 * to its head. Nobody could ever build on what a false license server has made up (PROTOCOL §4.2).
 */
export function certifiedBefore(
  { context, group, crypto, replica }: Proposer,
  { lastIndex, lastHead }: LogPromise,
  { certificate, tail }: Extract<ToProposer, { kind: 'promise' }>,
): number | undefined {
  const accept = certificate.length === 0 ? undefined : checkCertificate(replica, certificate);
  if (certificate.length > 0 && accept === undefined) return undefined;
  const { set, text } = context.configuration;
  const certified = accept ?? {
    index: 0,
    head: genesisHead(crypto, { set, configuration: text, group: group.text }),
  };
  const [index, head] =
    tail.length === 0
      ? [certified.index, certified.head]
      : [certified.index + 1, headAfter(crypto, certified.head, tail)];
  if (certified.index > lastIndex) return certified.index;
  return lastIndex === index && equalBytes(lastHead, head) ? certified.index : undefined;
}

/** It hashes to what was promised, and can be executed there: a false license server may have made it up (PROTOCOL §4.2). */
export function isTailOf(proposer: Proposer, base: Extract<Base, { kind: 'base' }>, tail: Uint8Array): boolean {
  const { replica, crypto } = proposer;
  if (base.head === undefined || !equalBytes(headAfter(crypto, replica.lastHead, tail), base.head)) return false;
  const entry = parsed(decodeEntry, tail);
  if (entry === undefined || entry.index !== base.index) return false;
  // By its clocks the license servers judge it: an entry of a time to come may be certified for all that is known here.
  const fault = entryFault(replica, entry, { ceilingMs: Infinity, wallMs: Infinity });
  return fault === undefined && canAppend(replica, tail);
}
