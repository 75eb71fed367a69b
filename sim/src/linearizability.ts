/**
 * Is there one order of all operations, each at a moment between its call and its answer, in which a sequential model
 * gives just these answers? Wing and Gong's search (1993), which tries one operation after the other, with Lowe's
 * memory (2017) of what was tried: which operations are placed, and the model's state after them. Sees calls and
 * answers only.
 */
export interface Operation<I, O> {
  readonly client: string;
  readonly input: I;
  /** Undefined = never answered: may have happened at any time after `invokedAt`, or never. */
  readonly output: O | undefined;
  readonly invokedAt: number;
  readonly returnedAt: number | undefined;
}

export interface Model<S, I, O> {
  readonly initial: S;
  /** The next states that are possible if `input` answered `output` (undefined = unknown output); [] = impossible. */
  step(state: S, input: I, output: O | undefined): readonly S[];
  /** Equal states have equal keys, and only they. */
  key(state: S): string;
  /**
   * Inputs with equal names do the same in every state, whoever calls them. Of those without an answer the one called
   * first is then tried first: any other could change places with it.
   */
  alike?(input: I): string;
  /** Whether such an answer leaves every state as it is: then it may come as soon as it fits. */
  observes?(input: I, output: O): boolean;
}

export type Verdict<I, O> =
  | { readonly kind: 'linearizable' }
  | {
      readonly kind: 'not-linearizable';
      /** The order that explains most answers. */
      readonly longest: readonly Operation<I, O>[];
      /** The first operations that could not be placed after it. */
      readonly stuckAt: readonly Operation<I, O>[];
    }
  | { readonly kind: 'gave-up'; readonly steps: number };

/**
 * The caller gives the history of one license; one operation on several licenses is one in the history of each. An
 * operation comes before another only if it returned at an earlier time than the other was called.
 */
export function checkLinearizable<S, I, O>(
  model: Model<S, I, O>,
  history: readonly Operation<I, O>[],
  limits: { readonly maxSteps: number },
): Verdict<I, O> {
  const search = new Search(model, history, limits.maxSteps);
  return search.run();
}

interface Move<S> {
  /** Place in the history, sorted by call. */
  readonly operation: number;
  readonly state: S;
}

/** A point in the search: an operation has been placed, and what could come next is tried in turn. */
interface Point<S> {
  /** Undefined = the start. */
  readonly operation: number | undefined;
  readonly moves: Iterator<Move<S>, undefined>;
}

class Search<S, I, O> {
  readonly #model: Model<S, I, O>;
  readonly #operations: readonly Operation<I, O>[];
  readonly #maxSteps: number;
  /** By operation. */
  readonly #placed: boolean[];
  /** The same as sets of bits: those that were answered, and those that were not. */
  #answeredBits = 0n;
  #openBits = 0n;
  #path: Point<S>[] = [];
  /** Answered operations in the path, and in the history. */
  #answered = 0;
  readonly #answeredInAll: number;
  /** By answered operations placed and state: the sets of unanswered ones that were placed with them. */
  readonly #tried = new Map<string, bigint[]>();
  #steps = 0;
  #best = -1;
  #longest: readonly Operation<I, O>[] = [];
  #stuckAt: readonly Operation<I, O>[] = [];

  constructor(model: Model<S, I, O>, history: readonly Operation<I, O>[], maxSteps: number) {
    this.#model = model;
    this.#operations = [...history].sort((a, b) => a.invokedAt - b.invokedAt);
    this.#maxSteps = maxSteps;
    this.#placed = this.#operations.map(() => false);
    this.#answeredInAll = history.filter(isAnswered).length;
  }

  run(): Verdict<I, O> {
    this.#enter(undefined, this.#model.initial);
    while (this.#answered < this.#answeredInAll) {
      const point = this.#path.at(-1);
      if (point === undefined) return { kind: 'not-linearizable', longest: this.#longest, stuckAt: this.#stuckAt };
      if (this.#steps > this.#maxSteps) return { kind: 'gave-up', steps: this.#steps };
      const move = point.moves.next().value;
      if (move === undefined) this.#leave(point);
      else if (this.#isNew(move)) this.#enter(move.operation, move.state);
    }
    return { kind: 'linearizable' };
  }

  /**
   * Lowe: what follows depends only on what is placed and on the state, not on the order that led there. Where the same
   * was tried with fewer of the unanswered operations used up, all that can follow could have followed there.
   */
  #isNew({ operation, state }: Move<S>): boolean {
    const isOpen = !isAnswered(this.#operations[operation] as Operation<I, O>);
    const answered = isOpen ? this.#answeredBits : this.#answeredBits | bit(operation);
    const open = isOpen ? this.#openBits | bit(operation) : this.#openBits;
    const name = `${answered.toString(32)} ${this.#model.key(state)}`;
    const tried = this.#tried.get(name);
    if (tried === undefined) this.#tried.set(name, [open]);
    else if (tried.some((fewer) => (fewer & open) === fewer)) return false;
    else tried.push(open);
    return true;
  }

  #enter(operation: number | undefined, state: S): void {
    if (operation !== undefined) this.#toggle(operation, true);
    const next = this.#candidates();
    this.#path.push({ operation, moves: this.#moves(state, next) });
    if (this.#answered <= this.#best) return;
    this.#best = this.#answered;
    this.#longest = this.#path.flatMap((point) =>
      point.operation === undefined ? [] : [this.#operations[point.operation] as Operation<I, O>],
    );
    this.#stuckAt = next.map((index) => this.#operations[index] as Operation<I, O>).filter(isAnswered);
  }

  #leave({ operation }: Point<S>): void {
    this.#path.pop();
    if (operation !== undefined) this.#toggle(operation, false);
  }

  #toggle(operation: number, placed: boolean): void {
    this.#placed[operation] = placed;
    if (isAnswered(this.#operations[operation] as Operation<I, O>)) {
      this.#answeredBits ^= bit(operation);
      this.#answered += placed ? 1 : -1;
    } else this.#openBits ^= bit(operation);
  }

  /**
   * What was called before the first answer that still needs an operation; those that have to return soon come first.
   */
  #candidates(): number[] {
    const answered: { index: number; end: number }[] = [];
    const open: number[] = [];
    let firstEnd = Infinity;
    for (let index = 0; index < this.#operations.length; index++) {
      const operation = this.#operations[index] as Operation<I, O>;
      if (operation.invokedAt > firstEnd) break;
      if (this.#placed[index] === true) continue;
      if (!isAnswered(operation)) {
        open.push(index);
        continue;
      }
      const end = operation.returnedAt ?? Infinity;
      answered.push({ index, end });
      firstEnd = Math.min(firstEnd, end);
    }
    answered.sort((a, b) => a.end - b.end);
    return [...answered.map(({ index }) => index), ...this.#withoutAlike(open)];
  }

  #withoutAlike(open: readonly number[]): readonly number[] {
    const names = new Set<string>();
    return open.filter((index) => {
      const name = this.#model.alike?.((this.#operations[index] as Operation<I, O>).input);
      if (name === undefined) return true;
      const isFirst = !names.has(name);
      names.add(name);
      return isFirst;
    });
  }

  *#moves(state: S, candidates: readonly number[]): Generator<Move<S>, undefined> {
    const model = this.#model;
    const key = model.key(state);
    const all: Move<S>[] = [];
    for (const operation of candidates) {
      const one = this.#operations[operation] as Operation<I, O>;
      this.#steps++;
      const states = model.step(state, one.input, one.output);
      if (one.output !== undefined && states[0] !== undefined && model.observes?.(one.input, one.output) === true)
        return yield* [{ operation, state: states[0] }];
      // Without an answer and without an effect: as good as left out.
      for (const next of states) if (isAnswered(one) || model.key(next) !== key) all.push({ operation, state: next });
    }
    yield* all;
    return undefined;
  }
}

function isAnswered({ output }: Operation<unknown, unknown>): boolean {
  return output !== undefined;
}

function bit(index: number): bigint {
  return 1n << BigInt(index);
}
