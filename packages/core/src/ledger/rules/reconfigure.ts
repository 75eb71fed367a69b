import {
  type Answer,
  type Configuration,
  type Constituent,
  type ContainerRecord,
  equalBytes,
  LicenseError,
  newContainers,
  type ReconfigureCommand,
  type Reconfiguration,
  sharesSerialOrKey,
  verifyReconfiguration,
} from '@trefoil/license';
import { type ConfigurationSince, newestConfiguration } from '../configurations.ts';
import { type Ledger, type LicenseState, recordName } from '../state.ts';
import { refused } from './refused.ts';

/**
 * PROTOCOL §4.9: the next version of the configuration, with one container in another's place or none. In force behind this entry;
 * who votes then, and on what, is for the voters.
 */
export function reconfigure(ledger: Ledger, command: ReconfigureCommand): Answer {
  const { crypto, vendorRoot, issuingKey } = ledger.context;
  let change: Reconfiguration;
  try {
    change = verifyReconfiguration(crypto, vendorRoot, command.document);
  } catch (error) {
    if (error instanceof LicenseError) return refused('bad-document', error.message);
    throw error;
  }
  if (change.issuingKey.text !== issuingKey)
    return refused('bad-document', 'it comes under another issuing key than the configuration');
  const { configuration } = change;
  const standing = newestConfiguration(ledger);
  const fault = doesNotFollow(ledger, standing, configuration);
  if (fault !== undefined) return fault;
  const [placedOne, ...more] = newContainers(standing, configuration);
  if (more.length > 0) return refused('bad-document', 'it changes more than one container');
  if (placedOne !== undefined) {
    const misfit = cannotBePlaced(ledger, standing, placedOne) ?? takeConstituents(ledger, change, placedOne);
    if (misfit !== undefined) return misfit;
  }
  ledger.journal.set(ledger, 'configurations', [...ledger.configurations, { configuration, since: ledger.index }]);
  ledger.dirty.add(recordName.configurations);
  return { kind: 'reconfigured', version: configuration.version, member: placedOne?.member ?? 0 };
}

function doesNotFollow(ledger: Ledger, standing: Configuration, next: Configuration): Answer | undefined {
  if (next.vendor !== standing.vendor) return refused('wrong-group', `a configuration of vendor ${next.vendor}`);
  if (!equalBytes(next.set, standing.set)) return refused('wrong-group', 'a configuration of another container set');
  if (next.version <= standing.version)
    return refused('older-configuration', `version ${next.version}; in force is ${standing.version}`);
  if (next.version > standing.version + 1)
    return refused(
      'bad-document',
      `version ${next.version} does not follow version ${standing.version}, which is in force`,
    );
  if (next.threshold !== standing.threshold) return refused('bad-document', 'it has another threshold');
  if (next.expires <= ledger.utc) return refused('bad-document', `it ended on ${new Date(next.expires).toISOString()}`);
  // An entry is voted for under one version.
  if ((ledger.configurations.at(-1) as ConfigurationSince).since === ledger.index)
    return refused('bad-document', 'the configuration has changed in this moment');
  return undefined;
}

/** A key that has voted in this set may have signed what nobody remembers: it never comes back in another place or again. */
function cannotBePlaced(ledger: Ledger, { threshold }: Configuration, placed: ContainerRecord): Answer | undefined {
  if (threshold !== 2) return refused('bad-document', 'the only container of a set has nobody to vouch for another');
  const known = ledger.configurations.flatMap(({ configuration }) => configuration.containers);
  return known.some((one) => sharesSerialOrKey(one, placed))
    ? refused('bad-document', 'its new container has been in this set before')
    : undefined;
}

/** All licenses that there are, or none: what the new container can't open it must not vote for. */
function takeConstituents(ledger: Ledger, change: Reconfiguration, placed: ContainerRecord): Answer | undefined {
  const taken: [LicenseState, Constituent][] = [];
  // By their names: the first that lacks is named, and a ledger from a snapshot has them in another order.
  const licenses = [...ledger.licenses.values()].sort((a, b) => (a.license.id < b.license.id ? -1 : 1));
  for (const state of licenses) {
    const { license, licenseDigest } = state;
    const constituent = change.constituents.find(
      (one) => one.license === license.id && one.version === license.version && one.member === placed.member,
    );
    const fits =
      constituent !== undefined &&
      constituent.tmrId === license.tmrId &&
      equalBytes(constituent.set, license.set) &&
      equalBytes(constituent.serial, placed.serial) &&
      equalBytes(constituent.licenseDigest, licenseDigest);
    if (!fits)
      return refused('bad-document', `it has no constituent of ${license.id} version ${license.version} that fits`);
    taken.push([state, constituent]);
  }
  for (const [state, constituent] of taken) {
    const others = state.constituents.filter(({ member }) => member !== placed.member);
    const constituents = [...others, constituent].sort((a, b) => a.member - b.member);
    ledger.journal.set(state, 'constituents', constituents);
    ledger.dirty.add(recordName.license(state.license.id));
  }
  return undefined;
}
