import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bytesKey,
  compareBytes,
  concatBytes,
  encodeUtf8,
  equalBytes,
  fromBase64url,
  nameFault,
  Reader,
  toBase64url,
  toName,
  Writer,
} from './bytes.ts';

const malformed = (message: RegExp) => ({ name: 'LicenseError', code: 'malformed', message });

describe('canonical bytes', () => {
  test('one writer within another, and one after the other, keep to their own bytes', () => {
    const outer = new Writer().u8(1);
    const inner = new Writer().raw(new Uint8Array(2_000).fill(7)).done();
    const before = outer.bytes(inner).done();
    const kept = Buffer.from(before).toString('hex');
    const results = Array.from({ length: 100 }, (_, i) => new Writer().u8(i).text('x'.repeat(i)).done());
    assert.equal(Buffer.from(before).toString('hex'), kept);
    results.forEach((bytes, i) => {
      const reader = new Reader(bytes);
      assert.equal(reader.u8(), i);
      assert.equal(reader.text(100), 'x'.repeat(i));
      reader.end();
    });
  });

  test('a writer that is done is of no more use', () => {
    const writer = new Writer().u8(1);
    writer.done();
    assert.throws(() => writer.u8(2));
    assert.throws(() => writer.done());
    assert.equal(new Writer().u8(3).done().length, 1);
  });

  test('integers are big-endian and fixed in width', () => {
    const bytes = new Writer().u8(1).u16(0x0203).u32(0x04050607).u64(0x0809_0a0b_0c0d).done();
    assert.equal(Buffer.from(bytes).toString('hex'), '01020304050607000008090a0b0c0d');
  });

  test('what was written is read, whatever it is', () => {
    const values = fc.record({
      u8: fc.integer({ min: 0, max: 0xff }),
      u16: fc.integer({ min: 0, max: 0xffff }),
      u32: fc.integer({ min: 0, max: 0xffff_ffff }),
      u64: fc.maxSafeNat(),
      text: fc.string({ unit: 'binary', maxLength: 100 }),
      bytes: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(values, (value) => {
        const bytes = new Writer()
          .u8(value.u8)
          .u16(value.u16)
          .u32(value.u32)
          .u64(value.u64)
          .text(value.text)
          .bytes(value.bytes)
          .done();
        // A view with a different start must read the same.
        const reader = new Reader(concatBytes(new Uint8Array(3), bytes).subarray(3));
        const back = {
          u8: reader.u8(),
          u16: reader.u16(),
          u32: reader.u32(),
          u64: reader.u64(),
          text: reader.text(1000),
          bytes: new Uint8Array(reader.bytes(1000)),
        };
        reader.end();
        assert.deepEqual(back, { ...value });
      }),
    );
  });

  test('a value that does not fit its field is not written', () => {
    const writer = new Writer();
    for (const write of [
      () => writer.u8(256),
      () => writer.u16(65_536),
      () => writer.u32(2 ** 32 + 1),
      () => writer.u32(-1),
      () => writer.u32(1.5),
      () => writer.u64(2 ** 53),
      () => writer.u64(Number.NaN),
      () => writer.text('x'.repeat(65_536)),
    ])
      assert.throws(write, RangeError);
  });

  test('every truncation and every trailing byte is refused', () => {
    const bytes = new Writer().u64(7).text('grün').bytes(new Uint8Array(5)).u8(1).done();
    const read = (input: Uint8Array): void => {
      const reader = new Reader(input);
      reader.u64();
      reader.text(100);
      reader.bytes(100);
      reader.u8();
      reader.end();
    };
    read(bytes);
    for (let length = 0; length < bytes.length; length++)
      assert.throws(() => read(bytes.subarray(0, length)), malformed(/truncated/));
    assert.throws(() => read(concatBytes(bytes, new Uint8Array(1))), malformed(/1 bytes too many/));
  });

  test('integers above 2^53 − 1, long fields, bad UTF-8 and unknown codes are refused', () => {
    const reader = (hex: string) => new Reader(Buffer.from(hex, 'hex'));
    assert.throws(() => reader('0020000000000000').u64(), malformed(/above 2\^53/));
    assert.equal(reader('001fffffffffffff').u64(), Number.MAX_SAFE_INTEGER);
    assert.throws(() => reader('ffffffff').bytes(16), malformed(/4294967295 bytes, 16 allowed/));
    assert.throws(() => reader('0003616263').text(2), malformed(/3 bytes, 2 allowed/));
    for (const bad of ['0001ff', '0002c080', '0003eda080', `0041${'61'.repeat(64)}ff`])
      assert.throws(() => reader(bad).text(100), malformed(/not UTF-8/));
    assert.throws(() => reader('05').code(1, 4, 'kind'), malformed(/unknown kind 5/));
    assert.throws(() => reader('0102').expect(Uint8Array.of(1, 3), 'tag'), malformed(/wrong tag/));
  });

  test('a byte order mark is part of the text', () => {
    const bytes = new Writer().text('\ufeffa').done();
    assert.equal(new Reader(bytes).text(10), '\ufeffa');
  });

  test('names hold no control characters', () => {
    for (const bad of ['a\nb', '\u001b[2J', 'a\u0000', '\u0085', '\u2028', 'x\u007f'])
      assert.throws(() => new Reader(new Writer().text(bad).done()).name(128), malformed(/control character/));
    assert.equal(new Reader(new Writer().text('Zoë Ångström 株').done()).name(128), 'Zoë Ångström 株');
  });

  test('names hold nothing that turns the direction of what stands beside them', () => {
    for (const bad of ['\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069']) {
      assert.throws(() => new Reader(new Writer().text(`a${bad}b`).done()).name(128), malformed(/control character/));
      assert.match(nameFault(`a${bad}b`, 128) ?? '', /turns the direction/);
      assert.equal(toName(`a${bad}b`, 128), 'a b');
    }
    for (const good of ['עברית', 'العربية', 'a\u200fb', 'a\u2027b', 'a\u206ab'])
      assert.equal(new Reader(new Writer().text(good).done()).name(128), good);
  });
});

describe('the length of a text', () => {
  test('may be the greatest that is allowed, in bytes of UTF-8, and no more', () => {
    for (const text of ['x'.repeat(64), 'x'.repeat(65), 'ü'.repeat(32), 'ü'.repeat(40)]) {
      const { length } = encodeUtf8(text);
      const written = new Writer().text(text).bytes(encodeUtf8(text)).done();
      const reader = new Reader(written);
      assert.equal(reader.text(length), text);
      assert.deepEqual(reader.bytes(length), encodeUtf8(text));
      assert.throws(() => new Reader(written).text(length - 1), malformed(/allowed/));
      assert.throws(() => new Reader(written.subarray(2 + length)).bytes(length - 1), malformed(/allowed/));
      assert.equal(nameFault(text, length), undefined);
      assert.equal(nameFault(text, length - 1), `has ${length} bytes; at most ${length - 1} are allowed`);
    }
    assert.equal(new Writer().text('x'.repeat(0xffff)).done().length, 2 + 0xffff);
    assert.throws(() => new Writer().text('x'.repeat(0x1_0000)), RangeError);
    assert.match(nameFault('a\nb', 9) ?? '', /control character/);
  });

  test('of a name that a system gives is cut to what fits, at a whole character', () => {
    assert.equal(toName('an\nna\u2028\u0000x', 20), 'an na  x');
    assert.equal(toName('Zoë', 4), 'Zoë');
    assert.equal(toName('Zoë', 3), 'Zo');
    assert.equal(toName('😀😀', 7), '😀');
  });
});

describe('order and keys of bytes', () => {
  test('as of unsigned numbers, shorter first; string order of keys is the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
        assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b));
        assert.equal(equalBytes(a, b), compareBytes(a, b) === 0);
        const [left, right] = [bytesKey(a), bytesKey(b)];
        assert.equal(left < right ? -1 : left > right ? 1 : 0, Buffer.compare(a, b));
      }),
    );
    assert.equal(Math.sign(compareBytes(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 4))), -1);
    assert.equal(Math.sign(compareBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))), -1);
  });
});

describe('base64url', () => {
  test('agrees with Node both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = toBase64url(bytes);
        assert.equal(text, Buffer.from(bytes).toString('base64url'));
        assert.deepEqual(fromBase64url(text), bytes);
      }),
    );
  });

  test('one value has one text: spare bits, padding, other alphabets and lone characters are refused', () => {
    for (const bad of ['AB', 'AAB', 'AA==', 'A', 'AAAAA', 'AA+A', 'AA/A', 'AA A', 'AAA\n', 'AAé', '😀😀'])
      assert.throws(() => fromBase64url(bad), malformed(/base64url/), bad);
    assert.deepEqual(fromBase64url(''), new Uint8Array(0));
  });

  test('no two texts give the same bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ABCDabcd0189-_'), maxLength: 12 }), (text) => {
        let bytes: Uint8Array;
        try {
          bytes = fromBase64url(text);
        } catch {
          return;
        }
        assert.equal(toBase64url(bytes), text);
      }),
    );
  });
});
