export * from './admin-rules.ts';
export * from './bytes.ts';
export * from './certificate.ts';
export {
  decodeCommand,
  encodeCommand,
  readAcquireItems,
  SECRET_BYTES,
  SESSION_ID_BYTES,
  writeAcquireItems,
} from './command-bytes.ts';
export * from './commands.ts';
export * from './crypto.ts';
export * from './documents.ts';
export * from './envelope.ts';
export * from './errors.ts';
export * from './fraud-proof.ts';
export * from './grant-bundle.ts';
export * from './group.ts';
export * from './json.ts';
export * from './limits.ts';
export * from './merkle.ts';
export * from './outcome-codes.ts';
export * from './outcome-parts.ts';
export * from './outcomes.ts';
export * from './receipt.ts';
export * from './statements.ts';
export * from './terms/index.ts';
