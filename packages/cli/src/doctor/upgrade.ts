import type { StatusReply } from '@trefoil/api';
import type { Configuration } from '@trefoil/license';
import { printable } from '../terminal.ts';
import type { OwnServer } from './host.ts';

/** Why a host may not be taken out now, and what to do first. */
export interface Obstacle {
  readonly reason: string;
  readonly first: string;
}

type Server = Pick<OwnServer, 'kind' | 'id' | 'name'>;

/** Whether the group is whole without this server, and nothing else speaks against it. */
export function obstacles(server: Server, status: StatusReply, threshold: Configuration['threshold']): Obstacle[] {
  const own =
    server.kind === 'license-server' ? withoutVoter(server, status, threshold) : withoutLeader(server, status);
  const isSaid = (alarm: string): boolean => own !== undefined && alarm.startsWith('tmr-server-not-heard: ');
  const alarms = status.alarms.filter((alarm) => !concerns(server, alarm) && !isSaid(alarm));
  const last = alarms.map((alarm) => ({
    reason: `there is an alarm: ${printable(alarm)}`,
    first: 'See what it means with "trefoil doctor", and have it gone.',
  }));
  return own === undefined ? last : [own, ...last];
}

function withoutVoter({ id, name }: Server, { licenseServers }: StatusReply, threshold: number): Obstacle | undefined {
  if (licenseServers.length === 1) return alone(name);
  const others = licenseServers.filter((one) => one.member !== id);
  if (others.filter(({ voting, unanchored }) => voting && !unanchored).length >= threshold) return undefined;
  const missing = others
    .filter(({ voting, unanchored }) => !voting || unanchored)
    .map(({ member }) => `license server ${member}`)
    .join(' and ');
  return {
    reason: `without ${name} too few would vote: ${missing} can not be counted on now`,
    first: 'Bring it back first: "trefoil doctor" on its host says what is missing.',
  };
}

function withoutLeader({ id, name }: Server, { tmrServers, licenseServers }: StatusReply): Obstacle | undefined {
  if (licenseServers.length === 1 || tmrServers.length === 1) return alone(name);
  const other = tmrServers.find(({ server }) => server !== id);
  if (other?.heard !== true)
    return {
      reason: `TMR server ${other?.server} is not heard: without ${name} nobody would lead`,
      first: 'Bring it back first: "trefoil doctor" on its host says what is missing.',
    };
  if (!tmrServers.some(({ server, active }) => server === id && active)) return undefined;
  return {
    reason: `${name} leads now`,
    first:
      `Upgrade TMR server ${other.server} first, the standby; then have it lead with "trefoil switch --admin-key ` +
      'ADMIN.key.pem", and ask again.',
  };
}

function alone(name: string): Obstacle {
  return {
    reason: `${name} is the only one: no seats are granted while it is out`,
    first: 'Choose an hour in which nobody needs a new seat; those that are held run on until their time-out.',
  };
}

/** That this very server is missing does not speak against taking it out. */
function concerns({ kind, id, name }: Server, alarm: string): boolean {
  if (kind === 'tmr-server') return alarm.startsWith('tmr-server-not-heard: ') && alarm.includes(`TMR server ${id}`);
  return alarm.startsWith('redundancy-lost: ') || alarm.includes(name);
}

/** In which order a whole group is upgraded: what can be missed most comes first. */
export const UPGRADE_ORDER =
  'Order for a whole group: one license server after the other, each when the one before votes again; then ' +
  'the TMR server that stands by; ' +
  'then "trefoil switch", and the one that led.';
