export { runTmrServer } from './run.ts';
