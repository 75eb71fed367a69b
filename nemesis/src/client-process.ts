import { decodeCallFrame, fromBinary, SubmitRequestSchema } from '@trefoil/api';
import { type ClientMachine, systemMachine, Verifier } from '@trefoil/client';
import type { Certified } from '@trefoil/api';
import { bytesKey, type Configuration, type Outcome } from '@trefoil/license';
import type { FrameConnection } from '@trefoil/link';
import { Random } from '@trefoil/sim/random';
import { Application } from './application.ts';
import type { Order, Said } from './said.ts';
import { trueTime } from './true-time.ts';

/** The shipped machine, with a wall clock that can be set, and somebody who notes which commands leave. */
class WatchedMachine {
  wallOffsetMs = 0;
  readonly #say: (said: Said) => void;
  readonly #verifier: Verifier;
  readonly #asked = new Set<string>();

  constructor(verifier: Verifier, say: (said: Said) => void) {
    this.#verifier = verifier;
    this.#say = say;
  }

  get machine(): ClientMachine {
    return {
      ...systemMachine,
      now: () => {
        const { monotonicMs, wallMs } = systemMachine.now();
        return { monotonicMs, wallMs: wallMs + this.wallOffsetMs };
      },
      dial: async (options) => this.#watched(await systemMachine.dial(options)),
    };
  }

  #watched(connection: FrameConnection): FrameConnection {
    const send = connection.send.bind(connection);
    connection.send = (frame) => {
      this.#note(frame);
      send(frame);
    };
    return connection;
  }

  #note(bytes: Uint8Array): void {
    const frame = decodeCallFrame(bytes);
    if (frame?.method !== 'submit' || frame.kind !== 'request') return;
    const { command } = fromBinary(SubmitRequestSchema, frame.body);
    const hash = this.#verifier.crypto.sha256(command);
    if (this.#asked.has(bytesKey(hash))) return;
    this.#asked.add(bytesKey(hash));
    this.#say({ kind: 'asked', at: trueTime(), hash, command });
  }
}

class WatchedVerifier extends Verifier {
  readonly #say: (said: Said) => void;

  constructor(vendorRoot: string, say: (said: Said) => void) {
    super(vendorRoot);
    this.#say = say;
  }

  override answer(configuration: Configuration, certified: Certified, commandHash: Uint8Array): Outcome {
    const outcome = super.answer(configuration, certified, commandHash);
    this.#say({ kind: 'answered', at: trueTime(), hash: commandHash, outcome: certified.outcome });
    return outcome;
  }
}

/** `node client-process.ts CLIENT-FILE VENDOR-ROOT NAME SEED`, with a channel to its parent; ends with it. */
const [clientFile, vendorRoot, name, seed] = process.argv.slice(2) as [string, string, string, string];
const say = (said: Said): void => void (process.connected && process.send?.(said));
const verifier = new WatchedVerifier(vendorRoot, say);
const watched = new WatchedMachine(verifier, say);
const options = { clientFile, vendor: verifier, machine: watched.machine, user: name, host: `${name}-desk` };
const application = new Application({ ...options, program: 'nemesis' }, new Random(Number(seed)), say);

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  if (order.kind === 'set-clock') watched.wallOffsetMs = order.offsetMs;
  else if (order.kind === 'end') process.exit();
  else void application.obey(order);
});
