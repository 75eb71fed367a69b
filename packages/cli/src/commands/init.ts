import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Verifier } from '@trefoil/client';
import { makeDirectory, writeFileAtomically } from '@trefoil/host';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { readPassphrase, readTrimmed, refuseExisting, writeFolder } from '../files.ts';
import { type Answers, parseVirtualIp, readAnswers } from '../init/answers.ts';
import { askFor } from '../init/ask.ts';
import { writeAuthorities } from '../init/certificates.ts';
import { writeHostArchives } from '../init/host-archive.ts';
import { makeGroup, type NewGroup } from '../init/make-group.ts';
import { nextSteps } from '../init/next-steps.ts';
import { CliError, EXIT, note, print, printJson, wholeNumber } from '../terminal.ts';

interface InitOptions {
  readonly vendorRoot: string;
  readonly output?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
  readonly answers?: string;
  readonly group?: string;
  readonly licenseServers?: string[];
  readonly tmrServers?: string[];
  readonly virtualIp?: string;
  readonly interface?: string;
  readonly virtualRouter?: string;
  readonly admin?: string;
  readonly certificateDays?: string;
}

export function initCommand(): Command {
  return new Command('init')
    .description(
      'Plan a group of five hosts: makes its keys and certificates, and a tarball for each host. Asks for what is not given.',
    )
    .requiredOption('--vendor-root <file>', "the vendor's root public key, from the vendor")
    .option(
      '--answers <file>',
      'YAML with the answers: group, licenseServers, tmrServers, virtualIp, interface, admin …',
    )
    .option('--group <code>', 'name of the group, e.g. plant-7')
    .option('--license-servers <address...>', 'three hosts; one for the form with a single server')
    .option('--tmr-servers <address...>', 'two other hosts; one for the form with a single server')
    .option('--virtual-ip <address/prefix>', 'the address that both TMR servers share, e.g. 10.0.0.10/24')
    .option('--interface <name>', 'their network interface that carries it (default: eth0)')
    .option('--virtual-router <n>', 'VRRP number, where the network has another group (default: 51)')
    .option('--admin <name>', 'your name, as it stands in audit records (default: admin)')
    .option('--certificate-days <n>', "how long the servers' certificates are good (default: 730)")
    .option('--passphrase-file <file>', 'protects the private keys of the admin and of the two authorities')
    .option('--output <folder>', 'default: the name of the group')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      [
        '\nExample:\n  trefoil init --group plant-7 --vendor-root vendor-root.pub --virtual-ip 10.0.0.10/24 \\',
        '    --license-servers 10.0.0.1 10.0.0.2 10.0.0.3 --tmr-servers 10.0.0.4 10.0.0.5',
      ].join('\n'),
    )
    .action(init);
}

async function init(options: InitOptions): Promise<void> {
  const vendorRoot = await readTrimmed(options.vendorRoot);
  checkRoot(vendorRoot, options.vendorRoot);
  const answers = await answersOf(options);
  const directory = options.output ?? answers.group;
  await refuseExisting(directory);
  const passphrase = await readPassphrase(options.passphraseFile);
  const used = await alreadyUsed(answers);
  const group = await makeGroup(answers, vendorRoot);
  await writeFolder(directory, () => writeGroup(directory, { group, answers, passphrase }));
  if (used !== undefined) note(used);
  if (passphrase === undefined)
    note('The private keys in admin are not encrypted: give --passphrase-file for a real group.');
  if (options.json === true)
    return printJson({
      directory,
      hosts: group.hosts.map(({ name, host }) => ({ name, host, archive: join(directory, `${name}.tar.gz`) })),
      warnings: used === undefined ? [] : [used],
    });
  const steps = nextSteps(answers, group, directory);
  print(`${directory} is written. From here to a running group:\n\n${steps.trimEnd()}`);
}

async function answersOf(options: InitOptions): Promise<Answers> {
  const { answers, group, licenseServers, tmrServers, virtualIp, admin } = options;
  const number = (text: string | undefined, name: string, most: number): number | undefined =>
    text === undefined ? undefined : wholeNumber(text, name, 1, most);
  const given = Object.fromEntries(
    Object.entries({
      ...{ group, licenseServers, tmrServers, virtualIp, admin, interface: options.interface },
      virtualRouter: number(options.virtualRouter, '--virtual-router', 255),
      certificateDays: number(options.certificateDays, '--certificate-days', 3_650),
    }).filter(([, value]) => value !== undefined),
  );
  const isComplete = group !== undefined && licenseServers !== undefined && tmrServers !== undefined;
  if (answers !== undefined || isComplete) return readAnswers(answers, given);
  if (!process.stdin.isTTY)
    throw new CliError(
      EXIT.usage,
      'give --group, --license-servers and --tmr-servers, or --answers: there is no terminal to ask at',
    );
  return askFor(given, { input: process.stdin, output: process.stderr });
}

function checkRoot(text: string, file: string): void {
  try {
    void new Verifier(text);
  } catch (error) {
    throw new CliError(EXIT.failure, `${file}: ${(error as Error).message}`);
  }
}

async function writeGroup(
  directory: string,
  { group, answers, passphrase }: { group: NewGroup; answers: Answers; passphrase: string | undefined },
): Promise<void> {
  const admin = join(directory, 'admin');
  await makeDirectory(admin);
  const open = (place: string, text: string): Promise<void> => writeFileAtomically(place, text, { mode: 0o644 });
  await writeFileAtomically(join(admin, 'admin.key.pem'), group.admin.toPem(passphrase), { mode: 0o600 });
  await writeAuthorities(admin, group.authorities, passphrase);
  await open(join(admin, 'group.jws'), group.groupDocument);
  await open(join(admin, 'answers.yaml'), stringify(answers));
  await open(join(directory, 'client.json'), group.clientFile);
  await open(join(directory, 'NEXT-STEPS.txt'), nextSteps(answers, group, directory));
  await writeHostArchives(directory, group.hosts);
}

/** Somebody who answers at the virtual IP before there is a group is somebody else. Who doesn't answer may still be there. */
async function alreadyUsed({ virtualIp }: Answers): Promise<string | undefined> {
  const address = virtualIp === undefined ? undefined : parseVirtualIp(virtualIp)?.address;
  if (address === undefined) return undefined;
  try {
    await promisify(execFile)('ping', ['-n', '-c', '1', '-w', '1', address]);
    return `WARNING: somebody answers at the virtual IP ${address} already. Two hosts with one address can't be reached: give another.`;
  } catch {
    return undefined; // nobody, or there is no ping here
  }
}
