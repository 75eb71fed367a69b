import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What can't be read is told in one sentence, with exit code 2, as everywhere in the product. */
export function readOptions<T extends ParseArgsConfig>(help: string, config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    return misused(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
  }
}

export function wholeNumber(what: string, text: string | undefined): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  return misused(`${what} has to be a whole number above 0, not "${text}"`);
}

export function minutes(text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number > 0) return number;
  return misused(`--minutes has to be a number above 0, not "${text}"`);
}

/** All of these, or the one of that name. */
export function chosen(what: string, names: readonly string[], text: string | undefined): string[] {
  const found = names.filter((name) => text === undefined || name === text);
  if (found.length > 0) return found;
  return misused(`there is no ${what} "${text}"; there are:\n${names.map((name) => `  ${name}`).join('\n')}`);
}

function misused(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}
