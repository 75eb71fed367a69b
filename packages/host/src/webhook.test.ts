import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Alarms } from './alarms.ts';
import { systemClock } from './clock.ts';
import { parseConfiguration } from './configuration.ts';
import { HostError } from './errors.ts';
import { type LogFields, silentLog } from './log.ts';
import { z } from 'zod';
import { Webhook, webhookSchema } from './webhook.ts';

describe('the webhook', () => {
  const told: { body: Record<string, unknown>; token: string | undefined }[] = [];
  /** What the next requests are answered; 200 when there is none; 0 = never. */
  const answers: number[] = [];
  let server: Server;
  let directory: string;
  let url: string;
  let logged: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'trefoil-webhook-'));
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (bytes: Buffer) => (text += bytes.toString()));
      request.on('end', () => {
        const status = answers.shift() ?? 200;
        if (status === 0) return;
        if (status === 200)
          told.push({ body: JSON.parse(text) as Record<string, unknown>, token: request.headers.authorization });
        response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end();
      });
    }).listen(0, '127.0.0.1');
    await new Promise((done) => server.once('listening', done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a-secret-path`;
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  });

  function newAlarms() {
    told.length = 0;
    logged = '';
    const say = (fields: LogFields, message: string): void => void (logged += `${message} ${JSON.stringify(fields)}\n`);
    const log = { ...silentLog, info: say, warn: say, error: say };
    const alarms = new Alarms({ clock: systemClock, log: silentLog });
    const start = (webhook: { url: string; tokenFile?: string }) =>
      Webhook.start({ webhook, group: 'demo', server: 'tmr-server-A', clock: systemClock, log }, alarms);
    return { alarms, start };
  }

  async function until(count: number, ms = 5_000): Promise<void> {
    for (const end = performance.now() + ms; told.length < count && performance.now() < end; )
      await new Promise((done) => setTimeout(done, 10));
    assert.equal(told.length, count, logged);
  }

  test('tells what begins and what ends, in order, and what began before it', async () => {
    const { alarms, start } = newAlarms();
    alarms.keep('disk-filling', 'only 3 MiB are free');
    await using _ = await start({ url });
    alarms.keep('no-quorum', 'only 1 votes', 'cad');
    alarms.keep('no-quorum', undefined, 'cad');
    await until(3);
    const [first, second, third] = told.map(({ body }) => body);
    assert.match(String(first?.['at']), /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const { at: _at, ...rest } = first ?? {};
    const detail = 'only 3 MiB are free';
    assert.deepEqual(rest, { group: 'demo', server: 'tmr-server-A', code: 'disk-filling', detail, state: 'raised' });
    assert.deepEqual([second?.['state'], second?.['virtualContainer']], ['raised', 'cad']);
    assert.deepEqual([third?.['state'], third?.['code']], ['cleared', 'no-quorum']);
    assert.deepEqual([told[0]?.token, logged], [undefined, '']);
  });

  test('tries again, says so once, and never where its secrets go', async () => {
    const tokenFile = join(directory, 'token');
    await writeFile(tokenFile, 'a-secret-token\n', { mode: 0o600 });
    const { alarms, start } = newAlarms();
    await using _ = await start({ url, tokenFile });
    answers.push(503, 302, 200);
    alarms.keep('no-quorum', 'only 1 votes');
    await until(1);
    assert.equal(told[0]?.token, 'Bearer a-secret-token');
    // It has been told before this end has heard so.
    for (const began = performance.now(); !logged.includes('webhook is reached') && performance.now() - began < 5_000; )
      await new Promise((done) => setTimeout(done, 10));
    await until(1, 50);
    assert.deepEqual(logged.match(/^.*reached/gm), ['the webhook is not reached', 'the webhook is reached']);
    assert.match(logged, /it answers 503/);
    assert.doesNotMatch(logged, /a-secret/);
  });

  test('nobody waits for one that does not answer, and a stop does not either', async () => {
    const { alarms, start } = newAlarms();
    const webhook = await start({ url });
    answers.push(0);
    const began = performance.now();
    for (let i = 0; i < 1_000; i++) alarms.keep('no-quorum', i % 2 === 0 ? 'only 1 votes' : undefined);
    assert.ok(performance.now() - began < 500);
    await new Promise((done) => setTimeout(done, 100));
    await webhook[Symbol.asyncDispose]();
    assert.ok(performance.now() - began < 2_000);
    alarms.keep('no-quorum', 'after the stop');
    await new Promise((done) => setTimeout(done, 50));
    assert.equal(told.length, 0);
  });

  test('a token that others may read is refused, as are addresses that are none', async () => {
    const tokenFile = join(directory, 'open');
    await writeFile(tokenFile, 'x');
    await chmod(tokenFile, 0o644);
    const { start } = newAlarms();
    await assert.rejects(start({ url, tokenFile }), (error) => {
      assert.ok(error instanceof HostError);
      assert.equal(error.message, `${tokenFile}: others may read it; give it mode 0600: chmod 600 ${tokenFile}`);
      return true;
    });
    const schema = z.strictObject({ webhook: webhookSchema });
    const refused = (text: string, message: RegExp): void =>
      assert.throws(() => parseConfiguration(`webhook: { url: "${text}" }\n`, 'x.yaml', schema), message);
    refused('ftp://example.org/', /^HostError: x\.yaml:1: "webhook\.url": is not an address like https:/);
    refused('monitor', /^HostError: x\.yaml:1: "webhook\.url": is not an address/);
    refused('https://me:secret@example.org/', /"webhook\.url": may not hold a password/);
  });
});
