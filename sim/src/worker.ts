import { run } from './run.ts';

/** Runs the seeds that its parent sends, one after the other. */
process.on('message', (seed: number) => {
  void run(seed).then((result) => process.send?.({ ...result, notes: [] }));
});
