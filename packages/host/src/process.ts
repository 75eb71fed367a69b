import { writeSync } from 'node:fs';
import { HostError } from './errors.ts';
import { createLog, type Log, type LogFields } from './log.ts';
import { platform } from './platform.ts';
import { findServiceManager, type ServiceManager } from './service-manager.ts';

/** The exit codes of every server, as in sysexits.h where it has one. */
export const exitCodes = { stopped: 0, operationalFailure: 1, programmerError: 70 } as const;

type ErrorClass = abstract new (...args: never[]) => Error;

export interface RunOptions {
  /** Errors that are one sentence for a person; those of this package always are. */
  readonly operationalErrors?: readonly ErrorClass[];
  /** How long stopping may take before the process ends anyway. */
  readonly stopTimeoutMs?: number;
}

/** What a process that is being built may ask of the one who runs it. */
export interface Running {
  /** Whatever is put here is disposed at the end, the last first. */
  readonly resources: AsyncDisposableStack;
  /** From here on, what goes wrong is logged there. */
  logTo(log: Log): void;
  /** It serves: says so in the log, and to systemd when that has started it. */
  ready(fields: LogFields): void;
  /** Ends the process in good order, as SIGTERM does. */
  stop(reason: string): void;
  /** Ends the process in good order, with a failure: a full disk, a store that is damaged. */
  fail(error: unknown): void;
}

/**
 * Builds a process, keeps it until a signal to stop, `stop` or `fail`, and disposes of its resources in reverse order.
 * Exit code 0 after a stop; 1 after an operational failure, with one sentence on stderr; 70 after anything unexpected,
 * which is logged with its stack. A second signal ends the process at once. It ends the process itself: nothing that
 * was forgotten may keep it alive.
 */
export async function runUntilStopped(
  build: (running: Running) => Promise<void>,
  options: RunOptions = {},
): Promise<never> {
  const run = new Run(options);
  // A process that has nothing to wait for just now is not one that has ended.
  setInterval(() => undefined, 2 ** 30);
  for (const signal of platform.stopSignals) process.on(signal, () => run.onSignal(signal));
  for (const signal of platform.idleSignals) process.on(signal, () => run.ignores(signal));
  // After an assert nothing is sure any more, so nothing more is done than to say so.
  process.on('uncaughtException', (error) => run.exitAfter(error));
  process.on('unhandledRejection', (error) => run.exitAfter(error));
  try {
    await run.findServiceManager();
    await build(run);
    await run.ended;
  } catch (error) {
    run.fail(error);
  }
  return run.disposeAndExit();
}

class Run implements Running {
  readonly resources = new AsyncDisposableStack();
  readonly ended: Promise<void>;
  readonly #options: RunOptions;
  readonly #resolveEnded: () => void;
  #log: Log | undefined;
  #serviceManager: ServiceManager | undefined;
  /** What went wrong before there was a log. */
  #unheard: string | undefined;
  #stopping = false;
  #exitCode: number = exitCodes.stopped;

  constructor(options: RunOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#resolveEnded = resolve;
  }

  logTo(log: Log): void {
    this.#log = log;
    if (this.#unheard !== undefined) this.#onUnheard(this.#unheard);
  }

  ready(fields: LogFields): void {
    this.#log?.info(fields, 'ready');
    this.#serviceManager?.ready();
  }

  async findServiceManager(): Promise<void> {
    this.#serviceManager = await findServiceManager(process.env, (reason) => this.#onUnheard(reason));
  }

  stop(reason: string): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#log?.info({ reason }, 'stopping');
    this.#serviceManager?.stopping(reason);
    this.#resolveEnded();
  }

  fail(error: unknown): void {
    this.#exitCode = Math.max(this.#exitCode, this.#report(error));
    this.#stopping = true;
    this.#serviceManager?.stopping(error instanceof Error ? error.message : 'failed');
    this.#resolveEnded();
  }

  onSignal(signal: NodeJS.Signals): void {
    if (this.#stopping) process.exit(exitCodes.operationalFailure);
    this.stop(signal);
  }

  ignores(signal: NodeJS.Signals): void {
    this.#log?.info({ signal }, 'a signal that means nothing here');
  }

  exitAfter(error: unknown): never {
    process.exit(this.#report(error));
  }

  async disposeAndExit(): Promise<never> {
    const { stopTimeoutMs = 10_000 } = this.#options;
    const timer = setTimeout(() => {
      this.#sayAndLog(`stopping took more than ${stopTimeoutMs} ms; ending anyway`);
      process.exit(exitCodes.programmerError);
    }, stopTimeoutMs);
    try {
      await this.resources.disposeAsync();
    } catch (error) {
      this.#exitCode = Math.max(this.#exitCode, this.#report(error));
    }
    clearTimeout(timer);
    this.#serviceManager?.[Symbol.dispose]();
    this.#log?.info({ exitCode: this.#exitCode }, 'stopped');
    process.exit(this.#exitCode);
  }

  #onUnheard(reason: string): void {
    if (this.#log === undefined) this.#unheard = reason;
    else this.#log.warn({ reason }, 'systemd cannot be told how this process is');
  }

  /** Tells what happened in the way that fits its kind, and returns the exit code for it. */
  #report(error: unknown): number {
    const classes: readonly ErrorClass[] = [HostError, ...(this.#options.operationalErrors ?? [])];
    if (error instanceof Error && classes.some((known) => error instanceof known)) {
      this.#sayAndLog(error.message, error);
      return exitCodes.operationalFailure;
    }
    const log = this.#log ?? createLog({ name: 'trefoil', level: 'info', destination: 'stderr' });
    log.fatal({ err: error }, 'unexpected error');
    return exitCodes.programmerError;
  }

  #sayAndLog(sentence: string, error?: Error): void {
    writeSync(2, `${sentence}\n`);
    // Without the stack: an operational failure is explained by its sentence, code and details.
    if (error !== undefined)
      this.#log?.error(
        { ...('code' in error && { code: error.code }), ...('details' in error && { details: error.details }) },
        sentence,
      );
  }
}
