import { decodeAccept, decodePromise, malformed, type Member, Reader, readMember, tag, Writer } from '@trefoil/license';
import { inForce } from '../replica.ts';
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
    proposer.unplaced.push({ member, statement });
  }
  reader.end();
  placeWitness(proposer);
}

/**
 * What is not signed by who is a member as far as is known here may be by who becomes one while this server takes in the log: it is
 * kept until then.
 */
export function placeWitness(proposer: Proposer): void {
  const unplaced = proposer.unplaced.splice(0);
  for (const one of unplaced) {
    const container = inForce(proposer.replica).containers.find(({ member }) => member === one.member);
    const { bytes, signature } = one.statement;
    const isPlaced = container !== undefined && proposer.crypto.verify(container.signingKey, bytes, signature);
    if (isPlaced) remember(proposer, one.member, one.statement);
    else proposer.unplaced.push(one);
  }
}

function remember(proposer: Proposer, member: Member, { bytes, signature }: Signed): void {
  const kept = { bytes: new Uint8Array(bytes), signature: new Uint8Array(signature) };
  const link = proposer.members[member];
  const vote = parsed(decodeAccept, bytes);
  if (vote !== undefined) Object.assign(link, { vote: kept, votedEpoch: vote.epoch, votedIndex: vote.index });
  const promise = parsed(decodePromise, bytes);
  if (promise !== undefined) Object.assign(link, { promise: kept, promisedEpoch: promise.epoch });
}
