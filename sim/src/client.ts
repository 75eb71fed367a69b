import { LIMITS } from '@trefoil/core';
import {
  type AcquireItem,
  type Command,
  type ConsumeCommand,
  encodeCommand,
  encodeUtf8,
  equalBytes,
  type Grant,
  type OpenCommand,
  type Outcome,
  sessionIdOf,
  type SigningKey,
  signCommand,
  type TmrServer as Id,
  decodeOutcome,
  verifyMerklePath,
} from '@trefoil/license';
import type { Submitted } from '@trefoil/tmr-server';
import { quickKey } from './crypto.ts';
import { Machine } from './machine.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const HEDGE_MS = 150;
const PATIENCE_MS = 3_000;

interface Hold {
  readonly secret: Uint8Array;
  grants: readonly Grant[];
  /** By this machine's clock; not used beyond. */
  until: number;
}

/** Somebody's application: takes seats, renews, gives back, asks again when nobody answers, and believes only what is proved. */
export class Client {
  readonly name: string;
  readonly machine: Machine;
  readonly #world: World;
  readonly #random: Random;
  readonly #holds = new Map<number, Hold>();
  #key: SigningKey;
  #session: Uint8Array | undefined;
  #closeSecret: Uint8Array = new Uint8Array(32);
  #requestId = 0;
  readonly #unanswered = new Set<number>();
  #active: Id = 'A';
  #incarnation = 0;
  #renewedAt = 0;
  answers = 0;
  unknowns = 0;
  waitingSince: number | undefined;

  constructor(world: World, number: number, random: Random) {
    this.#world = world;
    this.#random = random;
    this.name = `client-${number}`;
    this.machine = new Machine(world.agenda, random.between(0, 1e6));
    this.machine.runAtRate(1 + random.between(-1, 1) * (LIMITS.clockRate / 2));
    this.#key = quickKey(this.name);
  }

  seatsInUse(): { license: string; seats: number }[] {
    const now = this.machine.monotonicMs();
    return [...this.#holds.values()]
      .filter((hold) => hold.until > now)
      .flatMap((hold) => hold.grants.map(({ license, seats }) => ({ license, seats })));
  }

  /** One thing after the other, until the run ends. */
  async live(): Promise<void> {
    while (!this.#world.quiet) {
      await this.#pause(this.#world.pace * this.#random.between(5, this.#random.chance(0.02) ? 3_000 : 120));
      if (this.#session === undefined) await this.#open();
      else await this.#act(this.#session);
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.machine.later(ms, resolve));
  }

  async #act(session: Uint8Array): Promise<void> {
    const { unit } = this.#random;
    const due = this.machine.monotonicMs() - this.#renewedAt > 4_000;
    const dice = unit();
    if (due || dice < 0.1) return this.#renew(session);
    if (dice < 0.5 && this.#holds.size < 3) return this.#acquire(session);
    if (dice < 0.8 && this.#holds.size > 0) return this.#release(session);
    if (dice < 0.9) return this.#consume(session);
    if (dice < 0.93) return this.#close(session);
    if (dice < 0.94) return this.#die();
    return this.#acquire(session);
  }

  /** The process is killed and another takes its place; the group frees its seats by itself. */
  #die(): void {
    this.#world.count('client killed');
    this.#holds.clear();
    this.#session = undefined;
    this.#unanswered.clear();
  }

  async #open(): Promise<void> {
    const { fixture } = this.#world;
    this.#incarnation++;
    this.#key = quickKey(`${this.name} ${this.#incarnation}`);
    this.#closeSecret = this.#random.bytes(32);
    this.#requestId = 0;
    this.#unanswered.clear();
    this.#holds.clear();
    const command = signCommand<OpenCommand>(
      fixture.set,
      {
        kind: 'open',
        sessionKey: this.#key.publicKey.bytes,
        nonce: this.#random.bytes(16),
        closeHash: fixture.crypto.sha256(this.#closeSecret),
        atLogTime: this.#world.newestLogTime,
        user: this.name,
        host: this.name,
        program: 'app',
      },
      this.#key,
    );
    const outcome = await this.#ask(command);
    if (outcome?.kind !== 'opened') return;
    this.#session = sessionIdOf(fixture.crypto, fixture.set, command);
    this.#renewedAt = this.machine.monotonicMs();
  }

  async #acquire(session: Uint8Array): Promise<void> {
    const { crypto } = this.#world.fixture;
    const secret = this.#random.bytes(32);
    const products = this.#random.chance(0.2) ? ['hot', 'cold'] : [this.#random.chance(0.7) ? 'hot' : 'cold'];
    const items: AcquireItem[] = products.map((product) => ({
      product,
      feature: '',
      seats: this.#random.chance(0.15) ? 2 : 1,
    }));
    const sentAt = this.machine.monotonicMs();
    const numbered = this.#next(session);
    const outcome = await this.#ask({ kind: 'acquire', ...numbered, releaseHash: crypto.sha256(secret), items });
    if (outcome?.kind !== 'granted') return this.#sessionMayBeGone(outcome);
    this.#holds.set(numbered.requestId, { secret, grants: outcome.grants, until: untilOf(sentAt, outcome.grants) });
    this.#world.checks.count();
  }

  async #renew(session: Uint8Array): Promise<void> {
    const sentAt = this.machine.monotonicMs();
    const outcome = await this.#ask({ kind: 'renew', ...this.#next(session) });
    if (outcome?.kind !== 'renewed') return this.#sessionMayBeGone(outcome);
    this.#renewedAt = sentAt;
    for (const [id, hold] of this.#holds) {
      const grants = outcome.grants.filter((one) => one.hold === id);
      if (grants.length === 0) continue;
      hold.grants = grants;
      hold.until = untilOf(sentAt, grants);
    }
    this.#world.checks.count();
  }

  async #release(session: Uint8Array): Promise<void> {
    const hold = this.#random.pick([...this.#holds.keys()]);
    const { secret } = this.#holds.get(hold) as Hold;
    this.#holds.delete(hold); // not used from the moment at which it is given back
    this.#sessionMayBeGone(await this.#ask({ kind: 'release', ...this.#next(session), hold, secret }));
  }

  async #consume(session: Uint8Array): Promise<void> {
    const units = 1 + this.#random.below(3);
    const unsigned = { kind: 'consume', ...this.#next(session), product: 'units', feature: '', units } as const;
    this.#sessionMayBeGone(await this.#ask(signCommand<ConsumeCommand>(this.#world.fixture.set, unsigned, this.#key)));
  }

  async #close(session: Uint8Array): Promise<void> {
    this.#holds.clear();
    await this.#ask({ kind: 'close', ...this.#next(session), secret: this.#closeSecret });
    this.#session = undefined;
  }

  #sessionMayBeGone(outcome: Outcome | undefined): void {
    if (outcome?.kind === 'refused' && (outcome.code === 'unknown-session' || outcome.code === 'evicted'))
      this.#session = undefined; // what it holds it may use to its end
  }

  #next(session: Uint8Array): { session: Uint8Array; requestId: number; lowestUnanswered: number } {
    const requestId = ++this.#requestId;
    this.#unanswered.add(requestId);
    const [lowestUnanswered = requestId] = this.#unanswered;
    return { session, requestId, lowestUnanswered };
  }

  /** Undefined = nobody answered; asked again with the same bytes most of the time. */
  async #ask(command: Command): Promise<Outcome | undefined> {
    const bytes = encodeCommand(command);
    this.#world.count(`command ${command.kind}`);
    this.waitingSince = this.#world.agenda.now;
    let outcome = await this.#askOnce(bytes);
    for (let i = 0; outcome === undefined && i < 4 && this.#random.chance(0.8); i++) {
      this.#world.count('asked again after no answer');
      outcome = await this.#askOnce(bytes);
    }
    this.waitingSince = undefined;
    if (outcome === undefined) this.unknowns++;
    else this.answers++;
    if ('requestId' in command) this.#unanswered.delete(command.requestId);
    // Now and then the answer is lost on its last stretch, and somebody asks a second time.
    if (outcome !== undefined && this.#random.chance(0.03)) {
      this.#world.count('asked again after the answer');
      await this.#askOnce(bytes);
    }
    return outcome;
  }

  #askOnce(bytes: Uint8Array): Promise<Outcome | undefined> {
    return new Promise((resolve) => {
      const { network, tmrServers, agenda } = this.#world;
      let done = false;
      const finish = (outcome: Outcome | undefined): void => {
        if (done) return;
        done = true;
        resolve(outcome);
      };
      const until = agenda.now + PATIENCE_MS;
      let failures = 0;
      const attempt = (to: Id): void => {
        if (done || agenda.now > until) return;
        const other = to === 'A' ? 'B' : 'A';
        const server = tmrServers[to];
        const retry = (ms: number, whom: Id): void => void agenda.later(ms, () => attempt(whom));
        if (!server.up || network.isCut(`C0`, to) || network.isCut(to, `C0`)) {
          failures++;
          return retry(this.#random.between(5, 60), other);
        }
        agenda.later(network.delayMs(), () =>
          server.machine.when(() => {
            const { life } = server;
            const patienceMs = Math.max(1, until - agenda.now);
            const taken = server.submit({ bytes, patienceMs, stuck: failures > 6 }, (result) => {
              if (life !== server.life && result.kind === 'unavailable') return retry(20, other);
              agenda.later(network.delayMs(), () => this.machine.when(() => handle(result)));
            });
            if (!taken) retry(20, other);
          }),
        );
        const handle = (result: Submitted): void => {
          if (done) return;
          if (result.kind === 'certified') {
            this.#active = to;
            finish(this.#believe(bytes, result));
          } else if (result.kind === 'redirect') retry(this.#random.between(1, 20), result.to);
          else retry(result.retryAfterMs * this.#random.between(0.75, 1.25), to);
        };
        agenda.later(HEDGE_MS, () => attempt(other));
      };
      attempt(this.#active);
      agenda.at(until, () => finish(undefined));
    });
  }

  /** Nothing that two license servers didn't certify, and nothing that answers other bytes than were sent. */
  #believe(bytes: Uint8Array, { answer, certificate }: Submitted & { kind: 'certified' }): Outcome | undefined {
    const { fixture, checks } = this.#world;
    const accept = checks.certified(certificate);
    this.#world.newestLogTime = Math.max(this.#world.newestLogTime, accept.logTime);
    const { outcome: data, leafIndex: index, path } = answer;
    const proof = { data, index, path, leafCount: accept.leafCount, root: accept.outcomesRoot };
    const outcome = decodeOutcome(data);
    const commandHash = fixture.crypto.sha256(bytes);
    if (!verifyMerklePath(fixture.crypto, proof) || !equalBytes(outcome.commandHash, commandHash)) {
      checks.fault(`an honest TMR server answers ${this.name} with something else`);
      return undefined;
    }
    checks.answered(commandHash, data);
    this.#world.trace(this.name, encodeUtf8(outcome.kind));
    this.#world.count(`outcome ${outcome.kind}${'code' in outcome ? ` ${outcome.code}` : ''}`);
    return outcome;
  }
}

function untilOf(sentAt: number, grants: readonly Grant[]): number {
  return sentAt + Math.min(...grants.map((one) => one.lifeMs)) * (1 - LIMITS.clockRate);
}
