export { clockAlarm, type KnownClock } from './alarm-limits.ts';
export { type Alarm, type AlarmChange, Alarms, ALARMS, type AlarmCode } from './alarms.ts';
export {
  makeDirectory,
  readFileWithLimit,
  removeLeftovers,
  writeFileAtomically,
  type WriteOptions,
} from './atomic-file.ts';
export { systemClock, type Clock } from './clock.ts';
export { blamingConfiguration } from './configuration-blame.ts';
export { isProblem, parsePlacedYaml } from './configuration-places.ts';
export { loadConfiguration, parseConfiguration } from './configuration.ts';
export { HostError, type HostErrorCode, type HostErrorDetails, reasonOf } from './errors.ts';
export { type CertificateFiles, fileInvalid, readCertificateFiles, readSecretFile, readTextFile } from './text-file.ts';
export { lockFile, type FileLock } from './file-lock.ts';
export { startHealthServer, type HealthOptions, type HealthServer } from './health.ts';
export { HostWatch, type HostWatchOptions } from './host-watch.ts';
export { httpUrl } from './http-url.ts';
export { createLog, logLevels, silentLog, type Log, type LogFields, type LogLevel, type LogOptions } from './log.ts';
export { machineTraits, type MachineSource, type MachineTrait, type MachineTraitName } from './machine.ts';
export {
  createMetrics,
  type Counter,
  type Gauge,
  type Histogram,
  type HistogramOptions,
  type MetricOptions,
  type Metrics,
} from './metrics.ts';
export { exitCodes, runUntilStopped, type Running, type RunOptions } from './process.ts';
export { platform } from './platform.ts';
export { PROGRAM_VERSION } from './program.ts';
export { systemRandom, type Random } from './random.ts';
export { Webhook, type WebhookOptions, webhookSchema } from './webhook.ts';
/** The schema language of configurations, so that every server uses the same one. */
export { z } from 'zod';
