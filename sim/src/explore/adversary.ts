import { encodeEntry, genesisHead, headAfter, RULES_VERSION, type Signed, type ToVoter } from '@trefoil/core';
import {
  type Accept,
  bytesKey,
  decodeAccept,
  decodePromise,
  encodeCertificate,
  encodeCommand,
  encodePrepare,
  encodePropose,
  epochOwner,
  equalBytes,
  type LogPromise,
  type Member,
  NONCE_BYTES,
  TAGS,
} from '@trefoil/license';
import type { Fixture } from '@trefoil/license/fixtures';
import type { Local, Step } from './local.ts';

const UTC = Date.UTC(2026, 10, 24);

interface Certified {
  readonly accept: Accept;
  readonly bytes: Uint8Array;
  readonly name: string;
}

/** All that has been signed so far, and what follows from it. */
export interface Known {
  readonly promises: readonly { readonly promise: LogPromise; readonly signed: Signed; readonly name: string }[];
  readonly certificates: readonly Certified[];
  readonly rejoins: readonly { readonly member: Member; readonly signed: Signed; readonly name: string }[];
  /** What can be said of it to anybody. */
  readonly steps: readonly Step[];
}

export interface Bounds {
  readonly epochs: readonly number[];
  /** What may stand in each entry, one after the other: letters. */
  readonly contents: readonly string[];
  readonly rollbacks: number;
  /** Nobody's first start was taken in: all three go on alone (PROTOCOL §7.5). */
  readonly alone?: boolean;
}

/**
 * Both TMR servers in one hand that owns both of their keys, has heard all that was ever signed and says whatever it likes to
 * whom it likes: an honest one is among the things that it may do.
 */
export class Adversary {
  readonly #fixture: Fixture;
  readonly #bounds: Bounds;
  /** Head of each possible log, by its contents: "xy" is an entry x, then an entry y. */
  readonly #heads = new Map<string, Uint8Array>();
  readonly #logs = new Map<string, string>();
  readonly #known = new Map<string, Known>();

  constructor(fixture: Fixture, bounds: Bounds) {
    this.#fixture = fixture;
    this.#bounds = bounds;
    const { crypto, set, configuration, group } = fixture;
    this.#add('', genesisHead(crypto, { set, configuration: configuration.text, group: group.text }));
    for (const [log, head] of this.#heads) {
      for (const content of bounds.contents[log.length] ?? '')
        this.#add(log + content, headAfter(crypto, head, this.#entry(log.length + 1, content)));
    }
  }

  #add(log: string, head: Uint8Array): void {
    this.#heads.set(log, head);
    this.#logs.set(bytesKey(head), log);
  }

  #entry(index: number, content: string): Uint8Array {
    const { set } = this.#fixture;
    // Two renewals of sessions that don't exist are different entries, and change nothing.
    const session = new Uint8Array(16).fill(content.charCodeAt(0));
    const renew = encodeCommand({
      kind: 'renew',
      session,
      requestId: 1,
      lowestUnanswered: 1,
      nonce: session,
      idleMs: 0,
    });
    const commands = content === 'x' ? [] : [renew];
    return encodeEntry({
      ...{ set, index, logTime: index, utc: UTC + index, rulesVersion: RULES_VERSION, ledgerRoot: undefined, commands },
    });
  }

  log(head: Uint8Array): string {
    return this.#logs.get(bytesKey(head)) ?? '?';
  }

  /** Many ways lead to the same statements. */
  known(locals: readonly Local[]): Known {
    const key = locals.map((one) => one.signedKey).join('');
    let known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, (known = this.#learn(locals)));
    return known;
  }

  #learn(locals: readonly Local[]): Known {
    const promises: Known['promises'][number][] = [];
    const rejoins: Known['rejoins'][number][] = [];
    const votes = new Map<string, { member: Member; signed: Signed }[]>();
    locals.forEach((local, i) => {
      const member = (i + 1) as Member;
      for (const signed of local.signed) {
        const tag = signed.bytes.subarray(0, 16);
        if (equalBytes(tag, TAGS.accept)) {
          const key = bytesKey(signed.bytes);
          votes.set(key, [...(votes.get(key) ?? []), { member, signed }]);
        } else if (equalBytes(tag, TAGS.promise)) {
          const promise = decodePromise(signed.bytes);
          promises.push({ promise, signed, name: `L${member}${mark(signed)}` });
        } else rejoins.push({ member, signed, name: mark(signed) });
      }
    });
    const certificates = [...votes.values()].filter((same) => same.length >= 2).map((same) => this.#certificate(same));
    const known = { promises, certificates, rejoins };
    return { ...known, steps: this.#toAnybody(known) };
  }

  #certificate(same: readonly { member: Member; signed: Signed }[]): Certified {
    const two = same.slice(0, 2);
    const statement = (two[0] as { signed: Signed }).signed.bytes;
    const accept = decodeAccept(statement);
    const votes = two.map(({ member, signed }) => ({ member, signature: signed.signature }));
    const name = `${this.log(accept.head)} in epoch ${accept.epoch}`;
    return { accept, bytes: encodeCertificate({ statement, votes }), name };
  }

  /** Everything that it can say to this license server, and a rollback if one is left. */
  steps(known: Known, local: Local, rollbacksLeft: boolean): Step[] {
    const steps: Step[] = [...known.steps];
    for (const certified of known.certificates)
      if (certified.accept.index > local.certifiedIndex) steps.push(...this.#tellCertified(certified, local));
    // Its peers know it by its first start; if it remembers that, it has signed for it already.
    const { incarnation } = local;
    if (local.putBack) steps.push(this.#say('is told of its first start', 'A', { kind: 'knownAs', incarnation }));
    if (rollbacksLeft && !local.putBack)
      for (let records = 0; records < local.records; records++)
        steps.push({ kind: 'put back', name: `its store is put back to ${records} records`, records });
    return steps;
  }

  #toAnybody(known: Omit<Known, 'steps'>): Step[] {
    const steps: Step[] = [];
    for (const epoch of this.#bounds.epochs) {
      steps.push(this.#prepare(epoch));
      for (const [log, head] of this.#heads) if (log !== '') steps.push(...this.#proposals(known, epoch, log, head));
    }
    for (const { member, signed, name } of known.rejoins)
      steps.push(
        this.#say(`hears that L${member} has started anew${name}`, 'A', { kind: 'rejoin', member, rejoin: signed }),
      );
    return steps;
  }

  #say(name: string, from: 'A' | 'B', message: ToVoter): Step {
    return { kind: 'hears', name, from, message };
  }

  #prepare(epoch: number): Step {
    const { set, tmrKeys } = this.#fixture;
    const nonce = new Uint8Array(NONCE_BYTES);
    const bytes = encodePrepare({ set, configVersion: 1, epoch, clientsWait: false, nonce });
    const from = epochOwner(epoch);
    const prepare = { bytes, signature: tmrKeys[from].sign(bytes) };
    return this.#say(`is asked for epoch ${epoch}`, from, { kind: 'prepare', prepare });
  }

  #proposals(known: Omit<Known, 'steps'>, epoch: number, log: string, head: Uint8Array): Step[] {
    const { set, tmrKeys } = this.#fixture;
    const index = log.length;
    const from = epochOwner(epoch);
    const signature = tmrKeys[from].sign(encodePropose({ set, configVersion: 1, epoch, index, head }));
    const entry = this.#entry(index, log.at(-1) as string);
    const before = known.certificates.filter(({ accept }) => this.log(accept.head) === log.slice(0, -1));
    const certificates = index === 1 ? [undefined] : before;
    const steps: Step[] = [];
    for (const certificate of certificates)
      for (const promises of justifications(known.promises.filter((one) => one.promise.epoch === epoch))) {
        const behind = certificate === undefined ? '' : ` after ${certificate.name}`;
        const shown = promises.length === 0 ? '' : `, shown the promises of ${promises.map((one) => one.name).join()}`;
        steps.push(
          this.#say(`is offered ${log} in epoch ${epoch}${behind}${shown}`, from, {
            ...({ kind: 'propose', configVersion: 1, epoch, index, head, signature, entry } as const),
            certificate: certificate?.bytes ?? new Uint8Array(0),
            justification: promises.map((one) => one.signed),
          }),
        );
      }
    return steps;
  }

  #tellCertified({ accept, bytes, name }: Certified, local: Local): Step[] {
    const log = this.log(accept.head);
    const from = local.certifiedIndex + 1;
    const entries = [...log].map((content, i) => this.#entry(i + 1, content)).slice(from - 1);
    return [
      this.#say(`is shown the certificate of ${name}`, 'A', { kind: 'certified', certificate: bytes }),
      this.#say(`is fed up to ${name}`, 'A', { kind: 'entries', from, entries, certificate: bytes }),
    ];
  }
}

/** Tells apart two statements of one name; not shown to people. */
function mark({ signature }: Signed): string {
  return `#${Buffer.from(signature.subarray(0, 6)).toString('hex')}`;
}

/** None, each pair of two members, all three. */
function justifications(promises: Known['promises']): Known['promises'][] {
  const all: Known['promises'][] = [[]];
  for (const a of promises)
    for (const b of promises) {
      if (a.promise.member >= b.promise.member) continue;
      all.push([a, b]);
      for (const c of promises) if (b.promise.member < c.promise.member) all.push([a, b, c]);
    }
  return all;
}
