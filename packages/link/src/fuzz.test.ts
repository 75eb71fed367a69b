import { test } from 'node:test';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { FrameParser, joinFrames } from './frames.ts';

const MAX_FRAME_BYTES = 100_000_000;

test('a stream of frames: those that came whole are what was sent, and an announced length costs nothing', () => {
  const frames = [1, 3, 700].map((length) => new Uint8Array(length).fill(length));
  const valid = [joinFrames(frames, 704), joinFrames(frames.slice(2), 700)];
  return fuzz({
    valid,
    refuses: errorsOf('LinkError'),
    read: (bytes) => {
      const parser = new FrameParser(MAX_FRAME_BYTES);
      const whole: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += 97) parser.push(bytes.subarray(at, at + 97), (one) => whole.push(one));
      const joined = joinFrames(
        whole,
        whole.reduce((sum, frame) => sum + frame.length, 0),
      );
      if (Buffer.compare(joined, bytes.subarray(0, joined.length)) !== 0)
        throw new Error('another frame than was sent');
      return parser.isBetweenFrames ? joined : undefined;
    },
  });
});
