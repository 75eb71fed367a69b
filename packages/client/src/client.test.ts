import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.ts';

test('what is asked for wrongly is a promise that rejects, and throws nothing beside it', async () => {
  const client = Object.create(Client.prototype) as Client; // it never comes to its session
  const asking = [client.acquire('cad', { version: 'x' }), client.consume('sim', -1)];
  for (const one of await Promise.allSettled(asking)) {
    assert.ok(one.status === 'rejected');
    assert.equal((one.reason as { code?: string }).code, 'bad-request');
  }
});
