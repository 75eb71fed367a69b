import { create, HandOverReplySchema, HandOverRequestSchema, type StatusReply } from '@trefoil/api';
import type { Group } from '@trefoil/client';
import { sealEnvelope, toBase64url } from '@trefoil/license';
import { Command } from 'commander';
import { type ClientOptions, findGroup, read, statusOf, withClientOptions } from '../connection.ts';
import { readKey } from '../files.ts';
import { CliError, EXIT, print, printable, printJson } from '../terminal.ts';

const LEADS_WITHIN_MS = 10_000;

interface SwitchOptions extends ClientOptions {
  readonly adminKey: string;
  readonly passphraseFile?: string;
}

export function switchCommand(): Command {
  return withClientOptions(new Command('switch'))
    .description(
      'Have the other TMR server lead, and hold the virtual IP: before work on the one that does. No request fails.',
    )
    .requiredOption('--admin-key <file>', 'PEM of an admin key that the group document names')
    .option('--passphrase-file <file>', 'passphrase of the admin key')
    .addHelpText('after', '\nExample:\n  trefoil switch --admin-key plant-7/admin/admin.key.pem')
    .action(async (options: SwitchOptions) => {
      const key = await readKey(options.adminKey, options.passphraseFile);
      const group = await findGroup(options);
      try {
        const { set } = group.configuration;
        const { epoch, tmrServers } = await statusOf(group);
        const from = tmrServers.find(({ active }) => active)?.server;
        if (from === undefined) throw new CliError(EXIT.failure, 'nobody leads now; see "trefoil status"');
        const payload = { format: 1, set: toBase64url(set), epoch: Number(epoch) };
        const order = sealEnvelope(group.crypto, 'trefoil-hand-over', payload, key);
        const { to, refused } = await read(
          group,
          'handOver',
          { request: HandOverRequestSchema, reply: HandOverReplySchema },
          create(HandOverRequestSchema, { set, order }),
        );
        if (refused !== '')
          throw new CliError(EXIT.denied, `refused: ${printable(refused)}`, { kind: 'refused', reason: refused });
        const now = await waitForLead(group, to);
        if (options.json) printJson({ from, to, epoch: now.epoch });
        else print(`TMR server ${to} leads now, in epoch ${now.epoch}; TMR server ${from} is the standby`);
      } finally {
        group.close();
      }
    });
}

async function waitForLead(group: Group, to: string): Promise<StatusReply> {
  const until = performance.now() + LEADS_WITHIN_MS;
  for (;;) {
    const status = await statusOf(group);
    if (status.tmrServers.some(({ server, active }) => server === to && active)) return status;
    if (performance.now() > until)
      throw new CliError(
        EXIT.failure,
        `TMR server ${to} does not lead after ${LEADS_WITHIN_MS / 1_000} s; see "trefoil status"`,
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
