import { type Answer, LicenseError, parseAdminRules, type RulesCommand } from '@trefoil/license';
import { policyOf } from '../policy.ts';
import { type Ledger, recordName } from '../state.ts';
import { byAdmin } from './by-admin.ts';
import { refused } from './refused.ts';

/** PROTOCOL §5.16: the customer's rules, in place of those before. Nobody is thrown out; they decide on what is asked from now on. */
export function installRules(ledger: Ledger, command: RulesCommand): Answer {
  const admin = byAdmin(ledger, command);
  if ('refusal' in admin) return admin.refusal;
  let policy: Ledger['policy'];
  try {
    const rules = parseAdminRules(command.document);
    policy = policyOf(ledger, { ...rules, text: command.document, admin: admin.name, sinceUtc: ledger.utc });
  } catch (error) {
    if (error instanceof LicenseError) return refused('bad-document', error.message);
    throw error;
  }
  const standing = ledger.policy?.version ?? 0;
  if (policy.version <= standing) return refused('older-rules', `version ${policy.version}; in force is ${standing}`);
  ledger.journal.set(ledger, 'policy', policy);
  ledger.dirty.add(recordName.policy);
  // Who was kept waiting by the rules before may be served.
  for (const product of ledger.queues.keys()) ledger.journal.add(ledger.stirred, product);
  return { kind: 'ruled', version: policy.version, rules: policy.rules.length };
}
