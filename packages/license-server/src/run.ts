import { ContainerError } from '@trefoil/container';
import { runUntilStopped } from '@trefoil/host';
import { LinkError } from '@trefoil/link';
import { readConfiguration } from './configuration.ts';
import { StoreError } from './log-store/index.ts';
import { startLicenseServer } from './server.ts';

/** Runs a license server until it is told to stop, and ends the process. */
export function runLicenseServer(configurationFile: string): Promise<never> {
  return runUntilStopped((running) => startLicenseServer(readConfiguration(configurationFile), running), {
    operationalErrors: [LinkError, ContainerError, StoreError],
  });
}
