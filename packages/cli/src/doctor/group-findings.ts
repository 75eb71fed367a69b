import type { StatusReply } from '@trefoil/api';
import { NOT_YET, REPLACED } from '@trefoil/core';
import { printable } from '../terminal.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { programFindings } from './versions.ts';

/** What TMR servers say of the group: everything of it that is not a host's own. */
export function groupFindings(status: StatusReply): Finding[] {
  return [
    ...redundancyFindings(status),
    ...programFindings(status),
    ...clockFindings(status),
    ...alarmFindings(status),
  ];
}

function redundancyFindings(status: StatusReply): Finding[] {
  const { redundancy, licenseServers, tmrServers } = status;
  const what = 'redundancy';
  const single = licenseServers.length === 1;
  const findings: Finding[] = [];
  if (redundancy < 0)
    findings.push(
      problem(
        what,
        'too few license servers vote: no seats are granted',
        'Seats that are held run to their end. Start the license servers named below, or bring them back to the ' +
          'network, one is enough to begin with.',
      ),
    );
  else if (single) findings.push(ok(what, 'one server, no redundancy, as it was planned'));
  else if (redundancy === 0)
    findings.push(
      problem(
        what,
        'none left: one more failure stops grants',
        'Users notice nothing yet. Bring back the license server named below before another one fails, and take none out meanwhile.',
      ),
    );
  else findings.push(ok(what, `${redundancy} more license server may fail`));
  for (const server of licenseServers) findings.push(...licenseServerFindings(server));
  for (const { server, heard } of tmrServers)
    if (!heard)
      findings.push(
        problem(
          `TMR server ${server}`,
          'the license servers do not hear it',
          'If the other one fails, nobody takes over: run "trefoil doctor" on its host; "systemctl status trefoil-tmr-server" ' +
            'says whether it runs.',
        ),
      );
  return findings;
}

/** By what it says itself. */
const ADVICE: Readonly<Record<string, string>> = {
  [NOT_YET]:
    'It has a container that the group does not know: run "trefoil replace" with the document that the vendor has made of its request.',
  [REPLACED]: 'Switch it off for good, and start the new machine at its address.',
};

function licenseServerFindings(server: StatusReply['licenseServers'][0]): Finding[] {
  const { member, address, connected, voting, withholding, unanchored } = server;
  const what = `license server ${member}`;
  if (!connected)
    return [
      problem(
        what,
        `not connected (${address})`,
        'Run "trefoil doctor" on its host; from there "systemctl status trefoil-license-server" says whether it runs.',
      ),
    ];
  if (!voting)
    return [
      problem(
        what,
        `does not vote: ${printable(withholding)}`,
        ADVICE[withholding] ??
          'It may have forgotten something and joins again by itself when the two others answer: see that they run, and wait a minute.',
      ),
    ];
  if (unanchored)
    return [
      warning(
        what,
        'votes, but could not ask both others when it started',
        'A store that was copied back would not have been noticed. It settles by itself as soon as both other license servers run.',
      ),
    ];
  return [ok(what, 'votes')];
}

const OFF_MS = 500;
const FAR_OFF_MS = 2_000;

export function clockFindings({ server, licenseServers }: Pick<StatusReply, 'server' | 'licenseServers'>): Finding[] {
  const offsets = licenseServers
    .filter(({ connected }) => connected)
    .map(({ member, clockOffsetMs }) => ({ member, offset: Number(clockOffsetMs) }));
  const all = offsets.map(({ offset }) => offset);
  // Where all differ from it by the same, it is the one that is wrong.
  const common = Math.max(...all) - Math.min(...all) <= OFF_MS ? -middleOf(all) : 0;
  if (offsets.length > 1 && Math.abs(common) > OFF_MS)
    return [clockFinding(`clock of TMR server ${server}`, common, 'all license servers')];
  return offsets.map(({ member, offset }) =>
    clockFinding(`clock of license server ${member}`, offset, `TMR server ${server}`),
  );
}

function middleOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

export function clockFinding(what: string, offsetMs: number, than: string): Finding {
  const found =
    offsetMs === 0 ? `as that of ${than}` : `${Math.abs(offsetMs)} ms ${offsetMs > 0 ? 'ahead of' : 'behind'} ${than}`;
  if (Math.abs(offsetMs) <= OFF_MS) return ok(what, found);
  const advice =
    'Dates of licenses, certificates and records depend on it: on that host "timedatectl set-ntp true" has ' +
    'a time service set it. Time zones are not the reason, all of this is in UTC.';
  return Math.abs(offsetMs) > FAR_OFF_MS ? problem(what, found, advice) : warning(what, found, advice);
}

/** Those that were said above in other words: about redundancy, TMR servers that nobody hears, and the virtual IP. */
const SAID = /^(redundancy-lost|no-quorum|tmr-server-not-heard|virtual-ip-twice|clock-off): /;

function alarmFindings({ alarms }: StatusReply): Finding[] {
  return alarms
    .filter((alarm) => !SAID.test(alarm))
    .map((alarm) =>
      problem(
        'alarm',
        printable(alarm),
        'The TMR servers raise it: the log of the server that it names ("journalctl -u trefoil-license-server ' +
          '-u trefoil-tmr-server") says more.',
      ),
    );
}
