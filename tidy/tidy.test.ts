import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { allDanglingCitations, danglingCitations, paragraphsOf } from './citations.ts';
import { forbiddenImports } from './imports.ts';
import { overlongFiles, overlongFunctions } from './lengths.ts';
import { lockfileLags, looseDependencies, unexplainedDependencies } from './manifests.ts';
import { impurities } from './pure-rooms.ts';
import { parseSource, readSources, type Source } from './sources.ts';
import { deniedWords, evasions } from './words.ts';

const sources = readSources();

function assertNone(complaints: readonly string[]): void {
  assert.ok(complaints.length === 0, `\n${complaints.join('\n')}`);
}

describe('the house is tidy', () => {
  const rules: Readonly<Record<string, (source: Source) => string[]>> = {
    'imports go one way': forbiddenImports,
    'pure rooms are pure': impurities,
    'files are short': overlongFiles,
    'functions are short': overlongFunctions,
    'no denied words': deniedWords,
    'nothing is switched off': evasions,
  };
  for (const [name, rule] of Object.entries(rules)) test(name, () => assertNone(sources.flatMap(rule)));
  test('the lockfile is up to date', () => assertNone(lockfileLags()));
  test('dependencies are pinned and allowed', () => assertNone(looseDependencies()));
  test('every cited paragraph is there', () => assertNone(allDanglingCitations()));
  test('every dependency is explained', () => assertNone(unexplainedDependencies()));
});

describe('the rules find what they look for', () => {
  const complaints = (rule: (source: Source) => string[], path: string, text: string) => rule(parseSource(path, text));
  const core = 'packages/core/src/x.ts';

  test('imports', () => {
    assert.match(
      complaints(forbiddenImports, core, "import '@trefoil/host';")[0] ?? '',
      /x\.ts:1: core may not import host/,
    );
    assert.match(complaints(forbiddenImports, core, "import '../../license/src/x.ts';")[0] ?? '', /leaves the room/);
    assert.deepEqual(complaints(forbiddenImports, core, "import '@trefoil/license'; import './y.ts';"), []);
  });

  test('impurities', () => {
    for (const text of ['Date.now()', 'new Date()', 'process.env', 'setTimeout(f)', "import 'node:fs'", 'await x']) {
      assert.equal(complaints(impurities, core, text).length, 1, text);
    }
    assert.deepEqual(complaints(impurities, core, 'const x = { process: 1 }; x.process; new Date(0);'), []);
    assert.deepEqual(complaints(impurities, 'packages/host/src/clock.ts', 'Date.now()'), []);
  });

  test('lengths', () => {
    assert.equal(complaints(overlongFiles, core, '\n'.repeat(401)).length, 1);
    assert.equal(complaints(overlongFunctions, core, `function f() {${'\n'.repeat(80)}}`).length, 1);
  });

  test('citations', () => {
    const paragraphs = { PROTOCOL: paragraphsOf('# Protocol\n## 3 Votes\n### 3.2 Voting\n') };
    const name = 'PROTOCOL';
    const cite = (what: string): string => `(${name} ${what})`; // written out, this file would cite it
    assert.deepEqual(danglingCitations('x.ts', cite('§3, §3.2'), paragraphs), []);
    assert.match(
      danglingCitations('x.ts', cite('§3.2, §3.4'), paragraphs)[0] ?? '',
      /x\.ts:1: there is no PROTOCOL §3\.4/,
    );
  });

  test('words and evasions', () => {
    assert.equal(complaints(deniedWords, 'packages/core/src/utils.ts', '// TODO\n').length, 2);
    assert.equal(complaints(evasions, 'packages/core/src/x.test.ts', "test.only('x', f); let y: any;").length, 2);
  });
});
