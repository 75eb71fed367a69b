import { blamingConfiguration, type Running, runUntilStopped } from '@trefoil/host';
import { LinkError } from '@trefoil/link';
import { readConfiguration } from './configuration.ts';
import { startTmrServer } from './server.ts';

/** Runs a TMR server until it is told to stop, and ends the process. */
export function runTmrServer(configurationFile: string): Promise<never> {
  const start = (running: Running): Promise<void> =>
    blamingConfiguration(configurationFile, () => startTmrServer(readConfiguration(configurationFile), running));
  return runUntilStopped(start, {
    operationalErrors: [LinkError],
  });
}
