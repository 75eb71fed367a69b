import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { metricsTable, readMetrics } from './metrics-table.ts';
import { eventually, RunningGroup } from './running-group.ts';

/** With UPDATE_METRICS=1 the page is rewritten to what the servers say. */
const update = process.env['UPDATE_METRICS'] === '1';
const page = fileURLToPath(new URL('../../docs/METRICS.md', import.meta.url));

interface Told {
  readonly group: string;
  readonly server: string;
  readonly code: string;
  readonly state: 'raised' | 'cleared';
}

describe('an alarm', () => {
  const told: Told[] = [];
  const traces: string[] = [];
  let operator: Server;
  let running: RunningGroup;

  before(async () => {
    operator = createServer((request, response) => {
      let text = '';
      request.on('data', (bytes: Buffer) => (text += bytes.toString()));
      request.on('end', () => {
        const mayAsk = request.headers.authorization === 'Bearer of-the-operator';
        if (request.url === '/v1/traces') traces.push(text);
        else if (mayAsk) told.push(JSON.parse(text) as Told);
        response.writeHead(mayAsk || request.url === '/v1/traces' ? 204 : 401).end();
      });
    }).listen(0, '127.0.0.1');
    await new Promise((done) => operator.once('listening', done));
    const { port } = operator.address() as AddressInfo;
    running = await RunningGroup.start({
      prepare: async (group) => {
        for (const { configFile, kind } of group.servers) {
          await writeFile(join(dirname(configFile), 'webhook.token'), 'of-the-operator\n', { mode: 0o600 });
          const url = `http://127.0.0.1:${port}/alarms`;
          await appendFile(configFile, `webhook: { url: "${url}", tokenFile: webhook.token }\n`);
          const endpoint = `http://127.0.0.1:${port}/v1/traces`;
          if (kind === 'tmr-server') await appendFile(configFile, `traces: { endpoint: "${endpoint}", sample: 1 }\n`);
        }
      },
    });
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    operator.closeAllConnections();
    operator.close();
  });

  const CODE = 'redundancy-lost';
  const inStatus = async (): Promise<boolean> => {
    const { alarms } = JSON.parse((await running.trefoil('status', '--json')).stdout) as { alarms: string[] };
    return alarms.some((alarm) => alarm.startsWith(`${CODE}: `));
  };
  const inMetrics = async (): Promise<boolean> =>
    (await readMetrics(running.group, 'tmr-server-A')).includes(`trefoil_alarm{code="${CODE}"} 1\n`);
  /** What a server said of it last. */
  const inLog = async (): Promise<boolean> => {
    const lines = (await running.log('tmr-server-A')).filter(({ alarm }) => alarm === CODE);
    return lines.at(-1)?.['msg'] === 'alarm';
  };
  const atOperator = async (): Promise<boolean> =>
    told.findLast(({ server, code }) => server === 'tmr-server-A' && code === CODE)?.state === 'raised';
  const isRaised = async (): Promise<boolean[]> => [
    await inStatus(),
    await inMetrics(),
    await inLog(),
    await atOperator(),
  ];

  test('is raised and cleared in the status, the metrics, the log and the webhook', async () => {
    const becomes = (raised: boolean): Promise<void> =>
      eventually(`raised in all four: ${raised}`, 15_000, async () =>
        (await isRaised()).every((one) => one === raised),
      );
    await becomes(false);
    await running.hands.server('license-server-3').kill();
    await becomes(true);
    assert.match(await readAlarm(), /^redundancy-lost: no redundancy left, .*: license server 3 is not heard$/);
    await running.hands.server('license-server-3').start();
    await becomes(false);
    const lines = (await running.log('tmr-server-A')).filter(({ alarm }) => alarm === CODE);
    assert.deepEqual(
      lines.slice(-2).map(({ level, msg }) => [level, msg]),
      [
        ['warn', 'alarm'],
        ['info', 'alarm ended'],
      ],
    );
    assert.ok(told.every(({ group }) => group === 'demo'));
    assert.ok(!JSON.stringify(await running.log('tmr-server-A')).includes('of-the-operator'));
  });

  async function readAlarm(): Promise<string> {
    const { alarms } = JSON.parse((await running.trefoil('status', '--json')).stdout) as { alarms: string[] };
    return alarms.find((alarm) => alarm.startsWith(CODE)) ?? '';
  }

  test('and every other number is documented in docs/METRICS.md', async () => {
    await running.hands.sell({ version: 1, quantity: 5 });
    const [ofLicenseServers, ofTmrServers] = [
      await readMetrics(running.group, 'license-server-1'),
      // Only the one that leads has committed anything.
      `${await readMetrics(running.group, 'tmr-server-A')}${await readMetrics(running.group, 'tmr-server-B')}`,
    ];
    const table = metricsTable(ofLicenseServers, ofTmrServers);
    const text = await readFile(page, 'utf8');
    const written = text.replace(/^\| metric \|[^]*?(?=\n\n)/m, () => table);
    if (update) await writeFile(page, written);
    else assert.equal(text, written, 'docs/METRICS.md differs; UPDATE_METRICS=1 rewrites it');
    const codes = namesIn(ofLicenseServers, /^trefoil_alarm\{code="(.*?)"\}/gm);
    const guide = await readFile(new URL('../../docs/guides/monitor-a-group.md', import.meta.url), 'utf8');
    assert.deepEqual(
      namesIn(guide, /^\| `([a-z-]+)` \|/gm),
      codes,
      'the guide explains every alarm, and none that there is not',
    );
    assert.match(ofTmrServers, /^trefoil_license_quantity\{.*license="cad-1",product="cad"\} 5$/m);
    assert.match(ofLicenseServers, /^trefoil_log_durable_seconds_count\{.*\} [1-9]\d*$/m);
    assert.match(ofTmrServers, /^trefoil_disk_free_bytes [1-9]\d*$/m);
  });

  test('a command is a span that says where it stands in the log, and not who asked', async () => {
    await using client = await running.client('anna');
    assert.equal((await client.acquire('cad')).kind, 'granted');
    const isGrant = (text: string): boolean => /"submit acquire".*"granted"/.test(text);
    await eventually('the span of the grant', 10_000, async () => traces.some(isGrant));
    assert.match(traces.find(isGrant) ?? '', /"trefoil\.epoch","value":\{"intValue":"[1-9]\d*"\}.*"trefoil\.index"/);
    assert.ok(!traces.join().includes('anna'));
  });
});

function namesIn(text: string, pattern: RegExp): Set<string | undefined> {
  return new Set([...text.matchAll(pattern)].map((match) => match[1]));
}
