import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

// A second reader of our grant files, in another language, written from docs/FORMATS.md and not from our code.
const vectors = join(import.meta.dirname, '../../vectors');
const folder = mkdtempSync(join(tmpdir(), 'trefoil-python-'));
after(() => rmSync(folder, { recursive: true }));

function python(...args: string[]): { status: number | null; output: string } {
  const run = spawnSync('/usr/bin/python3', ['-B', join(vectors, 'verify_grant.py'), ...args], { encoding: 'utf8' });
  assert.equal(run.error, undefined, 'Debian packages python3 and python3-cryptography are needed');
  return { status: run.status, output: run.stdout + run.stderr };
}

test('accepts every valid grant and refuses every invalid one, for the same reason as we do', () => {
  const files = globSync('grants/*/*.json', { cwd: vectors });
  const { status, output } = python('--vectors', join(vectors, 'grants'));
  assert.equal(output, `${files.length} as expected, 0 not\n`);
  assert.equal(status, 0);
});

test('reads the terms of licenses as we do', () => {
  const { status, output } = python('--vectors', join(vectors, 'documents'));
  assert.match(output, /^2\d\d as expected, 0 not\n$/);
  assert.equal(status, 0);
});

test('notices a vector that says the wrong thing', () => {
  const check = (from: string, to: string, changes: object): string => {
    const bent = mkdtempSync(join(folder, 'bent-'));
    const vector = JSON.parse(readFileSync(join(vectors, 'grants', from), 'utf8')) as object;
    writeVector(bent, to, JSON.stringify({ ...vector, ...changes }));
    const { status, output } = python('--vectors', bent);
    assert.equal(status, 1);
    return output;
  };
  assert.match(check('valid/three-votes.json', 'invalid', { why: 'expired' }), /invalid\/vector: 1\d+, not expired/);
  assert.match(check('invalid/one-vote.json', 'valid', { validUntilUtc: 1 }), /valid\/vector: not-enough-votes, not 1/);
});

test('reads a file as the command writes it', () => {
  const vector = JSON.parse(readFileSync(join(vectors, 'grants/valid/three-votes.json'), 'utf8')) as {
    root: { key: string };
    bundle: string;
  };
  const file = join(folder, 'grant.json');
  writeFileSync(file, vector.bundle);
  assert.deepEqual(python('--root', vector.root.key, file), {
    status: 0,
    output: 'accepted: valid until 2026-11-02T00:01:00+00:00\n',
  });
  writeFileSync(file, vector.bundle.slice(0, -2));
  assert.deepEqual(python('--root', vector.root.key, file), { status: 1, output: 'refused: malformed\n' });
});

function writeVector(parent: string, name: string, text: string): void {
  mkdirSync(join(parent, name));
  writeFileSync(join(parent, name, 'vector.json'), text);
}
