import {
  create,
  type Holding,
  type InstalledLicense,
  type ListLicensesReply,
  ListLicensesReplySchema,
  ListLicensesRequestSchema,
  ListSessionsReplySchema,
  ListSessionsRequestSchema,
  type StatusReply,
  StatusReplySchema,
  StatusRequestSchema,
} from '@trefoil/api';
import { Command } from 'commander';
import type { ClientFile, Group } from '@trefoil/client';
import { type ClientOptions, findGroup, reaches, read, withClientOptions } from '../connection.ts';
import { duration, EXIT, print, printable, printJson, table, time } from '../terminal.ts';

export function statusCommand(): Command {
  return withClientOptions(new Command('status'))
    .description('The five servers: who leads, who votes, how many more may fail.')
    .addHelpText(
      'after',
      '\nExample:\n  trefoil status\n\nExit code: 0 the group grants seats, 4 it does not or cannot be reached.',
    )
    .action(async (options: ClientOptions) => {
      const group = await findGroup(options);
      try {
        const status = await read(
          group,
          'status',
          { request: StatusRequestSchema, reply: StatusReplySchema },
          create(StatusRequestSchema, { set: group.configuration.set }),
        );
        const reached = await reachedServers(group.file, status);
        const tmrServers = status.tmrServers.map((one) => ({ ...one, reachable: reached.has(one.server) }));
        if (options.json) printJson({ ...status, tmrServers });
        else print(statusText(status, reached));
        if (status.redundancy < 0) process.exitCode = EXIT.notReachable;
      } finally {
        group.close();
      }
    });
}

/** The one that answers is one of them; the others are called. */
async function reachedServers(file: ClientFile, status: StatusReply): Promise<ReadonlySet<string>> {
  const reached = await Promise.all(
    status.tmrServers.map(async (one) => one.server === status.server || (await reaches(file, one.address))),
  );
  return new Set(status.tmrServers.filter((_, i) => reached[i]).map((one) => one.server));
}

function roleOf(one: StatusReply['tmrServers'][0], reached: ReadonlySet<string>): string {
  if (one.active) return 'active';
  return reached.has(one.server) ? 'standby' : 'NOT REACHABLE from here: if the active one fails, nobody takes over';
}

function statusText(status: StatusReply, reached: ReadonlySet<string>): string {
  const { redundancy } = status;
  const health =
    redundancy < 0
      ? 'NO QUORUM: no seats are granted; existing ones run to their end'
      : redundancy === 0
        ? 'working, WITHOUT redundancy: one more failure stops grants'
        : `working; ${redundancy} more license server may fail`;
  const tmr = table(
    ['TMR server', 'address', 'program', 'role', ...(status.virtualIp === '' ? [] : [`has ${status.virtualIp}`])],
    status.tmrServers.map((one) => [
      ...[one.server, one.address, one.program || '–', roleOf(one, reached)],
      ...(status.virtualIp === '' ? [] : [one.holdsVirtualIp ? 'yes' : 'no']),
    ]),
    '',
  );
  const voters = table(
    ['license server', 'address', 'program', 'state', 'entry', 'lag', 'clock'],
    status.licenseServers.map((one) => [
      String(one.member),
      one.address,
      one.program || '–',
      !one.connected ? 'not connected' : one.voting ? (one.unanchored ? 'votes (unanchored)' : 'votes') : 'withholds',
      one.connected ? String(one.certifiedIndex) : '–',
      one.connected ? String(one.lag) : '–',
      one.connected ? `${one.clockOffsetMs} ms` : '–',
    ]),
    '',
  );
  const rules = status.rules === 0 ? '' : `; rules ${status.rules}`; // a program of before does not tell
  const lines = [
    `${printable(status.name)} (group ${status.group}, vendor ${status.vendor})`,
    health,
    `as of entry ${status.index}, ${time(status.utc)}; epoch ${status.epoch}; ${status.sessions} sessions`,
    `told by TMR server ${status.server} (${status.role})`,
    `configuration version ${status.configurationVersion}, expires ${time(status.configurationExpires)}${rules}`,
    '',
    tmr,
    '',
    voters,
  ];
  for (const { connected, withholding, member } of status.licenseServers)
    if (connected && withholding !== '')
      lines.push('', `license server ${member} withholds: ${printable(withholding)}`);
  if (status.alarms.length > 0) lines.push('', ...status.alarms.map((alarm) => `! ${printable(alarm)}`));
  return lines.join('\n');
}

export function licensesCommand(): Command {
  return withClientOptions(new Command('licenses'))
    .description('Installed licenses and what of them is in use.')
    .addHelpText('after', '\nExample:\n  trefoil licenses')
    .action(async (options: ClientOptions) => {
      const group = await findGroup(options);
      try {
        const reply = await readLicenses(group);
        if (options.json) return printJson(reply);
        const rows = reply.licenses.map((one) => [
          one.license,
          one.version,
          one.product,
          one.name,
          one.quantity === 0n ? 'not counted' : String(one.quantity),
          usedOf(one),
          one.waiting,
          unitsOf(one),
          one.returned ? 'returned' : time(one.notAfter),
        ]);
        print(
          table(
            ['license', 'version', 'product', 'name', 'seats', 'used', 'waiting', 'units', 'ends'],
            rows,
            'No license is installed.',
          ),
        );
      } finally {
        group.close();
      }
    });
}

export function readLicenses(group: Group): Promise<ListLicensesReply> {
  return read(
    group,
    'listLicenses',
    { request: ListLicensesRequestSchema, reply: ListLicensesReplySchema },
    create(ListLicensesRequestSchema, { set: group.configuration.set }),
  );
}

function usedOf({ used, quantity, borrowed }: InstalledLicense): string {
  const remarks = [
    ...(used > quantity && quantity > 0n ? ['overdraft'] : []),
    ...(borrowed > 0n ? [`${borrowed} borrowed`] : []),
  ];
  return remarks.length === 0 ? String(used) : `${used} (${remarks.join(', ')})`;
}

function unitsOf({ metering, hasUnits, unitsUsed, unitsLeft }: InstalledLicense): string {
  if (!hasUnits) return '–';
  return metering === 'postpaid' ? `${unitsUsed} used` : `${unitsLeft} left`;
}

function holdingOf({ seats, product, feature, lingering, borrowedUntilUtc }: Holding): string {
  const what = `${seats} × ${product}${feature === '' ? '' : `/${feature}`}`;
  if (borrowedUntilUtc > 0n) return `${what} (borrowed until ${time(borrowedUntilUtc)})`;
  return lingering ? `${what} (lingering)` : what;
}

export function sessionsCommand(): Command {
  return withClientOptions(new Command('sessions'))
    .description('Who holds what, from where, since when.')
    .addHelpText('after', '\nExample:\n  trefoil sessions')
    .action(async (options: ClientOptions) => {
      const group = await findGroup(options);
      try {
        const request = create(ListSessionsRequestSchema, { set: group.configuration.set });
        const reply = await read(
          group,
          'listSessions',
          { request: ListSessionsRequestSchema, reply: ListSessionsReplySchema },
          request,
        );
        const hex = (id: Uint8Array): string => Buffer.from(id).toString('hex'); // as evict takes it
        if (options.json)
          return printJson({ ...reply, sessions: reply.sessions.map((one) => ({ ...one, id: hex(one.id) })) });
        const rows = reply.sessions.map((one) => [
          hex(one.id),
          one.user,
          one.host,
          one.program,
          time(one.openedUtc),
          one.holdings.map(holdingOf).join(', ') || '–',
          one.waiting.map((wait) => `${wait.seats} × ${wait.product} (place ${wait.place})`).join(', ') || '–',
          one.idleMs < 60_000n ? '–' : duration(one.idleMs),
          one.evicted === '' ? `kept ${duration(one.remainingMs)} if silent` : `evicted: ${one.evicted}`,
        ]);
        print(
          table(
            ['session', 'user', 'host', 'program', 'since', 'holds', 'waits for', 'idle', 'state'],
            rows,
            'Nobody is connected.',
          ),
        );
      } finally {
        group.close();
      }
    });
}
