import { parseAddress, PORTS, ROLES } from '@trefoil/api';
import type { ClientFile } from '@trefoil/client';
import type { GroupDocument } from '@trefoil/license';
import { type Check, type Finding, ok, problem } from './finding.ts';
import { nameOfRole, type Place } from './host.ts';
import { type Answer, probe, type ProbeOptions } from './probe.ts';

/** Whom we expect at an address. */
export interface Expectation {
  readonly what: string;
  readonly place: Place;
  /** Undefined: any TMR server, as at the virtual IP. */
  readonly role: string | undefined;
}

/** From a TMR server: the license servers. */
export function licenseServerChecks(group: GroupDocument, authorityPem: string): Check[] {
  return group.licenseServers.map(({ member, address }) =>
    check({ ...placed(address, PORTS.links), role: ROLES.licenseServer(member) }, { authorityPem }),
  );
}

/** From everywhere: the ports that clients use, of both TMR servers and of the virtual IP. */
export function clientPortChecks(clientFile: ClientFile | undefined, group: GroupDocument | undefined): Check[] {
  const known = new Map(group?.tmrServers.map(({ id, address }) => [address, ROLES.tmrServer(id)]));
  const addresses = new Set([...(clientFile?.addresses ?? []), ...known.keys()]);
  return [...addresses].map((address) =>
    check(
      { ...placed(address, PORTS.clients), role: known.get(address) },
      { authorityPem: clientFile?.authority, byName: true },
    ),
  );
}

function placed(address: string, port: number): { what: string; place: Place } {
  return { what: address, place: parseAddress(address, port) ?? { host: address, port } };
}

function check(expectation: Expectation, options: ProbeOptions): Check {
  const { place, role } = expectation;
  const what = `${role === undefined ? 'a TMR server' : nameOfRole(role)} at ${expectation.what}`;
  return { what, look: async () => [answerFinding({ ...expectation, what }, await probe(place, options))] };
}

export function answerFinding({ what, place, role }: Expectation, answer: Answer): Finding {
  const { port } = place;
  const unit = role?.startsWith('license-server') === true ? 'trefoil-license-server' : 'trefoil-tmr-server';
  if (answer.kind === 'silent')
    return problem(
      what,
      answer.reason,
      `Look on that host whether it runs ("systemctl status ${unit}"), and whether every firewall on the way ` +
        `lets TCP port ${port} through.`,
    );
  if (answer.kind === 'stranger')
    return problem(
      what,
      'somebody answers, but not as a server of Trefoil does',
      `Another program has port ${port} there: "trefoil doctor" on that host says which one. If the address is wrong, correct it.`,
    );
  return isExpected(role, answer.role) ? believed(what, answer) : impostor({ what, place, role }, answer.role);
}

function isExpected(expected: string | undefined, role: string | undefined): boolean {
  return expected === undefined ? role?.startsWith('tmr-server-') === true : role === expected;
}

function believed(what: string, { role, fault }: Extract<Answer, { kind: 'certificate' }>): Finding {
  if (fault === undefined) return ok(what, `${nameOfRole(role ?? '')} answers`);
  return problem(
    what,
    `it answers, but ${fault}`,
    'Run "trefoil doctor" on that host: it names the file that has to be replaced. If all others there are ' +
      'content, this host has the wrong authority or a wrong clock.',
  );
}

function impostor({ what, role }: Expectation, other: string | undefined): Finding {
  const name = other === undefined ? 'somebody without a role' : nameOfRole(other);
  const meant = role === undefined ? 'a TMR server' : nameOfRole(role);
  const found = `${name} answers there, not ${meant}`;
  if (other?.startsWith('license-server-') === true && !(role?.startsWith('license-server-') === true))
    return problem(
      what,
      found,
      `Clients talk to TMR servers only: put the addresses of the TMR servers (port ${PORTS.clients}) and the ` +
        'virtual IP into the client file, e.g. with "trefoil client add".',
    );
  return problem(
    what,
    found,
    'Two hosts have one identity, or their addresses were swapped: unpack the tarball of "trefoil init" for ' +
      `${meant} on that host, or correct the address.`,
  );
}
