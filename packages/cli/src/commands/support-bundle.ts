import { Command } from 'commander';
import { refuseExisting } from '../files.ts';
import { PORTS } from '@trefoil/api';
import { platform, reasonOf } from '@trefoil/host';
import { programs } from '../programs.ts';
import { supportFiles, writeSupportBundle } from '../support/bundle.ts';
import { note, print, printJson } from '../terminal.ts';

interface Options {
  readonly output: string;
  readonly etc: string;
  readonly json?: boolean;
}

export function supportBundleCommand(): Command {
  return new Command('support-bundle')
    .description(
      'What somebody who helps needs to see of this host, in one file, without keys. Names of users and hosts are in it.',
    )
    .requiredOption('--output <file>', 'made with mode 0600')
    .option('--etc <folder>', 'configurations and certificates', platform.folders.configuration)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  trefoil support-bundle --output support.tar.gz')
    .action(async ({ output, etc, json }: Options) => {
      await refuseExisting(output);
      const trefoil = [process.execPath, programs.trefoil];
      const files = await supportFiles(etc, [
        ['status.json', [...trefoil, 'status', '--json']],
        ['doctor.json', [...trefoil, 'doctor', '--json']],
        ['licenses.json', [...trefoil, 'licenses', '--json']],
        ['journal.txt', ['journalctl', '--no-pager', '-n', '20000', '-u', 'trefoil-*', '-u', 'keepalived']],
        ['addresses.txt', ['ip', 'addr']],
        ['disks.txt', ['df', '-h']],
      ]);
      files.push({ name: 'metrics.txt', text: await metrics() });
      await writeSupportBundle(output, files);
      if (json === true) return printJson({ output, files: files.map(({ name }) => name) });
      print(`${output}: ${files.map(({ name }) => name).join(', ')}`);
      note('Look into it before you give it away: it has names of users and hosts, and what they used.');
    });
}

async function metrics(): Promise<string> {
  const url = `http://127.0.0.1:${PORTS.health}/metrics`;
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
  } catch (error) {
    return `not to be had from ${url}: ${reasonOf(error)}\n`;
  }
}
