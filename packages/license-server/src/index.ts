export { type LicenseServerConfiguration, readConfiguration } from './configuration.ts';
export * from './log-store/index.ts';
export { startLicenseServer } from './server.ts';
