import { hostname } from 'node:os';
import { platform } from '@trefoil/host';
import { Command } from 'commander';
import { restoreBackup, verifyBackup } from '../backup/read-backup.ts';
import { type Manifest, writeBackup } from '../backup/write-backup.ts';
import { refuseExisting } from '../files.ts';
import { note, print, printJson } from '../terminal.ts';

interface PlaceOptions {
  readonly etc: string;
  readonly data: string;
  readonly json?: boolean;
}

function withPlaces(command: Command): Command {
  return command
    .option('--etc <folder>', 'configurations, certificates, keys', platform.folders.configuration)
    .option('--data <folder>', 'logs and containers', platform.folders.data)
    .option('--json', 'print JSON');
}

export function backupCommand(): Command {
  return withPlaces(new Command('backup'))
    .description(
      'Everything of this host in one file, while its servers run. It has keys in it: keep it as you keep those.',
    )
    .requiredOption('--output <file>', 'made with mode 0600')
    .addHelpText('after', '\nExample:\n  trefoil backup --output /backup/license-server-1.tar.gz')
    .action(async (options: PlaceOptions & { output: string }) => {
      await refuseExisting(options.output);
      await writeBackup(options, { output: options.output, host: hostname() });
      // Read again, from the disk: a backup that nobody has read is none.
      const manifest = await verifyBackup(options.output);
      if (options.json === true) return printJson(manifest);
      print(`${options.output}: ${summary(manifest)}, read again and found right`);
    });
}

export function restoreCommand(): Command {
  return withPlaces(new Command('restore'))
    .description('Put a backup of this host back, whose servers must not run. Nothing is overwritten.')
    .argument('<file>', 'from "trefoil backup"')
    .option('--replace', 'move what is there aside')
    .option('--verify', 'only say whether the backup is whole')
    .addHelpText('after', '\nExample:\n  trefoil restore /backup/license-server-1.tar.gz --replace')
    .action(async (file: string, options: PlaceOptions & { replace?: boolean; verify?: boolean }) => {
      const manifest = await verifyBackup(file);
      const aside =
        options.verify === true ? [] : await restoreBackup(file, options, { replace: options.replace === true });
      if (options.json === true) return printJson({ ...manifest, aside });
      print(`${file}: ${summary(manifest)}`);
      if (options.verify === true) return;
      for (const one of aside) print(`what was there is in ${one}; remove it when all is well`);
      note('Start the server again. What it has forgotten since, its peers tell it: both of them have to run.');
    });
}

function summary({ host, at, files }: Manifest): string {
  const bytes = files.reduce((sum, one) => sum + one.bytes, 0);
  return `${files.length} files of ${host}, ${(bytes / 1024 / 1024).toFixed(1)} MiB, as of ${at.slice(0, 19).replace('T', ' ')}Z`;
}
