export {
  CALL_HEADER_BYTES,
  CALL_KINDS,
  type CallFrame,
  type CallKind,
  decodeCallFrame,
  encodeCallFrame,
  type Method,
  METHODS,
} from './calls.ts';
export * from './generated/trefoil/v1/trefoil_pb.ts';
export * from './hot-messages.ts';
export * from './links.ts';
export { create, fromBinary, toBinary, toJson, type MessageInitShape } from '@bufbuild/protobuf';
