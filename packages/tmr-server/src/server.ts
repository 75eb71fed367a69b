import { join } from 'node:path';
import { ROLES } from '@trefoil/api';
import {
  Alarms,
  createLog,
  createMetrics,
  fileInvalid,
  HostWatch,
  lockFile,
  type Log,
  makeDirectory,
  type Metrics,
  readCertificateFiles,
  type Running,
  startHealthServer,
  systemClock,
  systemRandom,
  Webhook,
} from '@trefoil/host';
import { otherIsHeard } from '@trefoil/core';
import { bytesKey, equalBytes, type SigningKey, toBase64url } from '@trefoil/license';
import { listen } from '@trefoil/link/listen';
import type { TmrServerConfiguration } from './configuration.ts';
import { readDocuments, readSigningKey } from './documents.ts';
import { serveFrames } from './frame-door.ts';
import { GroupWatch } from './group-alarms.ts';
import { serveHttp } from './http-door.ts';
import { LicenseServerLink } from './license-server-link.ts';
import { proposerMetrics } from './metrics.ts';
import { ProposerRuntime } from './proposer-runtime.ts';
import { Service } from './service.ts';
import { Traces } from './traces.ts';
import { Turns } from './turns.ts';
import { VirtualIp } from './virtual-ip.ts';
import { WitnessFile } from './witness-file.ts';

/** Within the time that a stop may take. */
const STOP_HAND_OVER_MS = 1_000;

/** Builds a TMR server: proposers, links to the license servers, then the door for clients. */
export async function startTmrServer(configuration: TmrServerConfiguration, running: Running): Promise<void> {
  const { server: id, logLevel } = configuration;
  const log = createLog({ name: `tmr-server-${id}`, level: logLevel, destination: 'stdout' });
  running.logTo(log);
  await makeDirectory(configuration.dataDirectory);
  const lock = lockFile(join(configuration.dataDirectory, 'lock'));
  running.resources.defer(async () => lock[Symbol.dispose]());
  const key = await readSigningKey(configuration.key);
  const alarms = new Alarms({ clock: systemClock, log });
  const runtimes = new Map<string, ProposerRuntime>();
  for (const files of configuration.virtualContainers) {
    const runtime = await startProposer(configuration, files, key, { log, alarms });
    running.resources.use(runtime);
    const { set } = runtime.configuration;
    const witness = join(configuration.dataDirectory, `witness-${toBase64url(set)}`);
    running.resources.use(await WitnessFile.open(witness, runtime, log));
    runtimes.set(bytesKey(set), runtime);
  }
  await connectLicenseServers(configuration, runtimes, running, log);
  const metrics = createMetrics();
  proposerMetrics(metrics, { runtimes: [...runtimes.values()], clock: systemClock });
  await startWatches(configuration, { runtimes: [...runtimes.values()], alarms, metrics }, running, log);
  const virtualIp = await startVirtualIp(configuration, runtimes, running, log);
  const listenerPort = await openDoor(configuration, { runtimes, virtualIp }, running, log);
  const health = await startHealthServer({
    ...configuration.health,
    metrics,
    reasonsNotReady: () => [...runtimes.values()].flatMap(reasonsNotReady),
  });
  running.resources.use(health);
  // The first to go: while the doors are still open, the other one takes over.
  running.resources.defer(() => handOver(runtimes.values(), virtualIp));
  await virtualIp?.want();
  running.ready({ port: listenerPort, healthPort: health.port, virtualContainers: runtimes.size });
}

async function startProposer(
  configuration: TmrServerConfiguration,
  files: TmrServerConfiguration['virtualContainers'][number],
  key: SigningKey,
  { log, alarms }: { log: Log; alarms: Alarms },
): Promise<ProposerRuntime> {
  const context = await readDocuments(files);
  const own = context.group.tmrServers.find((one) => one.id === configuration.server);
  if (own === undefined || !equalBytes(own.key.bytes, key.publicKey.bytes)) {
    const reason = `its public key is not the one of TMR server ${configuration.server} in ${files.group}`;
    throw fileInvalid(configuration.key, reason);
  }
  const child = log.child({ virtualContainer: context.configuration.name });
  child.info({ set: toBase64url(context.configuration.set) }, 'virtual container');
  return new ProposerRuntime({
    context,
    id: configuration.server,
    key,
    clock: systemClock,
    random: systemRandom,
    log: child,
    alarms,
  });
}

/** Alarms, and who is told of them: first, so that none is missed. */
async function startWatches(
  configuration: TmrServerConfiguration,
  { runtimes, alarms, metrics }: { runtimes: readonly ProposerRuntime[]; alarms: Alarms; metrics: Metrics },
  running: Running,
  log: Log,
): Promise<void> {
  const { webhook, server, dataDirectory, virtualIp } = configuration;
  if (webhook !== undefined) {
    const group = runtimes[0]?.proposer.group.group ?? '';
    const options = { webhook, group, server: `tmr-server-${server}`, clock: systemClock, log };
    running.resources.use(await Webhook.start(options, alarms));
  }
  const { identity: link } = await readCertificateFiles(configuration.link);
  const { identity: client } = await readCertificateFiles({ ...configuration.client, authority: '' });
  const host = await HostWatch.start({
    ...{ alarms, clock: systemClock, log, dataDirectory },
    certificates: { link: link.certificatePem, client: client.certificatePem },
    configurations: () => runtimes.map((one) => one.configuration),
  });
  running.resources.defer(async () => host[Symbol.dispose]());
  host.metrics(metrics);
  for (const runtime of runtimes) {
    const watch = new GroupWatch(runtime, { clock: systemClock, virtualIp: virtualIp?.address ?? '' });
    running.resources.defer(async () => watch[Symbol.dispose]());
  }
}

/** All virtual containers of a group share its license servers, and one connection to each. */
async function connectLicenseServers(
  configuration: TmrServerConfiguration,
  runtimes: ReadonlyMap<string, ProposerRuntime>,
  running: Running,
  log: Log,
): Promise<void> {
  const { identity, authorityPem } = await readCertificateFiles(configuration.link);
  const [first] = runtimes.values();
  for (const { member, address } of first?.proposer.group.licenseServers ?? [])
    running.resources.use(new LicenseServerLink({ member, address, identity, authorityPem, runtimes, log }));
}

async function startVirtualIp(
  { virtualIp }: TmrServerConfiguration,
  runtimes: ReadonlyMap<string, ProposerRuntime>,
  running: Running,
  log: Log,
): Promise<VirtualIp | undefined> {
  if (virtualIp === undefined) return undefined;
  const parts = { ...virtualIp, runtimes: [...runtimes.values()], clock: systemClock, log };
  return running.resources.use(await VirtualIp.start(parts));
}

/** A stop is a planned switch, where there is somebody to switch to. */
async function handOver(runtimes: Iterable<ProposerRuntime>, virtualIp: VirtualIp | undefined): Promise<void> {
  const now = { monotonicMs: systemClock.monotonicMs(), wallMs: systemClock.wallMs() };
  const succeeded = [...runtimes].filter(({ proposer }) => otherIsHeard(proposer, now));
  const leading = succeeded.filter(({ proposer }) => proposer.role === 'leading');
  await Promise.all(leading.map((runtime) => runtime.handOver(STOP_HAND_OVER_MS)));
  // The address may be here though the other one leads.
  if (succeeded.length > 0) await virtualIp?.giveAway();
}

async function openDoor(
  configuration: TmrServerConfiguration,
  { runtimes, virtualIp }: { runtimes: ReadonlyMap<string, ProposerRuntime>; virtualIp: VirtualIp | undefined },
  running: Running,
  log: Log,
): Promise<number> {
  const { address } = configuration.virtualIp ?? {};
  const traces = startTraces(configuration, runtimes, running, log);
  const service = new Service(runtimes, systemClock, {
    ...(traces && { traces }),
    ...(address !== undefined && { virtualIp: address }),
    onHandedOver: (admin) => {
      log.info({ admin }, 'handed over');
      virtualIp?.giveAway().catch((error: unknown) => running.fail(error));
    },
  });
  const turns = new Turns();
  let clients = 0;
  const count = (change: number): void => {
    clients += change;
    for (const runtime of runtimes.values()) runtime.handle({ kind: 'clients', count: clients });
  };
  const { client } = configuration;
  const { identity, authorityPem } = await readCertificateFiles({ ...client, authority: client.authority ?? '' });
  const listener = await listen({
    ...configuration.listen,
    identity,
    ...(authorityPem !== '' && {
      clientAuthorityPem: authorityPem,
      requireRole: (role: string) => role === ROLES.client,
    }),
    maxConnections: 20_000,
    onConnection: (connection) => {
      count(1);
      connection.onClose(() => count(-1));
      serveFrames(connection, service, turns);
    },
    http: serveHttp(service),
    onRefused: (refusal) => log.warn({ ...refusal }, 'a connection was refused'),
    limits: { idleTimeoutMs: 300_000 },
  });
  running.resources.use(listener);
  return listener.port;
}

function startTraces(
  { traces, server }: TmrServerConfiguration,
  runtimes: ReadonlyMap<string, ProposerRuntime>,
  running: Running,
  log: Log,
): Traces | undefined {
  if (traces === undefined) return undefined;
  const group = [...runtimes.values()][0]?.proposer.group.group ?? '';
  return running.resources.use(
    new Traces({ ...traces, group, server: `tmr-server-${server}`, clock: systemClock, log }),
  );
}

function reasonsNotReady({ proposer, configuration }: ProposerRuntime): string[] {
  const connected = ([1, 2, 3] as const).filter((member) => proposer.members[member].up).length;
  const { name, threshold } = configuration;
  return connected < threshold ? [`${name}: ${connected} license servers are connected, ${threshold} are needed`] : [];
}
