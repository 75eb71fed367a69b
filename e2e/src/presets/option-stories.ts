import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { AcquireOptions } from '@trefoil/client';
import { decodeGrantBundle, readEnvelope } from '@trefoil/license';
import { eventually } from '../running-group.ts';
import type { Plant } from './plant.ts';

export interface OptionStory {
  /** Names of terms (docs/schemas/terms.json), or of what admins do. */
  readonly shows: readonly string[];
  readonly tell: (plant: Plant) => Promise<void>;
}

/** What no preset shows, with a takeover in the middle. */
export const OPTION_STORIES: Readonly<Record<string, OptionStory>> = {
  linger: {
    shows: ['lingerSeconds'],
    async tell(plant) {
      await plant.sellTerms('linger', { quantity: 1, lingerSeconds: 6 });
      const [ada, ben] = [await plant.person('ada'), await plant.person('ben')];
      await ada.takes('linger');
      await ada.gives();
      await plant.takeover();
      await ben.isDenied('linger', 'seats');
      await eventually('it is free', 15_000, async () => (await ben.asks('linger')).kind === 'granted');
    },
  },
  'no-queue': {
    shows: ['queue'],
    async tell(plant) {
      await plant.sellTerms('no-queue', { quantity: 1, queue: false });
      const [ada, ben] = [await plant.person('ada'), await plant.person('ben')];
      await ada.takes('no-queue');
      await ben.isDenied('no-queue', 'seats', { waitMs: 60_000 });
      await plant.takeover();
      await ben.isDenied('no-queue', 'seats', { waitMs: 60_000 });
    },
  },
  minimum: {
    shows: ['minimum'],
    async tell(plant) {
      await plant.sellTerms('minimum', { quantity: 1, minimum: { client: 60_000 } });
      const ada = await plant.person('ada');
      await ada.isDenied('minimum', 'client');
      await plant.takeover();
      await ada.isDenied('minimum', 'client');
      await plant.sellTerms('minimum', { quantity: 1, minimum: { client: 1 } });
      await ada.takes('minimum');
    },
  },
  information: {
    shows: ['texts', 'customer', 'vendorData', 'transfer'],
    async tell(plant) {
      const terms = {
        texts: { en: { title: 'CAD' } },
        customer: { order: '4711' },
        vendorData: 'AAEC',
        transfer: { moves: 1 },
      };
      await plant.sellTerms('information', { quantity: 2, ...terms });
      const ada = await plant.person('ada');
      await ada.takes('information');
      await plant.takeover();
      await ada.takes('information');
      for (const seat of ada.seats) {
        const [license] = decodeGrantBundle(seat.proof()).licenses;
        const {
          quantity: _q,
          version: _v,
          ...shown
        } = readEnvelope(license as string, 'trefoil-license').payload['terms'] as Record<string, unknown>;
        assert.deepEqual(JSON.parse(JSON.stringify(shown)), terms); // as objects with a prototype
      }
    },
  },
  'feature-terms': {
    shows: ['features.notBefore', 'features.notAfter', 'features.versions', 'features.maintenance'],
    async tell(plant) {
      const features = [
        { name: 'soon', notBefore: plant.in(3_600_000) },
        { name: 'trial', notAfter: plant.in(8_000) },
        { name: 'new', versions: { from: '7' } },
        { name: 'kept', maintenance: { from: '2026-01-01T00:00:00Z', until: '2028-01-01T00:00:00Z' } },
      ];
      await plant.sellTerms('feature-terms', { quantity: 9, versions: { to: '8' }, features });
      const ada = await plant.person('ada', 'desk', { version: '7.1', releasedAt: new Date('2027-06-01') });
      const takesIf = async (feature: string, code: string, other: AcquireOptions = {}): Promise<void> => {
        if (code === '') await ada.takes('feature-terms', { feature, ...other });
        else await ada.isDenied('feature-terms', code, { feature, ...other });
      };
      await takesIf('trial', '');
      await plant.takeover();
      await takesIf('soon', 'not-yet');
      await takesIf('new', '');
      await takesIf('new', 'version', { version: '6' });
      await takesIf('kept', '');
      await takesIf('kept', 'maintenance', { releasedAt: new Date('2028-06-01') });
      await eventually('the trial is over', 25_000, async () => {
        const result = await ada.asks('feature-terms', { feature: 'trial' });
        return result.kind === 'denied' && result.code === 'expired';
      });
    },
  },
  'time-outs': {
    shows: ['sessionTimeoutSeconds', 'offlineGraceSeconds'],
    async tell(plant) {
      await plant.sellTerms('time-outs', { quantity: 1, sessionTimeoutSeconds: 10, offlineGraceSeconds: 3 });
      const [ada, ben] = [await plant.person('ada'), await plant.person('ben')];
      await ada.takes('time-outs');
      assert.ok((ada.seats[0]?.remainingMs ?? Infinity) <= 3_000);
      await ada.client.detach(); // it is heard of no more
      await plant.takeover();
      await ben.isDenied('time-outs', 'seats');
      await eventually('its seat is free', 25_000, async () => (await ben.asks('time-outs')).kind === 'granted');
    },
  },
  modes: {
    shows: ['counting'],
    async tell(plant) {
      await plant.sellTerms('modes', { quantity: 1, counting: ['exclusive', 'user'] });
      const [ada, again] = [await plant.person('ada', 'ws-1'), await plant.person('ada', 'ws-1')];
      await ada.isDenied('modes', 'mode-not-allowed', { mode: 'session' });
      await ada.takes('modes');
      await plant.takeover();
      await again.isDenied('modes', 'seats'); // one session of a station
      await ada.gives();
      await ada.takes('modes', { mode: 'user' });
      await again.takes('modes', { mode: 'user' });
    },
  },
  returned: {
    shows: ['returned'],
    async tell(plant) {
      await plant.sellTerms('returned', { quantity: 2 });
      const ada = await plant.person('ada');
      await ada.takes('returned');
      await plant.sellTerms('returned', { quantity: 2, returned: true });
      await ada.isDenied('returned', 'expired');
      await plant.takeover();
      await ada.isDenied('returned', 'expired');
      assert.ok(ada.seats[0]?.valid, 'what is in use runs to its end');
    },
  },
  rules: {
    shows: ["the customer's rules: reserve, limit, deny, allow"],
    async tell(plant) {
      await plant.sellTerms('rules', { quantity: 3 });
      const [ada, ben, eve] = [await plant.person('ada'), await plant.person('ben'), await plant.person('eve')];
      await rule(plant, [
        { rule: 'reserve', product: 'rules', seats: 1, for: { users: ['ada'] } },
        { rule: 'limit', product: 'rules', seats: 2, for: { users: ['ben'] } },
        { rule: 'deny', product: 'rules', for: { users: ['eve'] } },
      ]);
      await ben.takes('rules');
      await plant.takeover();
      await eve.isDenied('rules', 'rule');
      await ben.takes('rules');
      await ben.isDenied('rules', 'rule');
      await ada.takes('rules');
      await rule(plant, []);
    },
  },
  evict: {
    shows: ["an admin's eviction"],
    async tell(plant) {
      await plant.sellTerms('evict', { quantity: 1, sessionTimeoutSeconds: 10 });
      const [ada, ben] = [await plant.person('ada'), await plant.person('ben')];
      await ada.takes('evict');
      const { group } = plant.running;
      const id = Buffer.from((await ada.client.session()).handle).toString('hex');
      const evicted = await plant.running.trefoil('evict', id, '--admin-key', group.adminKeyFile);
      assert.equal(evicted.code, 0, evicted.stderr);
      await plant.takeover();
      await ben.isDenied('evict', 'seats'); // until the last grant has run out
      await eventually('its seat is free', 25_000, async () => (await ben.asks('evict')).kind === 'granted');
    },
  },
};

async function rule(plant: Plant, rules: readonly object[]): Promise<void> {
  const file = `${await plant.folder()}.yaml`;
  await writeFile(file, JSON.stringify({ rules })); // JSON is YAML
  const { running } = plant;
  const result = await running.trefoil('rules', 'apply', file, '--admin-key', running.group.adminKeyFile);
  assert.equal(result.code, 0, result.stderr);
}
