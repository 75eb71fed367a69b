import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeUtf8 } from './bytes.ts';
import { type Json, parseStrictJson } from './json.ts';
import { LIMITS } from './limits.ts';

const parse = (text: string): Json => parseStrictJson(encodeUtf8(text), 10_000);
const refused = (text: string, message: RegExp) =>
  assert.throws(() => parse(text), { name: 'LicenseError', code: 'malformed', message }, text);

/** Without prototypes on either side, so that `deepEqual` compares content. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const integers = fc.maxSafeInteger().filter((value) => !Object.is(value, -0));
const documents = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false),
    integers,
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 5 }),
  ),
})).value;

describe('strict JSON agrees with JSON.parse', () => {
  test('on every document that it should accept', () => {
    fc.assert(
      fc.property(documents, fc.constantFrom(undefined, 2, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        assert.deepEqual(plain(parse(text)), plain(JSON.parse(text)));
      }),
    );
  });

  test('on every text that both accept, and it accepts nothing more', () => {
    const fragments = fc.constantFrom(
      ...'{}[]:,"\\ \n'.split(''),
      'true',
      'null',
      '0',
      '-1',
      '12',
      '"a"',
      '\\u0041',
      '.5',
      'e3',
      '\\n',
      '\u0001',
    );
    fc.assert(
      fc.property(fc.array(fragments, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        let value: Json;
        try {
          value = parse(text);
        } catch {
          return;
        }
        assert.deepEqual(plain(value), plain(JSON.parse(text)));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('strict JSON refuses', () => {
  test('duplicate keys, also when they are spelled differently', () => {
    refused('{"quantity":5,"quantity":500}', /duplicate key "quantity"/);
    refused('{"a":1,"\\u0061":2}', /duplicate key "a"/);
    refused('{"__proto__":1,"__proto__":2}', /duplicate key/);
    refused('[{"a":{"b":1,"b":1}}]', /duplicate key/);
    refused('{"\\u001b[2J":1,"\\u001b[2J":1}', /duplicate key "\?\[2J"/);
  });

  test('numbers that another reader could read as another number', () => {
    for (const text of ['1.0', '1e3', '1E3', '0.5', '-0.0', '01', '-01', '00']) refused(text, /not an integer/);
    for (const text of ['9007199254740992', '-9007199254740992', '1' + '0'.repeat(400), '-0'])
      refused(text, /not a safe integer/);
    refused('{"terms":{"features":[{},{"quantity":1.5}]}}', /: "terms\.features\[1\]\.quantity" is not an integer$/);
    for (const text of ['+1', '.5', '-', 'NaN', 'Infinity', '0x10', '']) assert.throws(() => parse(text), text);
    assert.equal(parse('9007199254740991'), Number.MAX_SAFE_INTEGER);
    assert.equal(parse('-9007199254740991'), -Number.MAX_SAFE_INTEGER);
  });

  test('half surrogate pairs, control characters, bad escapes', () => {
    for (const text of ['"\\ud800"', '"\\udc00\\ud800"', '"\\ud800x"', '{"\\udfff":1}'])
      refused(text, /half a surrogate/);
    assert.equal(parse('"\\ud83d\\ude00"'), '😀');
    refused('"a\nb"', /control character/);
    refused('"\\\n"', /unknown escape/);
    for (const text of ['"\\x41"', '"\\u00"', '"\\u00g0"', '"\\\'"']) refused(text, /unknown escape/);
    for (const text of ['"', '"abc', '"\\', '"\\"']) refused(text, /unterminated/);
  });

  test('whatever stands behind or before the value', () => {
    for (const text of ['1 2', '{} {}', '[],', 'nullx', '{}\u0000', '1\u00a0']) refused(text, /trailing|integer/);
    refused('\ufeff{}', /expected a value/);
    for (const text of [
      '[1,]',
      '{"a":1,}',
      '{,}',
      '[,1]',
      '{a:1}',
      "{'a':1}",
      '[1 2]',
      '{"a" 1}',
      '// x\n1',
      '{"a":undefined}',
      '{1:1}',
      '{x":1}',
      'trux',
      'falsy',
      'nul',
      '[nope]',
    ])
      assert.throws(() => parse(text), { code: 'malformed' }, text);
    assert.deepEqual(parse(' \t\r\n[ ] '), []);
  });

  test('depth and size above the limit, before anything else', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    parse(nested(LIMITS.jsonDepth + 1));
    refused(nested(LIMITS.jsonDepth + 2), /nested too deeply/);
    refused('['.repeat(9_000), /nested too deeply/);
    assert.throws(() => parseStrictJson(encodeUtf8('[1,2,3]'), 6), /7 bytes, 6 allowed/);
  });

  test('bytes that are not UTF-8', () => {
    for (const hex of ['22ff22', '22c08022', '22eda08022'])
      assert.throws(() => parseStrictJson(Buffer.from(hex, 'hex'), 100), /not UTF-8/);
  });
});

test('"__proto__" is a key like any other', () => {
  const value = parse('{"__proto__":{"quantity":5}}') as Record<string, Json>;
  assert.deepEqual(Object.keys(value), ['__proto__']);
  assert.equal(value['quantity'], undefined);
});
