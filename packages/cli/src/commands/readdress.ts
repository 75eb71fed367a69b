import { join } from 'node:path';
import { PORTS } from '@trefoil/api';
import { encodeClientFile } from '@trefoil/client';
import { makeDirectory, writeFileAtomically } from '@trefoil/host';
import { type GroupDocument, verifyGroupFile } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import type { VendorKey } from '@trefoil/vendor';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { makeGroupDocument } from '../group/group-document.ts';
import { readKey, readPassphrase, readTrimmed, refuseExisting, writeFolder } from '../files.ts';
import { type Answers, readAnswers, withPort } from '../init/answers.ts';
import { makeCertificates, readAuthorities, readStandingClientFile } from '../init/certificates.ts';
import { unpackStep, writeHostArchives } from '../init/host-archive.ts';
import { type HostFolder, shown } from '../init/host-files.ts';
import { clientAddresses, keepalivedFiles } from '../init/make-group.ts';
import { CliError, EXIT, print } from '../terminal.ts';

interface ReaddressOptions {
  readonly licenseServers?: string[];
  readonly tmrServers?: string[];
  readonly virtualIp?: string;
  readonly passphraseFile?: string;
  readonly output: string;
}

export function readdressCommand(): Command {
  return new Command('readdress')
    .description(
      'Give servers of a group, or its virtual IP, other addresses: a tarball for each host, and a client file.',
    )
    .argument('<folder>', 'of "trefoil init", with the keys in its admin folder')
    .option('--license-servers <address...>', 'all of them, in order')
    .option('--tmr-servers <address...>', 'both of them, in order')
    .option('--virtual-ip <address/prefix>', 'the address that both TMR servers share')
    .option('--passphrase-file <file>', 'of the keys in the admin folder')
    .requiredOption('--output <folder>', 'where to write them')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil readdress plant-7 --virtual-ip 10.0.0.11/24 --output plant-7-new-addresses',
    )
    .action(async (folder: string, { output, passphraseFile, ...given }: ReaddressOptions) => {
      if (Object.keys(given).length === 0)
        throw new CliError(EXIT.usage, 'what is to change? Give --license-servers, --tmr-servers or --virtual-ip');
      await refuseExisting(output);
      const admin = join(folder, 'admin');
      const passphrase = await readPassphrase(passphraseFile);
      const key = await readKey(join(admin, 'admin.key.pem'), passphraseFile);
      const answers = readAnswers(join(admin, 'answers.yaml'), given);
      const groupFile = await readTrimmed(join(admin, 'group.jws'));
      const next = nextVersion(verifyGroupFile(nodeCrypto(), groupFile), answers, key);
      const group = `${groupFile}\n${next}\n`;
      verifyGroupFile(nodeCrypto(), group);
      const authorities = await readAuthorities(admin, passphrase);
      const standing = await readStandingClientFile(folder, authorities);
      const clientFile = encodeClientFile({ ...standing, addresses: clientAddresses(answers) });
      const certificates = await makeCertificates(answers, authorities);
      const hosts = certificates.map((host) => ({ ...host, files: filesOf(host, answers, { group, clientFile }) }));
      const steps = stepsOf(output, hosts, answers, folder);
      await writeFolder(output, async () => {
        await writeHostArchives(output, hosts);
        await makeDirectory(join(output, 'admin'));
        for (const [name, text] of [
          ['client.json', clientFile],
          ['admin/group.jws', group],
          ['admin/answers.yaml', stringify(answers)],
          ['NEXT-STEPS.txt', steps],
        ] as const)
          await writeFileAtomically(join(output, name), text, { mode: 0o644 });
      });
      print(`${output} is written.\n\n${steps.trimEnd()}`);
    });
}

function nextVersion(standing: GroupDocument, answers: Answers, admin: VendorKey): string {
  const { group, version, tmrServers, licenseServers, admins } = standing;
  if (answers.tmrServers.length !== tmrServers.length || answers.licenseServers.length !== licenseServers.length)
    throw new CliError(
      EXIT.usage,
      'as many addresses are needed as the group has servers of that kind, in their order',
    );
  return makeGroupDocument(
    {
      ...{ group, version: version + 1, admins },
      tmrServers: tmrServers.map(({ id, key }, i) => ({
        ...{ id, key, address: withPort(answers.tmrServers[i] as string, PORTS.clients) },
      })),
      licenseServers: licenseServers.map(({ member }, i) => ({
        ...{ member, address: withPort(answers.licenseServers[i] as string, PORTS.links) },
      })),
    },
    admin,
  );
}

/** A certificate names the addresses of its host. The server's own configuration is not among them: the admin may have changed it. */
function filesOf(
  { name, files }: HostFolder,
  answers: Answers,
  { group, clientFile }: { readonly group: string; readonly clientFile: string },
): HostFolder['files'] {
  const id = name.endsWith('A') ? 'A' : 'B';
  const documents = [shown('group.jws', group), shown('client.json', clientFile)];
  return [...documents, ...files, ...(name.startsWith('tmr') ? keepalivedFiles(answers, id) : [])];
}

function stepsOf(output: string, hosts: readonly HostFolder[], { virtualIp }: Answers, folder: string): string {
  const address = virtualIp?.split('/')[0];
  const lines = [
    '1. Each host that gets another address has the new one beside the old one from now on: "ip addr add", and in its network settings.',
    '',
    `2. Where applications run: ${join(output, 'client.json')} in the place of the client file.`,
    '',
    '3. The servers, one after the other: "trefoil status" says when the last one is back. Nobody notices.',
    '',
    ...(address === undefined
      ? []
      : [
          `   On TMR servers first: virtualIp address ${address} in /etc/trefoil/tmr-server.yaml; and then: systemctl restart keepalived`,
        ]),
    ...hosts.toSorted((a, b) => b.name.localeCompare(a.name)).map((host) => unpackStep(output, host)),
    '',
    `4. The old addresses go. Copy ${join(output, 'admin')}/* to ${join(folder, 'admin')}, and client.json to ${folder}.`,
  ];
  return `${lines.join('\n')}\n`;
}
