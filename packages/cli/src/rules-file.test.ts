import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readRules, rulesAsFile } from './rules-file.ts';

describe('a rules file', () => {
  async function documentOf(text: string): Promise<string> {
    const place = await mkdtemp(join(tmpdir(), 'trefoil-rules-'));
    try {
      await writeFile(join(place, 'x.yaml'), text);
      return readRules(join(place, 'x.yaml'), 7).document;
    } finally {
      await rm(place, { recursive: true });
    }
  }

  test('that is empty is none: only an empty list takes all rules away', async () => {
    for (const text of ['', '# nothing\n', '---\n', 'groups: {}\n'])
      await assert.rejects(documentOf(text), /x\.yaml:1: "rules" is missing/, text);
    await assert.rejects(documentOf('rules:\n'), /x\.yaml:1: "rules" has to be a list, not empty/);
    assert.deepEqual(JSON.parse(await documentOf('rules: []\n')), { format: 1, version: 7, rules: [] });
  });

  test('comes out of what is in force, and says the same', async () => {
    const text = `groups: { design: { users: [anna, "ben*"], subnets: [10.1.0.0/16] } }
rules:
  - { rule: reserve, product: cad, seats: 2, for: { groups: [design] } }
  - { rule: deny, product: "*", for: { users: ["12", "yes", "a: b #c"] } }
`;
    const document = await documentOf(text);
    const again = rulesAsFile(document);
    assert.match(again, /^groups:\n/);
    assert.equal(await documentOf(again), document);
    assert.equal(rulesAsFile(''), 'rules: []');
  });

  test('that is nested without end is refused in words', async () => {
    await assert.rejects(documentOf('['.repeat(5_000)), /x\.yaml:1: it is nested too deeply$/);
    await assert.rejects(documentOf('['.repeat(5_000) + ']'.repeat(5_000)), /x\.yaml:1: it is nested too deeply$/);
  });
});
