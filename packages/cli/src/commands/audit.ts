import { encodeUtf8 } from '@trefoil/license';
import { Command } from 'commander';
import { BundleWriter } from '../audit/bundle.ts';
import { type Evidence, naming, openEvidence, sound, trusted, trustedVendor } from '../audit/evidence.ts';
import { replay } from '../audit/replay.ts';
import { hashesReport, hashesText, replayReport, replayText } from '../audit/report.ts';
import { HashChain, newestShownRoot, withoutNames } from '../audit/without-names.ts';
import { refuseExisting } from '../files.ts';
import { date, note, print, printJson } from '../terminal.ts';

export function auditCommand(): Command {
  return new Command('audit')
    .description(
      'What the group decided, checked offline with public keys only: from the log of a license server, or a bundle.',
    )
    .addCommand(verifyAuditCommand())
    .addCommand(bundleCommand())
    .addHelpText(
      'after',
      '\nExamples:\n  trefoil audit verify /var/lib/trefoil --vendor vendor-root.pub\n' +
        '  trefoil audit bundle --data /var/lib/trefoil --vendor vendor-root.pub --out november.audit\n' +
        '  trefoil audit verify november.audit --vendor vendor-root.pub',
    );
}

interface VerifyOptions {
  readonly vendor: string;
  readonly from?: string;
  readonly json?: boolean;
}

function verifyAuditCommand(): Command {
  return new Command('verify')
    .description(
      'Check documents, certificates and the chain, execute every entry again, and compare. Reads only; the license server may run.',
    )
    .argument('<path>', 'data directory of a license server, or a bundle')
    .requiredOption('--vendor <file>', "the vendor's root public key, a file with base64url")
    .option('--from <day>', 'of a data directory: begin at the last snapshot before this day')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  trefoil audit verify /var/lib/trefoil --vendor vendor-root.pub\n' +
        '  trefoil audit verify november.audit --vendor vendor-root.pub --json\n\nExit code: 0 sound, 1 not sound.',
    )
    .action((path: string, options: VerifyOptions) =>
      naming(path, async () => {
        await using evidence = await openEvidence(path, fromUtc(options.from));
        if (typeof evidence.documents.group === 'string') await verifyWhole(evidence, options);
        else await verifyWithoutNames(evidence, evidence.documents.group, options);
      }),
    );
}

async function verifyWhole(evidence: Evidence, options: VerifyOptions): Promise<void> {
  const context = await trusted(evidence.documents, options.vendor);
  const report = replayReport(await sound(evidence.path, () => replay(context, evidence.items)));
  if (options.json) printJson(report);
  else print(replayText(report));
}

async function verifyWithoutNames(evidence: Evidence, group: Uint8Array, options: VerifyOptions): Promise<void> {
  const context = await trustedVendor(evidence.documents, options.vendor);
  const chain = new HashChain(context, group);
  for await (const item of evidence.items) if (item.kind !== 'uncertified') chain.take(item);
  const report = hashesReport(chain.result);
  if (options.json) printJson(report);
  else print(hashesText(report));
}

interface BundleOptions {
  readonly data: string;
  readonly vendor: string;
  readonly out: string;
  readonly from?: string;
  readonly withoutNames?: boolean;
  readonly json?: boolean;
}

function bundleCommand(): Command {
  return new Command('bundle')
    .description('Write one file with everything that an auditor needs, and check it on the way.')
    .requiredOption('--data <directory>', 'data directory of a license server; it may run')
    .requiredOption('--vendor <file>', "the vendor's root public key, a file with base64url")
    .requiredOption('--out <file>', 'the bundle')
    .option('--from <day>', 'begin at the last snapshot before this day; default: as far back as there is something')
    .option(
      '--without-names',
      'leave out names of users and hosts: proves the chain and the usage by licenses, and no more',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  trefoil audit bundle --data /var/lib/trefoil --vendor vendor-root.pub --out all.audit\n' +
        '  trefoil audit bundle --data /var/lib/trefoil --vendor vendor-root.pub --out november.audit --from 2026-11-01 --without-names',
    )
    .action((options: BundleOptions) => naming(options.data, () => bundle(options)));
}

async function bundle(options: BundleOptions): Promise<void> {
  await refuseExisting(options.out);
  await using evidence = await openEvidence(options.data, fromUtc(options.from));
  const { documents } = evidence;
  const context = await trusted(documents, options.vendor);
  const root = options.withoutNames === true ? await newestShownRoot(context, evidence.path) : undefined;
  const writer = await BundleWriter.create(options.out);
  try {
    const group =
      options.withoutNames === true ? context.crypto.sha256(encodeUtf8(context.group.text)) : documents.group;
    await writer.write({ kind: 'documents', documents: { ...documents, group } });
    const written = async function* (): Evidence['items'] {
      for await (const item of evidence.items) {
        yield item; // checked before it is written
        if (item.kind !== 'snapshot' && item.kind !== 'entries') continue;
        if (options.withoutNames !== true) await writer.write(item);
        else for (const one of withoutNames(context, item, root)) await writer.write(one);
      }
    };
    const { audit } = await sound(evidence.path, () => replay(context, written()));
    if (root !== undefined && root.index <= (audit.last?.index ?? 0) && root.index >= (audit.first?.index ?? 0))
      await writer.write({ kind: 'records', index: root.index, proof: root.proof });
    await writer.finish();
    const { entries } = audit.counts;
    if (options.json) printJson({ kind: 'bundled', file: options.out, entries, to: audit.last?.index });
    else print(`${options.out}: ${entries} entries, up to ${audit.last?.index}`);
    if (options.withoutNames === true && root === undefined)
      note('There is no ledger root yet, so the bundle proves no usage; there is one every 10,000 entries.');
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function fromUtc(day: string | undefined): number {
  return day === undefined ? -Infinity : date(day, '--from').getTime();
}
