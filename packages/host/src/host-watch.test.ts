import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { Alarms } from './alarms.ts';
import { HostWatch } from './host-watch.ts';
import { type LogFields, silentLog } from './log.ts';
import { createMetrics } from './metrics.ts';

const DAY_MS = 86_400_000;

test('a host is looked at again and again, and tells what it has', async () => {
  const looks: (() => void)[] = [];
  const now = { ms: Date.UTC(2026, 10, 27) };
  const clock = {
    monotonicMs: () => now.ms,
    wallMs: () => now.ms,
    later: (_: number, run: () => void) => {
      looks.push(run);
      return () => void looks.splice(looks.indexOf(run), 1);
    },
  };
  const said: string[] = [];
  const log = { ...silentLog, warn: (_: LogFields, message: string) => void said.push(message) };
  const alarms = new Alarms({ clock, log: silentLog });
  const codes = (): string[] => alarms.current().map(({ code, about }) => `${code} ${about}`);
  const expires = now.ms + 40 * DAY_MS;
  const configurations = () => [{ name: 'acme', expires }];
  const parts = { alarms, clock, log, configurations, certificates: {} };
  using watch = await HostWatch.start({ ...parts, dataDirectory: tmpdir() });
  assert.ok(!codes().includes('configuration-expires acme'));
  alarms.raise('odd-vote', 'at entry 7');
  now.ms += 20 * DAY_MS;
  const planned = (): number => looks.length;
  assert.equal(planned(), 1);
  looks.pop()?.();
  for (let i = 0; i < 100 && planned() === 0; i++) await new Promise((done) => setTimeout(done, 10));
  assert.ok(codes().includes('configuration-expires acme'));
  assert.ok(!codes().includes('odd-vote '), 'nobody has seen it for a minute');

  const metrics = createMetrics({ processMetrics: false });
  watch.metrics(metrics);
  const text = await metrics.text();
  assert.match(text, /^trefoil_alarm\{code="configuration-expires"\} 1$/m);
  assert.match(text, /^trefoil_alarm\{code="fork"\} 0$/m);
  assert.match(text, /^trefoil_disk_size_bytes [1-9]\d*$/m);
  assert.match(text, /^trefoil_build_info\{version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m);
  assert.deepEqual(said, []);

  using unknown = await HostWatch.start({ ...parts, dataDirectory: '/no/such/folder' });
  assert.deepEqual(said, ['nobody can tell how full the disk is']);
  const others = createMetrics({ processMetrics: false });
  unknown.metrics(others);
  assert.match(await others.text(), /^trefoil_disk_free_bytes Nan$/im);
});
