import { inParallel, runCommand } from './run-command.ts';
import type { Tally } from './tally.ts';

interface StaticCheck {
  readonly name: string;
  readonly command: readonly string[];
}

const bin = (name: string) => `node_modules/.bin/${name}`;

const staticChecks: readonly StaticCheck[] = [
  { name: 'types', command: [bin('tsc'), '--noEmit', '--pretty', 'false'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'dead code', command: [bin('knip'), '--no-progress', '--no-config-hints'] },
  { name: 'format', command: [bin('biome'), 'format', '--max-diagnostics=50'] },
];

/** Runs what looks at the source without running it; each check counts as one test. */
export async function runStaticChecks(): Promise<Tally> {
  const outcomes = await inParallel(
    2,
    staticChecks.map(({ name, command }) => async () => {
      const result = await runCommand(command);
      const passed = result.exitCode === 0;
      console.log(`${passed ? 'ok  ' : 'FAIL'} ${name} (${(result.elapsedMs / 1000).toFixed(1)} s)`);
      if (!passed) console.log(result.output.replaceAll(/^/gm, '     '));
      return passed;
    }),
  );
  const failed = outcomes.filter((passed) => !passed).length;
  return { passed: outcomes.length - failed, failed };
}
