import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLoopbackGroup, GroupHands, ServerProcess } from '@trefoil/cli';
import { type LoadResult, round } from './latencies.ts';
import { usageOf } from './process-usage.ts';
import type { LoadOrder } from './trefoil-load.ts';

export interface TrefoilRow extends LoadResult {
  readonly clients: number;
  readonly licenses: number;
  /** CPU seconds and peak memory (MB) of each process during this row. */
  readonly processes: Readonly<Record<string, { cpuSeconds: number; peakMb: number }>>;
}

const COOL_LICENSES = 1_000;
const LICENSES_PER_UPDATE = 50;

/** Five real processes, TLS and fsync on; one load process with one TLS connection and session for each client. */
export async function measureTrefoil(
  options: { clients: readonly number[]; warmUpMs: number; measureMs: number },
  report: (row: TrefoilRow) => void,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const group = await createLoopbackGroup(directory);
  const hands = stack.use(new GroupHands(group));
  for (const folder of group.servers) hands.servers.set(folder.name, stack.use(new ServerProcess(folder)));
  await Promise.all([...hands.servers.values()].map((server) => server.start()));
  await hands.waitForLeader();
  const products = Array.from({ length: COOL_LICENSES }, (_, i) => `product-${i}`);
  for (let i = 0; i < COOL_LICENSES; i += LICENSES_PER_UPDATE)
    await hands.sellMany(products.slice(i, i + LICENSES_PER_UPDATE), 1_000_000);
  for (const clients of options.clients)
    for (const some of [products.slice(0, 1), products]) {
      const before = usage(hands);
      const { warmUpMs, measureMs } = options;
      const { clientFile, vendorRoot } = group;
      const order = { clientFile, vendorRoot, clients, products: some, warmUpMs, measureMs };
      const { result, load } = await runLoad(order);
      const after = usage(hands);
      const processes = Object.fromEntries(
        Object.entries(after).map(([name, one]) => [
          name,
          { cpuSeconds: round(one.cpuSeconds - (before[name]?.cpuSeconds ?? 0)), peakMb: one.peakMb },
        ]),
      );
      report({ clients, licenses: some.length, ...result, processes: { ...processes, load } });
    }
}

function usage(hands: GroupHands): Record<string, { cpuSeconds: number; peakMb: number }> {
  return Object.fromEntries([...hands.servers].map(([name, server]) => [name, usageOf(server.pid ?? 0)]));
}

function runLoad(order: LoadOrder): Promise<{ result: LoadResult; load: { cpuSeconds: number; peakMb: number } }> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./trefoil-load.ts', import.meta.url)));
    child.once('message', (message) => resolve(message as Awaited<ReturnType<typeof runLoad>>));
    child.once('exit', (code) => reject(new Error(`the load process ended with ${code}`)));
    child.send(order);
  });
}
