import { CLEAN_RESTART, type Signed, type Voter } from '@trefoil/core';
import {
  type Accept,
  bytesKey,
  decodeAccept,
  decodePromise,
  decodeRejoin,
  equalBytes,
  type LogPromise,
  type Member,
  TAGS,
} from '@trefoil/license';
import type { LogTimeCourse } from './log-time-course.ts';
import { NamedStarts } from './named-starts.ts';
import type { World } from './world.ts';

/** A machine with a container. */
export interface Signer {
  readonly member: Member;
  /** The container's name. */
  readonly who: string;
  readonly up: boolean;
}

interface SignedSoFar {
  /** Newest statement signed, by epoch, then index. */
  vote: Accept | undefined;
  promised: number;
  /** Its store was put back or damaged: it may forget, and has to re-join before it signs again. */
  mayHaveForgotten: boolean;
  /** Since it was started last: of that it forgets nothing, whatever became of its store before. */
  life: { vote: Accept | undefined; readonly promises: Map<number, Uint8Array> };
  /** Its log was set aside, and it has not voted since: its newest start, and the peers that have promised on top of it. */
  suspect: { incarnation: Uint8Array; knownBy: Set<Member> } | undefined;
}

/** The discipline of who signs (PROTOCOL §9.4, §11.2): sees signatures at the moment at which they leave a container. */
export class Signatures {
  readonly #world: World;
  readonly #logTime: LogTimeCourse;
  readonly #fault: (what: string) => void;
  readonly #votes = new Map<string, Uint8Array>();
  readonly #promises = new Map<string, Uint8Array>();
  readonly #everPromised = new Set<string>();
  /** By container. */
  readonly #signed = new Map<string, SignedSoFar>();
  readonly #namedStarts = new NamedStarts();
  readonly #everForgot = new Set<string>();
  /** Up to which entry there were votes under each version of the configuration. */
  readonly votedUnder = new Map<number, number>();

  constructor(world: World, parts: { readonly logTime: LogTimeCourse; readonly fault: (what: string) => void }) {
    this.#world = world;
    this.#logTime = parts.logTime;
    this.#fault = parts.fault;
  }

  #of({ who }: Signer): SignedSoFar {
    const known = this.#signed.get(who);
    if (known !== undefined) return known;
    const signed: SignedSoFar = {
      ...{ vote: undefined, promised: 0, mayHaveForgotten: false, suspect: undefined },
      life: { vote: undefined, promises: new Map() },
    };
    this.#signed.set(who, signed);
    return signed;
  }

  /** §9.4: at most one vote per member, epoch and index; none below a promise. */
  signs(by: Signer, { bytes: statement, signature }: Signed): void {
    const { member, who } = by;
    const signed = this.#of(by);
    if (!by.up && this.#world.cloned !== member) this.#fault(`9.10 ${who} signs and is down`);
    if (isTagged(statement, TAGS.accept)) {
      this.#world.evidence.voted(by, { bytes: statement, signature });
      if (this.#world.cloned === member) return; // one of two processes with one key doesn't know what the other signs
      const accept = decodeAccept(statement);
      const { epoch, index, configVersion } = accept;
      this.votedUnder.set(configVersion, Math.max(index, this.votedUnder.get(configVersion) ?? 0));
      this.#logTime.voted(who, accept, this.#world.agenda.now);
      this.#mustBeTakenIn(by, `votes for entry ${index}`);
      signed.suspect = undefined;
      const place = `${who}/${epoch}/${index}`;
      const before = this.#votes.get(place);
      if (before !== undefined && !equalBytes(before, statement))
        this.#fault(`9.4 two votes of ${who} in epoch ${epoch} for entry ${index}`);
      this.#votes.set(place, statement);
      // What it promised before it forgot binds nobody any more: its peers know it by another start (§7.3).
      if (signed.mayHaveForgotten) signed.promised = epoch;
      if (epoch < signed.promised)
        this.#fault(`9.4 ${who} votes in epoch ${epoch}, below its promise of ${signed.promised}`);
      if (signed.vote === undefined || isBelow(signed.vote, accept)) signed.vote = accept;
      if (epoch < Math.max(0, ...signed.life.promises.keys()))
        this.#fault(`9.4 ${who} votes in epoch ${epoch}, below a promise since it was started`);
      const { life } = signed;
      if (life.vote === undefined || isBelow(life.vote, accept)) life.vote = accept;
      signed.mayHaveForgotten = false;
    } else if (isTagged(statement, TAGS.promise)) {
      this.#world.evidence.promised(by, { bytes: statement, signature });
      if (this.#world.cloned === member) return;
      const promise = decodePromise(statement);
      const { epoch, incarnations } = promise;
      this.#mustNameNoOldStart(by, promise);
      this.#mustBeTakenIn(by, `promises epoch ${epoch}`);
      this.#mustTellOfItsLife(by, promise, statement);
      if (!signed.mayHaveForgotten) this.#mustTellAll(by, promise, statement);
      for (const peer of ([1, 2, 3] as const).filter((one) => one !== member)) {
        const { suspect } = this.#of(this.#world.licenseServers[peer]);
        if (suspect !== undefined && equalBytes(incarnations[peer - 1] as Uint8Array, suspect.incarnation))
          suspect.knownBy.add(member);
      }
      signed.promised = Math.max(signed.promised, epoch);
    } else if (isTagged(statement, TAGS.rejoin)) {
      this.#namedStarts.started(decodeRejoin(statement));
      if (signed.suspect === undefined) return;
      const { incarnation } = decodeRejoin(statement);
      if (!equalBytes(incarnation, signed.suspect.incarnation)) signed.suspect = { incarnation, knownBy: new Set() };
    }
  }

  /** The same of what it has signed since it was started last, also while it may have forgotten what was before. */
  #mustTellOfItsLife(by: Signer, promise: LogPromise, statement: Uint8Array): void {
    const { epoch } = promise;
    const { who } = by;
    const key = bytesKey(statement);
    if (this.#everPromised.has(key)) return; // given before, and signed anew
    this.#everPromised.add(key);
    const { promises, vote } = this.#of(by).life;
    if (epoch <= Math.max(0, ...promises.keys()))
      this.#fault(`9.4 ${who} promises epoch ${epoch} once more since it was started, or after a higher one`);
    if (vote !== undefined && hides(promise, vote))
      this.#fault(`9.4 ${who} promises epoch ${epoch} and hides a vote since it was started`);
    promises.set(epoch, statement);
  }

  /** §11.2 (a) and (b): one promise for one epoch, none for a lower one, and it tells of every vote. */
  #mustTellAll(by: Signer, promise: LogPromise, statement: Uint8Array): void {
    const { epoch } = promise;
    const { who } = by;
    const { promised, vote } = this.#of(by);
    if (epoch < promised) this.#fault(`9.4 ${who} promises epoch ${epoch} after ${promised}`);
    const before = this.#promises.get(`${who}/${epoch}`);
    if (before !== undefined && equalBytes(before, statement)) return; // given before, and signed anew
    if (before !== undefined) this.#fault(`9.4 two promises of ${who} for epoch ${epoch}`);
    this.#promises.set(`${who}/${epoch}`, statement);
    if (vote !== undefined && hides(promise, vote))
      this.#fault(`9.4 ${who} promises epoch ${epoch} and hides its vote for entry ${vote.index}`);
  }

  /** §11.4: of one that was never put back itself. */
  #mustNameNoOldStart({ who }: Signer, promise: LogPromise): void {
    if (this.#world.cloned !== undefined || this.#everForgot.has(who)) return;
    const old = this.#namedStarts.promised(promise);
    if (old !== undefined)
      this.#fault(`11.4 ${who} names an old start of L${old} in its promise for epoch ${promise.epoch}`);
  }

  /** §7.3: who knows that it has forgotten waits for both peers, however long that takes. */
  #mustBeTakenIn(by: Signer, what: string): void {
    const { who } = by;
    const { suspect } = this.#of(by);
    if (suspect !== undefined && suspect.knownBy.size < 2)
      this.#fault(`7.3 ${who} ${what} with a suspect log, before both peers know its start`);
  }

  mayForget(by: Signer): void {
    const { who } = by;
    this.#of(by).mayHaveForgotten = true;
    this.#everForgot.add(who);
    // In another start it may promise the same epoch once more: the old promise fits no promise of its peers (§7.3).
    for (const key of [...this.#promises.keys()]) if (key.startsWith(`${who}/`)) this.#promises.delete(key);
  }

  /** Whatever it knew of itself, also that it was suspect, lies in what is gone. */
  storePutBack(by: Signer): void {
    this.mayForget(by);
    this.#of(by).suspect = undefined;
  }

  /** Has not signed a vote since it lost something. */
  isForgetful(by: Signer): boolean {
    return this.#of(by).mayHaveForgotten;
  }

  /** §8: a log is suspect only if something happened to it. */
  setAside(by: Signer, why: string): void {
    const { member, who } = by;
    if (this.#world.cloned === member) return;
    if (!this.isForgetful(by)) this.#fault(`8 the log of ${who} is suspect without a reason: ${why}`);
    this.mayForget(by);
    this.#of(by).suspect = { incarnation: new Uint8Array(0), knownBy: new Set() };
  }

  /** §9.4: what was signed is in the store again after any crash, or the store is known not to be the newest. */
  restarted(by: Signer, voter: Voter, { mark, why }: { mark: Place; why: string }): void {
    const { member, who } = by;
    if (this.#world.cloned === member) return;
    const signed = this.#of(by);
    signed.life = { vote: undefined, promises: new Map() };
    const { vote, promised, mayHaveForgotten } = signed;
    const kept = voter.signedHigh?.accept;
    // §7.1: however alone it is.
    if (why === CLEAN_RESTART && isBelow(kept ?? { epoch: 0, index: 0 }, mark))
      this.#fault(`7.1 ${who} believes a log that is older than its container`);
    if (mayHaveForgotten) return;
    if (vote !== undefined && (kept === undefined || isBelow(kept, vote)))
      this.#fault(`9.4 ${who} has forgotten its vote in epoch ${vote.epoch} for entry ${vote.index}`);
    if (voter.promised < promised) this.#fault(`9.4 ${who} has forgotten its promise of epoch ${promised}`);
  }
}

function isTagged(statement: Uint8Array, tag: Uint8Array): boolean {
  return equalBytes(statement.subarray(0, tag.length), tag);
}

interface Place {
  readonly epoch: number;
  readonly index: number;
}

/** Behind a new version of the configuration, epochs begin anew, and the log goes on (PROTOCOL §4.9). */
function hides({ configVersion, logEpoch, lastIndex }: LogPromise, vote: Accept): boolean {
  if (configVersion > vote.configVersion) return lastIndex < vote.index;
  return configVersion < vote.configVersion || isBelow({ epoch: logEpoch, index: lastIndex }, vote);
}

function isBelow(a: Place, b: Place): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.index < b.index);
}
