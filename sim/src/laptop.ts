import { Group } from '@trefoil/client';
import { LIMITS } from '@trefoil/core';
import {
  type AcquireItem,
  type BorrowCommand,
  CLIENT_VERSION,
  encodeCommand,
  type ExtendCommand,
  type Grant,
  LicenseError,
  type OpenCommand,
  type Outcome,
  sessionHandleOf,
  sessionIdOf,
  signCommand,
  type SigningKey,
} from '@trefoil/license';
import { ClientProcess, WatchedVerifier } from './client-process.ts';
import { EPOCH_UTC, Machine } from './machine.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const PATIENCE_MS = 3_000;
/** After healing (PROTOCOL §9.9). */
const SERVED_WITHIN_MS = 2_000;
const ASKED_AT_MOST_MS = 60;

/** Seats that somebody may use, as far as his clock says. */
export interface SeatInHand {
  readonly session: { readonly id: Uint8Array };
  readonly hold: number;
  readonly grants: readonly Grant[];
}

/** What the SDK keeps in the folder of a borrowing: it outlives every process, and a question that nobody has answered. */
interface Kept {
  readonly key: SigningKey;
  readonly closeSecret: Uint8Array;
  readonly session: Uint8Array;
  readonly items: readonly AcquireItem[];
  nextRequest: number;
  asking: { readonly kind: 'borrow' | 'extend'; readonly requestId: number; readonly forMs: number } | undefined;
  grants: readonly Grant[];
  /** When what is held was asked for, by the laptop's clock. */
  sentAt: number;
  givingBack: boolean;
}

/** Not beyond the end of its license, by the group's own clock. */
function lifeOf({ lifeMs, notAfter, issuedUtc }: Grant): number {
  return notAfter === 0 ? lifeMs : Math.min(lifeMs, notAfter - issuedUtc);
}

type Wish = 'borrow' | 'ask again' | 'extend' | 'give back';

/** Wrong by as much as it may be, awake or asleep: also its wall clock, by which borrowed time is counted. */
class LaptopMachine extends Machine {
  readonly #now: () => number;
  readonly #rate: number;

  constructor({ agenda }: World, random: Random) {
    super(agenda, random.between(0, 1e6));
    this.#now = () => agenda.now;
    this.#rate = 1 + random.between(-1, 1) * (LIMITS.clockRate / 2);
    this.runAtRate(this.#rate);
    this.wallOffsetMs = random.between(-1e7, 1e7);
  }

  override wallMs(): number {
    return EPOCH_UTC + Math.floor(this.#now() * this.#rate + this.wallOffsetMs);
  }
}

/**
 * A laptop that takes seats along. Asks by the shipped SDK's way to the group and with the bytes that its borrowing signs, under a key
 * of its own; what the SDK keeps in a folder on a disk is kept here. Between its questions it hears nothing of anybody.
 */
export class Laptop {
  readonly #world: World;
  readonly #user: string;
  readonly #random: Random;
  readonly #machine: LaptopMachine;
  #kept: Kept | undefined;
  #isAsking = false;

  constructor(world: World, user: string, random: Random) {
    this.#world = world;
    this.#user = user;
    this.#random = random;
    this.#machine = new LaptopMachine(world, random);
  }

  /** By its own clock, at this true moment. */
  get seats(): readonly SeatInHand[] {
    const {
      session: id,
      grants,
      givingBack,
    } = this.#kept ?? { session: new Uint8Array(0), grants: [], givingBack: true };
    return givingBack || this.#remainingMs <= 0 ? [] : [{ session: { id }, hold: grants[0]?.hold ?? 0, grants }];
  }

  /** By which an admin knows it; undefined = it has nothing. */
  get handle(): Uint8Array | undefined {
    return this.#kept && sessionHandleOf(this.#world.fixture.crypto, this.#kept.session);
  }

  get #remainingMs(): number {
    const { grants, sentAt } = this.#kept ?? { grants: [], sentAt: 0 };
    if (grants.length === 0) return 0;
    return Math.min(...grants.map(lifeOf)) * (1 - LIMITS.clockRate) - (this.#machine.wallMs() - sentAt);
  }

  /** The lid is closed for a while. */
  sleep(): void {
    if (this.#isAsking || this.#world.mended || this.#machine.stopped) return;
    this.#machine.sleep();
    this.#world.mend(this.#random.between(200, 8_000), () => this.#machine.goOn());
  }

  /** One question, by a process that may be killed before it is answered. */
  async act(): Promise<void> {
    if (this.#isAsking || this.#machine.stopped) return;
    const wish = this.#wish();
    if (wish === undefined) return;
    const { agenda } = this.#world;
    const process = new ClientProcess(this.#world, this.#machine, this.#random.fork());
    if (this.#random.chance(0.25)) agenda.later(this.#random.between(0, ASKED_AT_MOST_MS), () => process.kill());
    this.#isAsking = true;
    const askedAt = agenda.now;
    try {
      await Promise.race([this.#carryOut(process, wish), process.ended]);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'ClientError') throw error;
    } finally {
      this.#mustBeServed(askedAt);
      this.#isAsking = false;
      process.kill();
    }
  }

  #mustBeServed(askedAt: number): void {
    const { agenda, servedFrom, unserved } = this.#world;
    const waitedMs = agenda.now - Math.max(askedAt, servedFrom);
    if (waitedMs > SERVED_WITHIN_MS) unserved.push(`the laptop of ${this.#user} waits for ${waitedMs.toFixed(0)} ms`);
  }

  #wish(): Wish | undefined {
    const kept = this.#kept;
    if (kept === undefined) return 'borrow';
    if (kept.givingBack) return 'give back';
    if (kept.asking !== undefined) return this.#random.chance(0.8) ? 'ask again' : 'give back';
    if (this.#remainingMs <= 0) return this.#random.chance(0.5) ? 'give back' : 'extend';
    const dice = this.#random.unit();
    if (dice < 0.2) return 'extend';
    return dice < 0.3 ? 'give back' : undefined;
  }

  async #carryOut(process: ClientProcess, wish: Wish): Promise<void> {
    const { clientFile: file } = this.#world;
    const verifier = new WatchedVerifier(this.#world);
    const group = await Group.find({ file, verifier, machine: process, patienceMs: PATIENCE_MS });
    this.#world.count(`command ${wish === 'ask again' ? 'borrow or extend, asked again' : wish}`);
    if (wish === 'borrow') return this.#borrow(group, process);
    const kept = this.#kept as Kept;
    if (wish === 'give back') return this.#giveBack(group, kept);
    kept.asking ??= { kind: 'extend', requestId: kept.nextRequest++, forMs: this.#forMs() };
    return this.#ask(group, kept);
  }

  #forMs(): number {
    return this.#random.chance(0.05) ? 61_000 : this.#random.pick([1_000, 2_500, 6_000, 12_000, 20_000]);
  }

  async #borrow(group: Group, process: ClientProcess): Promise<void> {
    const { crypto, set } = this.#world.fixture;
    const items = this.#world.assortment?.loan(this.#random) ?? [];
    const [{ key }, closeSecret] = [process.sessionKey(), process.secret()];
    const open = {
      kind: 'open',
      ...{ sessionKey: key.publicKey.bytes, nonce: process.nonce(16), closeHash: crypto.sha256(closeSecret) },
      ...{ user: this.#user, host: this.#user, program: 'app', address: '', client: CLIENT_VERSION },
      atLogTime: await group.certifiedLogTime(),
    } as const;
    const opened = await group.submit(encodeCommand(signCommand<OpenCommand>(set, open, key)), PATIENCE_MS);
    if (opened.kind !== 'certified' || opened.outcome.kind !== 'opened') return;
    this.#kept = {
      ...{ key, closeSecret, session: sessionIdOf(crypto, set, open), items, nextRequest: 2 },
      ...{ asking: { kind: 'borrow', requestId: 1, forMs: this.#forMs() }, grants: [], sentAt: 0, givingBack: false },
    };
    await this.#ask(group, this.#kept);
  }

  /** With the same bytes, however often. */
  async #ask(group: Group, kept: Kept): Promise<void> {
    const { asking } = kept;
    if (asking === undefined) return;
    const sentAt = this.#machine.wallMs();
    const answer = await group.submit(this.#question(kept, asking), PATIENCE_MS);
    if (answer.kind !== 'certified') return;
    kept.asking = undefined;
    const { outcome, certified } = answer;
    if (outcome.kind === 'granted') return this.#granted(group, kept, outcome, { sentAt, by: certified.certificate });
    // Of what was extended before, all stays as it is.
    if (asking.kind === 'borrow') await this.#giveBack(group, kept);
  }

  #question(
    { key, closeSecret, session, items, grants }: Kept,
    { kind, requestId, forMs }: NonNullable<Kept['asking']>,
  ) {
    const { crypto, set } = this.#world.fixture;
    const numbered = { session, requestId, lowestUnanswered: requestId };
    const releaseHash = crypto.sha256(closeSecret);
    const unsigned =
      kind === 'borrow'
        ? ({ kind, ...numbered, releaseHash, forMs, items } as const)
        : ({ kind, ...numbered, hold: grants[0]?.hold ?? 1, forMs } as const);
    return encodeCommand(signCommand<BorrowCommand | ExtendCommand>(set, unsigned, key));
  }

  #granted(
    group: Group,
    kept: Kept,
    { grants }: Outcome & { kind: 'granted' },
    { sentAt, by }: { readonly sentAt: number; readonly by: Uint8Array },
  ): void {
    const { verifier, crypto } = group;
    const own = { sessionKey: kept.key.publicKey.bytes, releaseHash: crypto.sha256(kept.closeSecret) };
    try {
      for (const grant of grants) verifier.grant(grant, own);
    } catch (error) {
      if (!(error instanceof LicenseError)) throw error;
      return this.#world.checks.fault(`5.18 what ${this.#user} has borrowed is not proved: ${error.message}`);
    }
    // Perhaps it was granted when it was asked for the first time: so long ago by the group's own clock.
    const { utc } = group.acceptOf({ certificate: by });
    kept.sentAt = Math.max(kept.sentAt, sentAt - Math.max(0, ...grants.map(({ issuedUtc }) => utc - issuedUtc)));
    kept.grants = grants;
  }

  /** From here on it is not used. */
  async #giveBack(group: Group, kept: Kept): Promise<void> {
    kept.givingBack = true;
    const requestId = kept.nextRequest;
    const { session, closeSecret: secret } = kept;
    const command = { kind: 'close', session, requestId, lowestUnanswered: requestId, secret } as const;
    const answer = await group.submit(encodeCommand(command), PATIENCE_MS);
    if (answer.kind !== 'certified') return;
    const { outcome } = answer;
    if (outcome.kind === 'refused' && outcome.code !== 'unknown-session')
      this.#world.checks.fault(`5.18 ${this.#user} can't give back what was borrowed: ${outcome.code}`);
    this.#kept = undefined;
  }
}

/** The laptop that somebody has, and those that he has lost: whoever has found one may use it until its time is over. */
export class Laptops {
  readonly #world: World;
  readonly #user: string;
  readonly #random: Random;
  readonly #lost: Laptop[] = [];
  #laptop: Laptop;

  constructor(world: World, user: string, random: Random) {
    this.#world = world;
    this.#user = user;
    this.#random = random;
    this.#laptop = new Laptop(world, user, random.fork());
  }

  /** Those that were written off may be in use beside all others (PROTOCOL §9.1); they are not among these. */
  get seats(): readonly SeatInHand[] {
    const { crypto } = this.#world.fixture;
    return [this.#laptop, ...this.#lost]
      .flatMap(({ seats }) => seats)
      .filter(({ session }) => !this.#world.office.mayBeWrittenOff(sessionHandleOf(crypto, session.id)));
  }

  /** Behind the application's back. */
  act(): void {
    if (this.#laptop.seats.length > 0 && this.#random.chance(0.1)) return this.#lose(this.#laptop);
    if (this.#random.chance(0.1)) this.#laptop.sleep();
    else void this.#laptop.act();
  }

  #lose(laptop: Laptop): void {
    this.#world.count('a laptop is lost with what it has borrowed');
    this.#lost.push(laptop);
    this.#laptop = new Laptop(this.#world, this.#user, this.#random.fork());
    const { handle } = laptop;
    if (handle === undefined) return;
    const { agenda, office } = this.#world;
    const nonce = this.#random.bytes(16);
    agenda.later(this.#random.between(0, 3_000), () => office.writeOff(handle, nonce));
  }
}
