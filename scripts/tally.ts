/** How many things were tried, and how they ended. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

export function addTallies(tallies: readonly Tally[]): Tally {
  return tallies.reduce((sum, tally) => ({ passed: sum.passed + tally.passed, failed: sum.failed + tally.failed }), {
    passed: 0,
    failed: 0,
  });
}

/** Prints the closing line and sets the exit code; a run in which nothing ran has failed. */
export function finish(tally: Tally): void {
  if (tally.passed + tally.failed === 0) console.log('no test ran');
  process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0;
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
}
