import { styleText } from 'node:util';
import { PRESETS } from '@trefoil/vendor';
import { RunningGroup } from '../running-group.ts';
import { Plant } from './plant.ts';
import { STORIES } from './stories.ts';

/** Every preset as a real signed file in a running group of real processes, with its story: `npm run -s presets [-- NAME …]`. */
const wanted = process.argv.slice(2);
let passed = 0;
let failed = 0;
{
  await using running = await RunningGroup.start();
  for (const [i, { name, title }] of PRESETS.entries()) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const began = performance.now();
    const fault = await told(running, name);
    if (fault === undefined) passed++;
    else failed++;
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    const mark = fault === undefined ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
    process.stdout.write(`${mark} ${String(i + 1).padStart(2)} ${title.padEnd(36)} ${seconds.padStart(5)} s\n`);
    if (fault !== undefined) process.stdout.write(`        ${fault}\n`);
  }
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

/** Why not; undefined = the story is true. */
async function told(running: RunningGroup, name: string): Promise<string | undefined> {
  const story = STORIES[name];
  if (story === undefined) return 'nobody has told its story yet';
  try {
    await using plant = new Plant(running);
    await story(plant);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n').slice(0, 4).join(' ') : String(error);
  }
}
