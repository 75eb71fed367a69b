import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What can't be read is told in one sentence, with exit code 2, as everywhere in the product. */
export function readOptions<T extends ParseArgsConfig>(help: string, config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    // Node adds advice for programmers behind the first sentence.
    const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split(/\n|(?<=\.) /);
    const [, option] = /^Option '(\S+?)[ '].* argument is ambiguous/.exec(sentence) ?? [];
    const what = option === undefined ? sentence : `${option} needs a value, and none begins with "-"`;
    // The sentence last, where it is read.
    return misused(`${help}\n\n${what}`);
  }
}

export function wholeNumber(what: string, text: string | undefined): number {
  const number = /^\d+$/.test(text ?? '') ? Number(text) : 0;
  if (number > 0 && number < 2 ** 32) return number; // a seed has 32 bits
  return misused(`${what} has to be a whole number from 1 to ${2 ** 32 - 1}, not "${text}"`);
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

export function misused(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}
