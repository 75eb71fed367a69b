import { PowerCut } from '../laboratory/power-cut.ts';
import type { Service } from '../laboratory/service.ts';
import { LEADERS, type Site, VOTERS } from '../laboratory/site.ts';
import type { Procedure } from './procedure.ts';

/** Power that goes, and what disks had not taken. */
export const POWER_CUTS: readonly Procedure[] = [
  {
    name: 'power-lost',
    says: 'a license server loses its power three times, and each time what its disk has not taken yet',
    aimMs: 50,
    run: async (site) => {
      const service = site.service(VOTERS[0]);
      const { said, sectors } = await cutPower(site, service, { times: 3 });
      if (sectors === 0) throw new Error('the disk had taken everything already');
      if (said.some(({ alarm }) => alarm === 'rolled-back'))
        throw new Error(`it has forgotten what it had signed: ${JSON.stringify(said)}`);
    },
  },
  {
    name: 'disk-lies',
    says: 'the same, and its disk had said that it had taken it',
    aimMs: 50,
    run: async (site) => {
      const service = site.service(VOTERS[1]);
      const { said, sectors } = await cutPower(site, service, { times: 1, lies: '.seg' });
      const noticed = said.some(({ alarm }) => alarm === 'rolled-back');
      if (sectors === 0 || !noticed)
        throw new Error(`${sectors} sectors were lost, and it said ${JSON.stringify(said)}`);
    },
  },
  {
    name: 'cold-start',
    says: 'all five lose their power at once, and what their disks have not taken yet, and come back',
    run: async (site) => {
      const power = await PowerCut.prepare(site.laboratory.shared);
      const services = VOTERS.map((name) => site.service(name));
      const restartWith = async (environment: Readonly<Record<string, string>>): Promise<void> => {
        for (const service of services) {
          service.environment = environment;
          await service.stop();
          await service.start();
          await site.whole();
        }
      };
      await restartWith(power.environment());
      await power.atWork(site.host(VOTERS[0]));
      const leaders = LEADERS.map((name) => site.host(name).powerOff());
      await Promise.all([...leaders, ...VOTERS.map((name) => power.cut(site.host(name), Math.random))]);
      for (const service of services) service.environment = {};
      await Promise.all([...VOTERS, ...LEADERS].map((name) => site.powerOn(name)));
    },
  },
];

const MOST_CUTS = 10;

/** What it said when it came back, and how many sectors it had lost. At last it runs as it did before. */
async function cutPower(
  site: Site,
  service: Service,
  { times, lies }: { readonly times: number; readonly lies?: string },
): Promise<{ said: Record<string, unknown>[]; sectors: number }> {
  const { host } = service;
  const name = host.name as (typeof VOTERS)[number];
  const power = await PowerCut.prepare(site.laboratory.shared);
  const said: Record<string, unknown>[] = [];
  let sectors = 0;
  const restart = async (): Promise<void> => {
    await service.stop();
    await service.start();
    await site.whole();
  };
  service.environment = power.environment(lies);
  await restart();
  // Half of what was not synced is kept: that may be all of it.
  for (let time = 0; time < times || (sectors === 0 && time < MOST_CUTS); time++) {
    await pause(1_000);
    await power.atWork(host);
    sectors += await power.cut(host, Math.random);
    service.log.length = 0;
    await site.powerOn(name);
    await site.whole();
    said.push(...service.log);
  }
  service.environment = {};
  await restart();
  return { said, sectors };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
