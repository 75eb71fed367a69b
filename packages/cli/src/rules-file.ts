import { readFileSync } from 'node:fs';
import { HostError, isProblem, loadConfiguration, parsePlacedYaml, z } from '@trefoil/host';
import { type AdminRules, LicenseError, parseAdminRules } from '@trefoil/license';
import { stringify } from 'yaml';

/** The shape of a rules file; what ties its parts together is for the reader of the group. */
const whoSchema = z.strictObject({
  users: z.array(z.string()).optional(),
  hosts: z.array(z.string()).optional(),
  subnets: z.array(z.string()).optional(),
  groups: z.array(z.string()).optional(),
});
/** `rules` has to be there: a file that was emptied by mistake must not take all rules away. */
const fileSchema = z.strictObject({
  groups: z.record(z.string(), whoSchema).optional(),
  rules: z.array(
    z.strictObject({
      rule: z.enum(['allow', 'deny', 'reserve', 'limit']),
      product: z.string(),
      feature: z.string().optional(),
      seats: z.int().optional(),
      each: z.enum(['user', 'host']).optional(),
      for: whoSchema.optional(),
    }),
  ),
});

/** @throws HostError with file and line */
export function readRules(file: string, version: number): { document: string; rules: AdminRules } {
  const content = loadConfiguration(file, fileSchema);
  const document = JSON.stringify({ format: 1, version, ...content });
  try {
    return { document, rules: parseAdminRules(document) };
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
    const yaml = parsePlacedYaml(readFileSync(file, 'utf8'));
    const line = isProblem(yaml) ? 1 : yaml.lineOf(pathIn(error.message));
    throw new HostError('configuration-invalid', `${file}:${line}: ${error.message}`, { file, line }, { cause: error });
  }
}

/** `rules[2].for.subnets[0]`, as messages begin with, → its steps. */
function pathIn(message: string): (string | number)[] {
  const [path = ''] = /(?:rules|groups)[^\s"]*/.exec(message) ?? [];
  return [...path.matchAll(/([^.[\]]+)/g)].map(([step]) => (/^\d+$/.test(step) ? Number(step) : step));
}

/** The document in force as a file that can be put into force again; '' = there are no rules. */
export function rulesAsFile(document: string): string {
  if (document === '') return 'rules: []';
  // What the group adds when it is applied: the form, and the number.
  const { format: _, version: __, ...content } = JSON.parse(document) as Record<string, unknown>;
  return stringify(content, { lineWidth: 0 }).trimEnd();
}
