import { type License, type Member, verifyUpdate } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { makeReconfiguration } from '@trefoil/vendor';
import { Command } from 'commander';
import { readTrimmed, refuseExisting, writeResult } from '../files.ts';
import { CliError, EXIT, note, print, wholeNumber } from '../terminal.ts';
import { daysMs, type Folder, readIssuer, readRoot, readVersions, withFolder } from './vendor-folder.ts';

interface ReconfigureOptions extends Folder {
  readonly configuration: string;
  readonly member?: string;
  readonly request?: string;
  readonly days: string;
  readonly output: string;
}

export function reconfigureCommand(): Command {
  return withFolder(new Command('reconfigure'))
    .description(
      "Put a new container in the place of one of a set's three, or let the same ones be good for longer: its next configuration.",
    )
    .argument(
      '[update...]',
      'the newest update file of each license that the group has: the new container needs its part of them',
    )
    .requiredOption('--configuration <file>', "the set's configuration, with all its versions so far")
    .option('--member <n>', 'which license server is replaced: 1, 2 or 3')
    .option('--request <file>', 'of its new container, from "trefoil request" on the new machine')
    .option('--days <n>', 'until the configuration has to be renewed again', '365')
    .requiredOption(
      '--output <name>',
      'NAME.reconfiguration for the running group, NAME.configuration.jws for the new machine',
    )
    .addHelpText(
      'after',
      [
        '\nExamples:\n  trefoil vendor reconfigure cad-1.update --configuration plant7.configuration.jws \\',
        '    --member 3 --request new-host3.request --output plant7-v2',
        '  trefoil vendor reconfigure --configuration plant7.configuration.jws --days 730 --output plant7-v2',
        '\nWho has the old container still has two of three votes under the old configuration once a second one is replaced:',
        'let configurations end soon, and ask for containers that are not lost.',
      ].join('\n'),
    )
    .action(async (files: string[], options: ReconfigureOptions) => {
      const place = await readPlace(options);
      const output = { document: `${options.output}.reconfiguration`, versions: `${options.output}.configuration.jws` };
      for (const file of Object.values(output)) await refuseExisting(file);
      const issuer = await readIssuer(options);
      const root = await readRoot(options);
      const versions = await readVersions(issuer, options.configuration);
      const licenses: License[] = [];
      for (const file of files) licenses.push(...verifyUpdate(nodeCrypto(), root, await readTrimmed(file)).licenses);
      const now = Date.now();
      const made = makeReconfiguration(issuer, root, versions, {
        ...{ place, licenses, issuedAt: now, expires: now + daysMs(options.days) },
      });
      const texts = [...versions, made.configuration].map(({ text }) => text);
      await writeResult(output.document, made.text);
      await writeResult(output.versions, `${texts.join('\n')}\n`);
      const what = place === undefined ? 'the same containers' : `a new container for license server ${place.member}`;
      print(
        `version ${made.configuration.version}: ${what}, until ${new Date(made.configuration.expires).toISOString()}`,
      );
      note(`The customer runs: trefoil ${place === undefined ? 'update' : 'replace'} ${output.document}`);
    });
}

async function readPlace({
  member,
  request,
}: ReconfigureOptions): Promise<{ member: Member; request: string } | undefined> {
  if (member === undefined && request === undefined) return undefined;
  if (member === undefined || request === undefined)
    throw new CliError(EXIT.usage, '--member and --request belong together: whose place, and which container');
  return { member: wholeNumber(member, '--member', 1, 3) as Member, request: await readTrimmed(request) };
}
