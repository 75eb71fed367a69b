/** One change of a few characters in a file, which some test ought to notice. */
export interface Mutant {
  readonly id: string;
  /** From the root of the repository. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What kind of change: `ConditionalExpression`, `StringLiteral` … */
  readonly kind: string;
  readonly original: string;
  readonly replacement: string;
}

/** What a test run says of one mutant. */
export type Fate =
  | 'killed'
  /** A test hung, or went on for ever. */
  | 'hung'
  | 'survived'
  /** No test comes there. */
  | 'uncovered'
  /** Runs only when the file is loaded: the switch is not there yet. */
  | 'static';

/** Which mutants a test comes by, and how often. */
export interface TestCoverage {
  readonly test: number;
  readonly name: string;
  readonly tookMs: number;
  readonly hits: Readonly<Record<string, number>>;
}

export type ToWorker =
  /** First of all. `texts`: what stands in the place of the files with these paths. */
  | { readonly kind: 'load'; readonly texts: Readonly<Record<string, string>>; readonly testFiles: readonly string[] }
  | { readonly kind: 'cover' }
  | { readonly kind: 'try'; readonly mutant: string; readonly tests: readonly number[]; readonly hitLimit: number };

export type FromWorker =
  | { readonly kind: 'ready' }
  /** A test that fails without any mutant makes all of it meaningless. */
  | { readonly kind: 'broken'; readonly test: string; readonly reason: string }
  | { readonly kind: 'covered'; readonly tests: readonly TestCoverage[]; readonly whenLoaded: readonly string[] }
  /** `by`: the test that failed. `spoiled`: it fails without the mutant, too, now: this process has to be replaced. */
  | { readonly kind: 'tried'; readonly by: string | undefined; readonly spoiled: boolean };
