import {
  CLEAN_RESTART,
  encodeRecords,
  type Ledger,
  LIMITS,
  type Refusal,
  type Signed,
  type Voter,
} from '@trefoil/core';
import type { CertifiedEvent } from '@trefoil/tmr-server';
import {
  type Accept,
  bytesKey,
  decodeAccept,
  decodeCertificate,
  decodeOutcome,
  decodePromise,
  decodeRejoin,
  equalBytes,
  type LogPromise,
  type Member,
  TAGS,
  verifyCertificate,
} from '@trefoil/license';
import { NOT_TOLD_AGAIN } from './client-history.ts';
import { LogTimeCourse } from './log-time-course.ts';
import { NamedStarts } from './named-starts.ts';
import type { World } from './world.ts';

/** What nobody here can bring about, not even by lying: entries that can't be read or follow other rules, and other ledgers. */
export const NEVER_REFUSED: readonly Refusal[] = ['rules-version', 'malformed', 'ledger-root'];

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

/**
 * What must always hold (PROTOCOL §9), written from its words: sees signatures at the moment at which they leave a container,
 * certificates and answers when somebody gets them, and seats by the clocks of those who use them. Knows nothing of how the
 * servers work.
 */
export class Checks {
  readonly faults: string[] = [];
  readonly #unlessForked: string[] = [];
  readonly #world: World;
  readonly #votes = new Map<string, Uint8Array>();
  readonly #promises = new Map<string, Uint8Array>();
  readonly #everPromised = new Set<string>();
  readonly #signed: Record<Member, SignedSoFar>;
  readonly #heads = new Map<number, string>();
  /** The lowest in which each entry is known to be certified. */
  readonly #epochs = new Map<number, number>();
  readonly #roots = new Map<number, Uint8Array>();
  readonly #answers = new Map<string, Uint8Array>();
  readonly #consumed = new Map<string, number>();
  readonly #logTime = new LogTimeCourse();
  readonly #namedStarts = new NamedStarts();
  readonly #everForgot = new Set<Member>();
  newestCertified = 0;
  /** Somebody has an answer of this entry. */
  newestAnswered = 0;
  newestLogTime = 0;

  constructor(world: World) {
    this.#world = world;
    const signed = (): SignedSoFar => ({
      ...{ vote: undefined, promised: 0, mayHaveForgotten: false, suspect: undefined },
      life: { vote: undefined, promises: new Map() },
    });
    this.#signed = { 1: signed(), 2: signed(), 3: signed() };
  }

  fault(what: string): void {
    this.faults.push(what);
    this.#world.note(`FAULT ${what}`);
  }

  /** Beside a clone there may be two logs, and the end of one that nobody has seen yet: that a fork shows by the end. */
  #faultUnlessForked(what: string): void {
    if (this.#world.cloned === undefined) this.fault(what);
    else this.#unlessForked.push(what);
  }

  /** §9.4: at most one vote per member, epoch and index; none below a promise. */
  signs(member: Member, { bytes: statement, signature }: Signed): void {
    const signed = this.#signed[member];
    if (!this.#world.licenseServers[member].up && this.#world.cloned !== member)
      this.fault(`9.10 L${member} signs and is down`);
    if (isTagged(statement, TAGS.accept)) {
      this.#world.evidence.voted(member, { bytes: statement, signature });
      if (this.#world.cloned === member) return; // one of two processes with one key doesn't know what the other signs
      const accept = decodeAccept(statement);
      const { epoch, index } = accept;
      this.#logTime.voted(member, accept, this.#world.agenda.now);
      this.#mustBeTakenIn(member, `votes for entry ${index}`);
      signed.suspect = undefined;
      const place = `${member}/${epoch}/${index}`;
      const before = this.#votes.get(place);
      if (before !== undefined && !equalBytes(before, statement))
        this.fault(`9.4 two votes of L${member} in epoch ${epoch} for entry ${index}`);
      this.#votes.set(place, statement);
      // What it promised before it forgot binds nobody any more: its peers know it by another start (§7.3).
      if (signed.mayHaveForgotten) signed.promised = epoch;
      if (epoch < signed.promised)
        this.fault(`9.4 L${member} votes in epoch ${epoch}, below its promise of ${signed.promised}`);
      if (signed.vote === undefined || isBelow(signed.vote, accept)) signed.vote = accept;
      if (epoch < Math.max(0, ...signed.life.promises.keys()))
        this.fault(`9.4 L${member} votes in epoch ${epoch}, below a promise since it was started`);
      const { life } = signed;
      if (life.vote === undefined || isBelow(life.vote, accept)) life.vote = accept;
      signed.mayHaveForgotten = false;
    } else if (isTagged(statement, TAGS.promise)) {
      this.#world.evidence.promised(member, { bytes: statement, signature });
      if (this.#world.cloned === member) return;
      const promise = decodePromise(statement);
      const { epoch, incarnations, logEpoch, lastIndex } = promise;
      this.#mustNameNoOldStart(promise);
      this.#mustBeTakenIn(member, `promises epoch ${epoch}`);
      this.#mustTellOfItsLife(member, epoch, statement, { epoch: logEpoch, index: lastIndex });
      if (!signed.mayHaveForgotten) this.#mustTellAll(member, epoch, statement, { epoch: logEpoch, index: lastIndex });
      for (const peer of ([1, 2, 3] as const).filter((one) => one !== member)) {
        const { suspect } = this.#signed[peer];
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
  #mustTellOfItsLife(
    member: Member,
    epoch: number,
    statement: Uint8Array,
    log: { epoch: number; index: number },
  ): void {
    const key = bytesKey(statement);
    if (this.#everPromised.has(key)) return; // given before, and signed anew
    this.#everPromised.add(key);
    const { promises, vote } = this.#signed[member].life;
    if (epoch <= Math.max(0, ...promises.keys()))
      this.fault(`9.4 L${member} promises epoch ${epoch} once more since it was started, or after a higher one`);
    if (vote !== undefined && isBelow(log, vote))
      this.fault(`9.4 L${member} promises epoch ${epoch} and hides a vote since it was started`);
    promises.set(epoch, statement);
  }

  /** §11.2 (a) and (b): one promise for one epoch, none for a lower one, and it tells of every vote. */
  #mustTellAll(member: Member, epoch: number, statement: Uint8Array, log: { epoch: number; index: number }): void {
    const { promised, vote } = this.#signed[member];
    if (epoch < promised) this.fault(`9.4 L${member} promises epoch ${epoch} after ${promised}`);
    const before = this.#promises.get(`${member}/${epoch}`);
    if (before !== undefined && equalBytes(before, statement)) return; // given before, and signed anew
    if (before !== undefined) this.fault(`9.4 two promises of L${member} for epoch ${epoch}`);
    this.#promises.set(`${member}/${epoch}`, statement);
    if (vote !== undefined && isBelow(log, vote))
      this.fault(`9.4 L${member} promises epoch ${epoch} and hides its vote for entry ${vote.index}`);
  }

  /** §11.4: of one that was never put back itself. */
  #mustNameNoOldStart(promise: LogPromise): void {
    if (this.#world.cloned !== undefined || this.#everForgot.has(promise.member)) return;
    const old = this.#namedStarts.promised(promise);
    if (old !== undefined)
      this.fault(`11.4 L${promise.member} names an old start of L${old} in its promise for epoch ${promise.epoch}`);
  }

  /** §7.3: who knows that it has forgotten waits for both peers, however long that takes. */
  #mustBeTakenIn(member: Member, what: string): void {
    const { suspect } = this.#signed[member];
    if (suspect !== undefined && suspect.knownBy.size < 2)
      this.fault(`7.3 L${member} ${what} with a suspect log, before both peers know its start`);
  }

  mayForget(member: Member): void {
    this.#signed[member].mayHaveForgotten = true;
    this.#everForgot.add(member);
    // In another start it may promise the same epoch once more: the old promise fits no promise of its peers (§7.3).
    for (const key of [...this.#promises.keys()]) if (key.startsWith(`${member}/`)) this.#promises.delete(key);
  }

  /** Whatever it knew of itself, also that it was suspect, lies in what is gone. */
  storePutBack(member: Member): void {
    this.mayForget(member);
    this.#signed[member].suspect = undefined;
  }

  /** Has not signed a vote since it lost something. */
  isForgetful(member: Member): boolean {
    return this.#signed[member].mayHaveForgotten;
  }

  /** §8: a log is suspect only if something happened to it. */
  setAside(member: Member, why: string): void {
    if (this.#world.cloned === member) return;
    if (!this.isForgetful(member)) this.fault(`8 the log of L${member} is suspect without a reason: ${why}`);
    this.mayForget(member);
    this.#signed[member].suspect = { incarnation: new Uint8Array(0), knownBy: new Set() };
  }

  /** §9.4: what was signed is in the store again after any crash, or the store is known not to be the newest. */
  restarted(member: Member, voter: Voter, { mark, why }: { mark: Place; why: string }): void {
    if (this.#world.cloned === member) return;
    this.#signed[member].life = { vote: undefined, promises: new Map() };
    const { vote, promised, mayHaveForgotten } = this.#signed[member];
    const kept = voter.signedHigh?.accept;
    // §7.1: however alone it is.
    if (why === CLEAN_RESTART && isBelow(kept ?? { epoch: 0, index: 0 }, mark))
      this.fault(`7.1 L${member} believes a log that is older than its container`);
    if (mayHaveForgotten) return;
    if (vote !== undefined && (kept === undefined || isBelow(kept, vote)))
      this.fault(`9.4 L${member} has forgotten its vote in epoch ${vote.epoch} for entry ${vote.index}`);
    if (voter.promised < promised) this.fault(`9.4 L${member} has forgotten its promise of epoch ${promised}`);
  }

  /** §9.3: one chain. */
  certified(certificate: Uint8Array, verified?: Accept): Accept {
    const { crypto, configuration } = this.#world.fixture;
    const accept = verified ?? verifyCertificate(crypto, configuration, decodeCertificate(certificate));
    const head = bytesKey(accept.head);
    const before = this.#heads.get(accept.index);
    this.#world.evidence.certified(accept, certificate);
    if (before !== undefined && before !== head) {
      if (this.#mayFork(accept)) {
        this.#world.forked = true;
        return accept; // the first is the one that others are compared with, however often both are seen
      }
      this.fault(`9.3 two certified entries ${accept.index}`);
    }
    if (before === undefined) this.#logTime.certified(accept, this.#world.agenda.now);
    this.#epochs.set(accept.index, Math.min(accept.epoch, this.#epochs.get(accept.index) ?? Infinity));
    this.#heads.set(accept.index, head);
    this.#roots.set(accept.index, accept.outcomesRoot);
    this.newestCertified = Math.max(this.newestCertified, accept.index);
    this.newestLogTime = Math.max(this.newestLogTime, accept.logTime);
    return accept;
  }

  /**
   * §7.4, §11.5: beside a clone, or where a license server has denied what it has signed when it promised an epoch in between,
   * and something else is wrong. Never in one epoch; and proved it is.
   */
  #mayFork({ index, epoch }: Accept): boolean {
    const { cloned, traitor } = this.#world;
    const before = this.#epochs.get(index) ?? epoch;
    const [first, second] = [Math.min(before, epoch), Math.max(before, epoch)];
    if (cloned !== undefined) return first < second;
    return traitor?.denied.some((denied) => first < denied && denied <= second) === true;
  }

  /** §9.7: whoever takes an entry up comes from the same log, and so from the same ledger. */
  refused(reason: Refusal, by: Member): void {
    const { cloned, traitor } = this.#world;
    if (traitor?.member === by) return; // it says what it likes
    this.#world.count(`refused: ${reason}`);
    if (NEVER_REFUSED.includes(reason) && cloned === undefined) this.fault(`9.7 an entry is refused: ${reason}`);
  }

  certifiedEntry(event: CertifiedEvent): void {
    if (event.certificate.length > 0) this.certified(event.certificate);
  }

  /** §9.6: the same command has the same outcome, whoever asks and whenever, but for renewals; a session that is gone is gone. */
  answered(commandHash: Uint8Array, outcomeBytes: Uint8Array, index: number): void {
    this.newestAnswered = Math.max(this.newestAnswered, index);
    const key = bytesKey(commandHash);
    const outcome = decodeOutcome(outcomeBytes);
    if (outcome.kind === 'refused' && NOT_TOLD_AGAIN.includes(outcome.code)) return;
    const before = this.#answers.get(key);
    if (before !== undefined && !equalBytes(before, outcomeBytes) && decodeOutcome(before).kind !== 'renewed')
      this.fault(`9.6 two outcomes of one command`);
    if (before === undefined && outcome.kind === 'consumed')
      for (const { license, units } of outcome.parts)
        this.#consumed.set(license, (this.#consumed.get(license) ?? 0) + units);
    this.#answers.set(key, outcomeBytes);
  }

  /** §9.1: at this true instant, by the clocks of those who use the seats. */
  count(): void {
    if (this.#world.forked) return;
    const used = new Map<string, number>();
    for (const client of this.#world.clients)
      for (const { license, seats } of client.seatsInUse()) used.set(license, (used.get(license) ?? 0) + seats);
    for (const [license, seats] of used) {
      const most = this.#world.mostSold.get(license) ?? 0;
      if (seats > most) this.#faultUnlessForked(`9.1 ${seats} seats of ${license} are in use, ${most} were sold`);
    }
  }

  /** §9.10: whatever was down, a seat that a client still may use is the group's still, and nobody else's. */
  held(): void {
    if (this.#world.forked) return; // one of two logs
    const newest = this.complete();
    for (const client of this.#world.clients)
      for (const { session, hold } of client.heldSeats())
        for (const { name, ledger } of newest)
          if (ledger.sessions.get(bytesKey(session.id))?.holds.has(hold) !== true)
            this.#faultUnlessForked(`9.10 ${client.name} may use a seat that is not in the ledger of ${name}`);
  }

  /** §11.6, where at most one license server lies or has a wrong clock, and no clone votes beside it. */
  #checkLogTime(): void {
    const { cloned, traitor, wild } = this.#world;
    if (cloned !== undefined || (traitor !== undefined && wild !== undefined && traitor.member !== wild))
      return this.#world.count('not checked: 9.12 beside a clone, or two wrong clocks');
    const gained = this.#logTime.gainedMs;
    if (gained > LIMITS.clockSlackMs + 1) this.fault(`9.12 log time has gained ${gained.toFixed(1)} ms`);
  }

  /** The ledgers that have all that is certified, and nothing else. */
  complete(): ReturnType<World['ledgers']> {
    return this.#world.ledgers().filter(({ ledger }) => ledger.index >= this.newestCertified);
  }

  /** §9.7: how many different logs there are. */
  sameLedgers(all = this.#world.ledgers()): number {
    const first = new Map<string, { name: string; ledger: Ledger }>();
    for (const { name, head, ledger } of all) {
      const other = first.get(head);
      if (other === undefined) first.set(head, { name, ledger });
      else if (!equalBytes(encodeRecords(other.ledger), encodeRecords(ledger)))
        this.fault(`9.7 ${name} and ${other.name}: the same log, other ledgers`);
    }
    return first.size;
  }

  /** §9.2 and §9.6, as applications see it: consumed is what they were told, and at most what nobody could tell them. */
  #unitsAsTold(newest: ReturnType<World['ledgers']>): void {
    const { clients } = this.#world;
    const products = new Set(clients.flatMap(({ unitsOpen }) => [...unitsOpen.keys()]));
    for (const product of products) {
      const told = clients.reduce((sum, { unitsTold }) => sum + (unitsTold.get(product) ?? 0), 0);
      const open = clients.reduce((sum, { unitsOpen }) => sum + (unitsOpen.get(product) ?? 0), 0);
      for (const { name, ledger } of newest) {
        const licenses = [...ledger.licenses.values()].filter(({ license }) => license.product === product);
        const consumed = licenses.reduce((sum, one) => sum + one.consumed, 0);
        if (consumed < told || consumed > told + open)
          this.fault(
            `9.6 ${consumed} ${product} are consumed in the ledger of ${name}; applications know of ${told}, and perhaps ${open}`,
          );
      }
    }
  }

  /** §9.2 and §9.7, when all is quiet. */
  atTheEnd(): void {
    for (const what of this.#unlessForked) this.fault(what);
    const newest = this.complete();
    for (const { name, ledger } of newest) {
      for (const [license, units] of this.#consumed) {
        const state = ledger.licenses.get(license);
        if (state !== undefined && state.consumed < units)
          this.fault(`9.2 ${units} units of ${license} were answered, ${state.consumed} are in the ledger of ${name}`);
      }
    }
    this.#unitsAsTold(newest);
    const heads = this.sameLedgers(newest);
    this.#world.history.check();
    this.#checkLogTime();
    const head = this.#heads.get(this.newestCertified);
    if (head !== undefined) this.#world.commitOrder.check(head, this.#roots, this.#answers);
    if (heads > 1) this.fault('9.7 logs of the same length are not the same');
    const servers = Object.values(this.#world.licenseServers);
    // With one of them away, one that has forgotten waits for it.
    if (servers.every(({ up }) => up))
      for (const { name, runtime } of servers)
        if (runtime !== undefined && runtime.voter.withholding !== '')
          this.fault(`9.13 ${name} still withholds: ${runtime.voter.withholding}`);
    if (newest.length < 3) this.fault(`9.13 only ${newest.length} servers have all that is certified`);
  }
}

function isTagged(statement: Uint8Array, tag: Uint8Array): boolean {
  return equalBytes(statement.subarray(0, tag.length), tag);
}

interface Place {
  readonly epoch: number;
  readonly index: number;
}

function isBelow(a: Place, b: Place): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.index < b.index);
}
