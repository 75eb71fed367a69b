export * from './log-store/index.ts';
export { runLicenseServer } from './run.ts';
export { openLog, type OpenedLog } from './open-voter.ts';
export { VoterRuntime } from './voter-runtime.ts';
