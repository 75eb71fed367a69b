/** Stands in for node:test in a worker: it only notes the tests, so that each can be run again and again. */
export interface NotedTest {
  readonly name: string;
  readonly run: () => unknown;
}

export const tests: NotedTest[] = [];
const suites: string[] = [];

export function describe(name: string, suite: () => void): void {
  suites.push(name);
  suite();
  suites.pop();
}

export function test(name: string, run: () => unknown): void {
  tests.push({ name: [...suites, name].join(' › '), run });
}
