import { RULES_VERSION } from '@trefoil/core';
import { type Finding, ok, problem } from './finding.ts';

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
