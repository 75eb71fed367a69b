import {
  type Configuration,
  encodeCommand,
  type JsonObject,
  type Member,
  verifyReconfiguration,
} from '@trefoil/license';
import { SEAT_TIMEOUT_MS } from './client-history.ts';
import type { World } from './world.ts';

const AGAIN_MS = 100;
const ISSUED_FROM = Date.UTC(2026, 10, 1);
/** Clocks of a run may be set ahead by more than a year. */
const NEVER = '2999-01-01T00:00:00Z';

interface Ware {
  readonly license: string;
  readonly product: string;
  readonly version: number;
  readonly terms: JsonObject;
  /** Seats of it that may be in use at once. */
  readonly most: number;
  /** Told of each command that offers it. */
  readonly offered?: (command: Uint8Array) => void;
}

/** Who issues licenses and configurations, and sees to it that the group gets them. */
export class Vendor {
  readonly #world: World;
  /** Oldest first. */
  readonly #configurations: Configuration[];
  readonly #generations: Record<Member, number> = { 1: 0, 2: 0, 3: 0 };
  #serial = 0;

  constructor(world: World) {
    this.#world = world;
    this.#configurations = [world.fixture.configuration];
  }

  /** As issued; the first, if there is no such one. */
  version(version: number): Configuration {
    return this.#configurations[version - 1] ?? this.#world.fixture.configuration;
  }

  get generations(): readonly number[] {
    return [this.#generations[1], this.#generations[2], this.#generations[3]];
  }

  /** For the containers of the newest configuration; where the group has another meanwhile, once more for those. */
  offer(ware: Ware): void {
    const { fixture, mostSold, office } = this.#world;
    const { license: id, product, version, most, offered } = ware;
    const terms = { sessionTimeoutSeconds: SEAT_TIMEOUT_MS / 1_000, ...ware.terms };
    const text = fixture.license({ id, product, version, terms });
    const document = fixture.update([text], ++this.#serial, this.generations);
    const command = encodeCommand({ kind: 'update', document });
    mostSold.set(id, Math.max(most, mostSold.get(id) ?? 0));
    offered?.(command);
    void (async () => {
      const outcome = await office.submit('update', command);
      // What it was refused for otherwise, it would be again.
      if (outcome?.kind !== 'refused' || !outcome.detail.startsWith('the constituent of')) return;
      await this.#world.agenda.sleep(AGAIN_MS);
      if (!this.#world.quiet) this.offer(ware);
    })();
  }

  /** The next container in the place of this member's; until the group has it. False: the time was over. */
  async replace(member: Member): Promise<boolean> {
    const { fixture, office } = this.#world;
    const generations = this.generations.map((one, i) => (i === member - 1 ? one + 1 : one));
    const version = this.#configurations.length + 1;
    while (!this.#world.quiet) {
      // One that did not fit is made anew, and is another document then.
      const issuedAt = new Date(ISSUED_FROM + 1_000 * ++this.#serial).toISOString().replace('.000', '');
      const more = { licenses: this.#installed(), member, expires: NEVER, issuedAt };
      const document = fixture.reconfiguration({ version, generations, ...more });
      if (this.#configurations.length < version) {
        const { configuration } = verifyReconfiguration(fixture.crypto, fixture.root.publicKey, document);
        this.#configurations.push(configuration);
      }
      const outcome = await office.submit('reconfigure', encodeCommand({ kind: 'reconfigure', document }));
      if (outcome === undefined) return false;
      if (outcome.kind === 'reconfigured') {
        this.#generations[member]++;
        return true;
      }
      // A license was installed meanwhile.
      this.#world.count(`not replaced: ${'code' in outcome ? outcome.code : outcome.kind}`);
      await this.#world.agenda.sleep(AGAIN_MS);
    }
    return false;
  }

  /** As the newest of those who are up have them. */
  #installed(): string[] {
    const [newest] = this.#world.ledgers().sort((a, b) => b.ledger.index - a.ledger.index);
    return [...(newest?.ledger.licenses.values() ?? [])].map(({ license }) => license.text);
  }
}
