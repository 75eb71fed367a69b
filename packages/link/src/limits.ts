/** The bounds of one connection. */
export interface ConnectionLimits {
  /** The longest frame that is accepted or sent. */
  readonly maximumFrameBytes: number;
  /** How much may wait to be sent. More than this means that the other end does not read, and the connection is closed. */
  readonly maximumBufferedBytes: number;
  /** While more than this waits to be sent, nothing is read; only on the side that answers, or both ends could wait for each other. */
  readonly pauseReadingAboveBytes: number;
  /** After this long without a byte from the other end, the connection is closed. Both ends have to speak more often. */
  readonly idleTimeoutMs: number;
}

const kibibyte = 1_024;

export const defaultLimits: ConnectionLimits = {
  maximumFrameBytes: 1_024 * kibibyte,
  maximumBufferedBytes: 8 * 1_024 * kibibyte,
  pauseReadingAboveBytes: Number.POSITIVE_INFINITY,
  idleTimeoutMs: 30_000,
};

/** An end that accepts connections stops reading requests from whoever does not read the answers. */
export const acceptingLimits: ConnectionLimits = { ...defaultLimits, pauseReadingAboveBytes: 1_024 * kibibyte };

/** The protocol name in the TLS handshake; other ALPN names on the same port are HTTP. */
export const frameProtocol = 'trefoil/1';
