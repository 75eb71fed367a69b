import { duration, time } from '../terminal.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const DAY_MS = 86_400_000;
/** So long before its end somebody should know. */
const SOON_MS = 30 * DAY_MS;

export interface Dates {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** In UTC, wherever this is read. */
export function dateFinding(parts: {
  readonly what: string;
  readonly dates: Dates;
  readonly nowMs: number;
  readonly advice: string;
}): Finding {
  const { what, dates, nowMs, advice } = parts;
  const { notBeforeMs, notAfterMs } = dates;
  if (nowMs >= notAfterMs) return problem(what, `expired at ${time(notAfterMs)}`, advice);
  if (nowMs < notBeforeMs)
    return problem(
      what,
      `good from ${time(notBeforeMs)} on, and here it is ${time(nowMs)}`,
      `If the clock of this host is behind, set it ("timedatectl set-ntp true"). ${advice}`,
    );
  const left = notAfterMs - nowMs;
  const days = left >= DAY_MS ? `${Math.floor(left / DAY_MS)} days` : duration(left);
  const found = `good until ${time(notAfterMs)}, ${days} from now`;
  return left < SOON_MS ? warning(what, found, advice) : ok(what, found);
}
