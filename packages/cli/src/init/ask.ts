import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { CliError, EXIT } from '../terminal.ts';
import { type Answers, readAnswers } from './answers.ts';

interface Question {
  readonly key: string;
  readonly asks: string;
  /** What is taken for an empty line; '' = it may be left out, undefined = it has to be given. */
  readonly usually?: string;
  readonly isList?: boolean;
}

const QUESTIONS: readonly Question[] = [
  { key: 'group', asks: 'Name of the group, e.g. plant-7' },
  { key: 'licenseServers', asks: 'Addresses of the three license servers, with spaces between', isList: true },
  { key: 'tmrServers', asks: 'Addresses of the two TMR servers', isList: true },
  { key: 'virtualIp', asks: 'Virtual IP of both, e.g. 10.0.0.10/24; empty: none', usually: '' },
  { key: 'interface', asks: 'Their network interface that carries it', usually: 'eth0' },
  { key: 'admin', asks: 'Your name, as it stands in audit records', usually: 'admin' },
];

/** What the options leave open. Each answer is checked at once, and asked for again where it can't be. */
export async function askFor(
  options: Readonly<Record<string, unknown>>,
  { input, output }: { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream },
): Promise<Answers> {
  const terminal = createInterface({ input, output });
  // At the end of the input no question is ever answered; at Ctrl+D in a terminal it is rejected.
  const closed = once(terminal, 'close').then(() => Promise.reject(new Error('closed')));
  closed.catch(() => undefined);
  const ask = (prompt: string): Promise<string> => {
    const answered = terminal.question(prompt);
    return Promise.race([answered, closed]).catch(() => {
      throw new CliError(EXIT.failure, 'stopped; nothing is written');
    });
  };
  const given: Record<string, unknown> = { ...options };
  try {
    for (const question of QUESTIONS) {
      if (given[question.key] !== undefined) continue;
      if (question.key === 'interface' && given['virtualIp'] === undefined) continue;
      for (;;) {
        const hint = question.usually ? ` [${question.usually}]` : '';
        const line = (await ask(`${question.asks}${hint}: `)).trim() || question.usually;
        if (line === '') break;
        const value = question.isList === true ? (line ?? '').split(/[\s,]+/).filter((word) => word !== '') : line;
        const complaint = line === undefined ? 'it is needed' : complaintAbout(given, question.key, value);
        if (complaint === undefined) {
          given[question.key] = value;
          break;
        }
        output.write(`  ${complaint}\n`);
      }
    }
  } finally {
    terminal.close();
  }
  return readAnswers(undefined, given);
}

/** In place of what is still to be asked. */
const ANY = {
  group: 'any',
  licenseServers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
  tmrServers: ['192.0.2.4', '192.0.2.5'],
};

/** About this answer. */
function complaintAbout(given: Readonly<Record<string, unknown>>, key: string, value: unknown): string | undefined {
  try {
    readAnswers(undefined, { ...ANY, ...given, [key]: value });
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const { message } = error;
    return message.startsWith(`"${key}`) ? message : undefined;
  }
  return undefined;
}
