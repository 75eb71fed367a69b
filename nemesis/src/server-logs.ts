import type { TestedGroup } from './tested-group.ts';

/** What honest servers never have to say of each other, whatever happens to them. */
const NEVER = new Set([
  ...['bad-promise', 'certified-entry-missing', 'equivocation', 'bad-feed', 'bad-snapshot', 'own-outcomes-differ'],
  ...['double-vote', 'odd-vote', 'no-two-agree', 'fork'],
]);

/** Alarms and unforeseen errors in the servers' own logs. */
export async function readServerLogs(
  tested: TestedGroup,
): Promise<{ alarms: Map<string, number>; findings: string[] }> {
  const alarms = new Map<string, number>();
  const findings = new Set<string>();
  for (const server of tested.all()) {
    const log = await server.log();
    const suspicions = log.filter((line) => String(line['msg']).startsWith('the log is suspect'));
    if (suspicions.length > server.timesHarmed)
      findings.add(`${server.name}, harmed ${server.timesHarmed} times: ${JSON.stringify(suspicions)}`);
    for (const line of log) {
      if (line['msg'] === 'unexpected error') findings.add(`${server.name}: ${JSON.stringify(line['err'])}`);
      if (line['msg'] !== 'alarm') continue;
      const alarm = String(line['alarm']);
      alarms.set(alarm, (alarms.get(alarm) ?? 0) + 1);
      if (NEVER.has(alarm)) findings.add(`${server.name} alarms: ${alarm}, ${String(line['detail'])}`);
    }
  }
  return { alarms, findings: [...findings] };
}
