import { globSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import type { EventData } from 'node:test';
import { inspect } from 'node:util';
import type { Tally } from './tally.ts';

/**
 * Runs test files, each in its own process, and prints one line per file and everything about what failed.
 * Only test cases count, not the suites around them.
 */
export async function runTests(patterns: readonly string[], concurrency: number): Promise<Tally> {
  const files = globSync([...patterns], { exclude: ['**/node_modules/**'] }).sort();
  if (files.length === 0) return { passed: 0, failed: 0 };
  const report = new FileReports();
  const events = run({ files, concurrency, isolation: 'process', timeout: 600_000 });
  for await (const event of events) {
    if (event.type === 'test:pass') report.add(event.data, true);
    else if (event.type === 'test:fail') report.add(event.data, false);
    else if (event.type === 'test:stdout' || event.type === 'test:stderr')
      report.say(event.data.file, event.data.message);
    else if (event.type === 'test:summary' && event.data.file !== undefined)
      report.close(event.data.file, event.data.duration_ms);
  }
  report.closeOthers();
  return report.tally();
}

interface FileReport {
  passed: number;
  readonly failures: string[];
  output: string;
  closed: boolean;
}

class FileReports {
  readonly #files = new Map<string, FileReport>();

  add(data: EventData.TestPass | EventData.TestFail, passed: boolean): void {
    const isSuite = data.details.type === 'suite';
    const report = this.#of(data.file);
    if (passed && data.nesting === 0 && resolve(data.name) === data.file) {
      report.failures.push('there is no test in this file');
      return;
    }
    if (passed) {
      if (!isSuite) report.passed++;
      return;
    }
    const { error } = (data as EventData.TestFail).details;
    // A suite that failed only because a case in it did says nothing new.
    if (failureType(error) === 'subtestsFailed') return;
    report.failures.push(`${data.name} (line ${data.line ?? '?'})\n${describe(error.cause ?? error)}`);
  }

  say(file: string | undefined, message: string): void {
    const report = this.#of(file);
    report.output = (report.output + message).slice(-20_000);
  }

  close(file: string, elapsedMs: number): void {
    const report = this.#of(file);
    const { passed, failures, output } = report;
    report.closed = true;
    const verdict = failures.length === 0 ? 'ok  ' : 'FAIL';
    const count = failures.length === 0 ? `${passed} tests` : `${passed} tests passed, ${failures.length} failed`;
    console.log(`${verdict} ${relative('.', file)} (${count}, ${(elapsedMs / 1000).toFixed(1)} s)`);
    for (const failure of failures) console.log(failure.replaceAll(/^/gm, '     '));
    if (failures.length > 0 && output !== '') console.log(output.replaceAll(/^/gm, '     | '));
  }

  /** A file that did not come to its end, because it could not be loaded for example, has no summary of its own. */
  closeOthers(): void {
    for (const [file, report] of this.#files) if (!report.closed) this.close(file, 0);
  }

  tally(): Tally {
    const reports = [...this.#files.values()];
    return {
      passed: reports.reduce((sum, { passed }) => sum + passed, 0),
      failed: reports.reduce((sum, { failures }) => sum + failures.length, 0),
    };
  }

  /** What a file writes late comes with another spelling of its name. */
  #of(name = 'unknown file'): FileReport {
    const file = resolve(name);
    let report = this.#files.get(file);
    if (report === undefined) this.#files.set(file, (report = { passed: 0, failures: [], output: '', closed: false }));
    return report;
  }
}

/** The error and where it came from, without the frames inside Node. */
function describe(error: unknown): string {
  return inspect(error).replaceAll(/\n +at .*\bnode:internal.*/g, '');
}

function failureType(error: Error): string | undefined {
  return (error as Error & { failureType?: string }).failureType;
}
