import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLoopbackGroup, type LoopbackGroup } from '../group/loopback-group.ts';
import { ServerProcess } from '../group/server-process.ts';
import { ClientHandle } from './client-handle.ts';
import { GroupHands } from './group-hands.ts';
import { CliError, EXIT } from '../terminal.ts';
import type { LoadFigures } from './client-process.ts';
import type { Narrator } from './narrator.ts';
import { verifyApart, withOneVote } from './proofs.ts';

export interface DemoFigures {
  granted: number;
  denied: number;
  calls: number;
  failedCalls: number;
  licenseServerKill: { maxGapMs: number };
  tmrServerKill: { maxGapMs: number };
  caughtUp: boolean;
  afterUpdate: { quantity: number; granted: number };
  /** What one license server alone, and one vote alone, are good for. */
  singleConstituent: 'refused' | 'accepted';
  offlineVerified: boolean;
  secondsTaken: number;
}

const USERS = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi'] as const;
/** Each client: a renewal every round, release and acquire in every fourth; at least 20 calls/s. */
const EVERY_MS = 30;

/** What is left after the story; it lives until the stack is disposed. */
export interface Told {
  readonly figures: DemoFigures;
  readonly group: LoopbackGroup;
  /** Sends home who waits in vain and half of those who work, so that there is something to play with. */
  readonly makeRoom: () => Promise<void>;
}

/** The whole story, told step by step. Returns its figures; the group stays up until `stack` is disposed. */
export async function runDemo(stack: AsyncDisposableStack, narrator: Narrator): Promise<Told> {
  const startedAt = performance.now();
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-demo-')).catch((error: unknown) => {
    throw new CliError(EXIT.failure, `the demo can't make a folder in ${tmpdir()}: ${String(error)}`);
  });
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  narrator.step('A vendor, a customer and five servers on this machine');
  const group = await createLoopbackGroup(directory);
  narrator.tell(`keys, certificates, three containers and configurations are in ${directory}`);
  const hands = new GroupHands(group);
  stack.use(hands);
  for (const folder of group.servers) hands.servers.set(folder.name, stack.use(new ServerProcess(folder)));
  await Promise.all([...hands.servers.values()].map((server) => server.start()));
  const leader = await hands.waitForLeader();
  narrator.tell(`three license servers vote, two TMR servers lead; ${leader.folder.name} is the active one`);
  const story = new Story(hands, narrator);
  const figures = await story.tell(stack);
  const secondsTaken = round((performance.now() - startedAt) / 1_000);
  return { figures: { ...figures, secondsTaken }, group, makeRoom: () => story.makeRoom() };
}

class Story {
  readonly #hands: GroupHands;
  readonly #narrator: Narrator;
  readonly #clients: ClientHandle[] = [];
  #holders: ClientHandle[] = [];
  #calls = 0;
  #failed = 0;

  constructor(hands: GroupHands, narrator: Narrator) {
    this.#hands = hands;
    this.#narrator = narrator;
  }

  async tell(stack: AsyncDisposableStack): Promise<Omit<DemoFigures, 'secondsTaken'>> {
    await this.#sell();
    const competition = await this.#compete(stack);
    for (const client of this.#clients) client.order({ kind: 'load', everyMs: EVERY_MS });
    const licenseServerKill = await this.#killLicenseServer();
    const tmrServerKill = await this.#killTmrServer();
    const caughtUp = await this.#bringBack();
    const afterUpdate = await this.#update();
    const alone = await this.#alone();
    const offlineVerified = await this.#verify();
    return {
      ...competition,
      calls: this.#calls,
      failedCalls: this.#failed,
      licenseServerKill,
      tmrServerKill,
      caughtUp,
      afterUpdate,
      singleConstituent: alone && offlineVerified.oneVoteRefused ? 'refused' : 'accepted',
      offlineVerified: offlineVerified.accepted,
    };
  }

  async #sell(): Promise<void> {
    this.#narrator.step('The vendor sells 5 seats of "cad"');
    await this.#hands.sell({ version: 1, quantity: 5 });
    this.#narrator.tell('one update file, three constituents; installed by a vote of the license servers');
  }

  async #compete(stack: AsyncDisposableStack): Promise<{ granted: number; denied: number }> {
    this.#narrator.step('Eight people want to work');
    const { clientFile, vendorRoot } = this.#hands.group;
    const clients = await Promise.all(
      USERS.map((user, i) => ClientHandle.start({ clientFile, vendorRoot, user, host: `workstation-${i + 1}` })),
    );
    for (const client of clients) this.#clients.push(stack.use(client));
    let granted = 0;
    for (const client of clients) {
      const { granted: got, sentence } = await client.acquire();
      if (got) granted++;
      this.#narrator.tell(`${client.user.padEnd(6)} ${got ? '✔' : '✘'} ${sentence}`);
    }
    return { granted, denied: clients.length - granted };
  }

  async #killLicenseServer(): Promise<{ maxGapMs: number }> {
    this.#narrator.step('kill −9: license server 2, while all eight call the group all the time');
    const maxGapMs = await this.#during(1_500, () => this.#hands.server('license-server-2').kill());
    this.#narrator.tell(`the other two go on; longest wait of any client: ${maxGapMs} ms`);
    return { maxGapMs };
  }

  async #killTmrServer(): Promise<{ maxGapMs: number }> {
    const leader = await this.#hands.waitForLeader();
    this.#narrator.step(`kill −9: ${leader.folder.name}, the active TMR server`);
    // License server 2 is still down: this is the second fault at once.
    const maxGapMs = await this.#during(2_000, () => leader.kill());
    const next = await this.#hands.waitForLeader();
    this.#narrator.tell(
      `${next.folder.name} has taken over; longest wait of any client: ${maxGapMs} ms; no seat was lost`,
    );
    return { maxGapMs };
  }

  async #bringBack(): Promise<boolean> {
    this.#narrator.step('Both come back');
    await Promise.all([...this.#hands.servers.values()].filter((one) => !one.running).map((one) => one.start()));
    const caughtUp = await this.#hands.waitForRedundancy();
    const { maxGapMs } = await this.#sum();
    this.#narrator.tell(
      `all five are up and have the same log again; one of each may fail (longest wait meanwhile: ${maxGapMs} ms)`,
    );
    return caughtUp;
  }

  async #update(): Promise<{ quantity: number; granted: number }> {
    this.#narrator.step('The vendor sells a sixth seat; nobody stops working');
    for (const client of this.#clients) client.order({ kind: 'mark' });
    await this.#hands.sell({ version: 2, quantity: 6 });
    const quantity = await this.#hands.quantity();
    await pause(500);
    await this.#sum();
    const holding = await Promise.all(this.#clients.map((client) => client.rest()));
    this.#holders = this.#clients.filter((_, i) => holding[i]);
    const granted = this.#holders.length;
    this.#narrator.tell(
      `${quantity} seats now, ${granted} of eight people have one; ${this.#calls} calls so far, ${this.#failed} failed`,
    );
    return { quantity, granted };
  }

  /** What an attacker has who got hold of one container: nothing that counts. */
  async #alone(): Promise<boolean> {
    this.#narrator.step('One license server tries alone');
    await Promise.all(['license-server-2', 'license-server-3'].map((name) => this.#hands.server(name).stop()));
    const refused = await this.#hands.refusesAcquire();
    this.#narrator.tell(refused ? 'one vote is no decision: nothing is granted' : 'IT GRANTED A SEAT');
    await Promise.all(['license-server-2', 'license-server-3'].map((name) => this.#hands.server(name).start()));
    await this.#hands.waitForRedundancy();
    this.#narrator.tell('the other two are back; everybody still has their seat');
    return refused;
  }

  async #verify(): Promise<{ accepted: boolean; oneVoteRefused: boolean }> {
    this.#narrator.step("A seat's proof, checked by a program without network");
    const holder = await this.#holderProof();
    const file = join(this.#hands.group.directory, 'grant.json');
    await writeFile(file, holder);
    const accepted = await verifyApart(file, this.#hands.group.vendorRoot);
    const cut = join(this.#hands.group.directory, 'grant-one-vote.json');
    await writeFile(cut, withOneVote(holder));
    const oneVoteRefused = !(await verifyApart(cut, this.#hands.group.vendorRoot));
    this.#narrator.tell(
      `two votes: ${accepted ? 'accepted' : 'REFUSED'}; one vote taken away: ${oneVoteRefused ? 'refused' : 'ACCEPTED'}`,
    );
    return { accepted, oneVoteRefused };
  }

  async #holderProof(): Promise<string> {
    for (const client of this.#clients) {
      const bundle = await client.proof();
      if (bundle !== undefined) return bundle;
    }
    throw new Error('nobody holds a seat');
  }

  async makeRoom(): Promise<void> {
    const staying = new Set(this.#holders.slice(0, Math.floor(this.#holders.length / 2)));
    await Promise.all(this.#clients.filter((one) => !staying.has(one)).map((one) => one[Symbol.asyncDispose]()));
  }

  /** Marks, lets it happen, waits, and asks everyone what they noticed. */
  async #during(ms: number, happens: () => Promise<void>): Promise<number> {
    for (const client of this.#clients) client.order({ kind: 'mark' });
    await pause(300);
    await happens();
    await pause(ms);
    return (await this.#sum()).maxGapMs;
  }

  /** Adds up what the clients saw since the last mark, and marks again. */
  async #sum(): Promise<LoadFigures> {
    const all = await Promise.all(this.#clients.map((client) => client.report()));
    for (const client of this.#clients) client.order({ kind: 'mark' });
    const calls = all.reduce((sum, one) => sum + one.calls, 0);
    const failed = all.reduce((sum, one) => sum + one.failed, 0);
    this.#calls += calls;
    this.#failed += failed;
    return { calls, failed, maxGapMs: round(Math.max(...all.map((one) => one.maxGapMs))) };
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
