import { Command } from 'commander';
import { demoCommand } from './commands/demo.ts';
import { verifyCommand } from './commands/verify.ts';

/** The `trefoil` command: every subcommand in one list. */
export function program(process: NodeJS.Process): Command {
  void process;
  const trefoil = new Command('trefoil')
    .description('License management that does not fail: three license servers vote, two TMR servers lead.')
    .version('0.1.0');
  trefoil.addCommand(demoCommand());
  trefoil.addCommand(verifyCommand());
  return trefoil;
}
