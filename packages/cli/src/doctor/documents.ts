import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { parseAddress, PORTS } from '@trefoil/api';
import type { LedgerContext } from '@trefoil/core';
import { blamingConfiguration, fileInvalid, HostError } from '@trefoil/host';
import { equalBytes, type GroupDocument } from '@trefoil/license';
import { readDocuments, readSigningKey } from '@trefoil/tmr-server';
import { failed, type Finding, notLookedAt, ok, problem, warning } from './finding.ts';
import { dateFinding } from './dates.ts';
import { nameOfRole, type OwnServer, type Place } from './host.ts';
import { type Answer, probe } from './probe.ts';

/** The documents that a server stands on, if they verify, and what is to be said of them. */
export async function documentsOf(
  server: OwnServer,
  nowMs: number,
): Promise<{ context?: LedgerContext; findings: readonly Finding[] }> {
  const findings: Finding[] = [];
  let context: LedgerContext | undefined;
  for (const files of server.virtualContainers) {
    const what = `documents of ${server.name}`;
    try {
      const read = await blaming(server.file, () => readDocuments(files));
      const { configuration: first, laterConfigurations = [], group } = read;
      const configuration = laterConfigurations.at(-1) ?? first;
      findings.push(ok(what, `${configuration.name}: configuration ${configuration.version}, group ${group.group}`));
      findings.push(configurationDates(configuration, nowMs));
      if (server.signingKey !== undefined) findings.push(await signingKeyFinding(server, group));
      if ('container' in files) findings.push(containerFinding(server, files.container));
      context ??= read;
    } catch (error) {
      findings.push(failed(what, error, adviceOn(error)));
    }
  }
  return { ...(context !== undefined && { context }), findings };
}

const adviceOn = (error: unknown): string => {
  const file = error instanceof HostError && 'file' in error.details ? error.details.file : '';
  if (file.endsWith('group.jws'))
    return (
      "This host's copy of the group document is not what the admin has signed, and its server does not start " +
      `with it: copy admin/group.jws from the folder of "trefoil init" to ${file}.`
    );
  return (
    `The server does not start with it: copy it to ${file} again, from the vendor (configuration.jws, issuing-key.jws) ` +
    'or from the folder of "trefoil init".'
  );
};

function configurationDates({ version, expires }: LedgerContext['configuration'], nowMs: number): Finding {
  return dateFinding({
    what: 'configuration of the virtual container',
    dates: { notBeforeMs: 0, notAfterMs: expires },
    nowMs,
    advice:
      `Ask the vendor for the next version than ${version} and run "trefoil update" with it. If the group has it already, put the ` +
      'configuration file that came with it on this host, too.',
  });
}

/** "Its public key is not the one …" is what the server itself would end with. */
async function signingKeyFinding(server: OwnServer, group: GroupDocument): Promise<Finding> {
  const what = `signing key of ${server.name}`;
  const file = server.signingKey as string;
  try {
    const key = await blaming(server.file, () => readSigningKey(file));
    const own = group.tmrServers.find(({ id }) => id === server.id);
    if (own !== undefined && equalBytes(own.key.bytes, key.publicKey.bytes))
      return ok(what, 'is the one that the group document names');
    throw fileInvalid(file, `its public key is not the one of ${server.name} in the group document`);
  } catch (error) {
    const advice =
      `The server does not start with it: unpack the tarball of "trefoil init" for ${server.name} again, or ` +
      'put the group document there that names this key.';
    return failed(what, error, advice);
  }
}

function containerFinding({ name }: OwnServer, file: string): Finding {
  if (existsSync(file)) return ok(`container of ${name}`, file);
  // Its folder is closed to others: what they can't see may be there.
  if (process.getuid?.() !== 0) return notLookedAt(`container of ${name}`);
  return problem(
    `container of ${name}`,
    `there is no ${file}`,
    'Without a container it can not vote: if there was one, restore it with its recovery code; if there never ' +
      `was, make it with "runuser -u trefoil -- trefoil request --container ${file}".`,
  );
}

/** Where the group document says that a server is. */
export function placeOf(server: OwnServer, group: GroupDocument): Place | undefined {
  const entry =
    server.kind === 'license-server'
      ? group.licenseServers.find(({ member }) => member === server.id)
      : group.tmrServers.find(({ id }) => id === server.id);
  return entry && parseAddress(entry.address, server.kind === 'license-server' ? PORTS.links : PORTS.clients);
}

/** Whether this is the host that the group document means: else there are two of one identity, or nobody finds this one. */
export async function identityFindings(
  server: OwnServer,
  group: GroupDocument,
  authorityPem: string | undefined,
): Promise<Finding[]> {
  const what = `address of ${server.name}`;
  const place = placeOf(server, group);
  if (place === undefined) return [unnamed(what, server)];
  const addresses = await addressesOf(place.host);
  if (addresses.length === 0)
    return [
      warning(
        what,
        `the name ${place.host} in the group document is unknown here`,
        'Others may know it, but this host can not tell whether it is meant: add the name to /etc/hosts or to your name server.',
      ),
    ];
  if (isOwn(addresses)) return portFindings(what, server, place);
  return [elsewhere(what, { server, place, answer: await probe(place, { authorityPem }) })];
}

function unnamed(what: string, server: OwnServer): Finding {
  return problem(
    what,
    `the group document knows no ${server.name}`,
    `${server.file} makes this host a server that the group does not have: unpack the tarball of "trefoil ` +
      'init" that is meant for this host.',
  );
}

/** @param answer what somebody says at the address that the group document gives, which this host does not have */
export function elsewhere(
  what: string,
  { server, place, answer }: { server: Pick<OwnServer, 'name' | 'role' | 'file'>; place: Place; answer: Answer },
): Finding {
  const { name, role, file } = server;
  const address = `${place.host}:${place.port}`;
  if (answer.kind === 'certificate' && answer.role === role)
    return problem(
      what,
      `two hosts with one identity: ${nameOfRole(role)} answers at ${address}, and this host is set up as it, too`,
      `Only one host may be ${name}. Stop the server here, and unpack the tarball of "trefoil init" that is ` +
        'meant for this host; if this host replaces the other, stop that one for good and give this one the address ' +
        `${place.host}.`,
    );
  return problem(
    what,
    `the group document gives it ${address}, and this host does not have that address`,
    `The others look for ${name} there, not here. Give this host the address ${place.host}, or, if another ` +
      `host is meant, remove ${file} and unpack the tarball for this one.`,
  );
}

function portFindings(what: string, { name, listen, file }: OwnServer, place: Place): Finding[] {
  if (listen.port === place.port) return [ok(what, `${place.host}:${place.port}, as in the group document`)];
  const found = `the group document says port ${place.port}, ${file} says ${listen.port}`;
  const advice = `The others look for ${name} at port ${place.port}: write it behind "listen" in ${file} and restart the server.`;
  return [problem(what, found, advice)];
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}

export function isOwn(addresses: readonly string[]): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => addresses.includes(address)));
}

async function blaming<T>(file: string, run: () => Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  await blamingConfiguration(file, async () => {
    result = { value: await run() };
  });
  return (result as unknown as { value: T }).value;
}

/** A group document that differs from the others' would be a group of its own. */
export function sameGroupFinding(
  group: GroupDocument,
  told: { readonly group: string; readonly addresses: readonly string[]; readonly version: string },
): Finding {
  const own = [...group.tmrServers, ...group.licenseServers].map(({ address }) => address).sort();
  const same = group.group === told.group && own.join() === [...told.addresses].sort().join();
  const what = 'group document';
  if (same) return ok(what, `version ${group.version} names the same servers as ${told.version}`);
  return problem(
    what,
    `version ${group.version} of group ${group.group} names other servers than ${told.version} tells`,
    'The hosts have different group documents: copy the newest admin/group.jws to /etc/trefoil/group.jws of ' +
      'all five, and restart one server after the other.',
  );
}
