import { decodeRecord, type LogRecord } from '@trefoil/core';
import {
  bytesKey,
  type Configuration,
  decodeCertificate,
  LicenseError,
  type Member,
  verifyCertificate,
} from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { NodeDisk, openLogStore } from '@trefoil/license-server/log-store';
import type { TestedGroup } from './tested-group.ts';

interface CertifiedLog {
  readonly name: string;
  /** Head by index, of each certificate. */
  readonly heads: ReadonlyMap<number, string>;
  readonly last: number;
}

/** The stores of license servers that have been stopped, read with public keys only: one chain, and nobody far behind (PROTOCOL §9.3). */
export async function compareLogs(tested: TestedGroup): Promise<{ entries: number; findings: string[] }> {
  const { configuration } = tested.group;
  const findings: string[] = [];
  const logs: CertifiedLog[] = [];
  for (const [i, server] of tested.all('license-server').entries()) {
    try {
      logs.push(await readLog(server.name, await server.store(), configuration, (i + 1) as Member));
    } catch (error) {
      findings.push(`the log of ${server.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const chain = new Map<number, string>();
  for (const { name, heads } of logs)
    for (const [index, head] of heads) {
      const known = chain.get(index);
      if (known === undefined) chain.set(index, head);
      else if (known !== head)
        findings.push(`two certified heads at entry ${index}, one of them in the log of ${name}`);
    }
  const newest = Math.max(...chain.keys());
  // The certificate of the last entry comes with the next one.
  for (const { name, last } of logs)
    if (newest - last > 2) findings.push(`the log of ${name} ends at entry ${last}, and there is an entry ${newest}`);
  return { entries: newest, findings };
}

async function readLog(
  name: string,
  directory: string,
  configuration: Configuration,
  member: Member,
): Promise<CertifiedLog> {
  const container = configuration.containers.find((one) => one.member === member);
  if (container === undefined) throw new Error(`there is no member ${member}`);
  const heads = new Map<number, string>();
  const crypto = nodeCrypto();
  const take = (certificate: Uint8Array): void => {
    const { index, head } = verifyCertificate(crypto, configuration, decodeCertificate(certificate));
    const known = heads.get(index);
    if (known !== undefined && known !== bytesKey(head)) throw new Error(`two certified heads at entry ${index}`);
    heads.set(index, bytesKey(head));
  };
  const faults: string[] = [];
  const opened = await openLogStore(await NodeDisk.at(directory), {
    storeId: container.serial,
    ifMissing: 'suspect',
    onRecord: ({ payload }) => {
      try {
        for (const certificate of certificatesOf(decodeRecord(new Uint8Array(payload)))) take(certificate);
      } catch (error) {
        faults.push(error instanceof LicenseError || error instanceof Error ? error.message : String(error));
      }
    },
  });
  if (opened.kind === 'suspect') throw new Error(opened.reason);
  await opened.store.close();
  const [fault] = faults;
  if (fault !== undefined) throw new Error(fault);
  return { name, heads, last: Math.max(0, ...heads.keys()) };
}

function certificatesOf(record: LogRecord): Uint8Array[] {
  return record.kind === 'certified' || record.kind === 'caughtUp' ? [record.certificate] : [];
}
