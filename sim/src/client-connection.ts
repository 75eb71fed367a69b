import { decodeCallFrame, fromBinary, SubmitRequestSchema } from '@trefoil/api';
import type { FrameConnection, Peer } from '@trefoil/link';
import type { TmrServer as Id } from '@trefoil/license';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

export interface End {
  readonly machine: Machine;
  /** Whether the process that holds this end still runs. */
  readonly alive: () => boolean;
}

/** A client's TLS connection to a TMR server, as both ends see it; what is sent travels through the simulated network. */
export function connectEnds(world: World, client: End, server: End, id: Id): [FrameConnection, FrameConnection] {
  const open = (): boolean => !ours.ended && !theirs.ended;
  const ours: SimConnection = new SimConnection(client);
  const theirs: SimConnection = new SimConnection(server);
  const { network, agenda } = world;
  const breaks = (): void => [ours, theirs].forEach((end) => end.lost());
  const transmit = network.way('C0', id, open, (frame) => theirs.arrive(frame), breaks);
  ours.transmit = (frame) => {
    noteAsked(world, frame);
    transmit(frame);
  };
  theirs.transmit = network.way(id, 'C0', open, (frame) => ours.arrive(frame), breaks);
  ours.hangUp = () => void agenda.later(network.delayMs(), () => theirs.lost());
  theirs.hangUp = () => void agenda.later(network.delayMs(), () => ours.lost());
  world.watchLink({ from: id, to: 'C0', alive: open, cut: breaks });
  return [ours, theirs];
}

function noteAsked(world: World, bytes: Uint8Array): void {
  const frame = decodeCallFrame(bytes);
  if (frame?.method !== 'submit' || frame.kind !== 'request') return;
  const { command } = fromBinary(SubmitRequestSchema, frame.body);
  world.commitOrder.asked(world.fixture.crypto.sha256(command));
  world.history.asked(command);
  world.office.leaves(command);
}

class SimConnection implements FrameConnection {
  readonly peer: Peer = { role: undefined, address: 'simulated' };
  readonly protocol = 'simulated';
  readonly bufferedBytes = 0;
  readonly closed: Promise<Error | undefined>;
  readonly #end: End;
  readonly #closeHandlers: ((error: Error | undefined) => void)[] = [];
  readonly #unread: Uint8Array[] = [];
  #onFrame: ((frame: Uint8Array) => void) | undefined;
  ended = false;
  transmit: (frame: Uint8Array) => void = () => undefined;
  /** The other end learns that this one has gone. */
  hangUp: () => void = () => undefined;

  constructor(end: End) {
    this.#end = end;
    this.closed = new Promise((resolve) => this.#closeHandlers.push(resolve));
  }

  send(frame: Uint8Array): void {
    if (!this.ended) this.transmit(frame);
  }

  onFrame(handler: (frame: Uint8Array) => void): void {
    this.#onFrame = handler;
    for (const frame of this.#unread.splice(0)) this.arrive(frame);
  }

  arrive(frame: Uint8Array): void {
    if (this.#onFrame === undefined) this.#unread.push(frame);
    else
      this.#end.machine.when(() => {
        if (!this.ended && this.#end.alive()) this.#deliver(frame);
      });
  }

  /** As in a real connection, a handler that throws closes it. */
  #deliver(frame: Uint8Array): void {
    try {
      this.#onFrame?.(frame);
    } catch (error) {
      this.#finish(error instanceof Error ? error : new Error(String(error)));
      this.hangUp();
    }
  }

  pauseReading(): void {}

  resumeReading(): void {}

  onClose(handler: (error: Error | undefined) => void): void {
    if (this.ended) handler(undefined);
    else this.#closeHandlers.push(handler);
  }

  lost(): void {
    this.#end.machine.when(() => this.#finish(new Error('the connection was lost')));
  }

  close(): void {
    if (this.ended) return;
    this.#finish(undefined);
    this.hangUp();
  }

  #finish(error: Error | undefined): void {
    if (this.ended) return;
    this.ended = true;
    if (this.#end.alive()) for (const handler of this.#closeHandlers.splice(0)) handler(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
