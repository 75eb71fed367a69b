import { type Member, verifyReconfiguration } from '@trefoil/license';
import { type LogRecord, newestConfiguration, type Voter } from '../index.ts';
import type { Scenario } from './scenario.ts';

/** A store as a crash leaves it: what was written but not made durable is lost. */
export interface Store {
  records: Uint8Array[];
  snapshots: Map<number, Uint8Array>;
}

/** What stands at the address of a license server. */
export interface VoterNode {
  voter: Voter | undefined;
  store: Store;
  /** Of its container. */
  generation: number;
  noted: LogRecord[];
  /** Counts starts: what belongs to an earlier life is dropped. */
  life: number;
}

export function newMachine(generation: number): VoterNode {
  return { voter: undefined, store: { records: [], snapshots: new Map() }, generation, noted: [], life: 0 };
}

/** Another machine at the same address, with a container and a disk of its own; the one that stood there is kept. */
export function plugIn(scenario: Scenario, member: Member, which: 'new' | 'other'): void {
  const { world, shelf } = scenario;
  world.crash(`L${member}`);
  const node = world.voters[member];
  const other = which === 'new' ? newMachine(newestGeneration(scenario, member) + 1) : shelf.get(member);
  if (other === undefined) throw new RangeError(`L${member} has no other machine`);
  shelf.set(member, { ...node });
  node.store = other.store;
  node.generation = other.generation;
  world.startVoter(member);
}

/** Its newest container in the place of the one that has the vote, by a document of the vendor's that an admin sends in. */
export function replace(scenario: Scenario, member: Member, lacking?: string): void {
  const { world } = scenario;
  const generations = ([1, 2, 3] as const).map((one) =>
    one === member ? newestGeneration(scenario, one) : (world.generations[one] ?? 0),
  );
  const [newest] = scenario.replicas().sort((a, b) => b.replica.certifiedIndex - a.replica.certifiedIndex);
  if (newest === undefined) throw new RangeError('nobody is there');
  const { ledger } = newest.replica;
  const licenses = [...ledger.licenses.values()]
    .filter(({ license }) => license.id !== lacking)
    .map(({ license }) => license.text);
  const { crypto, root } = world.fixture;
  const version = newestConfiguration(ledger).version + 1;
  const document = world.fixture.reconfiguration({ version, generations, licenses, member });
  world.configurations.push(verifyReconfiguration(crypto, root.publicKey, document).configuration);
  world.generations = { ...world.generations, [member]: newestGeneration(scenario, member) };
  const what = `replace L${member}`;
  scenario.admin().request({ kind: 'reconfigure', document }, what);
  scenario.settle();
}

function newestGeneration({ world, shelf }: Scenario, member: Member): number {
  return Math.max(world.voters[member].generation, shelf.get(member)?.generation ?? 0);
}
