import {
  type Configuration,
  decodeUtf8,
  encodeUtf8,
  equalBytes,
  LIMITS as FORMAT,
  malformed,
  Reader,
  verifyConfiguration,
  verifyIssuingKey,
  Writer,
} from '@trefoil/license';
import type { Ledger, LedgerContext } from './state.ts';

/** A version of the configuration, and the entry that brought it: it is in force behind that one (PROTOCOL §4.9). */
export interface ConfigurationSince {
  readonly configuration: Configuration;
  /** 0 = the set's first. */
  readonly since: number;
}

/** By which the vendor's documents and the commands of the next entry are judged. */
export function newestConfiguration({ configurations }: Pick<Ledger, 'configurations'>): Configuration {
  return (configurations.at(-1) as ConfigurationSince).configuration;
}

/** Under which the entry at `index` is voted for: the one that brings a version is itself voted for under the version before. */
export function configurationFor({ configurations }: Pick<Ledger, 'configurations'>, index: number): Configuration {
  const inForce = configurations.findLast(({ since }) => since < index) ?? configurations[0];
  return (inForce as ConfigurationSince).configuration;
}

/** All but the set's first; empty where there is no other, and then there is no such record. */
export function encodeConfigurations({ configurations }: Pick<Ledger, 'configurations'>): Uint8Array {
  const later = configurations.slice(1);
  if (later.length === 0) return new Uint8Array(0);
  const writer = new Writer().u32(later.length);
  for (const { configuration, since } of later) writer.u64(since).bytes(encodeUtf8(configuration.text));
  return writer.done();
}

/** What `encodeConfigurations` made, the first of the set before it. @throws LicenseError */
export function decodeConfigurations(context: LedgerContext, bytes: Uint8Array): readonly ConfigurationSince[] {
  if (bytes.length === 0) return [{ configuration: context.configuration, since: 0 }];
  const reader = new Reader(bytes);
  const all = readConfigurations(context, reader);
  reader.end();
  return all;
}

/** The documents are verified again. @throws LicenseError */
export function readConfigurations(context: LedgerContext, reader: Reader): readonly ConfigurationSince[] {
  const issuing = verifyIssuingKey(context.crypto, context.vendorRoot, context.issuingKey);
  const all: ConfigurationSince[] = [{ configuration: context.configuration, since: 0 }];
  for (let i = reader.u32(); i > 0; i--) {
    const since = reader.u64();
    const text = decodeUtf8(reader.bytes(FORMAT.documentBytes));
    const before = all.at(-1) as ConfigurationSince;
    const configuration = verifyConfiguration(context.crypto, issuing, text);
    if (since <= before.since || configuration.version !== before.configuration.version + 1)
      throw malformed('versions of the configuration that do not follow each other');
    if (!equalBytes(configuration.set, before.configuration.set)) throw malformed('a configuration of another set');
    all.push({ configuration, since });
  }
  if (all.length === 1) throw malformed('no version of the configuration in its record');
  return all;
}
