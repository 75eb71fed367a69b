import { createPrivateKey, X509Certificate } from 'node:crypto';
import { access } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { parseAddress, PORTS } from '@trefoil/api';
import { ClientError, type ClientFile, decodeClientFile, encodeClientFile, Verifier } from '@trefoil/client';
import {
  createSoftwareContainer,
  openSoftwareContainer,
  readPassphraseFile,
  rebindSoftwareContainer,
} from '@trefoil/container';
import { makeDirectory, writeFileAtomically } from '@trefoil/host';
import { containerRequest } from '@trefoil/vendor';
import { Command } from 'commander';
import { readTrimmed, refuseExisting, writeResult } from '../files.ts';
import { CliError, EXIT, note, print, printable } from '../terminal.ts';

export function requestCommand(): Command {
  return new Command('request')
    .description(
      'Make a container on this machine, if there is none yet, and the request that the vendor needs of it. No secret is in it.',
    )
    .requiredOption('--container <file>', 'the software container')
    .option('--passphrase-file <file>', 'protects the container besides the machine it is bound to')
    .option('--name <text>', 'for people: which host this is', hostname())
    .option('--output <file>', 'default: stdout')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil request --container /var/lib/trefoil/container.tfc --output host1.request',
    )
    .action(async (options: { container: string; passphraseFile?: string; name: string; output?: string }) => {
      const { container: file, passphraseFile } = options;
      const secret = passphraseFile === undefined ? {} : { passphrase: await readPassphraseFile(passphraseFile) };
      const there = await access(file).then(
        () => true,
        () => false,
      );
      if (there) {
        await using container = await openSoftwareContainer({ file, ...secret });
        return writeResult(options.output, await containerRequest(container, options.name));
      }
      const made = await createSoftwareContainer({ file, ...secret });
      await using container = made.container;
      note(`made ${file}. Its recovery code, shown only now: ${made.recoveryCode}`);
      note('Keep it apart from this machine: with it "trefoil rebind" opens the container on other hardware.');
      return writeResult(options.output, await containerRequest(container, options.name));
    });
}

export function rebindCommand(): Command {
  return new Command('rebind')
    .description(
      'Bind a container to this machine by its recovery code: after a move to other hardware, or with a lost passphrase.',
    )
    .requiredOption('--container <file>', 'the software container; its license server must not run')
    .requiredOption('--recovery-code-file <file>', 'a file (mode 0600) with the code that "trefoil request" has shown')
    .option('--passphrase-file <file>', 'protects it from now on; none unless given')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil rebind --container /var/lib/trefoil/container.tfc --recovery-code-file code.txt',
    )
    .action(async (options: { container: string; recoveryCodeFile: string; passphraseFile?: string }) => {
      const { container: file, recoveryCodeFile, passphraseFile } = options;
      // Neither in argv nor in the history of a shell.
      const recoveryCode = Buffer.from(await readPassphraseFile(recoveryCodeFile)).toString('latin1');
      const secret = passphraseFile === undefined ? {} : { passphrase: await readPassphraseFile(passphraseFile) };
      const bound = await rebindSoftwareContainer({ file, recoveryCode, ...secret });
      await bound.container[Symbol.asyncDispose]();
      print(`${file} is bound to this machine`);
      note(`The old recovery code is spent. The new one, shown only now: ${bound.recoveryCode}`);
    });
}

interface AddOptions {
  readonly group: string;
  readonly address: string[];
  readonly authority: string;
  readonly set?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly vendorRoot?: string;
  readonly output?: string;
}

/** Said here, and not by an application that can't connect one day. @throws CliError, ClientError */
function checkClientFile(file: ClientFile, names: AddOptions): void {
  const isOne = (what: string, name: string | undefined, parse: () => unknown): void => {
    try {
      parse();
    } catch (error) {
      if (error instanceof ClientError) throw error; // says it better
      throw new CliError(EXIT.failure, `${name}: not a ${what} in PEM`);
    }
  };
  const { authority, certificate, key, set, vendorRoot } = file;
  isOne('certificate', names.authority, () => new X509Certificate(authority));
  if ((certificate === undefined) !== (key === undefined))
    throw new CliError(EXIT.usage, '--certificate and --key belong together');
  if (certificate !== undefined) isOne('certificate', names.certificate, () => new X509Certificate(certificate));
  if (key !== undefined) isOne('private key', names.key, () => createPrivateKey(key));
  if (set !== undefined && !/^[A-Za-z0-9_-]{22}$/.test(set))
    throw new CliError(EXIT.usage, `--set: "${printable(set)}" is not the id of a container set`);
  if (vendorRoot !== undefined) isOne('key', '--vendor-root', () => new Verifier(vendorRoot));
}

export function clientCommand(): Command {
  const add = new Command('add')
    .description('Write the client file through which applications on this machine find their group.')
    .requiredOption('--group <code>', 'name of the group')
    .requiredOption('--address <host:port...>', `virtual IP and TMR servers; port ${PORTS.clients} unless given`)
    .requiredOption('--authority <file>', "PEM of the group's client authority")
    .option('--set <id>', 'the container set, where the group has several virtual containers')
    .option('--certificate <file>', 'client certificate, where the group asks for one')
    .option('--key <file>', 'its key')
    .option('--vendor-root <key>', "the vendor's root public key, for the command line tools")
    .option('--output <file>', 'default: ~/.config/trefoil/client.json')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil client add --group plant-7 --address 10.0.0.10 10.0.0.4 10.0.0.5 --authority client-authority.pem',
    )
    .action(async (options: AddOptions) => {
      for (const address of options.address)
        if (parseAddress(address, PORTS.clients) === undefined)
          throw new CliError(EXIT.usage, `--address: "${address}" is not host:port`);
      const text = encodeClientFile({
        group: options.group,
        addresses: options.address,
        authority: await readTrimmed(options.authority),
        ...(options.set !== undefined && { set: options.set }),
        ...(options.certificate !== undefined && { certificate: await readTrimmed(options.certificate) }),
        ...(options.key !== undefined && { key: await readTrimmed(options.key) }),
        ...(options.vendorRoot !== undefined && { vendorRoot: options.vendorRoot }),
      });
      checkClientFile(decodeClientFile(text, 'client file'), options);
      const file =
        options.output ?? join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'trefoil', 'client.json');
      await refuseExisting(file);
      await makeDirectory(dirname(file));
      await writeFileAtomically(file, text, { mode: options.key === undefined ? 0o644 : 0o600 });
      print(`written: ${file}`);
    });
  return new Command('client').description('This machine as a client of a group.').addCommand(add);
}
