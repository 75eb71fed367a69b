import { runUntilStopped } from '@trefoil/host';
import { LinkError } from '@trefoil/link';
import { readConfiguration } from './configuration.ts';
import { startTmrServer } from './server.ts';

/** Runs a TMR server until it is told to stop, and ends the process. */
export function runTmrServer(configurationFile: string): Promise<never> {
  return runUntilStopped((running) => startTmrServer(readConfiguration(configurationFile), running), {
    operationalErrors: [LinkError],
  });
}
