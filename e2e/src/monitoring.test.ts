/** What Prometheus and Grafana make of the metrics: the rules are sound, and everything speaks of numbers that there are. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = (path: string): string => readFileSync(`${root}${path}`, 'utf8');
const promtool = (...args: string[]) => promisify(execFile)('promtool', args, { cwd: `${root}deploy/prometheus` });

test('the rules are rules, the example is a configuration', async () => {
  await promtool('check', 'rules', '--lint=all', '--lint-fatal', 'trefoil.rules.yml');
  await promtool('check', 'config', '--syntax-only', 'prometheus.yml');
});

test('the rules alert when they should, and only then', async () => {
  await promtool('test', 'rules', 'trefoil.test.yml');
});

const RULES = 'deploy/prometheus/trefoil.rules.yml';

test('every alert says how bad it is, what is wrong, and what to do', () => {
  const alerts = text(RULES).split('      - alert: ').slice(1);
  assert.ok(alerts.length >= 20);
  for (const alert of alerts) {
    const name = /^Trefoil[A-Za-z]+$/m.exec(alert)?.[0];
    assert.ok(name !== undefined, alert);
    assert.match(alert, /labels: \{ severity: (critical|warning|info) \}/, name);
    assert.match(alert, /summary: ./, name);
    assert.match(alert, /description: >-\n {12}\S/, name);
  }
});

test('rules, their tests and the dashboard use metrics that are documented', () => {
  const documented = new Set([...text('docs/METRICS.md').matchAll(/^\| `(trefoil_\w+)`/gm)].map((match) => match[1]));
  assert.ok(documented.size > 25);
  for (const path of [RULES, 'deploy/prometheus/trefoil.test.yml', 'deploy/grafana/trefoil.json']) {
    const used = [...text(path).matchAll(/\btrefoil_\w+/g)].map(([name]) => name.replace(/_bucket$/, ''));
    assert.ok(used.length > 10, path);
    for (const name of used) assert.ok(documented.has(name), `${path} uses ${name}, which is not in docs/METRICS.md`);
  }
});

test('every alarm that there is reaches somebody', () => {
  const codes = [...text('docs/guides/monitor-a-group.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]);
  const rules = text(RULES);
  // These look at the numbers themselves, and so know how near the end is.
  const byNumber = ['certificate-expires', 'configuration-expires'];
  assert.ok(codes.length > 20);
  for (const code of codes.filter((one) => !byNumber.includes(one as string)))
    assert.match(rules, new RegExp(`"(?:[a-z|-]+\\|)?${code}(?:\\|[a-z|-]+)?"`), `no rule for ${code}`);
});

test('the dashboard has a place for everything, and nothing lies on another', () => {
  interface Panel {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  }
  const { panels } = JSON.parse(text('deploy/grafana/trefoil.json')) as { panels: readonly Panel[] };
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Map<string, string>();
  for (const { title, gridPos } of panels)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(x < 24, title);
        assert.equal(taken.get(`${x} ${y}`), undefined, title);
        taken.set(`${x} ${y}`, title);
      }
});
