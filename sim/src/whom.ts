import type { Member, TmrServer as Id } from '@trefoil/license';
import type { Random } from './random.ts';
import type { World } from './world.ts';

export const member = (random: Random): Member => random.pick([1, 2, 3] as const);
export const tmr = (random: Random): Id => random.pick(['A', 'B'] as const);

/** Two that have forgotten at once are more than the protocol promises to survive. */
export function othersUnwell(world: World, member_: Member): boolean {
  return ([1, 2, 3] as const).some((one) => {
    const server = world.licenseServers[one];
    const { runtime } = server;
    const unwell =
      world.checks.signatures.isForgetful(server) || runtime === undefined || runtime.voter.withholding !== '';
    return one !== member_ && unwell;
  });
}
