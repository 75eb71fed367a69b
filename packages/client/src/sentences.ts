import type { Outcome } from '@trefoil/license';

type Denied = Outcome & { kind: 'denied' };

/** More than these are no sentence any more; `holders` has them. */
const NAMED_HOLDERS = 5;

/** Why there is no seat, and what would help: for the person in front of the application. */
export function denialSentence(denied: Denied): string {
  const { code, product, feature, at, detail } = denied;
  const what = feature === '' ? product : `${product}, feature ${feature}`;
  switch (code) {
    case 'unknown-product':
      return `There is no license for ${what} here: see the products in "trefoil licenses", or ask who buys licenses.`;
    case 'unknown-feature':
      return `The license for ${product} does not include the feature ${feature}.`;
    case 'mode-not-allowed':
      return `The license for ${what} is not counted in the way that was asked for${only(detail)}.`;
    case 'client':
      return `The license for ${what} needs an application with a newer Trefoil SDK${only(detail, 'protocol version')}.`;
    case 'version':
      return versionSentence(what, detail);
    case 'maintenance':
      return maintenanceSentence(what, denied);
    case 'not-yet':
      return `The license for ${what} is not valid before ${minute(at)}.`;
    case 'expired':
      if (detail === 'returned')
        return `The license for ${what} was taken back by the vendor; ask for the one in its place.`;
      return `The license for ${what} expired on ${minute(at)}; the vendor can renew it.`;
    case 'configuration-expired':
      return `The container set's configuration has expired: the vendor has to renew it.`;
    case 'rule':
      return `An administrator's rule does not allow ${what} here (${detail}): ${ASK_THE_ADMINISTRATOR}.`;
    case 'named':
      return namedSentence(what, denied);
    case 'units':
      return `The license for ${what} has ${counted(Number(detail), 'unit')} left: too few for what was asked for; the vendor sells more.`;
    case 'borrowing':
      return borrowingSentence(what, detail);
    case 'seats':
      return seatsSentence(what, denied);
  }
}

function versionSentence(what: string, detail: string): string {
  const range = behindUnsaid(detail);
  if (range === undefined)
    return `The license for ${what} is not for this version of the application${only(detail, 'but for')}.`;
  return `The license for ${what} is for some versions only (${range}), and the application did not say its own: ${HOW_TO_SAY.version}.`;
}

function maintenanceSentence(what: string, { at, detail }: Denied): string {
  const unsaid = behindUnsaid(detail);
  const begin = unsaid ?? detail;
  const license = `The license for ${what} is for releases ${begin === '' ? '' : `from ${begin} and `}before ${day(at)}`;
  if (unsaid === undefined) return `${license}: the maintenance does not cover this one.`;
  return `${license}, and the application did not say when it was released: ${HOW_TO_SAY.release}.`;
}

const ASK_THE_ADMINISTRATOR = 'ask the administrator; "trefoil rules show" has all rules';

const HOW_TO_SAY = {
  version: 'give it with --product-version, or as "version" of connect()',
  release: 'give it with --released, or as "releasedAt" of connect()',
} as const;

/** undefined = it was said. */
function behindUnsaid(detail: string): string | undefined {
  const [first, ...rest] = detail.split(' ');
  return first === 'unsaid' ? rest.join(' ') : undefined;
}

function namedSentence(what: string, { quantity, at, detail }: Denied): string {
  const who = detail === 'device' ? 'device' : 'user';
  const when = at === 0 ? '' : `; an administrator may take one off from ${minute(at)} on`;
  if (quantity === 1) return `The only seat of ${what} belongs to another ${who}${when}.`;
  return `All ${quantity} seats of ${what} belong to other ${who}s${when}.`;
}

function borrowingSentence(what: string, detail: string): string {
  const [why, number] = detail.split(' ');
  switch (why) {
    case 'longest':
      return `A seat of ${what} may be borrowed for ${timeInWords(Number(number))} at most.`;
    case 'seats':
      return number === '0' || number === '1'
        ? `The only seat of ${what} that may be borrowed is away.`
        : `All ${number} seats of ${what} that may be borrowed are away.`;
    case 'extensions':
      return number === '0'
        ? `A borrowed seat of ${what} can't be extended.`
        : `A borrowed seat of ${what} can be extended ${number === '1' ? 'once' : `${number} times`}, no more.`;
    default:
      return `Seats of ${what} can't be borrowed.`;
  }
}

function timeInWords(ms: number): string {
  const [days, hours] = [ms / 86_400_000, ms / 3_600_000];
  if (days >= 1) return counted(Math.floor(days), 'day');
  return hours >= 1 ? counted(Math.floor(hours), 'hour') : counted(Math.floor(ms / 60_000), 'minute');
}

function seatsSentence(what: string, denied: Denied): string {
  const { quantity, free, waiting, holders, detail } = denied;
  const queue = waiting === 0 ? '' : ` ${waiting === 1 ? 'One is' : `${waiting} are`} waiting.`;
  const why = whySentence(what, detail);
  if (why !== undefined) return `${why}${queue}`;
  if (free > 0)
    return `Only ${free} of ${counted(quantity, 'seat')} of ${what} ${free === 1 ? 'is' : 'are'} free.${queue}`;
  if (holders.length === 0) return `No seat of ${what} is free.${queue}`;
  const who = holders
    .slice(0, NAMED_HOLDERS)
    .map((one) => `${one.user} on ${one.host} since ${minute(one.sinceUtc)}${idle(one.idleMs)}${away(one.untilUtc)}`);
  const more = holders.length > NAMED_HOLDERS ? ' and others' : '';
  const all = quantity === 1 ? `The only seat of ${what} is` : `All ${quantity} seats of ${what} are`;
  return `${all} taken: ${who.join('; ')}${more}.${queue}`;
}

/** Where it is not that others have the seats (PROTOCOL §5.8); undefined = it is. */
function whySentence(what: string, detail: string): string | undefined {
  const [why, first = '', second = ''] = detail.split(' ');
  switch (why) {
    case 'most': {
      const most = Number(first);
      return `The license for ${what} has ${most === 0 ? 'no seat' : `only ${counted(most, 'seat')}`}: more can never be granted.`;
    }
    case 'exclusive':
      return `This computer has a seat of ${what} already, and the license allows one use for each computer.`;
    case 'units':
      return `The license for ${what} has units left for ${counted(Number(first), 'seat')} only; the vendor sells more.`;
    case 'borrowing': {
      const rest = first === second ? '' : `, and ${first} ${first === '1' ? 'is' : 'are'} left`;
      return `Only ${counted(Number(second), 'seat')} of ${what} may be borrowed at a time${rest}.`;
    }
    case 'reserved':
      return `What is free of ${what} is reserved for others by an administrator's rule: ${ASK_THE_ADMINISTRATOR}.`;
    case 'waiting':
      return `What is free of ${what} is for those who wait for it.`;
    case 'apart':
      return `No license for ${what} has that many seats free, and seats that are shared have to come from one.`;
    default:
      return undefined;
  }
}

/** Below a minute nobody is idle. */
function idle(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  return minutes === 0 ? '' : ` (not used for ${counted(minutes, 'minute')})`;
}

function away(untilUtc: number): string {
  return untilUtc === 0 ? '' : ` (borrowed until ${minute(untilUtc)})`;
}

function only(detail: string, before = 'allowed'): string {
  return detail === '' ? '' : ` (${before} ${detail})`;
}

function minute(utc: number): string {
  return `${new Date(utc).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function day(utc: number): string {
  return new Date(utc).toISOString().slice(0, 10);
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}
