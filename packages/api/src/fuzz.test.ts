import { describe, test } from 'node:test';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { decodeCallFrame, encodeCallFrame, METHODS } from './calls.ts';
import { encodeCertifiedReply, encodeSubmitCall } from './hot-messages.ts';
import { parseAddress } from './links.ts';

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const never = errorsOf();

describe('what is said', () => {
  test('frames of calls have one encoding; what is none is undefined, never an error', () => {
    const submit = { set: bytes(16), command: bytes(200), patienceMs: 5_000, stuck: true };
    const certified = { outcome: bytes(90), leafIndex: 3, path: [bytes(32), bytes(32)], certificate: bytes(250) };
    const valid = [
      encodeSubmitCall(7, submit),
      encodeCertifiedReply(0xffff_fffe, certified),
      ...METHODS.map((method, call) => encodeCallFrame({ kind: 'request', call, method, body: bytes(call) })),
    ];
    return fuzz({
      valid,
      refuses: never,
      read: (b) => {
        const frame = decodeCallFrame(b);
        return frame === undefined ? undefined : encodeCallFrame(frame);
      },
    });
  });

  test('addresses', () =>
    fuzz({
      valid: ['10.0.0.8:7410', '[fe80::1]:7411', 'host'].map((address) => new TextEncoder().encode(address)),
      refuses: never,
      read: (b) => {
        const place = parseAddress(new TextDecoder().decode(b), 7410);
        if (place !== undefined && !(place.port >= 0 && place.port <= 65_535)) throw new Error(`port ${place.port}`);
        return undefined;
      },
    }));
});
