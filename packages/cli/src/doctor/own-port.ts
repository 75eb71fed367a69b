import { X509Certificate } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { readTextFile } from '@trefoil/host';
import { type Finding, notLookedAt, ok, problem, warning } from './finding.ts';
import { nameOfRole, type OwnServer, type Place } from './host.ts';
import { inWords, type Listening, listenerAt, openFilesOf } from './processes.ts';
import { type Answer, probe } from './probe.ts';

/** Whether the server of this host runs: its port, its limits, its own word about itself. */
export async function ownServerFindings(server: OwnServer): Promise<Finding[]> {
  const { listen, identities } = server;
  const certificate = identities.at(-1)?.files.certificate as string; // of the port where it listens
  const [answer, listener, own] = await Promise.all([
    probe({ ...listen, host: reachedAt(listen.host) }, { authorityPem: undefined }),
    listenerAt(listen.port),
    readTextFile(certificate).catch(() => undefined),
  ]);
  const finding = ownPortFinding(server, { answer, listener, fingerprint: fingerprintOf(own) });
  if (answer.kind !== 'certificate') return [finding, ...(await healthPortTaken(server))];
  if (answer.role !== server.role) return [finding];
  return [finding, await openFilesFinding(server, listener), ...(await healthFindings(server))];
}

export function ownPortFinding(
  { name, kind, role, listen, file }: Pick<OwnServer, 'name' | 'kind' | 'role' | 'listen' | 'file'>,
  seen: { answer: Answer; listener: Listening | undefined; fingerprint: string | undefined },
): Finding {
  const { answer, listener, fingerprint } = seen;
  const what = `port ${listen.port} of ${name}`;
  const unit = `trefoil-${kind}`;
  if (answer.kind === 'certificate' && answer.role === role) {
    const who = listener?.pid === undefined ? '' : ` (process ${listener.pid})`;
    if (fingerprint === undefined || fingerprint === answer.fingerprint) return ok(what, `${name} listens${who}`);
    return warning(
      what,
      'the running server shows another certificate than its file holds',
      `The file was replaced since it started, or the folder is another server's: if the new one is meant, "systemctl restart ${unit}".`,
    );
  }
  if (answer.kind === 'certificate' && answer.role !== undefined)
    return problem(
      what,
      `${nameOfRole(answer.role)} runs here, and ${file} makes this host ${name}`,
      `Two hosts would have one identity. If the tarball of another host was unpacked here, unpack that of ${nameOfRole(answer.role)} ` +
        `again; else "systemctl restart ${unit}".`,
    );
  if (answer.kind !== 'silent' || listener !== undefined)
    return problem(
      what,
      `taken by ${listener === undefined ? 'another program' : inWords(listener)}`,
      `${name} can not start: stop that program, or have it use another port; whose port it is says "ss -ltnp".`,
    );
  return problem(
    what,
    `nobody listens: ${name} does not run`,
    `Start it: "systemctl enable --now ${unit}". If it ends again, "journalctl -u ${unit} -n 20" says why.`,
  );
}

const FEW_FILES = 16_384;

async function openFilesFinding(server: OwnServer, listener: Listening | undefined): Promise<Finding> {
  const what = `open files of ${server.name}`;
  if (listener?.pid === undefined) return notLookedAt(what);
  return judgeOpenFiles(what, server.kind, await openFilesOf(listener.pid));
}

/** Each client of a TMR server is one; a license server has two links and its logs. */
export function judgeOpenFiles(what: string, kind: OwnServer['kind'], limit: number): Finding {
  const needed = kind === 'tmr-server' ? FEW_FILES : 1_024;
  if (limit >= needed) return ok(what, limit === Infinity ? 'no limit' : `up to ${limit}`);
  return warning(
    what,
    `up to ${limit}, fewer than ${needed}`,
    `With many clients connections would be turned away: set LimitNOFILE=65536 with "systemctl edit trefoil-${kind}", and restart it.`,
  );
}

/** How others see this server, as it says itself: "and back" of the links. */
async function healthFindings(server: OwnServer): Promise<Finding[]> {
  const { health, name } = server;
  const what = `health of ${name}`;
  try {
    const url = `http://${bracketed(reachedAt(health.host))}:${health.port}/readyz`;
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const { ready, reasons } = (await response.json()) as { ready?: unknown; reasons?: unknown };
    return [judgeHealth(what, ready === true, Array.isArray(reasons) ? reasons.map(String) : [])];
  } catch {
    const found = `no answer at ${health.host}:${health.port}`;
    const advice =
      'Monitoring can not see this server: "ss -ltnp" says who has that port; write another behind "health" ' +
      `in ${server.file}.`;
    return [warning(what, found, advice)];
  }
}

export function judgeHealth(what: string, ready: boolean, reasons: readonly string[]): Finding {
  if (ready) return ok(what, 'ready');
  return problem(
    what,
    reasons.join('; ') || 'not ready',
    'If it does not vote, give it a minute to catch up. If others are not connected, look there with "trefoil ' +
      'doctor", and at the firewalls between (TCP port 7411 from both TMR servers to all license servers).',
  );
}

/** The other port that a server can not start without. */
async function healthPortTaken({ name, health }: OwnServer): Promise<Finding[]> {
  const listener = await listenerAt(health.port);
  if (listener === undefined) return [];
  return [
    problem(
      `port ${health.port} (health) of ${name}`,
      `taken by ${inWords(listener)}`,
      `${name} can not start: stop that program, or write another port behind "health" in its configuration.`,
    ),
  ];
}

function fingerprintOf(pem: string | undefined): string | undefined {
  try {
    return pem === undefined ? undefined : new X509Certificate(pem).fingerprint256;
  } catch {
    return undefined;
  }
}

/** Who listens everywhere is asked on this host itself. */
function reachedAt(host: Place['host']): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
