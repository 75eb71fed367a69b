import { ClientError } from '@trefoil/client';
import { ContainerError } from '@trefoil/container';
import { HostError, PROGRAM_VERSION, reasonOf } from '@trefoil/host';
import { LicenseError } from '@trefoil/license';
import { LinkError } from '@trefoil/link';
import { VendorError } from '@trefoil/vendor';
import { Command, CommanderError } from 'commander';
import { evictCommand, updateCommand, writeOffCommand } from './commands/admin.ts';
import { backupCommand, restoreCommand } from './commands/backup.ts';
import { borrowCommand, borrowedCommand, extendCommand, giveBackCommand } from './commands/borrow.ts';
import { auditCommand } from './commands/audit.ts';
import { completionCommand, manualCommand } from './commands/completion.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand, upgradeCheckCommand } from './commands/doctor.ts';
import { initCommand } from './commands/init.ts';
import { rulesCommand, unnameCommand } from './commands/rules.ts';
import { acquireCommand, consumeCommand, releaseCommand, runCommand } from './commands/seats.ts';
import { licenseServerCommand, tmrServerCommand } from './commands/servers.ts';
import { clientCommand, rebindCommand, requestCommand } from './commands/set-up.ts';
import { supportBundleCommand } from './commands/support-bundle.ts';
import { certificatesCommand } from './commands/certificates.ts';
import { readdressCommand } from './commands/readdress.ts';
import { replaceCommand } from './commands/replace.ts';
import { switchCommand } from './commands/switch.ts';
import { usageCommand } from './commands/usage.ts';
import { vendorCommand } from './commands/vendor.ts';
import { verifyCommand } from './commands/verify.ts';
import { licensesCommand, sessionsCommand, statusCommand } from './commands/views.ts';
import { CliError, EXIT, failure, note, printJson } from './terminal.ts';

/** The `trefoil` command: every subcommand in one list, in the order in which people meet them. */
function program(): Command {
  const trefoil = new Command('trefoil')
    .description('License management that does not fail: three license servers vote, two TMR servers lead.')
    .version(PROGRAM_VERSION)
    .addHelpText(
      'after',
      '\nExit codes: 0 ok, 1 failure, 2 usage, 3 denied or refused, 4 not reachable.\nBegin with:  trefoil demo',
    );
  const commands = [
    ...[demoCommand(), runCommand(), acquireCommand(), releaseCommand(), consumeCommand()],
    ...[statusCommand(), licensesCommand(), sessionsCommand(), evictCommand(), updateCommand(), verifyCommand()],
    ...[borrowCommand(), borrowedCommand(), extendCommand(), giveBackCommand()],
    ...[doctorCommand(), upgradeCheckCommand()],
    ...[rulesCommand(), unnameCommand(), writeOffCommand(), usageCommand(), auditCommand()],
    ...[
      initCommand(),
      switchCommand(),
      replaceCommand(),
      certificatesCommand(),
      readdressCommand(),
      backupCommand(),
      restoreCommand(),
      supportBundleCommand(),
      clientCommand(),
      requestCommand(),
      rebindCommand(),
      vendorCommand(),
      licenseServerCommand(),
      tmrServerCommand(),
    ],
    ...[completionCommand(), manualCommand()],
  ];
  for (const command of commands) trefoil.addCommand(command);
  return allExitByError(trefoil);
}

/** Usage errors come as exceptions, so that they end with code 2 like those found later. */
function allExitByError(command: Command): Command {
  command.exitOverride().showHelpAfterError('(see --help)').configureHelp({ showGlobalOptions: false });
  for (const child of command.commands) allExitByError(child);
  return command;
}

/** Runs the command line; returns the exit code. Nothing that a user can do wrong shows a stack trace. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync([...argv]);
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const code = exitCodeOf(error);
    if (code === undefined) throw error;
    const message = inWords(error as Error);
    note(`trefoil: ${message}`);
    if (asksForJson(argv)) printJson(error instanceof CliError ? error.json : failure(code, message));
    return code;
  }
}

/** The system's own errors name the call; people need the file and the reason. */
function inWords(error: Error): string {
  return 'syscall' in error && 'path' in error ? `${String(error.path)}: ${reasonOf(error)}` : error.message;
}

/** Words after `--` are those of another command. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}

function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof CliError) return error.exitCode;
  if (error instanceof Error && 'syscall' in error) return EXIT.failure; // the system's own: ENOENT, EEXIST …
  if (error instanceof ClientError) {
    if (error.code === 'bad-request') return EXIT.usage;
    return error.code === 'not-reachable' ? EXIT.notReachable : EXIT.failure;
  }
  const operational = [HostError, ContainerError, VendorError, LicenseError, LinkError];
  return operational.some((one) => error instanceof one) ? EXIT.failure : undefined;
}
