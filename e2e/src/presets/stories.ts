import assert from 'node:assert/strict';
import { openBorrowed } from '@trefoil/client';
import { GRANT_FLAGS } from '@trefoil/license';
import { eventually } from '../running-group.ts';
import type { Plant } from './plant.ts';

const DAY = 86_400_000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What each preset's page in the guide tells, with a takeover in the middle. */
export const STORIES: Readonly<Record<string, (plant: Plant) => Promise<void>>> = {
  async 'single-user'(plant) {
    await plant.sell('single-user');
    const [ada, again, ben] = [await plant.person('ada'), await plant.person('ada'), await plant.person('ben')];
    await ada.takes('single-user');
    await plant.takeover();
    await again.isDenied('single-user', 'seats');
    await ben.isDenied('single-user', 'seats');
    await ada.gives();
    await ben.takes('single-user');
  },
  async 'single-user-vm'(plant) {
    await plant.sell('single-user-vm');
    const [ada, ben, cem] = [
      await plant.person('ada', 'vm-1'),
      await plant.person('ben', 'vm-1'),
      await plant.person('cem', 'vm-2'),
    ];
    await ada.takes('single-user-vm');
    await plant.takeover();
    await ben.takes('single-user-vm');
    await cem.isDenied('single-user-vm', 'seats');
  },
  async floating(plant) {
    await plant.sell('floating', { quantity: 2 });
    const [ada, ben, cem] = [await plant.person('ada'), await plant.person('ben'), await plant.person('cem')];
    await ada.takes('floating');
    await ben.takes('floating');
    await cem.isDenied('floating', 'seats');
    const waiting = cem.asks('floating', { waitMs: 60_000 });
    await plant.takeover();
    await ada.gives();
    assert.equal((await waiting).kind, 'granted');
  },
  async 'floating-station'(plant) {
    await plant.sell('floating-station', { quantity: 1 });
    const [one, two] = [await plant.person('ada', 'ws-1'), await plant.person('ada', 'ws-1')];
    await one.takes('floating-station');
    await plant.takeover();
    await two.takes('floating-station');
    await (await plant.person('ada', 'ws-2')).isDenied('floating-station', 'seats');
  },
  async 'floating-user'(plant) {
    await plant.sell('floating-user', { quantity: 1 });
    await (await plant.person('ada', 'desk')).takes('floating-user');
    await plant.takeover();
    await (await plant.person('ada', 'laptop')).takes('floating-user');
    await (await plant.person('ben', 'desk')).isDenied('floating-user', 'seats');
  },
  async 'feature-on-demand'(plant) {
    await plant.sell('feature-on-demand', { features: [{ name: 'export' }] });
    const ada = await plant.person('ada');
    await ada.takes('feature-on-demand');
    await ada.isDenied('feature-on-demand', 'unknown-feature', { feature: 'analysis' });
    await plant.takeover();
    await plant.sell('feature-on-demand', { features: [{ name: 'export' }, { name: 'analysis', quantity: 1 }] });
    await ada.takes('feature-on-demand', { feature: 'analysis' });
    await ada.isDenied('feature-on-demand', 'seats', { feature: 'analysis' });
  },
  async modular(plant) {
    await plant.sell('modular');
    const ada = await plant.person('ada');
    await ada.takes('modular', { feature: 'five-axis', seats: 2 });
    await ada.isDenied('modular', 'seats', { feature: 'five-axis' });
    await plant.takeover();
    await ada.takes('modular', { feature: 'milling', seats: 3 });
    await ada.isDenied('modular', 'seats', { feature: 'milling' }); // two of its five are five-axis
    await ada.takes('modular', { feature: 'turning', seats: 3 });
  },
  async perpetual(plant) {
    await plant.sell('perpetual');
    const ada = await plant.person('ada', 'desk', { version: '7.9' });
    await ada.takes('perpetual');
    await plant.takeover();
    await ada.isDenied('perpetual', 'version', { version: '8' });
    await ada.takes('perpetual', { version: '3.1' });
  },
  async trial(plant) {
    await plant.sell('trial', { quantity: 5, usagePeriod: 'PT8S' });
    await sleep(1_000); // nobody uses it: nothing begins
    const ada = await plant.person('ada');
    await ada.takes('trial');
    await plant.takeover();
    await eventually('its time is over', 20_000, async () => {
      const result = await ada.asks('trial');
      return result.kind === 'denied' && result.code === 'expired';
    });
  },
  async subscription(plant) {
    await plant.sell('subscription', { notAfter: plant.in(2_000) });
    const ada = await plant.person('ada');
    assert.equal(await ada.takes('subscription'), 0);
    await plant.takeover();
    await sleep(3_000);
    assert.equal(await ada.takes('subscription'), GRANT_FLAGS.grace);
    await plant.sell('subscription', { notAfter: plant.in(86_400_000) });
    assert.equal(await ada.takes('subscription'), 0);
  },
  async rental(plant) {
    await plant.sell('rental', { notBefore: plant.in(6_000), notAfter: plant.in(14_000) });
    const ada = await plant.person('ada');
    await ada.isDenied('rental', 'not-yet');
    await plant.takeover();
    await eventually('it begins', 20_000, async () => (await ada.asks('rental')).kind === 'granted');
    await eventually('it ends', 20_000, async () => {
      const result = await ada.asks('rental');
      return result.kind === 'denied' && result.code === 'expired';
    });
  },
  async 'time-ticket'(plant) {
    await plant.sell('time-ticket', { quantity: 9 });
    const ada = await plant.person('ada');
    await ada.takes('time-ticket');
    const end = ada.seats[0]?.grants[0]?.notAfter ?? 0;
    assert.ok(Math.abs(end - Date.now() - 90 * 86_400_000) < 60_000, 'ninety days from the first use');
    await plant.takeover();
    await ada.takes('time-ticket');
    assert.equal(ada.seats[1]?.grants[0]?.notAfter, end, 'not from the second');
  },
  async 'short-lease'(plant) {
    await plant.sell('short-lease', { notAfter: plant.in(8_000) });
    const ada = await plant.person('ada');
    await ada.takes('short-lease');
    await plant.takeover();
    await plant.sell('short-lease', { notAfter: plant.in(3_600_000) });
    await sleep(8_500);
    assert.equal(await ada.client.renew(), 'renewed');
    assert.ok(ada.seats[0]?.valid, 'it lives on');
  },
  async 'prepaid-units'(plant) {
    await plant.sell('prepaid-units');
    const ada = await plant.person('ada');
    assert.equal(await ada.uses('prepaid-units', 100, 'render'), 500);
    await plant.takeover();
    assert.equal(await ada.uses('prepaid-units', 500), 0);
    const denied = await ada.client.consume('prepaid-units', 1);
    assert.equal(denied.kind === 'denied' && denied.code, 'units');
  },
  async 'postpaid-units'(plant) {
    await plant.sell('postpaid-units');
    const ada = await plant.person('ada');
    assert.equal(await ada.uses('postpaid-units', 1_000_000), Infinity);
    await plant.takeover();
    await ada.uses('postpaid-units', 1);
    const listed = await plant.running.trefoil('licenses');
    assert.match(listed.stdout, /postpaid-units .*1000001 used/);
  },
  async 'seat-time'(plant) {
    await plant.sell('seat-time', { seatTime: { every: 'PT1S' } });
    const ada = await plant.person('ada');
    await ada.takes('seat-time', { seats: 2 });
    await plant.takeover();
    await sleep(2_000);
    await ada.gives();
    const used = Number(/seat-time .* (\d+) used/.exec((await plant.running.trefoil('licenses')).stdout)?.[1]);
    assert.ok(used >= 6 && used % 2 === 0, `${used} units of two seats`);
  },
  async tokens(plant) {
    await plant.sell('tokens');
    const ada = await plant.person('ada');
    await ada.takes('tokens', { feature: 'solve', seats: 3 });
    await plant.takeover();
    await ada.takes('tokens', { feature: 'view', seats: 25 });
    await ada.isDenied('tokens', 'seats', { feature: 'view' });
  },
  async maintenance(plant) {
    await plant.sell('maintenance');
    const ada = await plant.person('ada', 'desk', { releasedAt: new Date('2027-06-01') });
    await ada.takes('maintenance');
    await plant.takeover();
    await ada.isDenied('maintenance', 'maintenance', { releasedAt: new Date('2028-06-01') });
    await plant.sell('maintenance', { maintenance: { until: '2029-01-01T00:00:00Z' } });
    await ada.takes('maintenance', { releasedAt: new Date('2028-06-01') });
  },
  async upgrade(plant) {
    await plant.sell('upgrade', { versions: { from: '7', to: '7' } });
    const ada = await plant.person('ada', 'desk', { version: '7.3' });
    await ada.takes('upgrade');
    await ada.isDenied('upgrade', 'version', { version: '8' });
    await plant.takeover();
    await plant.sell('upgrade');
    await ada.takes('upgrade', { version: '8' });
    assert.equal(await ada.client.renew(), 'renewed');
    assert.ok(
      ada.seats.every((seat) => seat.valid),
      'seats in use stay',
    );
  },
  async downgrade(plant) {
    await plant.sell('downgrade', { quantity: 2 });
    const ada = await plant.person('ada');
    await ada.takes('downgrade', { version: '8' });
    await plant.takeover();
    await ada.takes('downgrade', { version: '5' });
    await ada.isDenied('downgrade', 'seats', { version: '5' });
    await ada.isDenied('downgrade', 'version', { version: '9' });
  },
  async volume(plant) {
    await plant.sell('volume', { quantity: 2 }, 'volume-1');
    const ada = await plant.person('ada');
    await ada.takes('volume', { seats: 2 });
    await ada.isDenied('volume', 'seats');
    await plant.takeover();
    await plant.sell('volume', { quantity: 3 }, 'volume-2'); // the next part of the same order
    await ada.takes('volume', { seats: 3 });
    await ada.isDenied('volume', 'seats');
  },
  async 'named-user'(plant) {
    await plant.sell('named-user', { quantity: 1, named: { who: 'user', changes: 1, within: 'P30D' } });
    const [ada, ben] = [await plant.person('ada'), await plant.person('ben')];
    await ada.takes('named-user');
    await ada.gives();
    await plant.takeover();
    await ben.isDenied('named-user', 'named');
    await unname(plant, 'named-user', 'ada', 0);
    await ben.takes('named-user');
    await ben.gives();
    await unname(plant, 'named-user', 'ben', 3); // not twice a month
  },
  async 'named-device'(plant) {
    await plant.sell('named-device', { quantity: 1 });
    await (await plant.person('ada', 'line-1')).takes('named-device');
    await plant.takeover();
    await (await plant.person('ben', 'line-2')).isDenied('named-device', 'named');
    await (await plant.person('ben', 'line-1')).takes('named-device');
  },
  async 'named-accounts'(plant) {
    await plant.sell('named-accounts', { quantity: 2 });
    for (const account of ['acme', 'globex']) {
      const one = await plant.person(account, 'service');
      await one.takes('named-accounts');
      await one.gives();
    }
    await plant.takeover();
    await (await plant.person('initech', 'service')).isDenied('named-accounts', 'named');
    await unname(plant, 'named-accounts', 'globex', 0);
    await (await plant.person('initech', 'service')).takes('named-accounts');
  },
  async borrowing(plant) {
    await plant.sell('borrowing', { quantity: 3, borrowing: { seats: 1, longest: 'P14D', extensions: 1 } });
    const [ada, ben] = [await plant.person('ada', 'laptop'), await plant.person('ben')];
    const folder = await plant.folder();
    const borrowed = await ada.client.borrow('borrowing', { forMs: 7 * DAY, folder });
    assert.ok(borrowed.kind === 'borrowed' && borrowed.until.getTime() > Date.now() + 6.9 * DAY);
    const second = await ben.client.borrow('borrowing', { forMs: DAY, folder: `${folder}-ben` });
    assert.equal(second.kind === 'denied' && second.code, 'borrowing');
    await ben.takes('borrowing', { seats: 2 });
    await plant.takeover();
    await ben.isDenied('borrowing', 'seats');
    {
      await using away = await openBorrowed('borrowing', { vendor: plant.running.group.vendorRoot, folder });
      assert.ok(away.remainingMs > 6.9 * DAY);
    }
    assert.equal((await ada.client.extend(folder, 14 * DAY)).kind, 'borrowed');
    assert.equal((await ada.client.giveBack(folder)).kind, 'released');
    await ben.takes('borrowing');
  },
  async overflow(plant) {
    await plant.sell('overflow', { quantity: 5 });
    const ada = await plant.person('ada');
    assert.equal(await ada.takes('overflow', { seats: 5 }), 0);
    await plant.takeover();
    assert.equal(await ada.takes('overflow'), GRANT_FLAGS.overdraft);
    await ada.isDenied('overflow', 'seats');
  },
  async grace(plant) {
    await plant.sell('grace', { notAfter: plant.in(2_000), grace: 'PT12S' });
    const ada = await plant.person('ada');
    await sleep(3_000);
    assert.equal(await ada.takes('grace'), GRANT_FLAGS.grace);
    await plant.takeover();
    await eventually('the grace is over', 25_000, async () => {
      const result = await ada.asks('grace');
      return result.kind === 'denied' && result.code === 'expired';
    });
  },
  async 'cold-standby'(plant) {
    await plant.sell('cold-standby');
    const ada = await plant.person('ada');
    await ada.takes('cold-standby');
    await plant.takeover();
    const end = ada.seats[0]?.grants[0]?.notAfter ?? 0;
    assert.ok(Math.abs(end - Date.now() - 7 * 86_400_000) < 60_000, 'seven days from the first use');
  },
  async 'hot-standby'(plant) {
    await plant.sell('hot-standby', { units: 3, seatTime: { every: 'PT1S' } });
    const ada = await plant.person('ada');
    await ada.takes('hot-standby');
    await plant.takeover();
    await sleep(3_000);
    await ada.gives();
    await ada.isDenied('hot-standby', 'units');
  },
  async 'high-availability'(plant) {
    await plant.sell('high-availability');
    const ada = await plant.person('ada');
    await ada.takes('high-availability');
    const server = plant.running.hands.server('license-server-2');
    await server.kill();
    await plant.takeover();
    await ada.takes('high-availability');
    assert.equal(await ada.client.renew(), 'renewed');
    await server.start();
    await plant.running.hands.waitForRedundancy();
  },
  async 'protection-only'(plant) {
    await plant.sell('protection-only');
    const ada = await plant.person('ada');
    await ada.takes('protection-only', { seats: 1_000 });
    await plant.takeover();
    await ada.takes('protection-only', { seats: 1_000 });
    await ada.isDenied('no-license-of-it', 'unknown-product');
  },
  async site(plant) {
    await plant.sell('site');
    const [ada, ben] = [await plant.person('ada'), await plant.person('ben')];
    await ada.takes('site', { seats: 50 });
    await plant.takeover();
    await ben.takes('site', { seats: 50 });
    const sessions = await plant.running.trefoil('sessions');
    assert.match(sessions.stdout, /ada .*50 × site/);
    assert.match(sessions.stdout, /ben .*50 × site/);
  },
};

/** By an admin at the command line; the exit code that is due. */
async function unname(plant: Plant, license: string, name: string, code: number): Promise<void> {
  const { running } = plant;
  const result = await running.trefoil('unname', license, name, '--admin-key', running.group.adminKeyFile);
  assert.equal(result.code, code, result.stderr);
}
