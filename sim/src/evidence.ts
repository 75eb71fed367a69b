import {
  type Accept,
  type Culprit,
  decodeAccept,
  decodeCertificate,
  decodePromise,
  equalBytes,
  type FraudProof,
  LicenseError,
  type LogPromise,
  verifyFraudProof,
} from '@trefoil/license';
import type { Signed } from '@trefoil/core';
import type { Signer } from './signatures.ts';
import type { World } from './world.ts';

type Proposal = Extract<FraudProof, { kind: 'two-proposals' }>['proposals'][number];

interface SignedBy {
  /** The last vote in each epoch. */
  readonly votes: Map<number, { accept: Accept; signed: Signed }>;
  readonly promises: { promise: LogPromise; signed: Signed }[];
}

/** Collects what is signed and looks for proofs in it, as an auditor would; they are checked by a function that knows nothing of this. */
export class Evidence {
  readonly #world: World;
  readonly #votes = new Map<string, Signed>();
  readonly #proposals = new Map<string, Proposal>();
  readonly #certificates = new Map<number, { head: Uint8Array; certificate: Uint8Array }>();
  /** By container. */
  readonly #by = new Map<string, SignedBy>();
  readonly culprits = new Set<Culprit>();

  constructor(world: World) {
    this.#world = world;
  }

  #of({ who }: Signer): SignedBy {
    const known = this.#by.get(who);
    if (known !== undefined) return known;
    const nothing: SignedBy = { votes: new Map(), promises: [] };
    this.#by.set(who, nothing);
    return nothing;
  }

  voted(by: Signer, signed: Signed): void {
    const { member, who } = by;
    const accept = decodeAccept(signed.bytes);
    const place = `${who}/${accept.epoch}/${accept.index}`;
    const before = this.#votes.get(place);
    if (before === undefined) this.#votes.set(place, signed);
    else if (!equalBytes(before.bytes, signed.bytes))
      this.#try({ kind: 'two-votes', member, votes: [before, signed] }, accept);
    const { votes } = this.#of(by);
    const newest = votes.get(accept.epoch);
    if (newest === undefined || newest.accept.index < accept.index) votes.set(accept.epoch, { accept, signed });
  }

  promised(by: Signer, signed: Signed): void {
    const { member } = by;
    const { votes, promises } = this.#of(by);
    const promise = decodePromise(signed.bytes);
    const own = promise.incarnations[member - 1] as Uint8Array;
    const before = promises.find((one) => equalBytes(one.promise.incarnations[member - 1] as Uint8Array, own));
    promises.push({ promise, signed });
    if (before === undefined) return;
    for (const { accept, signed: vote } of votes.values()) {
      const denied =
        accept.epoch > promise.logEpoch || (accept.epoch === promise.logEpoch && accept.index > promise.lastIndex);
      if (denied && accept.epoch >= before.promise.epoch && accept.epoch < promise.epoch)
        this.#try({ kind: 'denied-vote', member, before: before.signed, vote, after: signed }, accept);
    }
  }

  certified(accept: Accept, certificate: Uint8Array): void {
    const { index, head } = accept;
    const before = this.#certificates.get(index);
    if (before === undefined) this.#certificates.set(index, { head, certificate: certificate.slice() });
    else if (!equalBytes(before.head, head)) {
      const certificates = [decodeCertificate(before.certificate), decodeCertificate(certificate)] as const;
      this.#try({ kind: 'fork', certificates }, accept);
    }
  }

  proposed({ configVersion, epoch, index, head, signature }: Proposal & { readonly configVersion: number }): void {
    const proposal = { epoch, index, head, signature };
    const place = `${proposal.epoch}/${proposal.index}`;
    const before = this.#proposals.get(place);
    if (before === undefined) this.#proposals.set(place, proposal);
    else if (!equalBytes(before.head, proposal.head))
      this.#try({ kind: 'two-proposals', proposals: [before, proposal] }, { configVersion });
  }

  #try(proof: FraudProof, { configVersion }: { readonly configVersion: number }): void {
    const { crypto, group } = this.#world.fixture;
    const configuration = this.#world.vendor.version(configVersion);
    try {
      const culprit = verifyFraudProof(crypto, { configuration, group }, proof);
      if (this.culprits.has(culprit)) return;
      this.culprits.add(culprit);
      this.#world.count(`proof: ${proof.kind}`);
      this.#world.note(`${culprit} is convicted: ${proof.kind}`);
      if (!this.#world.lied.has(culprit) && proof.kind !== 'fork')
        this.#world.checks.fault(`9.11 ${culprit} is blamed and has not lied`);
    } catch (error) {
      if (!(error instanceof LicenseError)) throw error;
      this.#world.count(`no proof: ${error.code}`);
    }
  }
}
