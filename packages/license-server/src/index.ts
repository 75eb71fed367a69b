export * from './log-store/index.ts';
export { runLicenseServer } from './run.ts';
