// `npm run check`: everything that can be said about the source in a few minutes. Writes nothing.
import { runTests } from './run-tests.ts';
import { runStaticChecks } from './static-checks.ts';
import { addTallies, finish } from './tally.ts';
import { simulations, unitTests } from './test-files.ts';

// One after the other: unit tests with real sockets and timers should not compete with the type checker for two cores.
const checks = await runStaticChecks();
const tests = await runTests([...unitTests, ...simulations], 2);
finish(addTallies([checks, tests]));
