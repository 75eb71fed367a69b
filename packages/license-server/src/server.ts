import { decodeToVoter } from '@trefoil/core';
import { hearsAbout, LINK_LIMITS, LINK_PROTOCOLS, ROLES } from '@trefoil/api';
import {
  Alarms,
  type Clock,
  createLog,
  createMetrics,
  HostWatch,
  type Log,
  makeDirectory,
  type Metrics,
  readCertificateFiles,
  lockFile,
  type Running,
  startHealthServer,
  systemClock,
  systemRandom,
  Webhook,
} from '@trefoil/host';
import { bytesKey, SET_ID_BYTES, type TmrServer, toBase64url } from '@trefoil/license';
import type { FrameConnection } from '@trefoil/link';
import { listen } from '@trefoil/link/listen';
import { join } from 'node:path';
import type { LicenseServerConfiguration } from './configuration.ts';
import { readDocuments } from './documents.ts';
import { voterMetrics } from './metrics.ts';
import { openVoter } from './open-voter.ts';
import { VoterRuntime } from './voter-runtime.ts';

const TICK_MS = 10;

/** Builds a license server: containers and logs, then links, then health. Everything it opens it puts into `running`. */
export async function startLicenseServer(configuration: LicenseServerConfiguration, running: Running): Promise<void> {
  const { member, logLevel } = configuration;
  const log = createLog({ name: `license-server-${member}`, level: logLevel, destination: 'stdout' });
  running.logTo(log);
  await makeDirectory(configuration.dataDirectory);
  running.resources.use(asyncOf(lockFile(join(configuration.dataDirectory, 'lock'))));
  const alarms = new Alarms({ clock: systemClock, log });
  const voters = new Map<string, VoterRuntime>();
  for (const one of configuration.virtualContainers) {
    const runtime = await startVoter(configuration, one, { log, alarms, clock: systemClock, running });
    voters.set(bytesKey(runtime.configuration.set), runtime);
  }
  const metrics = createMetrics();
  voterMetrics(metrics, voters.values());
  const { identity, authorityPem } = await readCertificateFiles(configuration.link);
  const watched = { voters: [...voters.values()], alarms, metrics, certificatePem: identity.certificatePem };
  await startWatches(configuration, watched, running, log);
  const listener = await listen({
    ...configuration.listen,
    identity,
    clientAuthorityPem: authorityPem,
    requireRole: (role) => role === ROLES.tmrServer('A') || role === ROLES.tmrServer('B'),
    onConnection: (connection) => serveLink(connection, voters, log),
    onRefused: (refusal) => log.warn({ ...refusal }, 'a connection was refused'),
    limits: LINK_LIMITS,
    protocols: LINK_PROTOCOLS,
  });
  running.resources.use(listener);
  const health = await startHealthServer({
    ...configuration.health,
    metrics,
    reasonsNotReady: () => [...voters.values()].flatMap(reasonsNotReady),
  });
  running.resources.use(health);
  const timer = setInterval(() => {
    for (const runtime of voters.values()) runtime.handle({ kind: 'tick' });
  }, TICK_MS);
  running.resources.defer(async () => clearInterval(timer));
  running.ready({ port: listener.port, healthPort: health.port, virtualContainers: voters.size });
}

async function startVoter(
  configuration: LicenseServerConfiguration,
  files: LicenseServerConfiguration['virtualContainers'][number],
  { log, alarms, clock, running }: { log: Log; alarms: Alarms; clock: Clock; running: Running },
): Promise<VoterRuntime> {
  const context = await readDocuments(files);
  const opened = await openVoter({
    context,
    member: configuration.member,
    containerFile: files.container,
    passphraseFile: files.passphraseFile,
    dataDirectory: configuration.dataDirectory,
    clock,
    log,
  });
  const runtime = new VoterRuntime({
    ...opened,
    clock,
    random: systemRandom,
    log: log.child({ virtualContainer: context.configuration.name }),
    alarms,
    fail: (error) => running.fail(error),
  });
  running.resources.use(runtime);
  runtime.rejoin(opened.rejoin);
  const { replica } = opened.voter;
  log.info(
    { set: toBase64url(context.configuration.set), entries: replica.lastIndex, rejoin: opened.rejoin },
    'log opened',
  );
  return runtime;
}

/** Who is told of alarms, and what raises them beside the voters. */
async function startWatches(
  { webhook, member, dataDirectory }: LicenseServerConfiguration,
  parts: { voters: readonly VoterRuntime[]; alarms: Alarms; metrics: Metrics; certificatePem: string },
  running: Running,
  log: Log,
): Promise<void> {
  const { voters, alarms, metrics, certificatePem } = parts;
  if (webhook !== undefined) {
    const group = voters[0]?.voter.group.group ?? '';
    const options = { webhook, group, server: `license-server-${member}`, clock: systemClock, log };
    running.resources.use(await Webhook.start(options, alarms));
  }
  const host = await HostWatch.start({
    ...{ alarms, clock: systemClock, log, dataDirectory },
    certificates: { link: certificatePem },
    configurations: () => voters.map(({ configuration }) => configuration),
  });
  running.resources.use(asyncOf(host));
  host.metrics(metrics);
}

/** One TMR server's connection serves all virtual containers: each frame begins with the set's id. */
function serveLink(connection: FrameConnection, voters: ReadonlyMap<string, VoterRuntime>, log: Log): void {
  const from: TmrServer = connection.peer.role === ROLES.tmrServer('A') ? 'A' : 'B';
  log.info({ tmrServer: from, address: connection.peer.address }, 'a TMR server connected');
  for (const runtime of voters.values()) {
    const before = runtime.links[from];
    runtime.links[from] = connection;
    before?.close(); // it has come back before we noticed that it was gone
    runtime.handle({ kind: 'linkUp', from, hearsAbout: hearsAbout(connection.protocol) });
  }
  connection.onFrame((frame) => {
    const runtime = voters.get(bytesKey(frame.subarray(0, SET_ID_BYTES)));
    if (runtime?.links[from] !== connection) return;
    runtime.handle({ kind: 'message', from, message: decodeToVoter(frame.subarray(SET_ID_BYTES)) });
  });
  connection.onClose((error) => {
    log.info({ tmrServer: from, reason: error?.message }, 'a TMR server is gone');
    for (const runtime of voters.values()) {
      if (runtime.links[from] !== connection) continue;
      delete runtime.links[from];
      runtime.handle({ kind: 'linkDown', from });
    }
  });
}

function reasonsNotReady({ voter, links, configuration: { name } }: VoterRuntime): string[] {
  if (voter.withholding !== '') return [`${name}: does not vote: ${voter.withholding}`];
  return Object.keys(links).length === 0 ? [`${name}: no TMR server is connected`] : [];
}

function asyncOf(resource: Disposable): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => resource[Symbol.dispose]() };
}
