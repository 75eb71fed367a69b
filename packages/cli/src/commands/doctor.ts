import { Command } from 'commander';
import { type ClientOptions, withClientOptions } from '../connection.ts';
import { EXIT, print, printable, printJson } from '../terminal.ts';

interface DoctorOptions extends ClientOptions {
  readonly etc?: string;
}

function withHostOptions(command: Command): Command {
  return withClientOptions(command).option('--etc <folder>', 'configuration of this host; default: /etc/trefoil');
}

/** Loaded when run: it reads configurations as the servers do, and brings what they bring. */
export function doctorCommand(): Command {
  return withHostOptions(new Command('doctor'))
    .description('Look at this host and its group: ports, clocks, disks, certificates, redundancy; says what to do.')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil doctor\n\nExit code: 0 nothing wrong, or warnings only; 1 a problem. Changes nothing. Root sees everything.',
    )
    .action(async (options: DoctorOptions, command: Command) => {
      const { examine } = await import('../doctor/examine.ts');
      const { printReport } = await import('../doctor/report.ts');
      const findings = await examine({ ...options, version: command.parent?.version() ?? '' });
      printReport(findings, options.json === true);
      if (findings.some(({ level }) => level === 'problem')) process.exitCode = EXIT.failure;
    });
}

export function upgradeCheckCommand(): Command {
  return withHostOptions(new Command('upgrade-check'))
    .description('Whether this host may be taken out now, e.g. for an upgrade: is the group whole without it?')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil upgrade-check && apt install ./trefoil.deb\n\nExit code: 0 go on, 1 not now.',
    )
    .action(async (options: DoctorOptions) => {
      const { mayUpgrade } = await import('../doctor/may-upgrade.ts');
      const verdict = await mayUpgrade(options);
      const { mayBeTakenOut, servers, obstacles, order } = verdict;
      if (!mayBeTakenOut) process.exitCode = EXIT.failure;
      if (options.json === true) return printJson(verdict);
      if (servers.length === 0 && mayBeTakenOut)
        return print('Go on: no server is set up on this host, the group does without it.');
      if (mayBeTakenOut) return print(`Go on: the group is whole without ${servers.join(' and ')}.\n${order}`);
      const lines = obstacles.flatMap(({ reason, first }) => ['', `- ${printable(reason)}`, `  ${first}`]);
      print(['Not now:', ...lines, '', order].join('\n'));
    });
}
