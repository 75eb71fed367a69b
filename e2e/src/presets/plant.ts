import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AcquireOptions,
  type AcquireResult,
  type Client,
  connect,
  type ConnectOptions,
  type Seat,
} from '@trefoil/client';
import type { JsonObject } from '@trefoil/license';
import { presetNamed } from '@trefoil/vendor';
import type { RunningGroup } from '../running-group.ts';

/** A customer whose group runs, and to whom the vendor sells one preset after the other. */
export class Plant implements AsyncDisposable {
  readonly running: RunningGroup;
  readonly #stack = new AsyncDisposableStack();
  readonly #versions = new Map<string, number>();

  constructor(running: RunningGroup) {
    this.running = running;
  }

  /** The preset as a real signed file, put into service; with other terms where the story needs them. Again = an update. */
  async sell(preset: string, other: JsonObject = {}, license = preset): Promise<void> {
    const { terms } = presetNamed(preset) ?? assert.fail(`no preset ${preset}`);
    await this.sellTerms(preset, { ...terms, ...other }, license);
  }

  /** Without a preset. */
  async sellTerms(product: string, terms: JsonObject, license = product): Promise<void> {
    const { quantity, ...rest } = terms;
    const version = (this.#versions.get(license) ?? 0) + 1;
    this.#versions.set(license, version);
    await this.running.hands.sell({ version, quantity: Number(quantity), terms: rest, license, product });
  }

  /** Somebody at a machine; the same name is the same person at another one. */
  async person(user: string, host = `${user}-desk`, more: Partial<ConnectOptions> = {}): Promise<Person> {
    const { clientFile, vendorRoot } = this.running.group;
    const client = await connect({ clientFile, vendor: vendorRoot, user, host, program: 'app', ...more });
    return new Person(this.#stack.use(client));
  }

  /** The TMR server that leads is killed; the other one takes over, and the first comes back. Where it is the only one, it alone does. */
  async takeover(): Promise<void> {
    const { hands } = this.running;
    const active = await hands.waitForLeader();
    await active.kill();
    const single = hands.servers.size === 2;
    if (single) await active.start();
    await hands.waitForLeader();
    if (!single) await active.start();
  }

  /** On somebody's machine. */
  async folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'trefoil-borrowed-'));
    this.#stack.defer(() => rm(path, { recursive: true, force: true }));
    return join(path, 'seat');
  }

  /** As the vendor writes dates. */
  in(ms: number): string {
    return new Date(Date.now() + ms).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export class Person {
  readonly client: Client;
  readonly seats: Seat[] = [];

  constructor(client: Client) {
    this.client = client;
  }

  async asks(product: string, options: AcquireOptions = {}): Promise<AcquireResult> {
    const result = await this.client.acquire(product, options);
    if (result.kind === 'granted') this.seats.push(result.seat);
    return result;
  }

  /** It has to be granted; the flags that are to be said beside it. */
  async takes(product: string, options: AcquireOptions = {}): Promise<number> {
    const result = await this.asks(product, options);
    assert.ok(result.kind === 'granted', `${product}: ${'sentence' in result ? result.sentence : result.kind}`);
    return result.seat.grants.reduce((flags, grant) => flags | grant.flags, 0);
  }

  /** It has to be denied, for this reason. */
  async isDenied(product: string, code: string, options: AcquireOptions = {}): Promise<void> {
    const result = await this.asks(product, options);
    assert.equal(result.kind === 'denied' ? result.code : result.kind, code, product);
  }

  async uses(product: string, count: number, feature = ''): Promise<number> {
    const result = await this.client.consume(product, count, { feature });
    assert.ok(result.kind === 'consumed', `${product}: ${'sentence' in result ? result.sentence : result.kind}`);
    return result.remaining;
  }

  async gives(): Promise<void> {
    for (const seat of this.seats.splice(0)) assert.equal((await seat.release()).kind, 'released');
  }
}
