import { LEADERS, type ServerName, type Site, VOTERS } from '../laboratory/site.ts';
import type { Procedure } from './procedure.ts';

/** The version before today's, as it was given away: `packaging/freeze.ts` made it. */
export const BEFORE = '0.1.0';

/** Begins at a site whose hosts all have the program of before; there is no way back, so each needs a site of its own. */
export const UPGRADES: readonly Procedure[] = [
  {
    name: 'rolling-upgrade',
    says: 'all five are upgraded, in the order of the guide',
    aimMs: 50,
    run: async (site) => {
      const leads = await site.active();
      const standby = LEADERS.find((name) => name !== leads) as (typeof LEADERS)[number];
      await upgrade(site, [...VOTERS, standby]);
      await site.admin.trefoil('switch', '--admin-key', '/root/plant-7/admin/admin.key.pem');
      await upgrade(site, [leads]);
      await site.eventually('the rules have risen', async () => (await site.status()).rules === 7);
      await noWayBack(site, VOTERS[1]);
      await oldClientIsServed(site);
    },
  },
  {
    name: 'rolling-upgrade-leader-first',
    says: 'all five are upgraded, the one that leads first, license servers and TMR servers mixed',
    aimMs: 250,
    run: async (site) => {
      const leads = await site.active();
      const standby = LEADERS.find((name) => name !== leads) as (typeof LEADERS)[number];
      await upgrade(site, [leads, VOTERS[2], standby, VOTERS[0]]);
      // All but one: it can still read what comes.
      const { rules } = await site.status();
      if (rules !== 6) throw new Error(`rules ${rules}, and one knows 6 only`);
      await upgrade(site, [VOTERS[1]]);
      await site.eventually('the rules have risen', async () => (await site.status()).rules === 7);
      await noWayBack(site, leads);
    },
  },
];

/** As the package does: the files are exchanged, and the service is started anew. */
async function upgrade(site: Site, names: readonly ServerName[]): Promise<void> {
  for (const name of names) {
    await site.host(name).install();
    await site.service(name).stop();
    await site.service(name).start();
    await site.whole();
  }
}

/** Somebody installs the older package again: that server says why it has no part in the group, which works on. */
async function noWayBack(site: Site, name: ServerName): Promise<void> {
  const [host, service] = [site.host(name), site.service(name)];
  await host.install(BEFORE);
  await service.stop();
  service.log.length = 0;
  if (service.kind === 'license-server') {
    const refused = await service.start().then(
      () => 'it has started',
      (error: unknown) => String(error),
    );
    if (!refused.includes('use the program that made it')) throw new Error(`the old program says: ${refused}`);
  } else {
    // It hangs up on who sends what it can't read; so it is as good as away, and that is told.
    const other = site.service(LEADERS.find((one) => one !== name) as ServerName);
    other.log.length = 0;
    await service.start();
    await site.eventually('it says why', async () =>
      service.log.some(({ reason }) => String(reason).includes('use the program that made it')),
    );
    await site.eventually('it is an alarm', async () =>
      other.log.some(({ alarm }) => alarm === 'tmr-server-not-heard'),
    );
  }
  await host.install();
  await service.stop();
  await service.start();
  await site.whole();
}

async function oldClientIsServed(site: Site): Promise<void> {
  const host = site.host('client');
  const root = ['--vendor-root', await site.vendorRoot()];
  await host.trefoil('acquire', 'cad', ...root, '--save', '/root/seat.json');
  await host.trefoil('release', '/root/seat.json', ...root);
}
