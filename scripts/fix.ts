// `npm run fix`: writes what a tool can write: safe lint fixes, then the format.
import { runCommand } from './run-command.ts';

const fixes = [
  ['node_modules/.bin/oxlint', '--type-aware', '--fix'],
  ['node_modules/.bin/biome', 'format', '--write'],
];

for (const command of fixes) {
  const result = await runCommand(command);
  process.stdout.write(result.output);
  if (result.exitCode !== 0) process.exitCode = 1;
}
