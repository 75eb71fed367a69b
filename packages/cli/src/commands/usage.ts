import { create, GetUsageReplySchema, GetUsageRequestSchema, type UsageOfDay } from '@trefoil/api';
import type { Group } from '@trefoil/client';
import { DAY_MS } from '@trefoil/core';
import { Command, Option } from 'commander';
import { type ClientOptions, findGroup, read, withClientOptions } from '../connection.ts';
import { CliError, date, EXIT, note, print, printJson, time } from '../terminal.ts';
import { usageByUser, userCsv, userTable } from '../usage/by-user.ts';
import { dayCsv, type DayRow, dayRow, dayTable, jsonLines } from '../usage/day-rows.ts';
import { pseudonymsBy } from '../usage/pseudonyms.ts';

interface UsageOptions extends ClientOptions {
  readonly from?: string;
  readonly to?: string;
  readonly license?: string;
  readonly product?: string;
  readonly csv?: boolean;
  readonly jsonl?: boolean;
  readonly by?: 'user';
  readonly audit?: string;
  readonly vendor?: string;
  readonly pseudonyms?: string;
}

export function usageCommand(): Command {
  return withClientOptions(new Command('usage'))
    .description('What was used of each license, by UTC days: peak, average, seat hours, denials. 35 days are known.')
    .option('--from <day>', 'first day, like 2026-10-01')
    .option('--to <day>', 'last day')
    .option('--license <id>', 'of this license only')
    .option('--product <code>', 'of this product only')
    .addOption(new Option('--csv', 'print CSV (RFC 4180)').conflicts(['jsonl', 'json']))
    .addOption(new Option('--jsonl', 'print JSON Lines: one object for each license and day').conflicts('json'))
    .addOption(
      new Option('--by <what>', 'of each user instead, from an audit: needs --audit and --vendor').choices(['user']),
    )
    .option('--audit <path>', 'data directory of a license server, or a bundle')
    .option('--vendor <file>', "the vendor's root public key, a file with base64url")
    .option('--pseudonyms <file>', 'names are replaced by what this secret key makes of them; made if missing')
    .addHelpText(
      'after',
      '\nExamples:\n  trefoil usage\n  trefoil usage --from 2026-10-01 --to 2026-10-31 --csv > october.csv\n' +
        "  trefoil usage --product cad --jsonl | jq 'select(.denials.seats > 0)'",
    )
    .action((options: UsageOptions) => {
      const { from, to } = options;
      if (from !== undefined && to !== undefined && date(from, '--from') > date(to, '--to'))
        throw new CliError(EXIT.usage, `--from ${from} is after --to ${to}`);
      return options.by === undefined ? byLicense(options) : byUser(options);
    });
}

async function byLicense(options: UsageOptions): Promise<void> {
  if (options.audit !== undefined || options.vendor !== undefined || options.pseudonyms !== undefined)
    throw new CliError(EXIT.usage, '--audit, --vendor and --pseudonyms go with --by user');
  const days = { fromDay: dayNumber(options.from, '--from'), toDay: dayNumber(options.to, '--to') };
  const group = await findGroup(options);
  try {
    const { rows, index, utc } = await usageOf(group, { ...days, license: options.license, product: options.product });
    if (options.json) return printJson({ index, utc, days: rows });
    if (printedRows(options, rows, dayCsv)) return;
    print(dayTable(rows));
    note(`as of entry ${index}, ${time(utc)}`);
  } finally {
    group.close();
  }
}

async function byUser(options: UsageOptions): Promise<void> {
  const { audit, vendor, license, product } = options;
  if (audit === undefined || vendor === undefined)
    throw new CliError(EXIT.usage, '--by user needs --audit (a data directory or a bundle) and --vendor (a file)');
  if (license !== undefined)
    throw new CliError(EXIT.usage, '--by user goes by products: give --product, not --license');
  const toDay = dayNumber(options.to, '--to');
  const days = { fromDay: dayNumber(options.from, '--from'), toDay: toDay === 0 ? Infinity : toDay };
  const pseudonym = options.pseudonyms === undefined ? undefined : await pseudonymsBy(options.pseudonyms);
  const rows = (await usageByUser(audit, vendor, days))
    .filter((one) => product === undefined || one.product === product)
    .map((one) => (pseudonym === undefined ? one : { ...one, user: pseudonym(one.user) }))
    // In the order of the names, it would tell something of them.
    .sort((a, b) => (a.user < b.user ? -1 : a.user > b.user ? 1 : a.product < b.product ? -1 : 1));
  if (options.json) return printJson({ users: rows });
  if (!printedRows(options, rows, userCsv)) print(userTable(rows));
}

function printedRows<R extends object>(
  options: UsageOptions,
  rows: readonly R[],
  toCsv: (rows: readonly R[]) => string,
) {
  if (options.csv !== true && options.jsonl !== true) return false;
  process.stdout.write(options.csv === true ? toCsv(rows) : jsonLines(rows));
  return true;
}

function dayNumber(text: string | undefined, option: string): number {
  return text === undefined ? 0 : date(text, option).getTime() / DAY_MS;
}

async function usageOf(
  group: Group,
  asked: { fromDay: number; toDay: number; license: string | undefined; product: string | undefined },
): Promise<{ rows: DayRow[]; index: number; utc: number }> {
  const { fromDay, toDay, license = '', product = '' } = asked;
  const rows: DayRow[] = [];
  for (let after = ''; ; ) {
    const fields = { set: group.configuration.set, fromDay, toDay, license, product, after };
    const schemas = { request: GetUsageRequestSchema, reply: GetUsageReplySchema };
    const reply = await read(group, 'getUsage', schemas, create(GetUsageRequestSchema, fields));
    const utc = Number(reply.utc);
    rows.push(...reply.days.map((one) => rowOf(one, utc)));
    after = reply.moreAfter;
    if (after === '') return { rows: rows.sort(byDay), index: Number(reply.index), utc };
  }
}

function rowOf(one: UsageOfDay, utc: number): DayRow {
  const { license, product } = one;
  return dayRow(
    one.day,
    {
      ...{ license, product, quantity: Number(one.quantity), peak: Number(one.peak), seatMs: Number(one.seatMs) },
      ...{ overdraft: Number(one.overdraft), grants: Number(one.grants), units: Number(one.units) },
      ...{ queued: Number(one.queued), unserved: Number(one.unserved) },
      denials: Object.fromEntries(one.denials.map(({ code, count }) => [code, Number(count)])),
    },
    utc,
  );
}

function byDay(a: DayRow, b: DayRow): number {
  return a.day < b.day ? -1 : a.day > b.day ? 1 : a.license < b.license ? -1 : 1;
}
