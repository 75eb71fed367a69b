import { type LoadResult, summarize } from './latencies.ts';

/** `clients` loops that each do one operation after the other, for `warmUpMs` unmeasured and `measureMs` measured. */
export async function closedLoop(
  options: { clients: number; warmUpMs: number; measureMs: number },
  operation: (client: number) => Promise<boolean>,
): Promise<LoadResult> {
  const latencies: number[] = [];
  let failed = 0;
  const startAt = performance.now() + options.warmUpMs;
  const endAt = startAt + options.measureMs;
  await Promise.all(
    Array.from({ length: options.clients }, async (_, client) => {
      for (let sentAt = performance.now(); sentAt < endAt; sentAt = performance.now()) {
        const done = await operation(client);
        const now = performance.now();
        if (sentAt < startAt || now > endAt) continue;
        if (done) latencies.push(now - sentAt);
        else failed++;
      }
    }),
  );
  return summarize(latencies, failed, options.measureMs / 1_000);
}
