import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const MODEL = join(import.meta.dirname, '../../docs/models/takeover.pml');

interface Search {
  readonly states: number;
  readonly errors: number;
  /** All of the checker's report. */
  readonly text: string;
}

/** Goes through all states of the model, or stops at the first violation. */
function search(...switches: readonly string[]): Search {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-spin-'));
  try {
    runIn(folder, 'spin', ...switches.map((one) => `-D${one}`), '-a', MODEL);
    runIn(folder, 'gcc', '-O2', '-w', '-DSAFETY', '-DCOLLAPSE', '-DMEMLIM=2000', '-o', 'pan', 'pan.c');
    const text = runIn(folder, './pan', '-m10000', '-w20');
    const states = /(\d+) states, stored/.exec(text)?.[1];
    const errors = /errors: (\d+)/.exec(text)?.[1];
    assert.ok(states !== undefined && errors !== undefined, text);
    return { states: Number(states), errors: Number(errors), text };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function runIn(cwd: string, program: string, ...args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (error !== undefined && 'code' in error && error.code === 'ENOENT')
    assert.fail(`The models need ${program}: as root, apt-get install spin gcc libc6-dev`);
  assert.equal(status, 0, `${program} ${args.join(' ')}\n${error?.message ?? ''}${stdout}${stderr}`);
  return stdout;
}

function assertExhausted({ errors, text }: Search): void {
  assert.equal(errors, 0, text);
  assert.doesNotMatch(text, /search not completed|max search depth too small|out of memory/i);
}

describe('the takeover, with TMR servers that lie (docs/models)', () => {
  test('no two entries are certified at one index, in any state', () => {
    const result = search();
    assertExhausted(result);
    assert.ok(result.states > 500_000, `${result.states} states`);
  });

  test('nor if nothing is ever forgotten of what was signed', () => {
    assertExhausted(search('REMEMBER_ALL', 'EPOCHS=2'));
  });

  test('and every rule comes to bear on the way', () => {
    const { errors, text } = search('ALL_RULES');
    assert.equal(errors, 1, text);
    assert.match(text, /assertion violated \(seen!=2047\)/, text);
  });

  const broken = {
    NO_JUSTIFICATION: 'license servers that take any base',
    LONGEST_WINS: 'of two logs of one epoch, the leader chooses',
    CATCHUP_RAISES_TO_PROMISED: 'catching up claims the epoch that is promised',
    LONE_TAIL_OF_TWO_DROPPED: 'a last entry that only one of two reports is dropped',
  };
  for (const [name, what] of Object.entries(broken))
    test(`the model notices: ${what}`, () => {
      const { errors, text } = search(name);
      assert.equal(errors, 1, text);
      assert.match(text, /assertion violated \(\(decided\[place\]==0\)\|\|\(decided\[place\]==kept\)\)/, text);
    });
});
