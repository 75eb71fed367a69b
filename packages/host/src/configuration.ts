import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { isProblem, parsePlacedYaml, type PlacedYaml } from './configuration-places.ts';
import { HostError, reasonOf } from './errors.ts';
import { nearestWord } from './suggestion.ts';

/** Far more than anybody writes by hand, and far less than what would hurt. */
const maximumConfigurationBytes = 1_048_576;

/**
 * Reads a YAML configuration file and returns it as the schema describes it, defaults filled in. Use `z.strictObject`,
 * so that a misspelt key is an error and not a default. Throws `HostError`: `file-unreadable`, `file-too-large`, or
 * `configuration-invalid` with one sentence that names file and line:
 * `license-server.yaml:7: unknown key "prot"; did you mean "port"?`
 */
export function loadConfiguration<S extends z.ZodType>(file: string, schema: S): z.output<S> {
  return parseConfiguration(readText(file), file, schema);
}

/** As `loadConfiguration`, for a text that was read elsewhere; `file` is the name for messages. */
export function parseConfiguration<S extends z.ZodType>(text: string, file: string, schema: S): z.output<S> {
  const yaml = parsePlacedYaml(text);
  if (isProblem(yaml)) throw invalid(file, yaml.line, yaml.message);
  // An empty file is a configuration in which everything has its default.
  const result = schema.safeParse(yaml.value ?? {}, { reportInput: true });
  if (result.success) return result.data;
  const complaints = result.error.issues.flatMap((issue) => explain(issue, yaml, schema));
  // A key that isn't known is most likely the one that is missing, misspelt: so it is named first.
  const first = complaints.sort((a, b) => Number(b.unknownKey) - Number(a.unknownKey) || a.line - b.line)[0] ?? {
    line: 1,
    message: result.error.message,
  };
  throw invalid(file, first.line, first.message);
}

interface Complaint {
  readonly unknownKey: boolean;
  readonly line: number;
  readonly message: string;
}

function explain(issue: z.core.$ZodIssue, yaml: PlacedYaml, schema: z.ZodType): Complaint[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      unknownKey: true,
      line: yaml.lineOfKey(issue.path, key),
      message: `unknown key ${quote(nameOf([...issue.path, key]))}${suggest(key, keysKnownAt(schema, issue.path))}`,
    }));
  }
  return [{ unknownKey: false, line: yaml.lineOf(issue.path), message: explainValue(issue) }];
}

function explainValue(issue: Exclude<z.core.$ZodIssue, { code: 'unrecognized_keys' }>): string {
  const name = issue.path.length === 0 ? 'the file' : quote(nameOf(issue.path));
  if (issue.input === undefined && issue.code !== 'custom') return `${name} is missing`;
  switch (issue.code) {
    case 'invalid_type':
      return `${name} has to be ${inWords(issue.expected)}, not ${describeValue(issue.input)}`;
    case 'invalid_value': {
      const values = issue.values.map(String);
      const meant = typeof issue.input === 'string' ? suggest(issue.input, values) : '';
      return `${name} has to be ${values.map(quote).join(' or ')}, not ${describeValue(issue.input)}${meant}`;
    }
    case 'invalid_union': {
      const values = literalsOf(issue.errors);
      if (values.length === 0) return `${name} is none of what is allowed here`;
      return `${name} has to be ${values.join(' or ')}, not ${describeValue(issue.input)}`;
    }
    case 'too_small':
      return `${name} has to be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `${name} may be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unitOf(issue.origin)}`;
    default:
      return `${name}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
  }
}

/** What a union of single values allows. */
function literalsOf(errors: readonly (readonly z.core.$ZodIssue[])[]): string[] {
  return errors.flat().flatMap((issue) => (issue.code === 'invalid_value' ? issue.values.map(String) : []));
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' entries long' : '';
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a set of keys',
  record: 'a set of keys',
  array: 'a list',
};

const inWords = (type: string) => typeNames[type] ?? type;

function describeValue(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return value.length <= 40 ? quote(value) : 'a long text';
  return typeof value === 'object' ? 'a set of keys' : JSON.stringify(value);
}

/** `listen.addresses[1].port`. */
function nameOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, step) => {
    if (typeof step === 'number') return `${name}[${step}]`;
    return name === '' ? String(step) : `${name}.${String(step)}`;
  }, '');
}

function suggest(written: string, known: readonly string[]): string {
  const meant = nearestWord(written, known);
  return meant === undefined ? '' : `; did you mean ${quote(meant)}?`;
}

/** The keys that the schema knows at a path, looking through defaults, optionals, lists and unions. */
function keysKnownAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  if (schema instanceof z.ZodObject) {
    const shape: Readonly<Record<string, unknown>> = schema.shape;
    const [step, ...rest] = path;
    return step === undefined ? Object.keys(shape) : keysKnownAt(shape[String(step)], rest);
  }
  if (schema instanceof z.ZodArray) return keysKnownAt(schema.element, path.slice(1));
  if (schema instanceof z.ZodRecord) return keysKnownAt(schema.valueType, path.slice(1));
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => keysKnownAt(option, path));
  if (schema instanceof z.ZodPipe) return keysKnownAt(schema.in, path);
  if (schema instanceof z.ZodType && 'unwrap' in schema && typeof schema.unwrap === 'function') {
    return keysKnownAt(schema.unwrap() as unknown, path);
  }
  return [];
}

function readText(file: string): string {
  let text: string;
  try {
    const tooLarge = statSync(file).size > maximumConfigurationBytes;
    text = tooLarge ? '' : readFileSync(file, 'utf8');
    if (!tooLarge) return text;
  } catch (error) {
    const reason = reasonOf(error);
    throw new HostError('file-unreadable', `cannot read ${file}: ${reason}`, { file, reason }, { cause: error });
  }
  const maximumBytes = maximumConfigurationBytes;
  throw new HostError('file-too-large', `${file} is larger than ${maximumBytes} bytes`, { file, maximumBytes });
}

const quote = (text: string) => `"${text}"`;

function invalid(file: string, line: number, message: string): HostError {
  return new HostError('configuration-invalid', `${file}:${line}: ${message}`, { file, line });
}
