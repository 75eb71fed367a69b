import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { applyEntry, emptyLedger, snapshotParts, type Ledger, LedgerRoot, RULES_VERSION } from '@trefoil/core';
import {
  type AcquireCommand,
  type Command,
  decodeOutcome,
  encodeCommand,
  type OpenCommand,
  sessionIdOf,
  signCommand,
} from '@trefoil/license';
import { NodeDisk } from '@trefoil/license-server/log-store';
import { type Fixture, fixture, secretPair, seedKey } from '@trefoil/license/fixtures';

interface Size {
  readonly licenses: number;
  readonly seats: number;
  readonly waiting: number;
}

const SMALL: Size = { licenses: 10, seats: 100, waiting: 10 };
const LARGE: Size = { licenses: 10_000, seats: 100_000, waiting: 10_000 };
const LICENSES_PER_UPDATE = 100;
const COMMANDS_PER_ENTRY = 100;
const ENTRIES = 200;
const AIM = { times: 2, stallMs: 50 };

/** One seat and one wait a session: what many people at many machines are. */
class Crowd {
  readonly #fixture: Fixture = fixture();
  readonly ledger: Ledger;
  readonly #root: LedgerRoot;
  readonly #key = seedKey('crowd');
  #request = 1;

  constructor() {
    const { crypto, root, configuration, group, issuingKey } = this.#fixture;
    this.ledger = emptyLedger({
      ...{ crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text },
    });
    this.#root = LedgerRoot.of(this.ledger, true);
    this.apply([]);
  }

  /** One entry with the root that comes of it, as a server does it; outcomes' kinds. */
  apply(commands: readonly Command[]): string[] {
    const { ledger } = this;
    const outcomes = applyEntry(ledger, {
      set: this.#fixture.set,
      index: ledger.index + 1,
      logTime: ledger.index === 0 ? 0 : ledger.logTime + 1,
      utc: ledger.index === 0 ? Date.UTC(2026, 10, 24) : ledger.utc + 1,
      rulesVersion: RULES_VERSION,
      ledgerRoot: undefined,
      commands: commands.map(encodeCommand),
    });
    ledger.journal.clear();
    return outcomes.map((bytes) => decodeOutcome(bytes).kind);
  }

  root(): void {
    this.#root.current(this.ledger);
  }

  /** As a license server makes one. → ms: at the root entry; the longest that nothing else ran while it was written to disk. */
  async snapshot(): Promise<readonly [number, number]> {
    let records: readonly Uint8Array[] = [];
    const taken = timed(() => {
      this.#root.current(this.ledger);
      records = this.#root.records();
    });
    const nothing = new Uint8Array(32);
    const place = await mkdtemp(join(tmpdir(), 'trefoil-bench-'));
    const disk = await NodeDisk.at(place);
    const stalled = await longestStall(async () => {
      const head = { head: nothing, entry: nothing, certificate: nothing, configurations: nothing };
      const parts = snapshotParts({ ...head, records });
      await disk.writeWhole('snapshot', parts);
    });
    await rm(place, { recursive: true });
    return [taken, stalled];
  }

  sell(licenses: number, quantity: number): void {
    for (let i = 0; i < licenses; i += LICENSES_PER_UPDATE) {
      const some = Array.from({ length: Math.min(LICENSES_PER_UPDATE, licenses - i) }, (_, j) => i + j);
      const texts = some.map((n) =>
        this.#fixture.license({
          id: `license-${n}`,
          product: `product-${n}`,
          terms: { quantity, sessionTimeoutSeconds: 3_600 },
        }),
      );
      this.apply([{ kind: 'update', document: this.#fixture.update(texts, i + 1) }]);
    }
  }

  open(count: number, from: number): Uint8Array[] {
    const { crypto, set } = this.#fixture;
    const commands = Array.from({ length: count }, (_, i) =>
      signCommand<OpenCommand>(
        set,
        {
          kind: 'open',
          ...{ sessionKey: this.#key.publicKey.bytes, nonce: nonceOf(from + i), closeHash: new Uint8Array(32) },
          ...{ atLogTime: this.ledger.logTime, user: `user-${from + i}`, host: `host-${from + i}`, program: 'app' },
          ...{ address: '', client: 2 },
        },
        this.#key,
      ),
    );
    for (let i = 0; i < count; i += COMMANDS_PER_ENTRY) this.apply(commands.slice(i, i + COMMANDS_PER_ENTRY));
    return commands.map((command) => sessionIdOf(crypto, set, command));
  }

  acquire(session: Uint8Array, product: string, seats = 1, waitMs = 0): AcquireCommand {
    const requestId = ++this.#request;
    const { hash } = secretPair(this.#fixture.crypto, 'crowd');
    const items = [{ product, feature: '', seats }];
    return { kind: 'acquire', session, requestId, lowestUnanswered: requestId, releaseHash: hash, waitMs, items };
  }

  release({ session, requestId }: AcquireCommand): Command {
    const { secret } = secretPair(this.#fixture.crypto, 'crowd');
    return { kind: 'release', session, requestId, lowestUnanswered: requestId, hold: requestId, secret };
  }

  renew(session: Uint8Array): Command {
    const requestId = ++this.#request;
    return { kind: 'renew', session, requestId, lowestUnanswered: requestId, nonce: nonceOf(requestId), idleMs: 0 };
  }
}

function nonceOf(n: number): Uint8Array {
  const nonce = new Uint8Array(16);
  new DataView(nonce.buffer).setUint32(0, n);
  return nonce;
}

/** µs for each command, by what is asked, and how long the two things take that are done at once for all. */
async function measure(size: Size): Promise<Record<string, number>> {
  const crowd = new Crowd();
  const perLicense = Math.ceil(size.seats / size.licenses);
  crowd.sell(size.licenses, perLicense + 1);
  const sessions = crowd.open(Math.min(size.seats, 50_000), 0);
  const each = Math.ceil(size.seats / sessions.length);
  for (let i = 0; i < sessions.length; i += COMMANDS_PER_ENTRY) {
    const some = sessions.slice(i, i + COMMANDS_PER_ENTRY);
    crowd.apply(some.map((session, j) => crowd.acquire(session, `product-${(i + j) % size.licenses}`, each)));
  }
  // Those who wait: all for one product that is full, behind somebody who has it.
  const [owner, ...waiters] = crowd.open(size.waiting + 1, sessions.length);
  const first = crowd.acquire(owner as Uint8Array, 'product-0', 1);
  crowd.apply([first]);
  for (let i = 0; i < waiters.length; i += COMMANDS_PER_ENTRY)
    crowd.apply(waiters.slice(i, i + COMMANDS_PER_ENTRY).map((one) => crowd.acquire(one, 'product-0', 1, 600_000)));
  crowd.root();
  const [client] = crowd.open(1, 1_000_000);
  const result: Record<string, number> = { ...commandsOf(crowd, client as Uint8Array, owner as Uint8Array, first) };
  result['the root after these commands, ms'] = timed(() => crowd.root());
  [result['a snapshot at its root entry, ms'], result['longest pause while it is written, ms']] =
    await crowd.snapshot();
  result['memory, MB'] = Math.round(process.memoryUsage().rss / 2 ** 20);
  return result;
}

function commandsOf(
  crowd: Crowd,
  client: Uint8Array,
  owner: Uint8Array,
  first: AcquireCommand,
): Record<string, number> {
  const times: Record<string, number[]> = {};
  const take = (what: string, commands: readonly Command[]): string[] => {
    let kinds: string[] = [];
    const ms = timed(() => {
      kinds = crowd.apply(commands);
    });
    (times[what] ??= []).push((1_000 * ms) / commands.length);
    return kinds;
  };
  let held = first;
  for (let i = 0; i < ENTRIES; i++) {
    const one = crowd.acquire(client, 'product-1');
    take('acquire', [one]);
    take('release', [crowd.release(one)]);
    take('acquire of what others wait for', [crowd.acquire(client, 'product-0')]);
    take('renew', [crowd.renew(client)]);
    if (i % 10 !== 0) continue;
    // Who waits longest gets it, and gives it back at once.
    take('release that serves who waits', [crowd.release(held)]);
    held = crowd.acquire(owner, 'product-0', 1, 600_000);
    crowd.apply([held]);
  }
  return Object.fromEntries(Object.entries(times).map(([what, all]) => [`${what}, µs`, median(all)]));
}

/** ms, of the event loop. */
async function longestStall(run: () => Promise<void>): Promise<number> {
  let [longest, last, isOver] = [0, performance.now(), false];
  const look = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await run();
  isOver = true;
  look();
  return longest;
}

function timed(run: () => unknown): number {
  const began = performance.now();
  run();
  return performance.now() - began;
}

function median(all: number[]): number {
  return all.sort((a, b) => a - b)[Math.floor(all.length / 2)] as number;
}

/** The ledger alone, in one process: no network, no disk, no votes. */
export async function measureLarge(say: (text: string) => void): Promise<void> {
  await measure(SMALL); // until the code is warm
  const small = await measure(SMALL);
  const inWords = ({ licenses, seats, waiting }: Size): string =>
    `${licenses} licenses, ${seats} seats held, ${waiting} waiting`;
  say(`${inWords(LARGE)}; beside ${inWords(SMALL)}`);
  const large = await measure(LARGE);
  say(`${''.padEnd(44)}    small     large    times`);
  for (const [what, value] of Object.entries(large)) {
    const before = small[what] ?? 0;
    const times = what.includes('µs') ? (value / before).toFixed(1).padStart(8) : '';
    say(`${what.padEnd(44)} ${before.toFixed(1).padStart(8)}  ${value.toFixed(1).padStart(8)} ${times}`);
  }
  say(`aim: each command within ${AIM.times} times of the small one; no stall above ${AIM.stallMs} ms at a snapshot`);
}
