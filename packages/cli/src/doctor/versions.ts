import type { StatusReply } from '@trefoil/api';
import { RULES_VERSION } from '@trefoil/core';
import { type Finding, ok, problem, warning } from './finding.ts';

const OLDEST_NODE = 24;

export function versionFindings(own: string, node = process.version): Finding[] {
  return [ok('version', `trefoil ${own}, rules ${RULES_VERSION}`), nodeFinding(node)];
}

function nodeFinding(version: string): Finding {
  const major = Number(/^v(\d+)\./.exec(version)?.[1]);
  if (major >= OLDEST_NODE) return ok('Node', version);
  return problem(
    'Node',
    `${version}, older than ${OLDEST_NODE}`,
    'The servers are not tried with it: install the Debian package, which brings its own, or Node 24.',
  );
}

/** The programs that run, not those that are installed: a package may be newer than the process. */
export function programFindings({ server, licenseServers, tmrServers, rules }: StatusReply): Finding[] {
  const running = [
    ...licenseServers
      .filter(({ connected }) => connected)
      .map(({ member, program }) => ({ who: `license server ${member}`, program })),
    ...tmrServers.filter(({ heard }) => heard).map(({ server, program }) => ({ who: `TMR server ${server}`, program })),
  ];
  const versions = [...new Set(running.map(({ program }) => program))];
  const [only] = versions;
  const what = 'programs that run';
  if (only === undefined) return [];
  if (versions.length === 1 && only !== '')
    return [ok(what, `all of version ${only}; the group goes by rules ${rules}`)];
  if (rules === 0)
    return [
      warning(
        what,
        `not known: TMR server ${server} was asked, and has an older program that can not tell`,
        'The group is being upgraded: go on. "trefoil status" names them all as soon as a TMR server with the newer program ' +
          'answers.',
      ),
    ];
  const each = running.map(({ who, program }) => `${who}: ${program || 'older, or not heard'}`).join('; ');
  return [
    warning(
      what,
      `of several versions: ${each}`,
      `They work together, by the older rules (${rules}) until all five have the newer program. Go on with the upgrade: ` +
        '"trefoil upgrade-check" on each host says whether it is its turn. Where the newer package is installed already, start its ' +
        'server anew.',
    ),
  ];
}
