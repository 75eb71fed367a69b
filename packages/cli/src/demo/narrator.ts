import { styleText } from 'node:util';

/** Tells a story on a terminal, or keeps silent where only the figures are wanted. */
export interface Narrator {
  step(title: string): void;
  tell(line: string): void;
}

export function narrator(write: (text: string) => void, stream: NodeJS.WriteStream): Narrator {
  let number = 0;
  const style = (kind: 'bold' | 'dim', text: string): string => styleText(kind, text, { stream });
  return {
    step: (title) => write(`\n${style('bold', `${++number}. ${title}`)}\n`),
    tell: (line) => write(`   ${line}\n`),
  };
}
