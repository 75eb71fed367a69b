import {
  create,
  type GetUsageReply,
  GetUsageReplySchema,
  type GetUsageRequest,
  type MessageInitShape,
  type UsageOfDaySchema,
} from '@trefoil/api';
import { type DayUsage, type Ledger, type LicenseState, usageOf } from '@trefoil/core';
import { DENIAL_CODES } from '@trefoil/license';
import type { ProposerRuntime } from './proposer-runtime.ts';

/** In one reply: it has to fit a frame, and be a moment's work. Whoever wants more asks again behind it. */
const MAX_DAYS_SHOWN = 1_500;

export function getUsage({ proposer }: ProposerRuntime, request: GetUsageRequest): GetUsageReply {
  const { ledger } = proposer.replica;
  const { fromDay, toDay } = request;
  const days: MessageInitShape<typeof UsageOfDaySchema>[] = [];
  let last = '';
  let moreAfter = '';
  for (const state of licensesIn(ledger, request)) {
    if (days.length >= MAX_DAYS_SHOWN) {
      moreAfter = last;
      break;
    }
    for (const one of usageOf(ledger, state))
      if (one.day >= fromDay && (toDay === 0 || one.day <= toDay)) days.push(shown(state, one));
    last = state.license.id;
  }
  return create(GetUsageReplySchema, { index: BigInt(ledger.index), utc: BigInt(ledger.utc), days, moreAfter });
}

/** In the order of their ids. */
function licensesIn(ledger: Ledger, { license, product, after }: GetUsageRequest): readonly LicenseState[] {
  return [...ledger.licenses.values()]
    .filter((one) => license === '' || one.license.id === license)
    .filter((one) => product === '' || one.license.product === product)
    .filter((one) => one.license.id > after)
    .sort((a, b) => (a.license.id < b.license.id ? -1 : 1));
}

function shown({ license }: LicenseState, one: DayUsage): MessageInitShape<typeof UsageOfDaySchema> {
  return {
    ...{ day: one.day, license: license.id, product: license.product },
    quantity: BigInt(one.quantity),
    peak: BigInt(one.peak),
    overdraft: BigInt(one.overdraft),
    seatMs: BigInt(one.seatMs),
    grants: BigInt(one.grants),
    queued: BigInt(one.queued),
    unserved: BigInt(one.unserved),
    units: BigInt(one.units),
    denials: one.denials.flatMap((count, i) =>
      count > 0 ? [{ code: DENIAL_CODES[i] as string, count: BigInt(count) }] : [],
    ),
  };
}
