import { HostError, runUntilStopped } from '@trefoil/host';
import { LinkError } from '@trefoil/link';
import { readConfiguration } from './configuration.ts';
import { startTmrServer } from './server.ts';

/** `node main.ts tmr-server.yaml` */
await runUntilStopped(
  async (running) => {
    const file = process.argv[2];
    if (file === undefined)
      throw new HostError('file-unreadable', 'give the configuration file: tmr-server FILE', {
        file: '',
        reason: 'missing',
      });
    await startTmrServer(readConfiguration(file), running);
  },
  { operationalErrors: [LinkError] },
);
