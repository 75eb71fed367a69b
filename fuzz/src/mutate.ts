/** Numbers at which lengths and counters go wrong. */
const WILD = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** Pieces of text at which readers of text go wrong. */
const TOKENS = [
  ...['"__proto__":{},', '"constructor":1,', '{', '[', '}', ']', '"', ',', ':', '.', '-', '=', ' ', '\n', '\u0000'],
  ...['null', '-0', '1e999', '9007199254740993', '\\ud800', '\\u0000', '\ufeff', '\ud7ff', 'é', '&a *a', '!!js', '- '],
  '['.repeat(2_000),
  '{"a":'.repeat(2_000),
  'x'.repeat(70_000),
].map((token) => new TextEncoder().encode(token));

/**
 * Bends bytes as a program of bytes says: each instruction takes what it needs of the rest. A shorter program bends less, so
 * what fails shrinks to its cause.
 */
export function mutate(valid: Uint8Array, program: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  let bytes = valid;
  const rest = program.values();
  const next = (): number => rest.next().value ?? 0;
  const place = (): number => Math.floor((((next() << 8) | next()) / 0x1_0000) * (bytes.length + 1));
  for (let step = 0; step < program.length / 4; step++) {
    const instruction = next() % INSTRUCTIONS.length;
    bytes = (INSTRUCTIONS[instruction] as Instruction)({ bytes, next, place, others });
  }
  return bytes;
}

interface State {
  readonly bytes: Uint8Array;
  readonly next: () => number;
  /** From 0 to the length. */
  readonly place: () => number;
  readonly others: readonly Uint8Array[];
}

type Instruction = (state: State) => Uint8Array;

const INSTRUCTIONS: readonly Instruction[] = [
  flipBit,
  flipBit,
  setByte,
  setWildNumber,
  truncate,
  ({ bytes, next }) => join(bytes, Uint8Array.from({ length: 1 + (next() % 8) }, next)),
  repeatSlice,
  cutSlice,
  ({ bytes, next, place, others }) => {
    const other = others[next() % others.length] ?? bytes;
    const at = place();
    return join(bytes.subarray(0, at), other.subarray(Math.min(at, other.length)));
  },
  ({ bytes, next, place }) => {
    const at = place();
    return join(bytes.subarray(0, at), TOKENS[next() % TOKENS.length] as Uint8Array, bytes.subarray(at));
  },
];

function flipBit({ bytes, next, place }: State): Uint8Array {
  const bent = bytes.slice();
  const at = place();
  if (at < bent.length) bent[at] = (bent[at] as number) ^ (1 << (next() % 8));
  return bent;
}

function setByte({ bytes, next, place }: State): Uint8Array {
  const bent = bytes.slice();
  const at = place();
  if (at < bent.length) bent[at] = next();
  return bent;
}

/** In one, two, four or eight bytes. */
function setWildNumber({ bytes, next, place }: State): Uint8Array {
  const bent = bytes.slice();
  const width = 1 << (next() % 4);
  const at = place();
  const value = WILD[next() % WILD.length] as number;
  if (at + width > bent.length) return bent;
  for (let i = 0; i < width; i++) bent[at + width - 1 - i] = i < 4 ? value >>> (8 * i) : 0;
  return bent;
}

function truncate({ bytes, place }: State): Uint8Array {
  return bytes.subarray(0, place());
}

function repeatSlice({ bytes, place }: State): Uint8Array {
  const [from, to] = [place(), place()].sort((a, b) => a - b) as [number, number];
  return join(bytes.subarray(0, to), bytes.subarray(from));
}

function cutSlice({ bytes, place }: State): Uint8Array {
  const [from, to] = [place(), place()].sort((a, b) => a - b) as [number, number];
  return join(bytes.subarray(0, from), bytes.subarray(to));
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
