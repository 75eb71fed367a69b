import { ContainerError } from '@trefoil/container';
import { blamingConfiguration, type Running, runUntilStopped } from '@trefoil/host';
import { LinkError } from '@trefoil/link';
import { readConfiguration } from './configuration.ts';
import { StoreError } from './log-store/index.ts';
import { startLicenseServer } from './server.ts';

/** Runs a license server until it is told to stop, and ends the process. */
export function runLicenseServer(configurationFile: string): Promise<never> {
  const start = (running: Running): Promise<void> =>
    blamingConfiguration(configurationFile, () => startLicenseServer(readConfiguration(configurationFile), running));
  return runUntilStopped(start, {
    operationalErrors: [LinkError, ContainerError, StoreError],
  });
}
