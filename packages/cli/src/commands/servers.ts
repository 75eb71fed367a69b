import { Command } from 'commander';

/** Loaded when run: a server brings much that the other commands don't need. */
export function licenseServerCommand(): Command {
  return new Command('license-server')
    .description('Run a license server: one of the three that vote.')
    .argument('<file>', 'its configuration, e.g. /etc/trefoil/license-server.yaml')
    .addHelpText('after', '\nExample:\n  trefoil license-server /etc/trefoil/license-server.yaml')
    .action(async (file: string) => {
      const { runLicenseServer } = await import('@trefoil/license-server');
      await runLicenseServer(file);
    });
}

export function tmrServerCommand(): Command {
  return new Command('tmr-server')
    .description('Run a TMR server: one of the two that clients talk to.')
    .argument('<file>', 'its configuration, e.g. /etc/trefoil/tmr-server.yaml')
    .addHelpText('after', '\nExample:\n  trefoil tmr-server /etc/trefoil/tmr-server.yaml')
    .action(async (file: string) => {
      const { runTmrServer } = await import('@trefoil/tmr-server');
      await runTmrServer(file);
    });
}
