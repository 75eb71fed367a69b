import { type Answer, GRANT_FLAGS, type Grant, type InstalledLicense } from '@trefoil/license';

/** What a client was told, as a sentence without its subject. `startMs` = UTC at the start of the scenario. */
export function inWords(answer: Answer, startMs: number): string {
  const since = (utc: number): string => `${((utc - startMs) / 1000).toFixed(1)} s`;
  switch (answer.kind) {
    case 'opened':
      return 'has a session';
    case 'granted':
      return `is granted ${grants(answer.grants)}`;
    case 'renewed':
      return renewed(answer);
    case 'queued':
      return `waits, at place ${answer.place}`;
    case 'released':
      return 'has given the seat back';
    case 'consumed':
      return answer.parts.map((one) => `consumed ${one.units} of ${one.license}; ${one.left} left`).join(' and ');
    case 'closed':
      return 'has closed the session';
    case 'denied': {
      const holders = answer.holders.map((one) => {
        const until = one.untilUtc === 0 ? '' : ` until ${since(one.untilUtc)}`;
        return `${one.user} on ${one.host} since ${since(one.sinceUtc)}${until}`;
      });
      const detail = answer.code === 'borrowing' && answer.detail !== '' ? ` (${answer.detail})` : '';
      const held = holders.length === 0 ? '' : `; held by ${holders.join(', ')}`;
      const free = answer.code === 'seats' ? `, ${answer.free} of ${answer.quantity} free` : '';
      return `is denied ${answer.product}: ${answer.code}${detail}${free}${held}`;
    }
    case 'refused':
      return `is refused: ${answer.code}${answer.detail === '' ? '' : ` (${answer.detail})`}`;
    case 'evicted':
      return `has evicted the session; its seats are free at log time ${answer.freeAtLogTime} ms`;
    case 'updated':
      return `has installed ${answer.licenses.map(installed).join(', ')}`;
    case 'expired':
      return `lost hold ${answer.hold}`;
    case 'ruled':
      return `has put ${answer.rules} rules into force`;
    case 'unnamed':
      return `has taken ${answer.name} off ${answer.license}`;
    case 'reconfigured': {
      const placed = answer.member === 0 ? '' : `: container ${answer.member} is new`;
      return `has brought version ${answer.version} of the configuration${placed}`;
    }
    case 'unserved':
      return 'has waited in vain';
    case 'ended':
      return `has no session any more: ${answer.why}`;
  }
}

function renewed({ grants: kept, waiting }: Answer & { kind: 'renewed' }): string {
  const waits = waiting.map(({ place }) => `waits at place ${place}`);
  const keeps = kept.length === 0 ? [] : [`keeps ${grants(kept)}`];
  return [...keeps, ...waits].join(' and ') || 'renews the session; no seats';
}

function installed(one: InstalledLicense): string {
  return `${one.license} version ${one.version}: ${one.quantity} of ${one.product}`;
}

function grants(all: readonly Grant[]): string {
  return all
    .map(({ seats, product, license, version, flags, lifeMs }) => {
      const waited = (flags & GRANT_FLAGS.waited) === 0 ? '' : ', after a wait';
      const borrowed = (flags & GRANT_FLAGS.borrowed) === 0 ? '' : `, borrowed for ${lifeMs / 1_000} s`;
      return `${seats} of ${product} (${license} version ${version}${waited}${borrowed})`;
    })
    .join(' and ');
}
