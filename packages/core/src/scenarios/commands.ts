import {
  type Command,
  type EvictCommand,
  keyIdBytes,
  type RulesCommand,
  sessionHandleOf,
  signCommand,
  type SigningKey,
  type WriteOffCommand,
} from '@trefoil/license';
import { decodeOutcome } from '@trefoil/license';
import { inWords } from './in-words.ts';
import type { Scenario } from './scenario.ts';

/** "5 seats of cad, version 2, time-out 10 s": a license, sent in an update by the admin. */
export function vendorSells(scenario: Scenario, license: string, text: string): void {
  const { fixture } = scenario.world;
  const terms: Record<string, never> = {};
  const put = (key: string, value: unknown): void => void (terms[key] = value as never);
  let version = 1;
  let product = 'cad';
  let borrowing = {};
  put('quantity', 0);
  for (const part of text.split(', ')) {
    const word = (pattern: RegExp): string | undefined => pattern.exec(part)?.[1];
    product = word(/ of (\S+)$/) ?? product;
    version = Number(word(/^version (\d+)$/) ?? version);
    if (/^\d+ seats? of/.test(part)) put('quantity', Number.parseInt(part, 10));
    else if (/^\d+ units? of/.test(part)) put('units', Number.parseInt(part, 10));
    else if (/^time-out \d+ s$/.test(part)) put('sessionTimeoutSeconds', Number(word(/(\d+)/)));
    else if (/^lingering \d+ s$/.test(part)) put('lingerSeconds', Number(word(/(\d+)/)));
    else if (/^counted by \w+$/.test(part)) put('counting', [word(/by (\w+)$/)]);
    else if (/^for servers with rules \d+$/.test(part)) put('minimum', { server: Number(word(/(\d+)$/)) });
    else if (/^until \S+$/.test(part)) put('notAfter', word(/until (\S+)$/));
    else if (/^\S+ weighs \d+$/.test(part)) put('features', [{ name: word(/^(\S+)/), weight: Number(word(/(\d+)$/)) }]);
    else if (/ leave for \d+ min$| written off in \d+ min$|^extended \d/.test(part))
      put('borrowing', (borrowing = { ...borrowing, ...borrowingIn(part) }));
    else if (!part.startsWith('version')) throw new RangeError(`no such term: ${part}`);
  }
  const sold = fixture.license({ id: license, version, product, terms });
  const generations = ([1, 2, 3] as const).map((member) => scenario.world.generations[member]);
  scenario.install(fixture.update([sold], ++scenario.serial, generations));
  scenario.settle();
}

/** "2 seats may leave for 10 min", "extended 1 time", "1 seat written off in 60 min". */
function borrowingIn(part: string): object {
  const [first = 0, second = 0] = (part.match(/\d+/g) ?? []).map(Number);
  if (part.startsWith('extended')) return { extensions: first };
  const within = `PT${second}M`;
  return part.includes('leave') ? { seats: first, longest: within } : { writeOffs: { count: first, within } };
}

function byAdmin({ world }: Scenario, what: string): { admin: Uint8Array; nonce: Uint8Array; atLogTime: number } {
  const { fixture, proposers } = world;
  return {
    admin: keyIdBytes(fixture.crypto, fixture.admin.publicKey),
    nonce: fixture.crypto.sha256(new TextEncoder().encode(what)).subarray(0, 16),
    atLogTime: (proposers.A ?? proposers.B)?.replica.certified?.logTime ?? 0,
  };
}

function eviction(scenario: Scenario, name: string, key: SigningKey): EvictCommand {
  const { fixture } = scenario.world;
  const session = sessionHandleOf(fixture.crypto, scenario.client(name).session);
  const by = byAdmin(scenario, `evict ${name}`);
  return signCommand<EvictCommand>(fixture.set, { kind: 'evict', ...by, session, reason: 'the seat is needed' }, key);
}

/** "reserve 2 seats of cad for carol, limit 1 seat of cad each, deny cad to eve": in place of all that stood before. */
export function rule(scenario: Scenario, text: string): void {
  const { set, admin } = scenario.world.fixture;
  const rules = text.split(', ').map((part) => {
    const [, kind, seats, product, who] =
      /^(reserve|limit|deny|allow) (?:(\d+) seats? of )?(\S+?)(?: each| (?:for|to) (\S+))?$/.exec(part) ?? [];
    if (kind === undefined) throw new RangeError(`no such rule: ${part}`);
    return {
      ...{ rule: kind, product },
      ...(seats !== undefined && { seats: Number(seats) }),
      ...(part.endsWith(' each') && { each: 'user' }),
      ...(who !== undefined && { for: { users: [who] } }),
    };
  });
  const document = JSON.stringify({ format: 1, version: ++scenario.rulesVersion, rules });
  const unsigned = { kind: 'rules', ...byAdmin(scenario, document), document } as const;
  scenario.admin().request(signCommand<RulesCommand>(set, unsigned, admin), 'put rules into force');
  scenario.settle();
}

export function evictBy(scenario: Scenario, name: string): void {
  scenario.admin().request(eviction(scenario, name, scenario.world.fixture.admin), `evict ${name}`);
  scenario.settle();
}

/** The machine is lost; as often as that is said. */
export function writeOffBy(scenario: Scenario, name: string): void {
  const { crypto, set, admin } = scenario.world.fixture;
  const session = sessionHandleOf(crypto, scenario.client(name).session);
  const by = byAdmin(scenario, `write off ${name} at ${scenario.world.now}`);
  const unsigned = { kind: 'write-off', ...by, session, reason: 'the laptop was stolen' } as const;
  scenario.admin().request(signCommand<WriteOffCommand>(set, unsigned, admin), `write off ${name}`);
  scenario.settle();
}

/** A TMR server puts a command of its own making into the log. */
function putIn(scenario: Scenario, what: string, command: Command): void {
  const { world } = scenario;
  world.submit('A', command, { deadlineMs: world.now + 1_000 }, (reply) => {
    const came = reply.kind === 'answer' ? inWords(decodeOutcome(reply.outcome), 0) : reply.kind;
    scenario.say(`the forged ${what} ${came}`);
  });
  world.clockwork.run(50);
}

export function forge(scenario: Scenario, what: string, name: string): void {
  const { crypto, set, tmrKeys } = scenario.world.fixture;
  const client = scenario.client(name);
  const head = { session: client.session, requestId: client.requestId + 1, lowestUnanswered: 1 };
  const secret = crypto.sha256(new Uint8Array(32));
  if (what === 'release') putIn(scenario, what, { kind: 'release', ...head, hold: client.holds[0]?.id ?? 0, secret });
  else if (what === 'consume')
    putIn(
      scenario,
      what,
      signCommand(set, { kind: 'consume', ...head, items: [{ product: 'sim', feature: '', count: 10 }] }, tmrKeys.A),
    );
  else if (what === 'borrow') {
    const items = [{ product: 'cad', feature: '', seats: 1 }];
    const unsigned = { kind: 'borrow', ...head, releaseHash: crypto.sha256(secret), forMs: 60_000, items } as const;
    putIn(scenario, what, signCommand(set, unsigned, tmrKeys.A));
  } else if (what === 'close') putIn(scenario, what, { kind: 'close', ...head, secret });
  else throw new RangeError(`no such command: ${what}`);
}

export function forgeEviction(scenario: Scenario, name: string): void {
  putIn(scenario, 'eviction', eviction(scenario, name, scenario.world.fixture.tmrKeys.A));
}
