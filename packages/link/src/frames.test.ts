import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FrameParser, joinFrames } from './frames.ts';

const bytes = (...values: number[]) => new Uint8Array(values);

function parse(
  chunks: readonly Uint8Array[],
  maximumBytes = 1_000,
): { frames: Uint8Array[]; isBetweenFrames: boolean } {
  const parser = new FrameParser(maximumBytes);
  const frames: Uint8Array[] = [];
  for (const chunk of chunks) parser.push(chunk, (frame) => frames.push(frame));
  return { frames, isBetweenFrames: parser.isBetweenFrames };
}

const join = (frames: readonly Uint8Array[]) =>
  joinFrames(
    frames,
    frames.reduce((sum, { length }) => sum + length, 0),
  );

describe('frames', () => {
  test('have their length in front, the highest byte first', () => {
    assert.deepEqual(new Uint8Array(join([bytes(7, 8), bytes(9)])), bytes(0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9));
    assert.equal(
      join([new Uint8Array(0x01_02_03)])
        .slice(0, 4)
        .join(),
      '0,1,2,3',
    );
  });

  test('come out as they went in, however the stream is cut', () => {
    const frame = fc.uint8Array({ minLength: 1, maxLength: 60 });
    const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), cuts, (frames, sizes) => {
        const stream = join(frames);
        const chunks: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          chunks.push(stream.subarray(at, at + size));
          at += size;
        }
        const result = parse(chunks);
        assert.deepEqual(
          result.frames.map((f) => new Uint8Array(f)),
          frames,
        );
        assert.equal(result.isBetweenFrames, true);
      }),
    );
  });

  test('are views of the chunk when they arrive whole', () => {
    const chunk = join([bytes(1), bytes(2)]);
    for (const frame of parse([chunk]).frames) assert.equal(frame.buffer, chunk.buffer);
  });

  test('that are empty or too long are refused at once', () => {
    assert.throws(() => parse([bytes(0, 0, 0, 0)]), { code: 'frame-invalid', message: 'a frame is empty' });
    const tooLong = { code: 'frame-invalid', message: 'a frame of 1001 bytes is longer than 1000' };
    assert.throws(() => parse([bytes(0, 0, 3, 233)]), tooLong);
    assert.throws(() => parse([bytes(255, 255, 255, 255)]), {
      code: 'frame-invalid',
      details: { bytes: 4_294_967_295, maximumBytes: 1_000 },
    });
    assert.equal(parse([join([new Uint8Array(1_000)])]).frames.length, 1);
  });

  test('that are incomplete are known to be', () => {
    assert.equal(parse([bytes(0)]).isBetweenFrames, false);
    assert.equal(parse([bytes(0, 0, 0, 2, 1)]).isBetweenFrames, false);
  });

  test('that are long cost time in proportion to their length', () => {
    const long = join([new Uint8Array(8_000_000).fill(7)]);
    const chunks = Array.from({ length: 8_000 }, (_, i) =>
      long.subarray(i * 1_000, i === 7_999 ? undefined : (i + 1) * 1_000),
    );
    const startedMs = performance.now();
    assert.equal(parse(chunks, 8_000_000).frames[0]?.length, 8_000_000);
    // Copying all of it for each of the 8,000 chunks would take ten times as long as this on any machine.
    assert.ok(performance.now() - startedMs < 1_000);
  });
});
