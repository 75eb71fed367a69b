import { decodeAccept, malformed, Reader, readMember, tag, Writer } from '@trefoil/license';
import { readSigned, writeSigned } from '../messages.ts';
import type { Proposer } from './state.ts';

/**
 * All that a TMR server keeps over a restart: the newest vote it has seen of each license server (PROTOCOL §7.2). Losing it
 * costs nothing but a chance to notice a rollback; so it is believed no more than any other file.
 */
const TAG = tag('trefoil/witness');

export function encodeWitness(proposer: Proposer): Uint8Array {
  const seen = ([1, 2, 3] as const).filter((member) => proposer.members[member].vote !== undefined);
  const writer = new Writer(1024).raw(TAG).u8(seen.length);
  for (const member of seen) {
    const { vote } = proposer.members[member];
    if (vote !== undefined) writeSigned(writer.u8(member), vote);
  }
  return writer.done();
}

/** Takes votes in that the license servers really gave. @throws LicenseError if it is no witness file. */
export function takeWitness(proposer: Proposer, bytes: Uint8Array): void {
  const reader = new Reader(bytes);
  reader.expect(TAG, 'tag');
  const count = reader.u8();
  if (count > 3) throw malformed(`${count} votes`);
  for (let i = 0; i < count; i++) {
    const member = readMember(reader);
    const vote = readSigned(reader);
    const container = proposer.configuration.containers.find((one) => one.member === member);
    if (container === undefined || !proposer.crypto.verify(container.signingKey, vote.bytes, vote.signature)) continue;
    const { epoch, index } = decodeAccept(vote.bytes);
    const kept = { bytes: new Uint8Array(vote.bytes), signature: new Uint8Array(vote.signature) };
    Object.assign(proposer.members[member], { vote: kept, votedEpoch: epoch, votedIndex: index });
  }
  reader.end();
}
