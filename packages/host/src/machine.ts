import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { cpus, hostname } from 'node:os';
import { posix } from 'node:path';
import { platform } from './platform.ts';

/** Something that stays the same on this machine and differs on others. */
export interface MachineTrait {
  readonly name: MachineTraitName;
  /** 64 hex digits derived from the raw value and the purpose; the raw value itself never leaves this file. */
  readonly value: string;
}

export type MachineTraitName = (typeof readers)[number]['name'];

/** What a machine tells about itself; tests bring their own. A missing thing is undefined or an empty list. */
export interface MachineSource {
  readText(path: string): string | undefined;
  readLink(path: string): string | undefined;
  list(directory: string): readonly string[];
  hostname(): string;
  cpuModel(): string;
}

/**
 * The traits that this machine has, in a fixed order. A trait that cannot be read (no permission, no such hardware) is
 * left out. The same machine gives other values for another purpose, so that two users of this cannot be linked.
 */
export function machineTraits(purpose: string, source: MachineSource = systemMachine): MachineTrait[] {
  return readers.flatMap(({ name, read }) => {
    const raw = read(source)?.trim();
    if (raw === undefined || raw === '') return [];
    // As systemd derives application-specific ids: the secret is the key, so nothing about it can be tried out offline.
    return [
      { name, value: createHmac('sha256', raw).update(`trefoil machine trait\0${name}\0${purpose}`).digest('hex') },
    ];
  });
}

const readers = [
  { name: 'machine-id', read: (source: MachineSource) => platform.machineId((path) => source.readText(path)) },
  { name: 'product-uuid', read: (source: MachineSource) => source.readText('/sys/class/dmi/id/product_uuid') },
  { name: 'network-address', read: firstHardwareAddress },
  { name: 'root-filesystem', read: rootFilesystemUuid },
  { name: 'host-name', read: (source: MachineSource) => source.hostname() },
  { name: 'processor', read: (source: MachineSource) => source.cpuModel() },
] as const;

/** The lowest address of the network devices; bridges, tunnels and virtual pairs have no device and come and go. */
function firstHardwareAddress(source: MachineSource): string | undefined {
  return source
    .list('/sys/class/net')
    .filter((name) => source.readLink(`/sys/class/net/${name}/device`) !== undefined)
    .map((name) => source.readText(`/sys/class/net/${name}/address`)?.trim() ?? '')
    .filter((address) => address !== '' && address !== '00:00:00:00:00:00')
    .sort()[0];
}

/** The UUID of the file system mounted at /, if it is on a block device of this machine. */
function rootFilesystemUuid(source: MachineSource): string | undefined {
  const line = source
    .readText('/proc/self/mountinfo')
    ?.split('\n')
    .find((mount) => mount.split(' ')[4] === '/');
  const number = line?.split(' ')[2];
  if (number === undefined) return undefined;
  const device = posix.basename(source.readLink(`/sys/dev/block/${number}`) ?? '');
  if (device === '') return undefined;
  const folder = '/dev/disk/by-uuid';
  return source.list(folder).find((uuid) => posix.basename(source.readLink(`${folder}/${uuid}`) ?? '') === device);
}

const systemMachine: MachineSource = {
  readText: (path) => orUndefined(() => readFileSync(path, 'utf8')),
  readLink: (path) => orUndefined(() => readlinkSync(path)),
  list: (directory) => orUndefined(() => readdirSync(directory)) ?? [],
  hostname: () => hostname(),
  cpuModel: () => cpus()[0]?.model ?? '',
};

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
