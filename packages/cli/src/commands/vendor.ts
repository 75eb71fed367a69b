import { join } from 'node:path';
import { makeDirectory } from '@trefoil/host';
import { type JsonObject, parseStrictJson, toBase64url } from '@trefoil/license';
import {
  certifyIssuingKey,
  configure,
  createKey,
  issueLicense,
  makeUpdate,
  type Preset,
  presetNamed,
  PRESETS,
} from '@trefoil/vendor';
import { Command } from 'commander';
import { readPassphrase, readTrimmed, writeResult } from '../files.ts';
import { daysMs, type Folder, readIssuer, readNewest, readRoot, tmrIdOf, withFolder } from './vendor-folder.ts';
import { reconfigureCommand } from './vendor-reconfigure.ts';
import { reissueCommand, returnCommand } from './vendor-move.ts';
import { CliError, EXIT, note, print, printable, printJson, table, wholeNumber } from '../terminal.ts';

/** What a vendor does by hand; Central does the same with a database behind it. */
export function vendorCommand(): Command {
  return new Command('vendor')
    .description('Keys, container sets and licenses, from the vendor side.')
    .addCommand(initRootCommand())
    .addCommand(configureCommand())
    .addCommand(reconfigureCommand())
    .addCommand(issueCommand())
    .addCommand(returnCommand())
    .addCommand(reissueCommand())
    .addCommand(presetsCommand());
}

function initRootCommand(): Command {
  return withFolder(new Command('init-root'))
    .description('Make the root key (keep it offline) and an issuing key that it certifies.')
    .requiredOption('--vendor <code>', 'your code, e.g. acme')
    .option('--days <n>', 'validity of the issuing key', '365')
    .addHelpText('after', '\nExample:\n  trefoil vendor init-root --vendor acme --passphrase-file passphrase.txt')
    .action(async (options: Folder & { vendor: string; days: string }) => {
      const { directory } = options;
      const passphrase = await readPassphrase(options.passphraseFile);
      await makeDirectory(directory);
      const root = createKey();
      const issuing = createKey();
      const now = Date.now();
      const notAfter = now + daysMs(options.days);
      const document = certifyIssuingKey(root, {
        vendor: options.vendor,
        key: issuing.publicKey,
        notBefore: now - 3_600_000,
        notAfter,
      });
      await writeResult(join(directory, 'root.key.pem'), root.toPem(passphrase), 0o600);
      await writeResult(join(directory, 'root.pub'), `${toBase64url(root.publicKey.bytes)}\n`);
      await writeResult(join(directory, 'issuing.key.pem'), issuing.toPem(passphrase), 0o600);
      await writeResult(join(directory, 'issuing-key.jws'), document);
      print(`root public key: ${toBase64url(root.publicKey.bytes)}`);
      note(`Pin it in your application. Move ${join(directory, 'root.key.pem')} to a place without network:`);
      note('it is needed for the next issuing key only.');
      if (passphrase === undefined) note('The keys are not encrypted: give --passphrase-file for real ones.');
    });
}

function configureCommand(): Command {
  return withFolder(new Command('configure'))
    .description('Make a container set from the requests of its three containers.')
    .argument(
      '<request...>',
      'three request files, in the order of license servers 1, 2, 3 (or one, for a single server)',
    )
    .requiredOption('--name <text>', 'what the customer calls the virtual container')
    .option('--days <n>', 'until the configuration has to be renewed', '365')
    .option('--output <file>', 'default: stdout')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil vendor configure r1.request r2.request r3.request --name "Plant 7" --output plant7.configuration.jws',
    )
    .action(async (files: string[], options: Folder & { name: string; days: string; output?: string }) => {
      const issuer = await readIssuer(options);
      const requests = await Promise.all(files.map((file) => readTrimmed(file)));
      const now = Date.now();
      const text = configure(issuer, {
        requests,
        name: options.name,
        issuedAt: now,
        expires: now + daysMs(options.days),
      });
      await writeResult(options.output, text);
    });
}

interface IssueOptions extends Folder {
  readonly configuration: string;
  readonly license: string;
  readonly licenseVersion: string;
  readonly product: string;
  readonly name?: string;
  readonly tmrId?: string;
  readonly quantity?: string;
  readonly terms?: string;
  readonly preset?: string;
  readonly output?: string;
}

function issueCommand(): Command {
  return withFolder(new Command('issue'))
    .description('Issue a license for a container set, as an update file that "trefoil update" puts into service.')
    .requiredOption('--configuration <file>', "the set's configuration")
    .requiredOption('--license <id>', 'its id, e.g. cad-2026-0042')
    .option('--license-version <n>', 'rises with each change', '1')
    .requiredOption('--product <code>', 'the product')
    .option('--name <text>', 'for people; default: the product')
    .option(
      '--tmr-id <n>',
      "number that ties the three constituents together; default: from the license's id; 0 = none, for a single server",
    )
    .option('--quantity <n>', 'seats at once')
    .option('--preset <name>', 'a license model to begin with; see "trefoil vendor presets"')
    .option('--terms <file>', 'JSON with terms, in place of those of the preset; see docs/FORMATS.md §2.4')
    .option('--output <file>', 'default: stdout')
    .addHelpText(
      'after',
      [
        '\nExample:\n  trefoil vendor issue --configuration plant7.configuration.jws --license cad-1 \\',
        '    --product cad --preset floating --quantity 5 --output cad-1.update',
      ].join('\n'),
    )
    .action(async (options: IssueOptions) => {
      const issuer = await readIssuer(options);
      const configuration = await readNewest(issuer, options.configuration);
      const now = Date.now();
      const license = issueLicense(issuer, configuration, {
        license: options.license,
        version: wholeNumber(options.licenseVersion, '--license-version', 1, 0xffff_ffff),
        product: options.product,
        name: options.name ?? options.product,
        tmrId:
          options.tmrId === undefined
            ? tmrIdOf(options.license, configuration)
            : wholeNumber(options.tmrId, '--tmr-id', 0),
        terms: await readTerms(options),
        issuedAt: now,
      });
      const root = await readRoot(options);
      await writeResult(
        options.output,
        makeUpdate(issuer, root, configuration, { licenses: [license], serial: now, issuedAt: now }),
      );
    });
}

async function readTerms(options: IssueOptions): Promise<JsonObject> {
  const terms = withPreset(options, options.terms === undefined ? {} : await readTermsFile(options.terms));
  if (options.quantity === undefined) {
    if (terms['quantity'] === undefined)
      throw new CliError(EXIT.usage, 'give --quantity, or a "quantity" in the terms file');
    return terms;
  }
  if (options.quantity === '0')
    throw new CliError(
      EXIT.usage,
      '--quantity 0 would count nothing: everybody could use it. If that is meant, say "quantity": 0 in a terms file',
    );
  return { ...terms, quantity: wholeNumber(options.quantity, '--quantity', 1) };
}

/** The dates in a preset are examples: a license has to have its own. */
const DATED = ['notBefore', 'notAfter', 'maintenance'];

function withPreset({ preset }: IssueOptions, own: JsonObject): JsonObject {
  if (preset === undefined) return own;
  const { terms } = presetOf(preset);
  const missing = DATED.filter((name) => terms[name] !== undefined && own[name] === undefined);
  if (missing.length > 0)
    throw new CliError(EXIT.usage, `the preset ${preset} needs your own dates in a terms file: ${missing.join(', ')}`);
  return { ...terms, ...own };
}

function presetsCommand(): Command {
  return new Command('presets')
    .description('The catalogue of license models: what the customer experiences, and with which terms.')
    .argument('[name]', 'one of them, with its terms')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  trefoil vendor presets overflow > terms.json')
    .action((name: string | undefined, options: { json?: boolean }) => {
      if (name !== undefined) return printJson(options.json ? presetOf(name) : presetOf(name).terms);
      if (options.json) return printJson(PRESETS);
      print(
        table(
          ['preset', 'what the customer experiences'],
          PRESETS.map((one) => [one.name, one.says]),
          '',
        ),
      );
    });
}

function presetOf(name: string): Preset {
  const found = presetNamed(name);
  if (found === undefined)
    throw new CliError(EXIT.usage, `no preset is called ${printable(name)}; see "trefoil vendor presets"`);
  return found;
}

async function readTermsFile(file: string): Promise<JsonObject> {
  const terms = parseStrictJson(Buffer.from(await readTrimmed(file)), 256 * 1024);
  if (terms === null || typeof terms !== 'object' || Array.isArray(terms))
    throw new CliError(EXIT.failure, `${file}: the terms are not a JSON object`);
  return terms as JsonObject;
}
