import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startHealthServer } from './health.ts';
import { createMetrics } from './metrics.ts';

async function get(port: number, path: string, method = 'GET'): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, body: await response.text() };
}

describe('the health server', () => {
  test('tells health, readiness and metrics', async () => {
    const metrics = createMetrics();
    const grants = metrics.counter({ name: 'trefoil_grants_total', help: 'Grants', labelNames: ['license'] });
    metrics.gauge({ name: 'trefoil_sessions', help: 'Sessions' }, (gauge) => gauge.set(3));
    metrics.histogram({ name: 'trefoil_answer_seconds', help: 'Answers' }).observe(0.002);
    grants.inc({ license: 'cad' }, 2);
    const reasons: string[] = [];
    await using server = await startHealthServer({ port: 0, metrics, reasonsNotReady: () => reasons });

    assert.deepEqual(await get(server.port, '/healthz'), { status: 200, body: '{"status":"ok"}\n' });
    assert.deepEqual(await get(server.port, '/readyz'), { status: 200, body: '{"ready":true,"reasons":[]}\n' });
    reasons.push('only one license server answers');
    const notReady = { status: 503, body: '{"ready":false,"reasons":["only one license server answers"]}\n' };
    assert.deepEqual(await get(server.port, '/readyz'), notReady);
    const { body } = await get(server.port, '/metrics');
    assert.match(body, /^trefoil_grants_total\{license="cad"\} 2$/m);
    assert.match(body, /^trefoil_sessions 3$/m);
    assert.match(body, /^trefoil_answer_seconds_bucket\{le="0.0025"\} 1$/m);
    assert.match(body, /^process_resident_memory_bytes \d+$/m);
    assert.equal((await get(server.port, '/')).status, 404);
    assert.equal((await get(server.port, '/healthz', 'POST')).status, 405);
  });

  test('says when it cannot listen', async () => {
    const options = { metrics: createMetrics({ processMetrics: false }), reasonsNotReady: () => [] };
    await using server = await startHealthServer({ ...options, port: 0 });
    const { port } = server;
    const inUse = { code: 'port-in-use', message: `port ${port} on 127.0.0.1 is in use by another process` };
    await assert.rejects(startHealthServer({ ...options, port }), inUse);
    const elsewhere = {
      code: 'address-unavailable',
      message: /^cannot listen on port 7413 of 192\.0\.2\.1: this machine does not/,
    };
    await assert.rejects(startHealthServer({ ...options, host: '192.0.2.1' }), elsewhere);
  });
});
