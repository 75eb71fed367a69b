import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { encodeCallFrame } from './calls.ts';
import { SubmitReplySchema, SubmitRequestSchema } from './generated/trefoil/v1/trefoil_pb.ts';
import { encodeCertifiedReply, encodeSubmitCall } from './hot-messages.ts';

const bytes = (maxLength: number) => fc.uint8Array({ minLength: 0, maxLength });
const uint32 = fc.oneof(fc.constantFrom(0, 1, 127, 128, 16_383, 16_384, 0xffff_ffff), fc.nat());
const equal = (one: Uint8Array, other: Uint8Array): void => assert.deepEqual(Buffer.from(one), Buffer.from(other));

test('a submit by hand has the bytes that the library writes', () => {
  const request = fc.record({ set: bytes(20), command: bytes(400), patienceMs: uint32, stuck: fc.boolean() });
  fc.assert(
    fc.property(uint32, request, (call, fields) => {
      const body = toBinary(SubmitRequestSchema, create(SubmitRequestSchema, fields));
      equal(encodeSubmitCall(call, fields), encodeCallFrame({ kind: 'request', call, method: 'submit', body }));
    }),
  );
});

test('a certified reply by hand has the bytes that the library writes', () => {
  const path = fc.array(bytes(32), { maxLength: 20 });
  const reply = fc.record({ outcome: bytes(400), leafIndex: uint32, path, certificate: bytes(300) });
  fc.assert(
    fc.property(uint32, reply, (call, value) => {
      const body = toBinary(SubmitReplySchema, create(SubmitReplySchema, { result: { case: 'certified', value } }));
      equal(encodeCertifiedReply(call, value), encodeCallFrame({ kind: 'reply', call, method: 'submit', body }));
    }),
  );
});
