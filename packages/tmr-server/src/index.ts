export { readConfiguration, type TmrServerConfiguration } from './configuration.ts';
export { startTmrServer } from './server.ts';
