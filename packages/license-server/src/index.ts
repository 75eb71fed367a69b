export { Archive } from './archive.ts';
export * from './audit-trail.ts';
export { type LicenseServerConfiguration, readConfiguration } from './configuration.ts';
export { keepDocuments } from './data-directory.ts';
export * from './log-store/index.ts';
export { runLicenseServer } from './run.ts';
export { beginSuspectLog, openLog, type OpenedLog } from './open-voter.ts';
export { VoterRuntime } from './voter-runtime.ts';
