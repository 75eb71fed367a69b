import { HostError, reasonOf } from '@trefoil/host';

/** What one look at something has shown. Whoever reads of a fault is told what to do about it. */
export type Finding = Sound | Fault;

interface Sound {
  readonly level: 'ok' | 'not looked at';
  /** What was looked at. */
  readonly what: string;
  readonly found: string;
}

export interface Fault {
  readonly level: 'warning' | 'problem';
  readonly what: string;
  readonly found: string;
  /** What it means, and what to do: one or two sentences, with the command. */
  readonly advice: string;
}

/** Looks at one thing, changes nothing. */
export interface Check {
  readonly what: string;
  readonly look: () => Promise<readonly Finding[]> | readonly Finding[];
}

export function ok(what: string, found: string): Finding {
  return { level: 'ok', what, found };
}

export function warning(what: string, found: string, advice: string): Fault {
  return { level: 'warning', what, found, advice };
}

export function problem(what: string, found: string, advice: string): Fault {
  return { level: 'problem', what, found, advice };
}

/** Never shown as sound: nobody knows. */
export function notLookedAt(what: string, why = 'run as root'): Finding {
  return { level: 'not looked at', what, found: `not looked at: ${why}` };
}

export function isFault(finding: Finding): finding is Fault {
  return finding.level === 'warning' || finding.level === 'problem';
}

/** A look takes no longer than this, ms: a doctor that hangs helps nobody. */
const LOOK_MS = 3_000;

/** What came of it, within the time; a failure of the look itself is a finding, too. */
export async function make({ what, look }: Check, limitMs = LOOK_MS): Promise<readonly Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly Finding[]>((resolve) => {
    const finding = problem(
      what,
      `no answer within ${limitMs / 1_000} s`,
      'This host is overloaded, or what was asked hangs (a disk, a name server): look at its load with "uptime" and try again.',
    );
    timer = setTimeout(() => resolve([finding]), limitMs);
  });
  try {
    return await Promise.race([(async () => look())(), late]);
  } catch (error) {
    return [failed(what, error)];
  } finally {
    clearTimeout(timer);
  }
}

/** What this user may not see was not looked at; anything else that could not be read is a fault. */
export function failed(what: string, error: unknown, advice = READ_ADVICE): Finding {
  if (isForbidden(error)) return notLookedAt(what);
  if (error instanceof HostError) return problem(what, error.message, advice);
  const path = error instanceof Error && 'path' in error ? `${String(error.path)}: ` : '';
  return problem(what, `${path}${reasonOf(error)}`, advice);
}

const READ_ADVICE =
  'The server needs it: put it right as the sentence says, or unpack the tarball of "trefoil init" for this host again.';

function isForbidden(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause)
    if ('code' in one && (one.code === 'EACCES' || one.code === 'EPERM')) return true;
  if (!(error instanceof HostError)) return false;
  return 'reason' in error.details && error.details.reason === 'no permission';
}
