import type { TLSSocket } from 'node:tls';
import { codeOf, LinkError, reasonOf } from './errors.ts';
import { checkFrameLength, frameHeaderBytes, FrameParser, joinFrames } from './frames.ts';
import type { Peer } from './identity.ts';
import { type ConnectionLimits, frameProtocol } from './limits.ts';

/** One TLS connection that carries frames both ways. It never reconnects. */
export interface FrameConnection extends AsyncDisposable {
  readonly peer: Peer;
  /** What both ends have agreed to speak: one of those that were offered. */
  readonly protocol: string;
  /**
   * Sends a frame; all frames of one turn of the event loop go out in one write. The bytes must not be changed afterwards.
   * After the connection has closed this does nothing. Throws `LinkError` `frame-invalid` if it is empty or too long.
   */
  send(frame: Uint8Array): void;
  /** Bytes that wait to be sent: what the other end, or the network, has not taken yet. */
  readonly bufferedBytes: number;
  /**
   * Sets who gets the frames that arrive; nothing is read before. The bytes are a view of what was read from the network:
   * copy what is kept for long. A handler that throws closes the connection.
   */
  onFrame(handler: (frame: Uint8Array) => void): void;
  /** Stops reading, which makes the other end wait. Frames that have arrived already still come (64 KiB at most). */
  pauseReading(): void;
  resumeReading(): void;
  /** Adds a handler for the end of the connection; called at once if it has ended. */
  onClose(handler: (error: Error | undefined) => void): void;
  /** Sends what waits, then closes. */
  close(): void;
  /** Resolves when the connection is over: with undefined after a proper end from either side, else with the reason. */
  readonly closed: Promise<Error | undefined>;
}

/** After `close`, the other end has this long to take what waits. */
const closeTimeoutMs = 2_000;
/** TCP asks a silent peer after this long, then every second; after ten unanswered questions the connection is lost. */
const keepAliveDelayMs = 10_000;

export class TlsFrameConnection implements FrameConnection {
  readonly peer: Peer;
  readonly protocol: string;
  readonly closed: Promise<Error | undefined>;
  readonly #socket: TLSSocket;
  readonly #limits: ConnectionLimits;
  readonly #parser: FrameParser;
  readonly #closeHandlers: ((error: Error | undefined) => void)[] = [];
  readonly #flushNow = () => this.#flush();
  #onFrame: ((frame: Uint8Array) => void) | undefined;
  #waiting: Uint8Array[] = [];
  /** Sum of the lengths of `#waiting`, headers not counted. */
  #waitingBytes = 0;
  #flushScheduled = false;
  #heardSinceCheck = true;
  #idleTimer: NodeJS.Timeout;
  #pausedByCaller = false;
  #ending = false;
  #failure: Error | undefined;
  #isClosed = false;

  constructor(socket: TLSSocket, peer: Peer, limits: ConnectionLimits) {
    this.#socket = socket;
    this.peer = peer;
    this.protocol = socket.alpnProtocol || frameProtocol;
    this.#limits = limits;
    this.#parser = new FrameParser(limits.maximumFrameBytes);
    this.closed = new Promise((resolve) => this.#closeHandlers.push(resolve));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveDelayMs);
    socket.on('error', (error) => this.#fail(lost(error)));
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClosed());
    socket.on('drain', () => this.#updateReading());
    this.#idleTimer = setTimeout(() => this.#checkSilence(), limits.idleTimeoutMs / 2).unref();
  }

  get bufferedBytes(): number {
    return this.#waitingBytes + this.#waiting.length * frameHeaderBytes + this.#socket.writableLength;
  }

  send(frame: Uint8Array): void {
    checkFrameLength(frame.length, this.#limits.maximumFrameBytes);
    if (this.#ending || this.#isClosed) return;
    this.#waiting.push(frame);
    this.#waitingBytes += frame.length;
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      // After all that this turn of the event loop read: their answers become one write, one TLS record, one packet.
      setImmediate(this.#flushNow);
    }
    if (this.#waitingBytes + this.#socket.writableLength > this.#limits.maximumBufferedBytes) {
      const { bufferedBytes } = this;
      const message = `the other end does not read: ${bufferedBytes} bytes wait to be sent`;
      this.#fail(new LinkError('reader-too-slow', message, { bufferedBytes }));
    }
  }

  onFrame(handler: (frame: Uint8Array) => void): void {
    const first = this.#onFrame === undefined;
    this.#onFrame = handler;
    if (first) this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
  }

  pauseReading(): void {
    this.#pausedByCaller = true;
    this.#updateReading();
  }

  resumeReading(): void {
    this.#pausedByCaller = false;
    this.#updateReading();
  }

  onClose(handler: (error: Error | undefined) => void): void {
    if (this.#isClosed) handler(this.#failure);
    else this.#closeHandlers.push(handler);
  }

  close(): void {
    if (this.#ending) return;
    this.#flush();
    this.#ending = true;
    this.#socket.end();
    // What still arrives is nobody's, but it stands before the other end's goodbye.
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), closeTimeoutMs).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.closed;
  }

  #onData(chunk: Buffer): void {
    this.#heardSinceCheck = true;
    try {
      this.#parser.push(chunk, this.#deliver);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** A handler may close the connection; what follows in the same chunk is then nobody's. */
  readonly #deliver = (frame: Uint8Array): void => {
    if (!this.#ending && this.#failure === undefined) this.#onFrame?.(frame);
  };

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#waiting.length === 0 || this.#ending) return;
    const joined = joinFrames(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#socket.write(joined);
    if (this.#socket.writableLength > this.#limits.pauseReadingAboveBytes) this.#socket.pause();
  }

  #updateReading(): void {
    if (this.#onFrame === undefined || this.#ending) return;
    const answersWait = this.#socket.writableLength > this.#limits.pauseReadingAboveBytes;
    if (this.#pausedByCaller || answersWait) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Runs twice per idle time, so silence is noticed after one to one and a half of it, at the price of one flag per chunk. */
  #checkSilence(): void {
    const { idleTimeoutMs } = this.#limits;
    // Whoever does not read on purpose cannot complain about silence.
    if (!this.#heardSinceCheck && !this.#socket.isPaused()) {
      const message = `nothing arrived for ${idleTimeoutMs} ms`;
      this.#silentChecks++;
      if (this.#silentChecks >= 2) return this.#fail(new LinkError('silent', message, { idleTimeoutMs }));
    } else {
      this.#silentChecks = 0;
    }
    this.#heardSinceCheck = false;
    this.#idleTimer.refresh();
  }
  #silentChecks = 0;

  /** The other end has said its last. An end in the middle of a frame was not meant as one. */
  #onEnd(): void {
    if (!this.#parser.isBetweenFrames) {
      this.#fail(
        new LinkError('connection-lost', 'the connection ended within a frame', { reason: 'ended within a frame' }),
      );
    } else {
      this.close();
    }
  }

  #fail(error: Error): void {
    // An error after our own close says only that the other end did not wait for it.
    if (!this.#ending) this.#failure ??= error;
    this.#ending = true;
    this.#socket.destroy();
  }

  #onClosed(): void {
    this.#isClosed = true;
    this.#ending = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    clearTimeout(this.#idleTimer);
    for (const handler of this.#closeHandlers.splice(0)) handler(this.#failure);
  }
}

/** TLS alerts by which a server says that it does not accept the client's certificate; in TLS 1.3 they come after the handshake. */
const refusals =
  /^ERR_SSL_(TLSV1?3?|SSLV3)_ALERT_(CERTIFICATE|UNKNOWN_CA|BAD_CERTIFICATE|ACCESS_DENIED|UNSUPPORTED_CERT)/;

export function lost(error: Error): LinkError {
  const reason = reasonOf(error);
  if (refusals.test(codeOf(error))) {
    return new LinkError(
      'peer-refuses',
      'the other end does not accept this certificate',
      { reason },
      { cause: error },
    );
  }
  return new LinkError('connection-lost', `the connection was lost: ${reason}`, { reason }, { cause: error });
}
