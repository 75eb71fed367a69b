import { INCARNATION_BYTES, type Reader, type TmrServer, type Writer } from '@trefoil/license';
import { LIMITS } from './limits.ts';
import { MAX_CERTIFICATE_BYTES, readMany, readSigned, type Signed, writeSigned } from './signed.ts';

/** What a license server says of itself, twenty times a second. */
export interface VoterStatus {
  readonly kind: 'status';
  readonly promised: number;
  readonly logEpoch: number;
  readonly certifiedIndex: number;
  readonly lastIndex: number;
  readonly certificate: Uint8Array;
  readonly logClock: number;
  readonly wallMs: number;
  /** ms since the owner of `promised` was heard; NEVER_HEARD when its link is closed. */
  readonly ownerSilentMs: number;
  readonly incarnations: readonly [Uint8Array, Uint8Array, Uint8Array];
  /** REJOINs of this start, each for peers that know it by another one; none before the first is signed. */
  readonly rejoins: readonly Signed[];
  /** '' = votes. */
  readonly withholding: string;
  readonly unanchored: boolean;
  /** What it hears of the TMR servers. */
  readonly heard: readonly TmrServer[];
  readonly holdVirtualIp: readonly TmrServer[];
}

export const NEVER_HEARD = 0xffff_ffff;

export function writeStatus(writer: Writer, status: VoterStatus): void {
  writer
    .u64(status.promised)
    .u64(status.logEpoch)
    .u64(status.certifiedIndex)
    .u64(status.lastIndex)
    .bytes(status.certificate)
    .u64(status.logClock)
    .u64(status.wallMs)
    .u32(status.ownerSilentMs);
  for (const incarnation of status.incarnations) writer.raw(incarnation);
  writer.u8(status.rejoins.length);
  for (const rejoin of status.rejoins) writeSigned(writer, rejoin);
  writer.text(status.withholding).u8(status.unanchored ? 1 : 0);
  writer.u8(asBits(status.heard)).u8(asBits(status.holdVirtualIp));
}

export function readStatus(reader: Reader): VoterStatus {
  return {
    kind: 'status',
    promised: reader.u64(),
    logEpoch: reader.u64(),
    certifiedIndex: reader.u64(),
    lastIndex: reader.u64(),
    certificate: reader.bytes(MAX_CERTIFICATE_BYTES),
    logClock: reader.u64(),
    wallMs: reader.u64(),
    ownerSilentMs: reader.u32(),
    incarnations: [reader.raw(INCARNATION_BYTES), reader.raw(INCARNATION_BYTES), reader.raw(INCARNATION_BYTES)],
    rejoins: readMany(reader, reader.code(0, LIMITS.rejoinsShown, 'count'), readSigned),
    withholding: reader.text(1024),
    unanchored: reader.code(0, 1, 'flag') === 1,
    heard: fromBits(reader.code(0, 3, 'TMR servers')),
    holdVirtualIp: fromBits(reader.code(0, 3, 'TMR servers')),
  };
}

const TMR_SERVERS: readonly TmrServer[] = ['A', 'B'];

function asBits(servers: readonly TmrServer[]): number {
  return servers.reduce((bits, id) => bits | (1 << TMR_SERVERS.indexOf(id)), 0);
}

function fromBits(bits: number): TmrServer[] {
  return TMR_SERVERS.filter((_, i) => (bits & (1 << i)) !== 0);
}
