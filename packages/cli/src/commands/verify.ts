import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { decodeGrantBundle, fromBase64url, LicenseError, verifyGrant } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';

export function verifyCommand(): Command {
  return new Command('verify')
    .description("Check a grant file offline, from the vendor's root key down.")
    .argument('<file>', 'grant file, as written by "trefoil acquire --proof"')
    .requiredOption('--vendor-root <key>', "the vendor's root public key, base64url")
    .option('--at <time>', 'the instant in question, e.g. 2027-01-31T12:00:00Z; default: when it was issued')
    .action(async (file: string, options: { vendorRoot: string; at?: string }) => {
      try {
        const bundle = decodeGrantBundle(await readFile(file, 'utf8'));
        const root = { alg: 'ed25519', bytes: fromBase64url(options.vendorRoot) } as const;
        const at = options.at === undefined ? {} : { at: Date.parse(options.at) };
        const { grants } = verifyGrant(nodeCrypto(), root, bundle, at);
        for (const grant of grants)
          process.stdout.write(`valid: ${grant.seats} seat of ${grant.product} for ${grant.user} on ${grant.host}\n`);
      } catch (error) {
        if (!(error instanceof LicenseError)) throw error;
        process.stderr.write(`refused: ${error.message}\n`);
        process.exitCode = 1;
      }
    });
}
