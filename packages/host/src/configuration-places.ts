import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';

/** A YAML text with its values and, for every value, the line where it stands. */
export interface PlacedYaml {
  readonly value: unknown;
  /** The line of the value at a path, or of the innermost thing around it that exists. */
  lineOf(path: readonly PropertyKey[]): number;
  /** The line of a key itself, where `lineOf` would give that of its value. */
  lineOfKey(path: readonly PropertyKey[], key: string): number;
}

/** What the text is not: YAML. */
export interface YamlProblem {
  readonly line: number;
  readonly message: string;
}

/** Parses one YAML 1.2 document in which no key occurs twice. */
export function parsePlacedYaml(text: string): PlacedYaml | YamlProblem {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false, version: '1.2' });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) return { line: lineAt(problem.pos[0]), message: firstSentence(problem.message) };
  const value = valueOf(document);
  if (isProblem(value)) return value;
  return {
    value: value.value,
    lineOf: (path) => lineAt(nodeAt(document, path)?.range?.[0] ?? 0),
    lineOfKey: (path, key) => {
      const around = nodeAt(document, path);
      const pair = isMap(around)
        ? around.items.find((item) => isScalar(item.key) && item.key.value === key)
        : undefined;
      const node = isPair(pair) && isScalar(pair.key) ? pair.key : around;
      return lineAt(node?.range?.[0] ?? 0);
    },
  };
}

export function isProblem(result: object): result is YamlProblem {
  return 'message' in result && 'line' in result;
}

/** Anchors can make a short text expand without end; nobody needs more than a few in a configuration. */
function valueOf(document: Document.Parsed): { value: unknown } | YamlProblem {
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) as unknown };
  } catch (error) {
    return { line: 1, message: firstSentence(error instanceof Error ? error.message : String(error)) };
  }
}

function nodeAt(document: Document.Parsed, path: readonly PropertyKey[]): Node | undefined {
  let node: Node | null = document.contents;
  for (const step of path) {
    const next: unknown = isMap(node) || isSeq(node) ? node.get(step, true) : undefined;
    if (!isMap(next) && !isSeq(next) && !isScalar(next)) break;
    node = next;
  }
  return node ?? undefined;
}

function firstSentence(message: string): string {
  // The reader goes into itself for each level; nothing that is meant has more than a few.
  if (/call stack/i.test(message)) return 'it is nested too deeply';
  const line = message.split('\n')[0] ?? message;
  return line.charAt(0).toLowerCase() + line.slice(1);
}
