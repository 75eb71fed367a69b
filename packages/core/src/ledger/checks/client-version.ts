import type { Ask, Denial } from './ask.ts';

export function checkClientVersion({ state, session }: Ask): Denial | undefined {
  const { client } = state.license.terms.minimum;
  return session.client < client ? { code: 'client', detail: String(client) } : undefined;
}
