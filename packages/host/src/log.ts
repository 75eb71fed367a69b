import { pino } from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

/** Fields first, then one short sentence that is always the same for the same event, so that it can be searched for. */
export interface Log {
  trace(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
  /** A log that adds the fields to every line. */
  child(fields: LogFields): Log;
}

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogOptions {
  /** Which process speaks: `license-server`. */
  readonly name: string;
  readonly level: LogLevel;
  /** Servers log to stdout, which systemd keeps; programs whose stdout is a result log to stderr. */
  readonly destination: 'stdout' | 'stderr' | { write(line: string): void };
}

/** Names of fields that never reach a log, at the top and up to two levels down. */
const secretNames = [
  'privateKey',
  'privateKeyPem',
  'secret',
  'secretKey',
  'passphrase',
  'password',
  'token',
  'authorization',
  'cookie',
  'pin',
];

/** JSON lines with time, level in words, process name and pid. Errors go under `err`, with their code and details. */
export function createLog({ name, level, destination }: LogOptions): Log {
  const target =
    typeof destination === 'object'
      ? destination
      : pino.destination({ dest: destination === 'stdout' ? 1 : 2, sync: true });
  return pino(
    {
      level,
      base: { process: name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err },
      redact: {
        paths: secretNames.flatMap((secret) => [secret, `*.${secret}`, `*.*.${secret}`]),
        censor: '[redacted]',
      },
    },
    target,
  );
}

/** For tests, and for callers that have nowhere to log to. */
export const silentLog: Log = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
  child: () => silentLog,
};
