import { type Ask, type Denial, modeOf } from './ask.ts';

/** Of what takes a seat; what uses up units has no mode. */
export function checkCountingMode(ask: Ask): Denial | undefined {
  const { counting } = ask.state.license.terms;
  return counting.includes(modeOf(ask)) ? undefined : { code: 'mode-not-allowed', detail: counting.join(', ') };
}
