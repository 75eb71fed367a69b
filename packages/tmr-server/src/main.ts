import { runTmrServer } from './run.ts';

/** `node main.ts tmr-server.yaml` */
await runTmrServer(process.argv[2] ?? 'tmr-server.yaml');
