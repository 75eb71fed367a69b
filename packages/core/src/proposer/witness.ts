import { decodeAccept, decodePromise, malformed, type Member, Reader, readMember, tag, Writer } from '@trefoil/license';
import { parsed, readSigned, type Signed, writeSigned } from '../signed.ts';
import type { Proposer } from './state.ts';

/**
 * All that a TMR server keeps over a restart: the newest vote and promise it has seen of each license server (PROTOCOL §7.2).
 * Losing it costs nothing but a chance to notice a rollback; so it is believed no more than any other file.
 */
const TAG = tag('trefoil/witness');

export function encodeWitness(proposer: Proposer): Uint8Array {
  const seen = ([1, 2, 3] as const).flatMap((member) => {
    const { vote, promise } = proposer.members[member];
    return [vote, promise].flatMap((statement) => (statement === undefined ? [] : [{ member, statement }]));
  });
  const writer = new Writer().raw(TAG).u8(seen.length);
  for (const { member, statement } of seen) writeSigned(writer.u8(member), statement);
  return writer.done();
}

/** Takes in what the license servers really signed. @throws LicenseError if it is no witness file. */
export function takeWitness(proposer: Proposer, bytes: Uint8Array): void {
  const reader = new Reader(bytes);
  reader.expect(TAG, 'tag');
  const count = reader.u8();
  if (count > 6) throw malformed(`${count} statements`);
  for (let i = 0; i < count; i++) {
    const member = readMember(reader);
    const statement = readSigned(reader);
    const container = proposer.configuration.containers.find((one) => one.member === member);
    if (container === undefined) continue;
    if (!proposer.crypto.verify(container.signingKey, statement.bytes, statement.signature)) continue;
    remember(proposer, member, statement);
  }
  reader.end();
}

function remember(proposer: Proposer, member: Member, { bytes, signature }: Signed): void {
  const kept = { bytes: new Uint8Array(bytes), signature: new Uint8Array(signature) };
  const link = proposer.members[member];
  const vote = parsed(decodeAccept, bytes);
  if (vote !== undefined) Object.assign(link, { vote: kept, votedEpoch: vote.epoch, votedIndex: vote.index });
  const promise = parsed(decodePromise, bytes);
  if (promise !== undefined) Object.assign(link, { promise: kept, promisedEpoch: promise.epoch });
}
