import {
  create,
  type DescribeReply,
  DescribeReplySchema,
  ListLicensesReplySchema,
  ListSessionsReplySchema,
  StatusReplySchema,
} from '@trefoil/api';
import { ableMembers, configurationFor, heardMembers, type MemberLink, placeOf, unitsLeft } from '@trefoil/core';
import type { Clock } from '@trefoil/host';
import type { Member, TmrServer } from '@trefoil/license';
import { activeServer, alarmsOf, clockOffsetMs, tmrServers } from './group-alarms.ts';
import type { ProposerRuntime } from './proposer-runtime.ts';

function addressOf({ proposer }: ProposerRuntime, id: TmrServer | undefined): string {
  return proposer.group.tmrServers.find((one) => one.id === id)?.address ?? '';
}

export function describe(runtime: ProposerRuntime, clock: Clock): DescribeReply {
  const { proposer } = runtime;
  const { group, context, replica } = proposer;
  // The one under which the certificate beside it is: behind the entry that brings a version another one is in force.
  const configuration = configurationFor(replica.ledger, replica.certifiedIndex);
  return create(DescribeReplySchema, {
    set: configuration.set,
    name: configuration.name,
    group: group.group,
    server: proposer.id,
    active: proposer.role === 'leading',
    activeAddress: addressOf(runtime, activeServer(runtime, nowOf(clock))),
    addresses: group.tmrServers.map((one) => one.address),
    servers: group.tmrServers.map((one) => one.id),
    issuingKey: context.issuingKey,
    configuration: configuration.text,
    certificate: replica.certificate ?? new Uint8Array(0),
    logTime: BigInt(replica.certified?.logTime ?? 0),
  });
}

/** What this server knows of the five; as of its newest certified entry. */
export function status(
  runtime: ProposerRuntime,
  { clock, virtualIp }: { readonly clock: Clock; readonly virtualIp: string },
) {
  const { proposer, configuration } = runtime;
  const { group, replica } = proposer;
  const now = nowOf(clock);
  const heard = heardMembers(proposer, now);
  return create(StatusReplySchema, {
    set: configuration.set,
    name: configuration.name,
    group: group.group,
    vendor: configuration.vendor,
    server: proposer.id,
    role: proposer.role === 'leading' ? 'active' : proposer.role === 'preparing' ? 'taking over' : 'standby',
    epoch: BigInt(
      proposer.role === 'leading'
        ? proposer.epoch
        : Math.max(...heard.map((one) => proposer.members[one].status?.promised ?? 0), 0),
    ),
    index: BigInt(replica.certifiedIndex),
    logTime: BigInt(replica.certified?.logTime ?? 0),
    utc: BigInt(replica.certified?.utc ?? 0),
    licenseServers: configuration.containers.map(({ member }) =>
      licenseServerStatus(runtime, member, heard.includes(member), now),
    ),
    tmrServers: tmrServers(runtime, now),
    virtualIp,
    rules: replica.ledger.rulesVersion,
    redundancy: ableMembers(proposer, now).length - configuration.threshold,
    alarms: alarmsOf(runtime, now, virtualIp),
    sessions: [...replica.ledger.sessions.values()].filter((one) => !one.closed).length,
    configurationVersion: BigInt(configuration.version),
    configurationExpires: BigInt(configuration.expires),
  });
}

function licenseServerStatus(
  runtime: ProposerRuntime,
  member: Member,
  heard: boolean,
  now: { monotonicMs: number; wallMs: number },
) {
  const { proposer } = runtime;
  const link: MemberLink = proposer.members[member];
  const { status: reported } = link;
  const certified = reported?.certifiedIndex ?? 0;
  return {
    member,
    address: proposer.group.licenseServers.find((one) => one.member === member)?.address ?? '',
    connected: heard,
    voting: heard && reported?.withholding === '',
    withholding: reported?.withholding ?? '',
    unanchored: reported?.unanchored ?? false,
    certifiedIndex: BigInt(certified),
    lag: BigInt(Math.max(0, proposer.replica.certifiedIndex - certified)),
    clockOffsetMs: BigInt(Math.round(clockOffsetMs(link, now) ?? 0)),
    promisedEpoch: BigInt(reported?.promised ?? 0),
    program: link.about?.program ?? '',
  };
}

export function listLicenses({ proposer }: ProposerRuntime) {
  const { ledger } = proposer.replica;
  const licenses = [...ledger.licenses.values()].sort((a, b) => (a.license.id < b.license.id ? -1 : 1));
  return create(ListLicensesReplySchema, {
    index: BigInt(ledger.index),
    utc: BigInt(ledger.utc),
    licenses: licenses.map((state) => {
      const { license, used, usedByFeature } = state;
      const { terms } = license;
      return {
        license: license.id,
        version: license.version,
        product: license.product,
        name: license.name,
        tmrId: BigInt(license.tmrId),
        quantity: BigInt(terms.quantity),
        used: BigInt(used),
        notBefore: BigInt(terms.whole.notBefore ?? 0),
        notAfter: BigInt(terms.whole.notAfter ?? 0),
        hasUnits: terms.metering !== undefined,
        unitsLeft: BigInt(unitsLeft(state)),
        features: [...terms.features.values()].map((feature) => ({
          name: feature.name,
          quantity: BigInt(feature.quantity ?? 0),
          used: BigInt(usedByFeature.get(feature.name) ?? 0),
          counted: feature.quantity !== undefined,
        })),
        counting: [...terms.counting],
        digest: state.licenseDigest,
        overdraft: BigInt(terms.overdraft),
        waiting: ledger.queues.get(license.product)?.length ?? 0,
        metering: terms.metering ?? '',
        unitsUsed: BigInt(state.consumed),
        names: [...state.names.keys()].sort(),
        borrowed: BigInt(state.borrowed),
        returned: terms.returned,
      };
    }),
  });
}

/** In one list: more would hold up what the license servers wait for, whoever asks. */
const MAX_LISTED = 5_000;

export class TooMany extends Error {
  constructor(sessions: number) {
    super(`${sessions} sessions are open; at most ${MAX_LISTED} can be listed`);
  }
}

export function listSessions({ proposer }: ProposerRuntime) {
  const { ledger } = proposer.replica;
  if (ledger.sessions.size > MAX_LISTED) throw new TooMany(ledger.sessions.size);
  const sessions = [...ledger.sessions.values()].filter((one) => !one.closed).sort((a, b) => a.openedUtc - b.openedUtc);
  return create(ListSessionsReplySchema, {
    index: BigInt(ledger.index),
    utc: BigInt(ledger.utc),
    sessions: sessions.map((session) => ({
      id: session.handle,
      user: session.user,
      host: session.host,
      program: session.program,
      openedUtc: BigInt(session.openedUtc),
      remainingMs: BigInt(Math.max(0, session.deadline - ledger.logTime)),
      evicted: session.evicted,
      holdings: [...session.holds.values()].flatMap((hold) =>
        hold.items.map((item) => ({
          hold: BigInt(hold.id),
          product: ledger.licenses.get(item.license)?.license.product ?? '',
          feature: item.feature,
          license: item.license,
          seats: item.seats,
          sinceUtc: BigInt(hold.sinceUtc),
          lingering: hold.lingering,
          overdraft: item.overdraft,
          borrowedUntilUtc: BigInt(hold.borrowed ? ledger.utc + Math.max(0, hold.freeAt - ledger.logTime) : 0),
        })),
      ),
      waiting: [...session.waits.values()].flatMap((wait) =>
        wait.items.map(({ product, feature, seats }) => ({
          ...{ hold: BigInt(wait.id), product, feature, seats, place: placeOf(ledger, wait) },
          remainingMs: BigInt(Math.max(0, wait.untilLogTime - ledger.logTime)),
        })),
      ),
      idleMs: BigInt(session.idleSince === 0 ? 0 : Math.max(1, ledger.logTime - session.idleSince)),
      address: session.address,
    })),
  });
}

function nowOf(clock: Clock): { monotonicMs: number; wallMs: number } {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
}
