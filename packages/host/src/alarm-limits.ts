const DAY_MS = 86_400_000;
/** Enough to order, sign and carry a new one to five hosts. */
const EXPIRES_SOON_MS = 30 * DAY_MS;

const MIB = 2 ** 20;
const FREE_BYTES = 2048 * MIB;
const FREE_SHARE = 0.05;
/** A log file and a snapshot that are being written may need as much at once. */
const NEARLY_FULL_BYTES = 256 * MIB;

/** NTP keeps a clock within milliseconds; beyond δ (PROTOCOL §6.3) license servers refuse the others' UTC. */
const CLOCK_OFF_MS = 2_000;

/** Why that is an alarm, or undefined; as the following. `what`: "the link certificate". */
export function expiryAlarm(what: string, expiresMs: number, wallMs: number): string | undefined {
  const left = expiresMs - wallMs;
  if (left > EXPIRES_SOON_MS) return undefined;
  const date = new Date(expiresMs).toISOString().slice(0, 10);
  if (left <= 0) return `${what} expired on ${date}`;
  const days = Math.floor(left / DAY_MS);
  return `${what} expires on ${date}, in ${days === 1 ? '1 day' : `${days} days`}`;
}

export interface DiskSpace {
  /** For those who are not root. */
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

export function diskAlarm(directory: string, { freeBytes, sizeBytes }: DiskSpace): string | undefined {
  const share = sizeBytes === 0 ? 1 : freeBytes / sizeBytes;
  if (freeBytes >= FREE_BYTES && share >= FREE_SHARE) return undefined;
  const free = `${Math.floor(freeBytes / MIB)} MiB (${Math.floor(share * 100)} %) are free on the disk of ${directory}`;
  return freeBytes < NEARLY_FULL_BYTES
    ? `nearly full: only ${free}; when it is full, this server stops`
    : `only ${free}`;
}

export interface KnownClock {
  /** "license server 2" */
  readonly name: string;
  readonly wallMs: number;
}

/** Whoever differs from the median; with two clocks nobody knows which is wrong, so both are named when they are far apart. */
export function clockAlarm(clocks: readonly KnownClock[]): string | undefined {
  const sorted = clocks.map(({ wallMs }) => wallMs).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  if (high === undefined) return undefined;
  const median = sorted.length % 2 === 1 ? high : ((sorted[middle - 1] as number) + high) / 2;
  const off = clocks.filter(({ wallMs }) => Math.abs(wallMs - median) > CLOCK_OFF_MS);
  if (off.length === 0) return undefined;
  return off.map(({ name, wallMs }) => `the clock of ${name} is ${inWords(wallMs - median)}`).join('; ');
}

function inWords(ms: number): string {
  return `${(Math.abs(ms) / 1_000).toFixed(1)} s ${ms < 0 ? 'slow' : 'fast'}`;
}
