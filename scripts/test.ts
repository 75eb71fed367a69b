// `npm test`: what `npm run check` does, then the simulator and the real processes. `npm test -- FILE…`: only those files.
import { runTests } from './run-tests.ts';
import { runStaticChecks } from './static-checks.ts';
import { addTallies, finish } from './tally.ts';
import { processTests, simulations, unitTests } from './test-files.ts';

const chosen = process.argv.slice(2);
if (chosen.length > 0) finish(await runTests(chosen, 1));
else {
  const checks = await runStaticChecks();
  const tests = await runTests([...unitTests, ...simulations], 2);
  const processes = await runTests(processTests, 1);
  finish(addTallies([checks, tests, processes]));
}
