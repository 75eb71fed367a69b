import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { loadConfiguration, parseConfiguration } from './configuration.ts';
import { HostError } from './errors.ts';

const schema = z.strictObject({
  name: z.string(),
  listen: z.strictObject({ host: z.string().default('0.0.0.0'), port: z.int().min(1).max(65_535) }),
  level: z.enum(['debug', 'info']).default('info'),
  peers: z.array(z.strictObject({ address: z.string().min(3) })).default([]),
});

const good = 'name: a\nlisten:\n  port: 7411\n';

function sentenceOf(text: string): string {
  try {
    parseConfiguration(text, 'server.yaml', schema);
  } catch (error) {
    assert.ok(error instanceof HostError);
    assert.equal(error.code, 'configuration-invalid');
    return error.message;
  }
  return 'no error';
}

describe('a configuration', () => {
  test('comes with its defaults', () => {
    const { listen, level } = parseConfiguration(good, 'server.yaml', schema);
    assert.deepEqual(listen, { host: '0.0.0.0', port: 7411 });
    assert.equal(level, 'info');
  });

  const sentences: readonly (readonly [name: string, text: string, sentence: string])[] = [
    [
      'an unknown key',
      'name: a\nlisten:\n  prot: 1\n  port: 2\n',
      'server.yaml:3: unknown key "listen.prot"; did you mean "port"?',
    ],
    ['an unknown key at the top', `${good}levle: info\n`, 'server.yaml:4: unknown key "levle"; did you mean "level"?'],
    [
      'an unknown key in a list',
      `${good}peers:\n  - adress: abc\n    address: abc\n`,
      'server.yaml:5: unknown key "peers[0].adress"; did you mean "address"?',
    ],
    ['an unknown key like none', `${good}colour: red\n`, 'server.yaml:4: unknown key "colour"'],
    ['a wrong type', 'name: a\nlisten:\n  port: abc\n', 'server.yaml:3: "listen.port" has to be a number, not "abc"'],
    ['a fraction', 'name: a\nlisten:\n  port: 1.5\n', 'server.yaml:3: "listen.port" has to be a whole number, not 1.5'],
    ['too large', 'name: a\nlisten:\n  port: 70000\n', 'server.yaml:3: "listen.port" may be at most 65535'],
    ['too small', 'name: a\nlisten:\n  port: 0\n', 'server.yaml:3: "listen.port" has to be at least 1'],
    [
      'too short',
      `${good}peers: [{address: a}]\n`,
      'server.yaml:4: "peers[0].address" has to be at least 3 characters long',
    ],
    ['a missing key', 'name: a\nlisten:\n  host: b\n', 'server.yaml:3: "listen.port" is missing'],
    [
      'a word of a list',
      `${good}level: inof\n`,
      'server.yaml:4: "level" has to be "debug" or "info", not "inof"; did you mean "info"?',
    ],
    ['an empty value', 'name:\nlisten:\n  port: 1\n', 'server.yaml:1: "name" has to be a text, not empty'],
    ['a list for a file', '- a\n', 'server.yaml:1: the file has to be a set of keys, not a list'],
    ['a key twice', `${good}name: b\n`, 'server.yaml:4: map keys must be unique'],
    ['an empty file', '', 'server.yaml:1: "name" is missing'],
  ];
  for (const [name, text, sentence] of sentences)
    test(`refuses ${name}`, () => assert.equal(sentenceOf(text), sentence));

  test('refuses what is not YAML, with the line', () => {
    assert.match(sentenceOf('name: a\nlisten: {port: 1\nx'), /^server\.yaml:\d: [a-z]/);
    assert.match(sentenceOf('name: "a\n'), /^server\.yaml:\d: missing closing/);
    assert.match(sentenceOf('name: a\n\tlisten: 1\n'), /^server\.yaml:2: tabs/);
  });

  test('refuses a text that expands without end', () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) =>
        `l${i}: &l${i} [${Array(9)
          .fill(i === 0 ? 'x' : `*l${i - 1}`)
          .join(', ')}]`,
    );
    assert.match(sentenceOf(levels.join('\n')), /alias/i);
  });
});

describe('a configuration file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-'));
  test('is named in errors', (t) => {
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'server.yaml');
    const load = () => loadConfiguration(file, schema);
    assert.throws(load, { code: 'file-unreadable', message: `cannot read ${file}: there is no such file or folder` });
    writeFileSync(file, good);
    assert.equal(load().name, 'a');
    writeFileSync(file, 'x'.repeat(1_048_577));
    assert.throws(load, { code: 'file-too-large', message: `${file} is larger than 1048576 bytes` });
    assert.throws(() => loadConfiguration(directory, schema), {
      message: `cannot read ${directory}: it is a directory`,
    });
  });
});
