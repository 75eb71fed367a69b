export type { FrameConnection } from './connection.ts';
export { dial, type DialOptions } from './dial.ts';
export { LinkError, type LinkErrorCode, type LinkErrorDetails } from './errors.ts';
export { roleOfCertificate, type Identity, type Peer } from './identity.ts';
export { acceptingLimits, defaultLimits, frameProtocol, type ConnectionLimits } from './limits.ts';
