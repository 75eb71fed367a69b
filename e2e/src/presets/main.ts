import { styleText } from 'node:util';
import { PRESETS } from '@trefoil/vendor';
import { RunningGroup } from '../running-group.ts';
import { Plant } from './plant.ts';
import { type Form, FORMS, storiesOf, type Tell } from './told.ts';

/**
 * Every preset as a real signed file in a running group of real processes, with its story: `npm run -s presets [-- NAME …]`. With
 * `--all` also the stories of single options, and all of them on a single server, too.
 */
const words = process.argv.slice(2);
const all = words.includes('--all');
const wanted = words.filter((word) => word !== '--all');
const unknown = wanted.filter((name) => !storiesOf('five servers').has(name));
if (unknown.length > 0) {
  process.stderr.write(`no story of this name: ${unknown.join(', ')}\n`);
  process.exit(2);
}
const tally = { passed: 0, failed: 0 };
for (const form of all ? FORMS : FORMS.slice(0, 1)) {
  if (all) process.stdout.write(`${styleText('bold', form)}\n`);
  await tellAll(form);
}
process.stdout.write(`${tally.passed} passed, ${tally.failed} failed\n`);
process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1;

async function tellAll(form: Form): Promise<void> {
  const stories = storiesOf(form);
  const titles = new Map(PRESETS.map(({ name, title }, i) => [name, `${String(i + 1).padStart(2)} ${title}`]));
  const names = all || wanted.length > 0 ? [...stories.keys()] : [...titles.keys()];
  await using running = await RunningGroup.start({ single: form === 'single server' });
  for (const name of names) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const began = performance.now();
    const fault = await told(running, stories.get(name));
    if (fault === undefined) tally.passed++;
    else tally.failed++;
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    const mark = fault === undefined ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
    process.stdout.write(`${mark} ${(titles.get(name) ?? `   ${name}`).padEnd(39)} ${seconds.padStart(5)} s\n`);
    if (fault !== undefined) process.stdout.write(`        ${fault}\n`);
  }
}

/** Why not; undefined = the story is true. */
async function told(running: RunningGroup, tell: Tell | undefined): Promise<string | undefined> {
  if (tell === undefined) return 'nobody has told its story yet';
  try {
    await using plant = new Plant(running);
    await tell(plant);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n').slice(0, 12).join(' ') : String(error);
  }
}
