import type { Socket } from 'node:net';

/** One direction of a relayed connection, in order: what has come and may not go on yet waits here. */
class Flow {
  readonly #way: Way;
  readonly #waiting: { readonly at: number; readonly run: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(way: Way) {
    this.#way = way;
  }

  push(run: () => void): void {
    const at = performance.now() + this.#way.delayMs;
    this.#waiting.push({ at, run });
    this.drain();
  }

  drain(): void {
    clearTimeout(this.#timer);
    for (let [next] = this.#waiting; next !== undefined && !this.#way.isCut; [next] = this.#waiting) {
      const inMs = next.at - performance.now();
      if (inMs > 0.5) {
        this.#timer = setTimeout(() => this.drain(), inMs);
        return;
      }
      this.#waiting.shift();
      next.run();
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }
}

/**
 * What one computer sends to another. While it is cut nothing arrives, not even that a connection has ended; what was sent
 * comes afterwards, as TCP sends it again.
 */
class Way {
  readonly #flows = new Set<Flow>();
  #cut = false;
  delayMs = 0;

  get isCut(): boolean {
    return this.#cut;
  }

  cut(): void {
    this.#cut = true;
  }

  heal(): void {
    this.#cut = false;
    this.delayMs = 0;
    for (const flow of this.#flows) flow.drain();
  }

  /** Passes on what `from` says to `to`, until both are gone. */
  carry(from: Socket, to: Socket): void {
    const flow = new Flow(this);
    this.#flows.add(flow);
    from.on('data', (bytes: Buffer) => {
      flow.push(() => void to.write(bytes));
    });
    from.on('end', () => flow.push(() => void to.end()));
    from.on('error', () => undefined);
    from.on('close', () => flow.push(() => to.destroy()));
    to.on('close', () => {
      flow.end();
      this.#flows.delete(flow);
    });
  }
}

/** Two computers, or clients and a TMR server. */
export class Link {
  /** From who dials, and back. */
  readonly there = new Way();
  readonly back = new Way();
  readonly #sockets = new Set<Socket>();

  carry(dialler: Socket, listener: Socket): void {
    for (const socket of [dialler, listener]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.once('close', () => this.#sockets.delete(socket));
    }
    this.there.carry(dialler, listener);
    this.back.carry(listener, dialler);
  }

  /** RST to both ends: as a firewall does that was restarted. */
  reset(): void {
    // Node 24 never closes one that is reset while its own end is under way, and then hangs at exit.
    for (const socket of this.#sockets)
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
  }

  heal(): void {
    this.there.heal();
    this.back.heal();
  }
}
