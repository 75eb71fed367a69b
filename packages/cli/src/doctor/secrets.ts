import { stat } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { failed, type Finding, ok, problem } from './finding.ts';
import type { OwnServer } from './host.ts';

/** Who the package's services run as. */
export const SERVICE_USER = 'trefoil';

/** Whether each file with a secret is for the server alone, and for the server at all. */
export async function secretFindings({ name, secrets }: OwnServer): Promise<Finding[]> {
  const what = `keys of ${name}`;
  const serviceUid = uidOf(SERVICE_USER, passwd());
  const findings = await Promise.all(
    secrets.map(async (file): Promise<Finding | undefined> => {
      try {
        return secretFinding(what, file, await stat(file), serviceUid);
      } catch (error) {
        // What isn't there is said of the key or the container itself.
        return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? undefined : failed(what, error);
      }
    }),
  );
  const said = findings.filter((one) => one !== undefined);
  return said.length > 0 ? said : [ok(what, 'nobody but the server reads them')];
}

/** Undefined: as it has to be. @param serviceUid undefined where the package is not installed */
export function secretFinding(
  what: string,
  file: string,
  { mode, uid }: { readonly mode: number; readonly uid: number },
  serviceUid: number | undefined,
): Finding | undefined {
  if ((mode & 0o077) !== 0)
    return problem(
      what,
      `others may read ${file}`,
      `Whoever reads it can pass for this server, and the server may refuse to start: "chmod 600 ${file}". If ` +
        'strangers were on this host, have it made anew.',
    );
  if (serviceUid !== undefined && uid !== serviceUid)
    return problem(
      what,
      `${file} does not belong to the user ${SERVICE_USER}`,
      `The service runs as that user and can not read it: "chown ${SERVICE_USER}: ${file}".`,
    );
  return undefined;
}

export function uidOf(user: string, passwdText: string): number | undefined {
  const uid = new RegExp(`^${user}:[^:]*:([0-9]+):`, 'm').exec(passwdText)?.[1];
  return uid === undefined ? undefined : Number(uid);
}

export function passwd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}
