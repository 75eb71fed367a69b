import { type AdminCommand, type Answer, equalBytes, keyIdBytes, signedCommandBytes } from '@trefoil/license';
import { LIMITS } from '../../limits.ts';
import type { Ledger } from '../state.ts';
import { refused } from './refused.ts';

/** Why it is not an admin's word, or not one of now; and whose it is. */
export function byAdmin(
  { context, logTime }: Ledger,
  command: AdminCommand,
): { readonly name: string } | { readonly refusal: Answer } {
  const { crypto, configuration, group } = context;
  const admin = group.admins.find((one) => equalBytes(keyIdBytes(crypto, one.key), command.admin));
  if (admin === undefined) return { refusal: refused('unknown-admin') };
  if (!crypto.verify(admin.key, signedCommandBytes(configuration.set, command), command.signature))
    return { refusal: refused('bad-signature') };
  const isStale = command.atLogTime > logTime || command.atLogTime + LIMITS.openWindowMs < logTime;
  return isStale ? { refusal: refused('stale') } : { name: admin.name };
}
