import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type LogFields, silentLog, systemClock } from '@trefoil/host';
import { Traces } from './traces.ts';

interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly object[] };
    readonly scopeSpans: readonly { readonly spans: readonly Record<string, unknown>[] }[];
  }[];
}

const unavailable = { kind: 'unavailable', reason: 'overloaded', retryAfterMs: 1 } as const;

test('the sample goes to the collector as OTLP, and the rest costs nothing', async () => {
  const sent: Sent[] = [];
  const collector = createServer((request, response) => {
    let text = '';
    request.on('data', (bytes: Buffer) => (text += bytes.toString()));
    request.on('end', () => {
      sent.push(JSON.parse(text) as Sent);
      response.end('{}');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((done) => collector.once('listening', done));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`;
  const draws = [0.2, 0.1, 0.05];
  const options = { endpoint, sample: 0.1, group: 'demo', server: 'tmr-server-A', clock: systemClock, log: silentLog };
  const traces = new Traces(options, () => draws.shift() ?? 1);
  assert.equal(traces.begin('renew'), undefined);
  assert.equal(traces.begin('renew'), undefined);
  traces.begin('acquire')?.(unavailable);
  await traces[Symbol.asyncDispose]();
  collector.closeAllConnections();
  collector.close();
  const [{ resource, scopeSpans }] = (sent[0] as Sent).resourceSpans as [Sent['resourceSpans'][0]];
  assert.deepEqual(resource.attributes[1], { key: 'service.instance.id', value: { stringValue: 'tmr-server-A' } });
  const { traceId, spanId, startTimeUnixNano, endTimeUnixNano, ...span } = scopeSpans[0]?.spans[0] ?? {};
  assert.match(`${String(traceId)} ${String(spanId)}`, /^[0-9a-f]{32} [0-9a-f]{16}$/);
  const [start, end] = [BigInt(String(startTimeUnixNano)), BigInt(String(endTimeUnixNano))];
  assert.ok(end >= start && end - start < 1_000_000_000n && start / 1_000_000n > 1_600_000_000_000n);
  assert.deepEqual(span, {
    name: 'submit acquire',
    kind: 2,
    attributes: [
      { key: 'trefoil.command', value: { stringValue: 'acquire' } },
      { key: 'trefoil.outcome', value: { stringValue: 'unavailable: overloaded' } },
    ],
    status: { code: 2 },
  });
});

test('a collector that is not there is said once, and holds up nobody', async () => {
  const said: string[] = [];
  const log = { ...silentLog, warn: (_: LogFields, message: string) => void said.push(message) };
  const options = {
    endpoint: 'http://127.0.0.1:9/secret',
    sample: 1,
    group: 'demo',
    server: 'x',
    clock: systemClock,
    log,
  };
  const traces = new Traces(options);
  for (let i = 0; i < 2_000; i++) traces.begin('acquire')?.(unavailable);
  const began = performance.now();
  await traces[Symbol.asyncDispose]();
  assert.ok(performance.now() - began < 1_000);
  assert.deepEqual(said, ['the collector of traces is not reached']);
});
