import { runLicenseServer } from './run.ts';

/** `node main.ts license-server.yaml` */
await runLicenseServer(process.argv[2] ?? 'license-server.yaml');
