import { UseByUser } from '@trefoil/core';
import { naming, openEvidence, sound, trusted } from '../audit/evidence.ts';
import { replay } from '../audit/replay.ts';
import { CliError, EXIT, table } from '../terminal.ts';
import { csv } from './csv.ts';
import { rounded } from './day-rows.ts';

/** What one user used of one product. */
export interface UserRow {
  readonly user: string;
  readonly product: string;
  readonly seatHours: number;
  readonly grants: number;
  readonly denials: number;
}

/** By executing the log again: the ledger knows it by licenses only. The log is checked on the way. */
export function usageByUser(
  path: string,
  vendor: string,
  days: { readonly fromDay: number; readonly toDay: number },
): Promise<UserRow[]> {
  return naming(path, async () => {
    await using evidence = await openEvidence(path);
    const { documents, items } = evidence;
    if (typeof documents.group !== 'string')
      throw new CliError(EXIT.failure, `${path}: it was made without names; usage by users needs a whole bundle`);
    const byUser = new UseByUser(days);
    const context = await trusted(documents, vendor);
    await sound(path, () => replay(context, items, [byUser]));
    return byUser.usage.map(({ user, product, seatMs, grants, denials }) => ({
      ...{ user, product, seatHours: rounded(seatMs / 3_600_000), grants, denials },
    }));
  });
}

export function userTable(rows: readonly UserRow[]): string {
  const cells = rows.map((one) => [one.user, one.product, one.seatHours, one.grants, one.denials]);
  return table(['user', 'product', 'seat hours', 'grants', 'denied'], cells, 'Nothing was used.');
}

export function userCsv(rows: readonly UserRow[]): string {
  const cells = rows.map((one) => [one.user, one.product, one.seatHours, one.grants, one.denials]);
  return csv(['user', 'product', 'seat_hours', 'grants', 'denials'], cells);
}
