import { Verifier } from '@trefoil/client';
import { decodeGrantBundle, type Grant, LicenseError, type VerifiedGrant, verifyGrant } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { Command } from 'commander';
import { readTrimmed } from '../files.ts';
import { CliError, duration, EXIT, print, printable, printJson, time } from '../terminal.ts';

export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      "Check a grant file offline, from the vendor's root key down: no network, no server, no trust in who gave it.",
    )
    .argument('<file>', 'grant file, as written by "trefoil acquire --proof"')
    .requiredOption('--vendor-root <key>', "the vendor's root public key, base64url")
    .option('--at <time>', 'the instant in question, e.g. 2027-01-31T12:00:00Z; default: when it was issued')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil verify grant.json --vendor-root "$(cat vendor-root.pub)"\n\nExit code: 0 valid, 3 refused.',
    )
    .action(async (file: string, options: { vendorRoot: string; at?: string; json?: boolean }) => {
      const at = options.at === undefined ? undefined : Date.parse(options.at);
      if (at !== undefined && Number.isNaN(at))
        throw new CliError(EXIT.usage, `--at is not a time like 2027-01-31T12:00:00Z: ${options.at}`);
      const { vendorRoot } = new Verifier(options.vendorRoot);
      const text = await readTrimmed(file);
      try {
        const verified = verifyGrant(nodeCrypto(), vendorRoot, decodeGrantBundle(text), at === undefined ? {} : { at });
        if (options.json) {
          const { grants, accept, validUntilUtc } = verified;
          printJson({
            valid: true,
            validUntil: new Date(validUntilUtc).toISOString(),
            epoch: accept.epoch,
            index: accept.index,
            grants,
          });
        } else for (const grant of verified.grants) print(printable(sentenceOf(grant, verified)));
      } catch (error) {
        if (!(error instanceof LicenseError)) throw error;
        const { code, message } = error;
        const sentence = `${file}: refused (${code}): ${printable(message)}`;
        throw new CliError(EXIT.denied, sentence, { valid: false, code, reason: message });
      }
    });
}

function sentenceOf(grant: Grant, { accept, validUntilUtc }: VerifiedGrant): string {
  const { seats, product, user, host, license, version, issuedUtc, lifeMs } = grant;
  const what = `valid: ${seats} of ${product} for ${user} on ${host}, license ${license} version ${version}`;
  // Valid when it was issued: what a proof is for. Whoever asks about today should not take that for an answer.
  const over = validUntilUtc <= Date.now() ? `; its time ended ${time(validUntilUtc)}` : '';
  return `${what}, issued ${time(issuedUtc)} for ${duration(lifeMs)}; certified as entry ${accept.index}${over}`;
}
