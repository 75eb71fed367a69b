import { ADDRESSES, type Site, LEADERS, VOTERS } from '../laboratory/site.ts';
import { POWER_CUTS } from './power-cuts.ts';
import type { Procedure } from './procedure.ts';

/** What the one that was replaced says of itself. */
const REPLACED = 'another container is in its place';

export const PROCEDURES: readonly Procedure[] = [
  {
    name: 'license-server-killed',
    says: 'a license server is killed, and starts again',
    aimMs: 20,
    run: async (site) => {
      const service = site.service(VOTERS[0]);
      await service.kill();
      await pause(1_000);
      await service.start();
    },
  },
  {
    name: 'license-server-paused',
    says: 'a license server stands still for 3 s',
    aimMs: 20,
    run: async (site) => {
      const service = site.service(VOTERS[1]);
      service.signal('SIGSTOP');
      await pause(3_000);
      service.signal('SIGCONT');
    },
  },
  {
    name: 'license-server-cut-off',
    says: 'a license server is cut off from the network for 3 s',
    aimMs: 20,
    run: async ({ laboratory }) => {
      await laboratory.unplug(VOTERS[2]);
      await pause(3_000);
      await laboratory.plugBackIn(VOTERS[2]);
    },
  },
  {
    name: 'tmr-process-killed',
    says: 'the active TMR server is killed, and starts again',
    aimMs: 250,
    run: async (site) => {
      const service = site.service(await site.active());
      await service.kill();
      await pause(1_000);
      await service.start();
    },
  },
  {
    name: 'tmr-host-gone',
    says: "the active TMR server's host loses its power, and comes back",
    aimMs: 800,
    run: async (site) => {
      const name = await site.active();
      await site.host(name).powerOff();
      await pause(3_000);
      await site.powerOn(name);
    },
  },
  {
    name: 'planned-switch',
    says: 'a planned switch to the other TMR server, there and back',
    aimMs: 50,
    run: async (site) => {
      for (const _ of ['there', 'back']) {
        const before = await site.active();
        await site.admin.trefoil('switch', '--admin-key', '/root/plant-7/admin/admin.key.pem');
        const leads = await site.active();
        if (leads === before) throw new Error(`${before} leads on`);
        await site.eventually('the virtual IP is with the one who leads', async () => {
          const now = await site.holders();
          return now.length === 1 && now[0] === leads;
        });
      }
    },
  },
  {
    name: 'keepalived-killed',
    says: 'keepalived is killed where the virtual IP is, which leaves it there',
    aimMs: 50,
    run: async (site) => {
      const [first] = await site.holders();
      if (first === undefined) throw new Error('nobody holds the virtual IP');
      // Its child would clean up, were it not stopped first.
      await site
        .host(first)
        .sh('kill -STOP $(cat /run/vrrp.pid); kill -9 $(cat /run/keepalived.pid) $(cat /run/vrrp.pid)');
      await site.eventually('both hold the virtual IP', async () => (await site.holders()).length === 2);
      await site.eventually('and it is an alarm', async () =>
        (await site.status()).alarms.some((alarm) => alarm.includes('both TMR servers hold the virtual IP')),
      );
      await site.startKeepalived(first);
      await site.eventually('one holds it again', async () => (await site.holders()).length === 1);
    },
  },
  {
    name: 'license-update-one-down',
    says: 'the vendor sells more seats while a license server is down',
    aimMs: 50,
    run: async (site) => {
      const service = site.service(VOTERS[1]);
      await service.stop();
      const before = await site.quantity();
      await site.sell(before + 5);
      if ((await site.quantity()) !== before + 5) throw new Error(`${await site.quantity()} seats, not ${before + 5}`);
      await service.start();
    },
  },
  {
    name: 'backup-put-back',
    says: 'the disk of a license server is lost, and an old backup of it put back',
    aimMs: 50,
    run: async (site) => {
      const [service, host] = [site.service(VOTERS[2]), site.host(VOTERS[2])];
      await host.sh('rm -f /root/backup.tar.gz');
      await host.trefoil('backup', '--output', '/root/backup.tar.gz');
      await pause(1_000); // it votes on meanwhile, and will have forgotten that
      await service.kill();
      await host.sh('rm -rf /var/lib/trefoil/* /etc/trefoil/*');
      await host.trefoil('restore', '/root/backup.tar.gz');
      service.log.length = 0;
      await service.start();
      await site.whole();
      const noticed = service.log.some(({ alarm }) => alarm === 'rolled-back');
      const healed = service.log.some(({ msg }) => msg === 're-joined');
      if (!noticed || !healed) throw new Error(`it did not notice, or was not healed: ${JSON.stringify(service.log)}`);
    },
  },
  ...POWER_CUTS,
  {
    name: 'license-server-replaced',
    says: 'a license server has burnt, and another machine takes its place; then the old one is switched on again',
    aimMs: 50,
    run: async (site) => {
      const [host, service] = [site.host(VOTERS[2]), site.service(VOTERS[2])];
      const { disk, reconfiguration } = await site.newMachine(VOTERS[2]);
      await site.admin.trefoil('replace', reconfiguration);
      await site.whole();
      await host.powerOff();
      host.changeDisk('files');
      service.log.length = 0;
      await site.powerOn(VOTERS[2]);
      await site.eventually('it says that it was replaced', async () =>
        service.log.some(({ alarm }) => alarm === 'replaced'),
      );
      const { licenseServers } = await site.status();
      if (licenseServers[2]?.voting !== false) throw new Error('the old one votes');
      await host.powerOff();
      host.changeDisk(disk);
      await site.powerOn(VOTERS[2]);
    },
  },
  {
    name: 'license-server-moved',
    says: 'a license server that works is replaced by a new machine',
    aimMs: 50,
    run: async (site) => {
      const { reconfiguration, plugIn } = await site.nextMachine(VOTERS[0]);
      const replacing = site.admin.trefoil('replace', reconfiguration);
      await site.eventually('the old one has no vote any more', async () => {
        const { licenseServers } = await site.status();
        return licenseServers[0]?.withholding === REPLACED;
      });
      await plugIn();
      await replacing;
    },
  },
  {
    name: 'packets-lost',
    says: 'one in fifty packets of a license server and of the active TMR server is lost, for 10 s',
    run: async (site) => {
      for (const name of [VOTERS[0], await site.active()]) await site.laboratory.lose(name, 2);
      await pause(10_000);
      await site.laboratory.mend();
    },
  },
  {
    name: 'network-slow',
    says: 'packets of a license server and of the active TMR server take 15 to 45 ms on each way, for 10 s',
    run: async (site) => {
      const slow = { delayMs: 30, jitterMs: 15 };
      for (const name of [VOTERS[0], await site.active()]) {
        await site.laboratory.delay(name, slow);
        const { stdout } = await site.admin.run(['ping', '-c', '5', '-i', '0.2', '-q', ADDRESSES[name]]);
        const average = Number(/= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1]);
        if (!(average > 40 && average < 90)) throw new Error(`not as slow as it has to be: ${stdout}`);
      }
      await pause(10_000);
      await site.laboratory.mend();
    },
  },
  {
    name: 'clock-wrong',
    says: "a license server's clock jumps ahead by a day, and is set right again",
    run: async (site) => {
      const service = site.service(VOTERS[1]);
      const clock = '/run/trefoil/clock';
      await service.stop();
      await service.host.sh(`echo +0 > ${clock}`);
      service.environment = await fakeClock(site, clock);
      await service.start();
      await site.whole();
      const set = (by: string): Promise<string> =>
        service.host.sh(`echo ${by} > ${clock}.next && mv ${clock}.next ${clock}`);
      await set('+86400');
      const isTold = async (): Promise<boolean> =>
        (await site.status()).alarms.some((alarm) => alarm.startsWith('clock-off'));
      await site.eventually('it is an alarm', isTold);
      await pause(2_000);
      await set('+0');
      await site.eventually('it is none any more', async () => !(await isTold()));
      service.environment = {};
      await service.stop();
      await service.start();
    },
  },
  {
    name: 'tmr-server-replaced',
    says: 'the host of the active TMR server has burnt, and another machine takes its place',
    aimMs: 800,
    run: async (site) => site.newTmrServer(await site.active()),
  },
  {
    name: 'disk-full',
    says: "a license server's disk is full, until somebody makes room",
    aimMs: 50,
    run: async (site) => {
      const [host, service] = [site.host(VOTERS[1]), site.service(VOTERS[1])];
      await service.stop();
      // A disk of its own, nearly as small as what is on it.
      await host.sh(
        'cp -a /var/lib/trefoil /root/kept && mount -t tmpfs -o size=96m tmpfs /var/lib/trefoil && cp -a /root/kept/. /var/lib/trefoil',
      );
      await service.start();
      await site.whole();
      await host.sh('dd if=/dev/zero of=/var/lib/trefoil/filler bs=64k 2>/dev/null || true');
      await pause(5_000);
      if (!service.log.some(({ alarm }) => alarm === 'disk-filling')) throw new Error('nobody was told in time');
      // It goes on in the room that it has set aside, or ends with a sentence; the alarm is there in both cases.
      const said = service.isRunning || /no space|full/i.test(service.complaint);
      if (!said) throw new Error(`it ended without saying why: ${service.complaint}`);
      await host.sh('rm /var/lib/trefoil/filler');
      if (!service.isRunning) await service.start();
      await site.whole();
      await service.stop();
      await host.sh(
        'rm -rf /root/kept && cp -a /var/lib/trefoil /root/kept && umount /var/lib/trefoil && cp -a /root/kept/. /var/lib/trefoil',
      );
      await service.start();
    },
  },
  {
    name: 'two-license-servers-down',
    says: 'two license servers are down for some seconds: nothing is granted',
    stops: true,
    run: async (site) => {
      const two = [site.service(VOTERS[0]), site.service(VOTERS[2])];
      await Promise.all(two.map((service) => service.kill()));
      const { code, stdout } = await site.admin.run(['trefoil', 'status', '--json']);
      const { redundancy } = JSON.parse(stdout) as { redundancy: number };
      if (redundancy >= 0 || code !== 4) throw new Error(`status says ${redundancy}, exit code ${code}`);
      const asked = await site.admin.run(['trefoil', 'acquire', 'cad', '--save', '/root/none.json']);
      if (asked.code !== 4) throw new Error(`somebody got a seat: ${asked.stdout}`);
      await Promise.all(two.map((service) => service.start()));
    },
  },
  {
    name: 'rolling-restart',
    says: 'all five are restarted, one after the other',
    run: async (site) => {
      for (const name of [...VOTERS, ...LEADERS]) {
        await site.service(name).stop();
        await site.service(name).start();
        await site.whole();
      }
    },
  },
  {
    name: 'certificates-rotated',
    says: 'all certificates and their authorities are changed',
    run: async (site) => site.rotateCertificates(),
  },
  {
    name: 'addresses-changed',
    says: 'a license server, a TMR server and the virtual IP get other addresses',
    run: async (site) => {
      await site.changeAddresses();
      await site.eventually('one has the new virtual IP', async () => (await site.holders()).length === 1);
    },
  },
  {
    name: 'virtual-container-added',
    says: 'a second virtual container is added, and has a license',
    run: async (site) => site.addVirtualContainer(),
  },
];

/** Of Debian's package faketime: the wall clock of one process comes from a file. */
async function fakeClock(site: Site, file: string): Promise<Record<string, string>> {
  const [library] = (await site.admin.sh('ls /usr/lib/*/faketime/libfaketimeMT.so.1')).trim().split('\n');
  if (library === undefined) throw new Error('the package faketime is missing');
  return {
    ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file },
    ...{ FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
