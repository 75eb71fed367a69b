import { join } from 'node:path';
import { type ClientFile, encodeClientFile } from '@trefoil/client';
import { makeDirectory, writeFileAtomically } from '@trefoil/host';
import { createAuthority } from '@trefoil/link/authority';
import { Command } from 'commander';
import { readPassphrase, refuseExisting, writeFolder } from '../files.ts';
import { type Answers, readAnswers } from '../init/answers.ts';
import {
  type Authorities,
  makeCertificates,
  readAuthorities,
  readStandingClientFile,
  writeAuthorities,
} from '../init/certificates.ts';
import { unpackStep, writeHostArchives } from '../init/host-archive.ts';
import { type HostFolder, shown } from '../init/host-files.ts';
import { print } from '../terminal.ts';

interface CertificatesOptions {
  readonly newAuthorities?: boolean;
  readonly passphraseFile?: string;
  readonly output: string;
}

/** What is unpacked on all hosts before the next of them begins. */
interface Round {
  readonly name: string;
  readonly says: string;
  readonly hosts: readonly HostFolder[];
  /** For applications; undefined = it stays. */
  readonly clientFile?: string;
}

export function certificatesCommand(): Command {
  return new Command('certificates')
    .description(
      'Issue new certificates for the servers of a group, and new authorities if that is wanted: a tarball for each host.',
    )
    .argument('<folder>', 'of "trefoil init", with the keys of the authorities in its admin folder')
    .option(
      '--new-authorities',
      'also make new authorities, in three rounds: nobody is left without one that he trusts',
    )
    .option('--passphrase-file <file>', 'of the keys in the admin folder')
    .requiredOption('--output <folder>', 'where to write them')
    .addHelpText('after', '\nExample:\n  trefoil certificates plant-7 --output plant-7-certificates-2028')
    .action(async (folder: string, options: CertificatesOptions) => {
      const { output } = options;
      await refuseExisting(output);
      const passphrase = await readPassphrase(options.passphraseFile);
      const admin = join(folder, 'admin');
      const answers = readAnswers(join(admin, 'answers.yaml'), {});
      const standing = await readAuthorities(admin, passphrase);
      const next = options.newAuthorities === true ? await newAuthorities(answers) : undefined;
      const clientFile = await readStandingClientFile(folder, standing);
      const rounds =
        next === undefined
          ? [await oneRound(answers, standing)]
          : await threeRounds(answers, { standing, next, clientFile });
      const steps = stepsOf(output, rounds, folder);
      await writeFolder(output, async () => {
        await writeRounds(output, rounds);
        if (next !== undefined) {
          await makeDirectory(join(output, 'admin'));
          await writeAuthorities(join(output, 'admin'), next, passphrase);
        }
        await writeFileAtomically(join(output, 'NEXT-STEPS.txt'), steps, { mode: 0o644 });
      });
      print(`${output} is written.\n\n${steps.trimEnd()}`);
    });
}

async function oneRound(answers: Answers, authorities: Authorities): Promise<Round> {
  return { name: '', says: 'New certificates.', hosts: await makeCertificates(answers, authorities) };
}

/** First everybody trusts both, then all show the new ones, then nobody trusts the old ones any more. */
async function threeRounds(
  answers: Answers,
  { standing, next, clientFile }: { standing: Authorities; next: Authorities; clientFile: ClientFile },
): Promise<Round[]> {
  const both = (kind: keyof Authorities): string =>
    `${standing[kind].certificatePem.trim()}\n${next[kind].certificatePem}`;
  const certificates = await makeCertificates(answers, next);
  // Hosts have a client file, too, for the commands of whoever is logged in there.
  const trusting = (name: string, says: string, pem: (kind: keyof Authorities) => string): Round => {
    const trusted = encodeClientFile({ ...clientFile, authority: pem('client') });
    const files = [shown('link-authority.pem', pem('link')), shown('client.json', trusted)];
    return { name, says, hosts: certificates.map((host) => ({ ...host, files })), clientFile: trusted };
  };
  return [
    trusting('1-trust-both', 'All trust both the old and the new authorities.', both),
    { name: '2-certificates', says: 'All show certificates of the new authorities.', hosts: certificates },
    trusting('3-trust-the-new', 'Nobody trusts the old authorities any more.', (kind) => next[kind].certificatePem),
  ];
}

async function newAuthorities({ group }: Answers): Promise<Authorities> {
  const year = new Date().getFullYear();
  return {
    link: await createAuthority({ name: `Trefoil ${group} link authority ${year}` }),
    client: await createAuthority({ name: `Trefoil ${group} client authority ${year}` }),
  };
}

async function writeRounds(output: string, rounds: readonly Round[]): Promise<void> {
  for (const { name, hosts, clientFile } of rounds) {
    const place = join(output, name);
    await makeDirectory(place);
    await writeHostArchives(place, hosts);
    if (clientFile !== undefined) await writeFileAtomically(join(place, 'client.json'), clientFile, { mode: 0o644 });
  }
}

function stepsOf(output: string, rounds: readonly Round[], folder: string): string {
  const lines = rounds.flatMap(({ name, says, hosts, clientFile }) => [
    rounds.length === 1 ? says : `${name}: ${says}`,
    '',
    ...(clientFile === undefined
      ? []
      : [
          `   On all machines with applications: ${join(output, name, 'client.json')} in the place of the client file.`,
        ]),
    ...hosts.map((host) => unpackStep(join(output, name), host)),
    '   One after the other: "trefoil status" says when the last one is back. Nobody notices.',
    '',
  ]);
  if (rounds.length > 1)
    lines.push(
      `At last: copy ${join(output, 'admin')}/* to ${join(folder, 'admin')}, and the last client.json to ${folder}.`,
    );
  return `${lines.join('\n').trimEnd()}\n`;
}
