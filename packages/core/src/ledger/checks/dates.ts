import { newestConfiguration } from '../configurations.ts';
import { type Ask, type Denial, lastOf } from './ask.ts';

export function checkBegin({ ledger, scope }: Ask): Denial | undefined {
  const begin = scope?.notBefore;
  return begin !== undefined && ledger.utc < begin ? { code: 'not-yet', at: begin } : undefined;
}

export function checkEnd(ask: Ask): Denial | undefined {
  const last = lastOf(ask);
  const detail = ask.state.license.terms.returned ? 'returned' : '';
  return ask.ledger.utc >= last ? { code: 'expired', at: last, detail } : undefined;
}

export function checkConfiguration({ ledger }: Ask): Denial | undefined {
  const { expires } = newestConfiguration(ledger);
  return ledger.utc >= expires ? { code: 'configuration-expired', at: expires } : undefined;
}
