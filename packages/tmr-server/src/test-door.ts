import { silentLog, systemClock, systemRandom } from '@trefoil/host';
import { bytesKey } from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import type { FrameConnection } from '@trefoil/link';
import { serveFrames } from './frame-door.ts';
import { ProposerRuntime } from './proposer-runtime.ts';
import { Service } from './service.ts';
import type { Turns } from './turns.ts';

const { set, crypto, root, configuration, group, issuingKey, tmrKeys } = fixture();

export const SET = set;

/** A TMR server without license servers, for the tests of its doors. */
export function testServer(): { runtime: ProposerRuntime; service: Service } {
  const runtime = new ProposerRuntime({
    context: { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text },
    ...{ id: 'A', key: tmrKeys.A, clock: systemClock, random: systemRandom, log: silentLog },
  });
  return { runtime, service: new Service(new Map([[bytesKey(set), runtime]]), systemClock) };
}

/** A client whose connection takes whatever is said to it: what it says, and how it goes away. */
export function testClient(service: Service, turns: Turns): { says: (frame: Uint8Array) => void; goes: () => void } {
  let says: (frame: Uint8Array) => void = () => undefined;
  let goes: () => void = () => undefined;
  const connection = {
    onClose: (handler: () => void) => (goes = handler),
    onFrame: (handler: typeof says) => (says = handler),
    send: () => undefined,
    close: () => undefined,
    pauseReading: () => undefined,
    resumeReading: () => undefined,
  };
  serveFrames(connection as unknown as FrameConnection, service, turns);
  return { says, goes };
}
