import { LinkError } from './errors.ts';

/** A frame is its length (unsigned, 32 bits, the highest byte first) and as many bytes, at least one. */
export const frameHeaderBytes = 4;

/** Enough for nearly all frames, and little to hold for somebody who announces a frame and does not send it. */
const firstAllocationBytes = 16_384;

/**
 * Cuts a stream of bytes into frames. A frame that arrives within one chunk is passed on as a view of that chunk, without
 * a copy; one that arrives in parts is copied once (amortized). Memory held is at most twice what has arrived.
 */
export class FrameParser {
  readonly #maximumFrameBytes: number;
  readonly #header = new Uint8Array(frameHeaderBytes);
  #headerLength = 0;
  /** Length of the frame being put together; 0 between frames. */
  #frameLength = 0;
  /** What has arrived of it: the first `#filled` bytes of `#partial`. */
  #partial: Uint8Array = emptyBytes;
  #filled = 0;

  constructor(maximumFrameBytes: number) {
    this.#maximumFrameBytes = maximumFrameBytes;
  }

  /** Whether the stream may end here. */
  get isBetweenFrames(): boolean {
    return this.#frameLength === 0 && this.#headerLength === 0;
  }

  /** Throws `LinkError` `frame-invalid` for an empty or too long frame; the parser is of no use after that. */
  push(chunk: Uint8Array, onFrame: (frame: Uint8Array) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#frameLength === 0) {
        at = this.#readHeader(chunk, at);
        const end = at + this.#frameLength;
        if (this.#frameLength > 0 && end <= chunk.length) {
          this.#frameLength = 0;
          onFrame(chunk.subarray(at, end));
          at = end;
        }
      } else {
        at = this.#collect(chunk, at, onFrame);
      }
    }
  }

  #readHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    while (this.#headerLength < frameHeaderBytes && at < chunk.length) {
      this.#header[this.#headerLength++] = chunk[at++] ?? 0;
    }
    if (this.#headerLength < frameHeaderBytes) return at;
    const [a = 0, b = 0, c = 0, d = 0] = this.#header;
    const length = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    checkFrameLength(length, this.#maximumFrameBytes);
    this.#headerLength = 0;
    this.#frameLength = length;
    return at;
  }

  #collect(chunk: Uint8Array, from: number, onFrame: (frame: Uint8Array) => void): number {
    const end = Math.min(chunk.length, from + this.#frameLength - this.#filled);
    const filled = this.#filled + end - from;
    if (filled > this.#partial.length) {
      const wanted = Math.max(filled, 2 * this.#partial.length, firstAllocationBytes);
      const larger = new Uint8Array(Math.min(this.#frameLength, wanted));
      larger.set(this.#partial.subarray(0, this.#filled));
      this.#partial = larger;
    }
    this.#partial.set(chunk.subarray(from, end), this.#filled);
    this.#filled = filled;
    if (filled === this.#frameLength) {
      const frame = this.#partial;
      this.#partial = emptyBytes;
      this.#filled = 0;
      this.#frameLength = 0;
      onFrame(frame);
    }
    return end;
  }
}

/** Puts frames one behind the other, each with its header; `totalBytes` is the sum of their lengths. */
export function joinFrames(frames: readonly Uint8Array[], totalBytes: number): Uint8Array {
  const joined = Buffer.allocUnsafe(totalBytes + frames.length * frameHeaderBytes);
  let at = 0;
  for (const frame of frames) {
    at = joined.writeUInt32BE(frame.length, at);
    joined.set(frame, at);
    at += frame.length;
  }
  return joined;
}

export function checkFrameLength(bytes: number, maximumBytes: number): void {
  if (bytes > 0 && bytes <= maximumBytes) return;
  const message = bytes === 0 ? 'a frame is empty' : `a frame of ${bytes} bytes is longer than ${maximumBytes}`;
  throw new LinkError('frame-invalid', message, { bytes, maximumBytes });
}

const emptyBytes = new Uint8Array(0);
