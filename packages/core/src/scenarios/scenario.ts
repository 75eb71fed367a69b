import { type Member, type TmrServer, type UpdateCommand } from '@trefoil/license';
import type { Replica } from '../index.ts';
import { LedgerRoot } from '../ledger/root.ts';
import { Client } from './clients.ts';
import type { VoterNode } from './machines.ts';
import { type NodeName, World, type WorldOptions } from './world.ts';

/** A scenario while it runs: the world, the clients in it, and what has happened since the last step. */
export class Scenario {
  options: WorldOptions = {};
  readonly clients = new Map<string, Client>();
  readonly copies = new Map<Member, Uint8Array[]>();
  /** Machines that are not plugged in. */
  readonly shelf = new Map<Member, VoterNode>();
  readonly faults: string[] = [];
  serial = 0;
  rulesVersion = 0;
  #world: World | undefined;
  #happened: { at: number; text: string; times: number }[] = [];

  /** Made at the first step that needs it. */
  get world(): World {
    this.#world ??= this.#newWorld();
    return this.#world;
  }

  #newWorld(): World {
    const world = new World(this.options);
    world.onNote = (text) => this.say(text);
    return world;
  }

  say(text: string): void {
    const before = this.#happened.find((one) => one.text === text);
    if (before !== undefined) before.times++;
    else this.#happened.push({ at: this.world.now, text, times: 1 });
  }

  /** What happened since the last call; repetitions are counted, not listed. */
  takeLines(): string[] {
    const happened = this.#happened;
    this.#happened = [];
    return happened.map(({ at, text, times }) => {
      const repeated = times === 1 ? '' : ` (${times} times)`;
      return `${at.toFixed(1).padStart(9)}  ${text}${repeated}`;
    });
  }

  client(name: string): Client {
    const client = this.clients.get(name);
    if (client === undefined) throw new RangeError(`nobody is called ${name}`);
    return client;
  }

  add(name: string, host: string): Client {
    const client = new Client(this.world, name, host, (text) => {
      this.say(text);
      this.#checkSeats();
    });
    this.clients.set(name, client);
    return client;
  }

  /** Runs until nobody waits for an answer. */
  settle(): void {
    const { clockwork } = this.world;
    clockwork.runUntil(6_000, () => [...this.clients.values()].every((one) => one.waiting === 0));
    clockwork.run(2);
  }

  admin(): Client {
    return this.clients.get('the admin') ?? this.add('the admin', 'admin-pc');
  }

  install(document: string): void {
    const command: UpdateCommand = { kind: 'update', document };
    this.admin().request(command, 'install an update');
  }

  /** Under which rules the newest entry of each log is. */
  sayRules(): void {
    const versions = this.replicas().map(({ name, replica: { ledger } }) => `${name} ${ledger.rulesVersion}`);
    this.say(`rules: ${versions.join(', ')}`);
  }

  replicas(): { name: NodeName; replica: Replica }[] {
    const { voters, proposers } = this.world;
    const all: { name: NodeName; replica: Replica | undefined }[] = [
      ...([1, 2, 3] as const).map((member) => ({
        name: `L${member}` as const,
        replica: voters[member].voter?.replica,
      })),
      ...(['A', 'B'] as const).map((id: TmrServer) => ({ name: id, replica: proposers[id]?.replica })),
    ];
    return all.flatMap(({ name, replica }) => (replica === undefined ? [] : [{ name, replica }]));
  }

  /** PROTOCOL §9.1: at no moment do clients believe in more seats than were sold, and written off. */
  #checkSeats(): void {
    const believed = new Map<string, number>();
    for (const client of this.clients.values())
      for (const hold of client.holds)
        if (hold.until > this.world.now)
          for (const license of hold.licenses) believed.set(license, (believed.get(license) ?? 0) + hold.seats);
    for (const { name, replica } of this.replicas())
      for (const [id, { license, used, writeOffs }] of replica.ledger.licenses) {
        const { quantity, counting } = license.terms;
        const seats = believed.get(id) ?? 0;
        if (license.version > 1 || quantity === 0 || counting[0] !== 'session') continue;
        const lost = writeOffs.reduce((all, one) => all + one.seats, 0);
        if (seats > quantity + lost) this.faults.push(`${seats} clients use ${id}, of which ${quantity} were sold`);
        if (used > quantity) this.faults.push(`${name} counts ${used} seats of ${id}, of which ${quantity} were sold`);
      }
  }

  /** What must hold at the end of every scenario (PROTOCOL §9). */
  check(): string[] {
    const ledgers = this.replicas().map(({ name, replica }) => {
      const fromScratch = LedgerRoot.of(replica.ledger).current(replica.ledger);
      return { name, head: replica.lastHead, root: fromScratch };
    });
    this.world.witness.sameLedgers(ledgers);
    return [...this.faults, ...this.world.witness.faults];
  }

  /** Roles, epochs, how far each log goes; who holds what. */
  status(): string[] {
    const { voters, proposers } = this.world;
    const lines: string[] = [];
    for (const member of [1, 2, 3] as const) {
      const { voter } = voters[member];
      if (voter === undefined) {
        lines.push(`L${member} is down`);
        continue;
      }
      const { certifiedIndex, lastIndex } = voter.replica;
      const open = lastIndex > certifiedIndex ? `, entry ${lastIndex} not certified` : '';
      const withholds = voter.withholding === '' ? '' : `; withholds: ${voter.withholding}`;
      const unanchored = voter.unanchored ? '; unanchored' : '';
      lines.push(`L${member} epoch ${voter.promised}, certified ${certifiedIndex}${open}${withholds}${unanchored}`);
    }
    for (const id of ['A', 'B'] as const) {
      const proposer = proposers[id];
      if (proposer === undefined) lines.push(`${id} is down`);
      else if (proposer.role === 'leading')
        lines.push(`${id} leads epoch ${proposer.epoch}, certified ${proposer.replica.certifiedIndex}`);
      else lines.push(`${id} follows, certified ${proposer.replica.certifiedIndex}`);
    }
    return [...lines, ...this.#seats()].map((line) => `           ${line}`);
  }

  #seats(): string[] {
    const newest = this.replicas().sort((a, b) => b.replica.certifiedIndex - a.replica.certifiedIndex)[0];
    if (newest === undefined) return [];
    const { ledger } = newest.replica;
    const waiting = [...ledger.queues].map(([product, waits]) => {
      const who = waits.map(({ session, items }) => `${session.user} (${seatsOf(items, product)})`);
      return `waiting for ${product}: ${who.join(', ')}`;
    });
    const licenses = [...ledger.licenses.values()].map(({ license, used, consumed, holders }) => {
      const { quantity, units } = license.terms;
      const who = holders.map(({ session, hold }) => `${session.user}${asIt(hold)}`).join(', ');
      const left = units === undefined ? '' : `, ${Math.max(0, units - consumed)} of ${units} units left`;
      return `${license.id}: ${used} of ${quantity} seats taken${who === '' ? '' : ` by ${who}`}${left}`;
    });
    const rules =
      ledger.policy === undefined ? [] : [`rules: ${ledger.policy.rules.map(({ words }) => words).join('; ')}`];
    return [...licenses, ...waiting, ...rules];
  }
}

function asIt({ lingering, borrowed }: { readonly lingering: boolean; readonly borrowed: boolean }): string {
  if (lingering) return ' (given back)';
  return borrowed ? ' (borrowed)' : '';
}

function seatsOf(items: readonly { product: string; seats: number }[], product: string): number {
  return items.reduce((sum, item) => sum + (item.product === product ? item.seats : 0), 0);
}
