import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { win32 } from 'node:path';

/**
 * All that differs between the operating systems that a license server runs on; everything else is what Node makes the same of them. The
 * guide "a license server on Windows" says what an admin sees of it.
 */
export interface Platform {
  /** Configuration, certificates, keys; logs and containers. */
  readonly folders: { readonly configuration: string; readonly data: string };
  /** Whoever gets one of these ends in good order. The first is what a service manager sends. */
  readonly stopSignals: readonly NodeJS.Signals[];
  /** Would do something else than to be ignored, were nobody to listen. */
  readonly idleSignals: readonly NodeJS.Signals[];
  /** Whether others than its owner may read a file with this mode. */
  isOpenToOthers(mode: number): boolean;
  /** Makes names created, renamed or removed in the directory survive a power cut. */
  syncDirectory(directory: string): Promise<void>;
  /** An identifier of this installation; undefined: it has none, or this user may not see it. */
  machineId(readText: (path: string) => string | undefined): string | undefined;
}

const unix: Platform = {
  folders: { configuration: '/etc/trefoil', data: '/var/lib/trefoil' },
  stopSignals: ['SIGTERM', 'SIGINT', 'SIGHUP'],
  // Without a listener Node opens a debugger at the one, into a process that holds keys, and dies of the other.
  idleSignals: ['SIGUSR1', 'SIGUSR2'],
  isOpenToOthers: (mode) => (mode & 0o077) !== 0,
  async syncDirectory(directory) {
    const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  machineId: (readText) => readText('/etc/machine-id'),
};

const programData = process.env['ProgramData'] ?? 'C:\\ProgramData';

const windows: Platform = {
  folders: {
    configuration: win32.join(programData, 'trefoil'),
    data: win32.join(programData, 'trefoil', 'data'),
  },
  // There are no signals between processes: whoever wraps it as a service ends it by the console's (SIGINT, SIGBREAK) or by closing its
  // window (SIGHUP), and kills it after that.
  stopSignals: ['SIGINT', 'SIGBREAK', 'SIGHUP'],
  idleSignals: [],
  // Rights are lists, not bits, and the mode that Node shows says nothing of them: the guide says how to set them.
  isOpenToOthers: () => false,
  // A folder can't be opened to be flushed. NTFS writes changes of names to its own log, in order: a name may be lost in a power cut
  // together with what came after it, and never without.
  syncDirectory: async () => undefined,
  machineId: () => registryValue('HKLM\\SOFTWARE\\Microsoft\\Cryptography', 'MachineGuid'),
};

export const platform: Platform = process.platform === 'win32' ? windows : unix;

function registryValue(key: string, name: string): string | undefined {
  try {
    const said = execFileSync('reg.exe', ['query', key, '/v', name], { encoding: 'utf8', windowsHide: true });
    return new RegExp(`${name}\\s+REG_SZ\\s+(\\S+)`).exec(said)?.[1];
  } catch {
    return undefined;
  }
}
