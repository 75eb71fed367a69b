import { decodeReceipt, LIMITS, type Update, verifyReceipt, verifyUpdate } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { type Issuer, makeUpdate, reissued, returnedVersion } from '@trefoil/vendor';
import { Command } from 'commander';
import { readTrimmed, writeResult } from '../files.ts';
import { wholeNumber } from '../terminal.ts';
import { type Folder, readIssuer, readNewest, readRoot, tmrIdOf, withFolder } from './vendor-folder.ts';

interface MoveOptions extends Folder {
  readonly configuration: string;
  readonly output?: string;
}

function withMoveOptions(command: Command, update: string): Command {
  return withFolder(command)
    .argument('<update>', update)
    .requiredOption('--configuration <file>', 'of the container set that it is for')
    .option('--output <file>', 'default: stdout');
}

export function returnCommand(): Command {
  return withMoveOptions(new Command('return'), 'the update file by which the licenses were sold')
    .description(
      'Take licenses back: an update file that ends them. The receipt of "trefoil update" says what was left.',
    )
    .addHelpText(
      'after',
      '\nExample:\n  trefoil vendor return cad-1.update --configuration old.configuration.jws --output cad-1.return',
    )
    .action(async (file: string, options: MoveOptions) => {
      const { issuer, root, update, configuration } = await readMove(file, options);
      const issuedAt = Date.now();
      const licenses = update.licenses.map((one) => returnedVersion(issuer, configuration, one, issuedAt));
      await writeResult(
        options.output,
        makeUpdate(issuer, root, configuration, { licenses, serial: issuedAt, issuedAt }),
      );
    });
}

export function reissueCommand(): Command {
  return withMoveOptions(new Command('reissue'), 'the update file by which they were returned')
    .description('Issue licenses anew for another container set, with what was left of them when they were returned.')
    .requiredOption('--receipt <file>', 'of their return, from "trefoil update --receipt"')
    .option('--quantity <n>', 'seats to issue, where some are borrowed yet')
    .addHelpText(
      'after',
      [
        '\nExample:\n  trefoil vendor reissue cad-1.return --receipt cad-1.receipt.json \\',
        '    --configuration plant7.configuration.jws --output cad-1.plant7.update',
      ].join('\n'),
    )
    .action(async (file: string, options: MoveOptions & { receipt: string; quantity?: string }) => {
      const { issuer, root, update, configuration } = await readMove(file, options);
      const receipt = verifyReceipt(
        nodeCrypto(),
        root,
        decodeReceipt(await readTrimmed(options.receipt, LIMITS.grantBundleBytes)),
      );
      const issuedAt = Date.now();
      const quantity =
        options.quantity === undefined ? {} : { quantity: wholeNumber(options.quantity, '--quantity', 1) };
      const licenses = reissued(issuer, configuration, update, {
        ...{ receipt, issuedAt, ...quantity },
        tmrIdOf: (license) => tmrIdOf(license, configuration),
      });
      await writeResult(
        options.output,
        makeUpdate(issuer, root, configuration, { licenses, serial: issuedAt, issuedAt }),
      );
    });
}

async function readMove(file: string, options: MoveOptions) {
  const issuer: Issuer = await readIssuer(options);
  const root = await readRoot(options);
  const update: Update = verifyUpdate(nodeCrypto(), root, await readTrimmed(file, LIMITS.updateBytes));
  const configuration = await readNewest(issuer, options.configuration);
  return { issuer, root, update, configuration };
}
