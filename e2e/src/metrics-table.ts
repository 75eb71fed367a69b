import type { LoopbackGroup } from '@trefoil/cli';

/** What Prometheus reads of one server. */
export async function readMetrics(group: LoopbackGroup, name: string): Promise<string> {
  const { healthPort } = group.servers.find((one) => one.name === name) ?? {};
  return (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text();
}

interface Metric {
  readonly help: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** The table of docs/METRICS.md, from what both kinds of server say. */
export function metricsTable(ofLicenseServer: string, ofTmrServer: string): string {
  const [license, tmr] = [parse(ofLicenseServer), parse(ofTmrServer)];
  const names = [...new Set([...license.keys(), ...tmr.keys()])].sort();
  const rows = names.map((name) => {
    const { help, type, labels } = (tmr.get(name) ?? license.get(name)) as Metric;
    const of = !license.has(name) ? 'TMR' : !tmr.has(name) ? 'license' : 'both';
    const meaning = [...new Set([license.get(name)?.help, help])].filter((one) => one !== undefined).join(' / ');
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${of} | ${meaning} |`;
  });
  return ['| metric | type | labels | server | meaning |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
}

function parse(text: string): Map<string, Metric> {
  const metrics = new Map<string, Metric>();
  for (const [, name = '', help = ''] of text.matchAll(/^# HELP (trefoil_\w+) (.*)$/gm)) {
    const type = new RegExp(`^# TYPE ${name} (\\w+)$`, 'm').exec(text)?.[1] ?? '';
    const sample = new RegExp(`^${name}(?:_count)?\\{(.*?)\\} `, 'm').exec(text)?.[1] ?? '';
    const labels = [...sample.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map((match) => match[1] as string);
    metrics.set(name, { help, type, labels });
  }
  return metrics;
}
