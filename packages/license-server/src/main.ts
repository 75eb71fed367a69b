import { ContainerError } from '@trefoil/container';
import { HostError, runUntilStopped } from '@trefoil/host';
import { LinkError } from '@trefoil/link';
import { readConfiguration } from './configuration.ts';
import { StoreError } from './log-store/index.ts';
import { startLicenseServer } from './server.ts';

/** `node main.ts license-server.yaml` */
await runUntilStopped(
  async (running) => {
    const file = process.argv[2];
    if (file === undefined)
      throw new HostError('file-unreadable', 'give the configuration file: license-server FILE', {
        file: '',
        reason: 'missing',
      });
    await startLicenseServer(readConfiguration(file), running);
  },
  { operationalErrors: [LinkError, ContainerError, StoreError] },
);
