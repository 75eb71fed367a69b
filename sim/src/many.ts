import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { run, type RunResult } from './run.ts';

export interface Plan {
  readonly from: number;
  readonly seeds: number;
  /** 1 = in this process. */
  readonly workers: number;
  readonly stopAtFirst?: boolean;
  /** Called in the order of the seeds. */
  readonly onResult?: (result: RunResult) => void;
}

export interface Totals {
  readonly seeds: number;
  readonly entries: number;
  readonly simulatedMs: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly failed: readonly RunResult[];
  /** The longest from when all was mended until the next entry was certified. */
  readonly backAfterMs: number;
}

/** Runs many seeds, shared out to processes; each run is one process and one order, so the results are the same as one by one. */
export async function runMany(plan: Plan): Promise<Totals> {
  const merged = new Merged(plan);
  if (plan.workers === 1) {
    for (let seed = merged.next(); seed !== undefined; seed = merged.next()) merged.add(await run(seed));
    return merged.totals;
  }
  const workers = Array.from({ length: plan.workers }, () =>
    fork(fileURLToPath(new URL('worker.ts', import.meta.url)), [], { serialization: 'advanced' }),
  );
  try {
    await Promise.all(workers.map((worker) => feed(worker, merged)));
  } finally {
    for (const worker of workers) worker.kill();
  }
  return merged.totals;
}

async function feed(worker: ChildProcess, merged: Merged): Promise<void> {
  const died = once(worker, 'exit').then(([code]) => {
    throw new Error(`a process that simulates has ended with ${String(code)}`);
  });
  died.catch(() => undefined); // it is killed when all is done
  for (let seed = merged.next(); seed !== undefined; seed = merged.next()) {
    const answer = once(worker, 'message');
    worker.send(seed);
    const [result] = (await Promise.race([answer, died])) as [RunResult];
    merged.add(result);
  }
}

/** Results come in any order, and are taken in that of their seeds. */
class Merged {
  readonly #plan: Plan;
  readonly #early = new Map<number, RunResult>();
  readonly #counts = new Map<string, number>();
  readonly #failed: RunResult[] = [];
  #given: number;
  #taken: number;
  #entries = 0;
  #simulatedMs = 0;
  #backAfterMs = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#given = plan.from;
    this.#taken = plan.from;
  }

  /** The next seed to run. */
  next(): number | undefined {
    const { from, seeds } = this.#plan;
    return this.#isOver || this.#given >= from + seeds ? undefined : this.#given++;
  }

  get #isOver(): boolean {
    return this.#plan.stopAtFirst === true && this.#failed.length > 0;
  }

  add(result: RunResult): void {
    this.#early.set(result.seed, result);
    for (let next = this.#early.get(this.#taken); next !== undefined; next = this.#early.get(this.#taken)) {
      if (this.#isOver) return;
      this.#early.delete(this.#taken++);
      this.#take(next);
    }
  }

  #take(result: RunResult): void {
    this.#entries += result.entries;
    this.#simulatedMs += result.simulatedMs;
    this.#backAfterMs = Math.max(this.#backAfterMs, result.backAfterMs);
    for (const [what, count] of result.counts) this.#counts.set(what, (this.#counts.get(what) ?? 0) + count);
    if (result.faults.length > 0) this.#failed.push(result);
    this.#plan.onResult?.(result);
  }

  get totals(): Totals {
    const seeds = this.#taken - this.#plan.from;
    return {
      ...{ seeds, entries: this.#entries, simulatedMs: this.#simulatedMs },
      ...{ counts: this.#counts, failed: this.#failed, backAfterMs: this.#backAfterMs },
    };
  }
}
