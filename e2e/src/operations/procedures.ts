import { type Site, LEADERS, VOTERS } from '../laboratory/site.ts';

/** Something that happens to a group, or that its admin does, while clients work. */
export interface Procedure {
  readonly name: string;
  /** As the guides call it. */
  readonly says: string;
  /** Longest time that a client should wait for an answer, ms: an aim (PROTOCOL §10 of the design); undefined: none is set. */
  readonly aimMs?: number;
  readonly run: (site: Site) => Promise<void>;
}

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
];

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
