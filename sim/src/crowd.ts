import { type Client, connect, type Seat } from '@trefoil/client';
import type { TmrServer } from '@trefoil/license';
import { ClientProcess, WatchedVerifier } from './client-process.ts';
import { Machine } from './machine.ts';
import { Random } from './random.ts';
import { FIRST_START_MS, World } from './world.ts';

export interface CrowdResult {
  readonly faults: readonly string[];
  /** From the death of the active TMR server until the last client had its renewal certified, ms. */
  readonly allRenewedAfterMs: number;
  readonly seatsLost: number;
  readonly simulatedMs: number;
}

const ARRIVING_MS = 5_000;
const PATIENCE_MS = 5_000;
const LONGEST_MS = 60_000;

/** So many clients, each with a seat, whose TMR server dies: all of them connect anew at once, and ask for a renewal. */
export async function crowd(clients: number, seed = 1): Promise<CrowdResult> {
  const world = new World(seed);
  const { agenda } = world;
  await world.start();
  await agenda.runUntil(FIRST_START_MS);
  world.sell('hot-1', 'hot', clients);
  await agenda.runUntil(FIRST_START_MS + 1_000);
  const verifier = new WatchedVerifier(world);
  const seats = await together(world, clients, async (i) => {
    await agenda.sleep((i * ARRIVING_MS) / clients);
    const client = await arrive(world, verifier, i);
    const result = await client.acquire('hot');
    if (result.kind !== 'granted') throw new Error(`client ${i}: ${result.kind}`);
    return { client, seat: result.seat };
  });
  const [active, other] = leads(world, 'A') ? (['A', 'B'] as const) : (['B', 'A'] as const);
  const diedAt = agenda.now;
  world.tmrServers[active].crash();
  await together(world, clients, (i) => renewed((seats[i] as { client: Client }).client));
  const allRenewedAfterMs = agenda.now - diedAt;
  if (!leads(world, other)) world.checks.fault(`${other} has not taken over`);
  world.checks.count();
  const seatsLost = seats.filter(({ seat }: { seat: Seat }) => !seat.valid).length;
  return { faults: world.checks.faults, allRenewedAfterMs, seatsLost, simulatedMs: agenda.now };
}

function leads(world: World, id: TmrServer): boolean {
  return world.tmrServers[id].runtime?.proposer.role === 'leading';
}

function arrive(world: World, verifier: WatchedVerifier, number: number): Promise<Client> {
  const machine = new ClientProcess(world, new Machine(world.agenda, 0), new Random(number));
  return connect({
    ...{
      clientFile: world.clientFile,
      vendor: verifier,
      user: `user-${number}`,
      host: 'hall',
      program: 'crowd',
      patienceMs: PATIENCE_MS,
      machine,
    },
  });
}

/** Who gets no answer in time asks again, as the SDK's own renewals do. */
async function renewed(client: Client): Promise<void> {
  while ((await client.renew()) !== 'renewed');
}

/** Time goes on until all have done it. @throws what one of them threw, or that it takes too long */
async function together<T>(world: World, count: number, act: (number: number) => Promise<T>): Promise<T[]> {
  const until = world.agenda.now + LONGEST_MS;
  const done: T[] = [];
  const failed: unknown[] = [];
  for (let i = 0; i < count; i++)
    act(i).then(
      (result) => (done[i] = result),
      (error: unknown) => failed.push(error),
    );
  const missing = (): number => count - Object.keys(done).length;
  while (failed.length === 0 && missing() > 0 && world.agenda.now < until)
    await world.agenda.runUntil(world.agenda.now + 20);
  if (failed.length > 0) throw failed[0];
  if (missing() > 0) throw new Error(`${missing()} of ${count} were not served within ${LONGEST_MS} ms`);
  return done;
}
