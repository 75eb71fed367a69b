import { X509Certificate } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { diskAlarm, type DiskSpace, expiryAlarm } from './alarm-limits.ts';
import { type Alarms, ALARMS } from './alarms.ts';
import type { Clock } from './clock.ts';
import { reasonOf } from './errors.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { PROGRAM_VERSION } from './program.ts';

const LOOK_MS = 5_000;

export interface HostWatchOptions {
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly log: Log;
  readonly dataDirectory: string;
  /** PEM, by what it is for: `link`, `client`. Those in use: what lies in the files meanwhile, the next start will see. */
  readonly certificates: Readonly<Record<string, string>>;
  /** When the configuration of each virtual container expires. */
  readonly configurations: () => readonly { readonly name: string; readonly expires: number }[];
}

/** Looks after what every server has: a disk, certificates, and configurations that end some day. */
export class HostWatch implements Disposable {
  readonly #options: HostWatchOptions;
  /** By certificate, ms since 1970. */
  readonly #expires: ReadonlyMap<string, number>;
  #disk: DiskSpace | undefined;
  #callOff: (() => void) | undefined;
  #saidUnknown = false;
  #stopped = false;

  private constructor(options: HostWatchOptions) {
    this.#options = options;
    const { certificates } = options;
    this.#expires = new Map(Object.entries(certificates).map(([name, pem]) => [name, expiryOf(pem)]));
  }

  static async start(options: HostWatchOptions): Promise<HostWatch> {
    const watch = new HostWatch(options);
    await watch.#look();
    return watch;
  }

  async #look(): Promise<void> {
    const { alarms, clock, configurations, dataDirectory } = this.#options;
    const now = clock.wallMs();
    const ending = [...this.#expires].map(([name, expires]) => expiryAlarm(`the ${name} certificate`, expires, now));
    alarms.keep('certificate-expires', ending.filter((one) => one !== undefined).join('; ') || undefined);
    for (const { name, expires } of configurations())
      alarms.keep('configuration-expires', expiryAlarm('the configuration', expires, now), name);
    this.#disk = await this.#diskSpace();
    if (this.#disk !== undefined) alarms.keep('disk-filling', diskAlarm(dataDirectory, this.#disk));
    alarms.current(); // ends those that were not seen for long
    if (!this.#stopped) this.#callOff = clock.later(LOOK_MS, () => void this.#look());
  }

  /** Never rejects: a disk that can't even be asked shows itself when it is written to. */
  async #diskSpace(): Promise<DiskSpace | undefined> {
    const { dataDirectory, log } = this.#options;
    try {
      const { bavail, blocks, bsize } = await statfs(dataDirectory);
      this.#saidUnknown = false;
      return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
    } catch (error) {
      if (!this.#saidUnknown)
        log.warn({ dataDirectory, reason: reasonOf(error) }, 'nobody can tell how full the disk is');
      this.#saidUnknown = true;
      return undefined;
    }
  }

  metrics(metrics: Metrics): void {
    const { alarms, configurations } = this.#options;
    metrics.gauge(
      { name: 'trefoil_build_info', help: 'Always 1; what runs here.', labelNames: ['version', 'node'] },
      (one) => one.set({ version: PROGRAM_VERSION, node: process.versions.node }, 1),
    );
    metrics.gauge(
      { name: 'trefoil_alarm', help: '1 = the alarm is raised, 0 = it is not.', labelNames: ['code'] },
      (one) => {
        const raised = new Set(alarms.current().map(({ code }) => code));
        for (const code of new Set([...Object.keys(ALARMS), ...raised])) one.set({ code }, raised.has(code) ? 1 : 0);
      },
    );
    const expiry = 'in seconds since 1970.';
    metrics.gauge(
      { name: 'trefoil_certificate_expires_seconds', help: `When it expires, ${expiry}`, labelNames: ['certificate'] },
      (one) => {
        for (const [certificate, expires] of this.#expires) one.set({ certificate }, expires / 1_000);
      },
    );
    metrics.gauge(
      {
        name: 'trefoil_configuration_expires_seconds',
        help: `When the vendor's configuration expires, ${expiry}`,
        labelNames: ['virtual_container'],
      },
      (one) => {
        for (const { name, expires } of configurations()) one.set({ virtual_container: name }, expires / 1_000);
      },
    );
    const disk = (name: `trefoil_${string}`, help: string, key: keyof DiskSpace): void => {
      metrics.gauge({ name, help }, (one) => one.set(this.#disk?.[key] ?? NaN));
    };
    disk('trefoil_disk_free_bytes', 'Free on the disk of the data directory.', 'freeBytes');
    disk('trefoil_disk_size_bytes', 'Size of the disk of the data directory.', 'sizeBytes');
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#callOff?.();
  }
}

/** Of the first certificate in the file: its own. */
function expiryOf(pem: string): number {
  return Date.parse(new X509Certificate(pem).validTo);
}
