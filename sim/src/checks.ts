import { decodeEntry, encodeRecords, type Ledger, LIMITS, type Refusal } from '@trefoil/core';
import type { CertifiedEvent } from '@trefoil/tmr-server';
import {
  type Accept,
  bytesKey,
  decodeAccept,
  decodeCertificate,
  decodeOutcome,
  equalBytes,
  type Member,
  verifyCertificate,
} from '@trefoil/license';
import { NOT_TOLD_AGAIN } from './client-history.ts';
import { OTHER_RULES } from './lies.ts';
import { LogTimeCourse } from './log-time-course.ts';
import { type Installed, rulesOf } from './programs.ts';
import { Signatures } from './signatures.ts';
import type { World } from './world.ts';

/** What nobody here can bring about, not even by lying: entries that can't be read or follow other rules, and other ledgers. */
export const NEVER_REFUSED: readonly Refusal[] = ['rules-version', 'malformed', 'ledger-root'];

/**
 * What must always hold (PROTOCOL §9), written from its words: sees signatures at the moment at which they leave a container,
 * certificates and answers when somebody gets them, and seats by the clocks of those who use them. Knows nothing of how the
 * servers work.
 */
export class Checks {
  readonly faults: string[] = [];
  readonly #unlessForked: string[] = [];
  readonly #world: World;
  readonly #heads = new Map<number, string>();
  /** The lowest in which each entry is known to be certified. */
  readonly #epochs = new Map<number, number>();
  readonly #roots = new Map<number, Uint8Array>();
  readonly #answers = new Map<string, Uint8Array>();
  readonly #consumed = new Map<string, number>();
  readonly #logTime = new LogTimeCourse();
  readonly signatures: Signatures;
  /** Under which version of the configuration each entry is certified. */
  readonly #certifiedUnder = new Map<number, number>();
  newestCertified = 0;
  /** Somebody has an answer of this entry. */
  newestAnswered = 0;
  newestLogTime = 0;

  constructor(world: World) {
    this.#world = world;
    this.signatures = new Signatures(world, { logTime: this.#logTime, fault: (what) => this.fault(what) });
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

  #verify(bytes: Uint8Array): Accept {
    const certificate = decodeCertificate(bytes);
    const { configVersion } = decodeAccept(certificate.statement);
    return verifyCertificate(this.#world.fixture.crypto, this.#world.vendor.version(configVersion), certificate);
  }

  /** §4.9: `since`: by which entries the versions from 2 on were brought. */
  versions(since: readonly number[]): void {
    for (const [version, index] of this.signatures.votedUnder)
      if (index > (since[version - 1] ?? Infinity))
        this.fault(`4.9 somebody votes for entry ${index} under version ${version} of the configuration`);
    for (const [index, version] of this.#certifiedUnder) {
      const inForce = 1 + since.filter((one) => one < index).length;
      if (version !== inForce) this.fault(`4.9 entry ${index} is certified under version ${version}, not ${inForce}`);
    }
  }

  /** §9.3: one chain. */
  certified(certificate: Uint8Array, verified?: Accept): Accept {
    const accept = verified ?? this.#verify(certificate);
    this.#certifiedUnder.set(accept.index, accept.configVersion);
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
    const { cloned, counts, traitor } = this.#world;
    if (traitor?.member === by) return; // it says what it likes
    this.#world.count(`refused: ${reason}`);
    const isLiars = reason === 'rules-version' && counts.has(OTHER_RULES);
    if (NEVER_REFUSED.includes(reason) && cloned === undefined && !isLiars)
      this.fault(`9.7 an entry is refused: ${reason}`);
  }

  /** §4.10: a program of before would not know what that is, and hang up. */
  hearsAbout({ who, hasOldProgram }: Installed, fromLiar: boolean): void {
    if (hasOldProgram && !fromLiar) this.fault(`4.10 ${who} has the program of before, and hears ABOUT`);
  }

  /** §4.10: nobody is left behind, whatever a liar says of what it knows; only by what it proposes. */
  certifiedUnderRules(rules: number): void {
    const { licenseServers, tmrServers, counts, traitor } = this.#world;
    if (counts.has(OTHER_RULES)) return;
    const honest = [
      ...Object.values(licenseServers).filter((one) => one !== traitor?.server),
      ...Object.values(tmrServers).filter(({ liar }) => !liar.hasLied),
    ];
    for (const one of honest)
      if (rulesOf(one) < rules) this.fault(`4.10 an entry is certified under rules ${rules}, unknown to ${one.who}`);
  }

  certifiedEntry(event: CertifiedEvent): void {
    this.certifiedUnderRules(decodeEntry(event.entry).rulesVersion);
    if (event.certificate.length > 0) this.certified(event.certificate);
  }

  /** §9.6: the same command has the same outcome, whoever asks and whenever, but for renewals; a session that is gone is gone. */
  answered(commandHash: Uint8Array, outcomeBytes: Uint8Array, index: number): void {
    this.newestAnswered = Math.max(this.newestAnswered, index);
    const key = bytesKey(commandHash);
    const outcome = decodeOutcome(outcomeBytes);
    // What was refused outside a session is not remembered, and done anew when it is asked again (PROTOCOL §5.11; seed 480057).
    const isOutside = outcome.session.every((byte) => byte === 0);
    if (outcome.kind === 'refused' && (isOutside || NOT_TOLD_AGAIN.includes(outcome.code))) return;
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
