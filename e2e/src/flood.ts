import { parentPort, workerData } from 'node:worker_threads';
import { decodeCallFrame, encodeSubmitCall, fromBinary, parseAddress, PORTS, SubmitReplySchema } from '@trefoil/api';
import { CLIENT_VERSION, encodeCommand } from '@trefoil/license';
import { dial } from '@trefoil/link';

/** Somebody who asks at a steady rate, whatever comes back, and without an SDK that would hold back or ask again. A worker. */
export interface Flood {
  readonly address: string;
  readonly authorityPem: string;
  readonly set: Uint8Array;
  readonly atLogTime: number;
  readonly connections: number;
  readonly perSecond: number;
  readonly forMs: number;
  readonly patienceMs: number;
}

export interface Flooded {
  asked: number;
  certified: number;
  /** Refused with a hint when to come back. */
  refused: number;
  /** Each refusal's way, from sending, ms. */
  readonly refusedAfterMs: number[];
}

/** What anybody who can connect may send: an `open` that is well-formed and not signed, so that all five verify it in vain. */
function uselessCommand(request: number, atLogTime: number): Uint8Array {
  const nonce = new Uint8Array(16);
  new DataView(nonce.buffer).setUint32(8, request);
  const sessionKey = new Uint8Array(32).fill(0x58, 0, 31); // a point, and nobody's key
  const closeHash = new Uint8Array(32);
  const claims = { user: 'flood', host: 'flood', program: 'flood', address: '', client: CLIENT_VERSION };
  const signature = new Uint8Array(64);
  return encodeCommand({ kind: 'open', sessionKey, nonce, closeHash, atLogTime, ...claims, signature });
}

async function flood(options: Flood): Promise<Flooded> {
  const { authorityPem, set, patienceMs, perSecond, forMs } = options;
  const place = parseAddress(options.address, PORTS.clients);
  if (place === undefined) throw new Error(`${options.address} is no address`);
  const frames = Array.from({ length: (perSecond * forMs) / 1_000 }, (_, call) =>
    encodeSubmitCall(call + 1, { set, command: uselessCommand(call, options.atLogTime), patienceMs, stuck: false }),
  );
  const connections = await Promise.all(
    Array.from({ length: options.connections }, () => dial({ ...place, authorityPem, timeoutMs: 5_000 })),
  );
  const result: Flooded = { asked: 0, certified: 0, refused: 0, refusedAfterMs: [] };
  const sentAt = new Float64Array(frames.length + 1);
  for (const connection of connections)
    connection.onFrame((bytes) => {
      const frame = decodeCallFrame(bytes);
      if (frame?.kind !== 'reply') return;
      const reply = fromBinary(SubmitReplySchema, frame.body).result;
      if (reply.case === 'certified') result.certified++;
      if (reply.case !== 'unavailable') return;
      result.refused++;
      result.refusedAfterMs.push(performance.now() - (sentAt[frame.call] as number));
    });
  const since = performance.now();
  for (let elapsedMs = 0; elapsedMs < forMs; elapsedMs = performance.now() - since) {
    for (; result.asked < Math.min(frames.length, (elapsedMs * perSecond) / 1_000); result.asked++) {
      sentAt[result.asked + 1] = performance.now();
      connections[result.asked % connections.length]?.send(frames[result.asked] as Uint8Array);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await new Promise((resolve) => setTimeout(resolve, patienceMs + 500)); // by then each has its answer, or never gets one
  for (const connection of connections) connection.close();
  return result;
}

parentPort?.postMessage(await flood(workerData as Flood));
