import {
  CLEAN_RESTART,
  decodeRecord,
  encodeRecord,
  type LedgerContext,
  newVoter,
  recoverVoter,
  type Signed,
  startRejoin,
  stepVoter,
  type ToVoter,
  type Voter,
  type VoterEffect,
} from '@trefoil/core';
import { bytesKey, encodeRejoin, encodeUtf8, INCARNATION_BYTES, type Member, type TmrServer } from '@trefoil/license';
import type { Fixture } from '@trefoil/license/fixtures';
import { incarnationOf, type Renaming, type Teller } from './renaming.ts';

/** What can happen to one license server. `name` tells two apart. */
export type Step =
  | { readonly kind: 'hears'; readonly name: string; readonly from: TmrServer; readonly message: ToVoter }
  /** Its store is put back to what it was after so many records, and it starts; nothing on its disk tells. */
  | { readonly kind: 'put back'; readonly name: string; readonly records: number };

/** A license server after some steps. Two with the same key behave alike from here on, and have signed the same. */
export interface Local {
  readonly key: string;
  /**
   * The same for two that differ in nothing but who is who and what stands in entries. Where a store may still be put back,
   * what is in it counts, too.
   */
  readonly nameIn: (renaming: Renaming, mayBePutBack: boolean) => string;
  readonly history: readonly Step[];
  /** Everything that it has ever signed. */
  readonly signed: readonly Signed[];
  readonly signedKey: string;
  readonly records: number;
  readonly putBack: boolean;
  /** Of its first start. */
  readonly incarnation: Uint8Array;
  readonly certifiedIndex: number;
  readonly withholding: string;
}

/** Time stands still, so that nothing happens by itself; it is late enough for every log time here. */
const NOW = { monotonicMs: 2_000, wallMs: Date.UTC(2026, 10, 24) };
const START = { monotonicMs: 0, wallMs: NOW.wallMs };

/** One license server: the shipped step function, started anew for each history and remembered by what became of it. */
export class Locals {
  readonly member: Member;
  readonly #context: LedgerContext;
  readonly #fixture: Fixture;
  readonly #next = new Map<string, Local>();
  readonly #byKey = new Map<string, Local>();
  readonly #teller: Teller;
  readonly #alone: boolean;
  readonly first: Local;

  /** @param alone its first start was not taken in, and it has gone on (PROTOCOL §7.5) */
  constructor(
    { fixture, context, teller }: { fixture: Fixture; context: LedgerContext; teller: Teller },
    member: Member,
    alone: boolean,
  ) {
    this.#alone = alone;
    this.#fixture = fixture;
    this.#context = context;
    this.#teller = teller;
    this.member = member;
    this.first = this.#run([]);
  }

  after(local: Local, step: Step): Local {
    const name = `${local.key} ${step.name}`;
    const known = this.#next.get(name);
    if (known !== undefined) return known;
    const ran = this.#run([...local.history, step]);
    const same = this.#byKey.get(ran.key) ?? ran;
    this.#byKey.set(same.key, same);
    this.#next.set(name, same);
    return same;
  }

  #run(history: readonly Step[]): Local {
    const life = new Life(this.#fixture, this.#context, { member: this.member, alone: this.#alone });
    for (const step of history) life.take(step);
    return life.local(history, this.#teller);
  }
}

function firstStart(fixture: Fixture, context: LedgerContext, member: Member): Signed {
  const { set, containers } = fixture;
  const incarnation = incarnationOf(context, member, 1);
  const replaces = new Uint8Array(INCARNATION_BYTES);
  const bytes = encodeRejoin({ set, configVersion: 1, member, incarnation, replaces });
  return { bytes, signature: containers[member - 1]?.sign(bytes) as Uint8Array };
}

/** Characters; 96 bits of a digest are enough to tell some millions apart. */
const NAME_LENGTH = 12;

/** One run of it: its log in memory, its container at hand. */
class Life {
  readonly #context: LedgerContext;
  readonly #fixture: Fixture;
  readonly #member: Member;
  readonly #signed = new Map<string, Signed>();
  #records: Uint8Array[] = [];
  #voter: Voter;
  #starts = 0;

  /** Its first start is over: all three know each other's, and are taken in if they are not alone. */
  constructor(fixture: Fixture, context: LedgerContext, { member, alone }: { member: Member; alone: boolean }) {
    this.#fixture = fixture;
    this.#context = context;
    this.#member = member;
    this.#voter = newVoter(context, member, START);
    this.#rejoin(CLEAN_RESTART);
    for (const other of [1, 2, 3] as const)
      if (other !== member)
        this.#hears('A', { kind: 'rejoin', member: other, rejoin: firstStart(fixture, context, other) });
    this.#carryOut(stepVoter(this.#voter, { kind: 'tick' }, NOW));
    if (!alone) this.#voter.unanchored = false;
  }

  take(step: Step): void {
    if (step.kind === 'hears') return this.#hears(step.from, step.message);
    this.#records = this.#records.slice(0, step.records);
    const stored = { records: this.#records.map(decodeRecord), snapshot: undefined };
    this.#voter = recoverVoter(this.#context, this.#member, stored, START).voter;
    this.#rejoin(CLEAN_RESTART);
  }

  #hears(from: TmrServer, message: ToVoter): void {
    this.#carryOut(stepVoter(this.#voter, { kind: 'message', from, message }, NOW));
  }

  #rejoin(why: string): void {
    const incarnation = incarnationOf(this.#context, this.#member, ++this.#starts);
    this.#carryOut(startRejoin(this.#voter, incarnation, why, START));
  }

  #carryOut(effects: readonly VoterEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'note':
          this.#records.push(...effect.records.map(encodeRecord));
          break;
        case 'persist':
          this.#records.push(...effect.records.map(encodeRecord));
          this.#carryOut(stepVoter(this.#voter, { kind: 'persisted', ticket: effect.ticket }, NOW));
          break;
        case 'sign': {
          const signature = this.#fixture.containers[this.#member - 1]?.sign(effect.statement) as Uint8Array;
          const signed = { bytes: Uint8Array.from(effect.statement), signature };
          this.#signed.set(bytesKey(signed.bytes), signed);
          this.#carryOut(stepVoter(this.#voter, { kind: 'signed', ticket: effect.ticket, signature }, NOW));
          break;
        }
        case 'needIncarnation':
          this.#rejoin(effect.why);
          break;
        case 'stop':
          throw new Error(effect.reason);
        default:
      }
    }
  }

  local(history: readonly Step[], teller: Teller): Local {
    const { promised, logEpoch, replica, signedHigh, storedPromise, incarnations } = this.#voter;
    const { withholding, unanchored, frozen } = this.#voter;
    const signedKeys = [...this.#signed.keys()].sort();
    const signed = [...this.#signed.values()];
    const records = this.#records;
    const starts = this.#starts;
    const digest = (text: string): string => bytesKey(this.#context.crypto.sha256(encodeUtf8(text)));
    const name = (renaming: Renaming, mayBePutBack: boolean): string => {
      const told = (bytes: Uint8Array | undefined): string =>
        bytes === undefined ? '' : teller.statement(bytes, renaming);
      const lines = [
        ...[promised, logEpoch, replica.certifiedIndex, starts, withholding, unanchored, frozen],
        ...[teller.entries(replica.lastHead, renaming), teller.incarnations(incarnations, renaming)],
        ...[told(signedHigh?.statement), told(storedPromise?.promise)],
        ...signed.map(({ bytes }) => told(bytes)).sort(),
      ];
      if (mayBePutBack) lines.push(...records.map((one) => teller.record(decodeRecord(one), renaming)));
      return digest(lines.join('\n')).slice(0, NAME_LENGTH);
    };
    const names: string[] = [];
    const parts = [
      ...[promised, logEpoch, replica.lastIndex, replica.certifiedIndex, this.#starts, withholding, unanchored, frozen],
      ...[replica.lastHead, signedHigh?.statement, storedPromise?.promise, ...incarnations].map((bytes) =>
        bytes === undefined ? '' : bytesKey(bytes),
      ),
      ...signedKeys,
      ...records.map(bytesKey),
    ];
    return {
      key: digest(parts.join('\n')),
      nameIn: (renaming, mayBePutBack) =>
        (names[2 * renaming.number + Number(mayBePutBack)] ??= name(renaming, mayBePutBack)),
      signedKey: digest(signedKeys.join('\n')),
      history,
      signed,
      records: records.length,
      putBack: starts > 1,
      incarnation: incarnationOf(this.#context, this.#member, 1),
      certifiedIndex: replica.certifiedIndex,
      withholding,
    };
  }
}
