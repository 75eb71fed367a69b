import { commandVectors } from './command-encodings.ts';
import { invalidDocuments, validDocuments } from './documents.ts';
import { merkleVectors, statementVectors } from './encodings.ts';
import { validGrants } from './grants.ts';
import { invalidDecisions } from './invalid-decisions.ts';
import { invalidPapers } from './invalid-papers.ts';
import { invalidUnderOptions, validUnderOptions } from './option-grants.ts';
import { outcomeVectors } from './outcome-encodings.ts';

/** Every file of vectors: path below this folder → text. The same at every run. */
export function vectorFiles(): Map<string, string> {
  const files = new Map<string, string>();
  const folder = (path: string, vectors: Readonly<Record<string, object>>): void => {
    for (const [name, vector] of Object.entries(vectors)) files.set(`${path}/${name}.json`, textOf(vector));
  };
  folder('grants/valid', { ...validGrants(), ...validUnderOptions() });
  folder('grants/invalid', { ...invalidDecisions(), ...invalidPapers(), ...invalidUnderOptions() });
  folder('documents/valid', validDocuments());
  folder('documents/invalid', invalidDocuments());
  files.set('statements.json', textOf(statementVectors()));
  files.set('merkle.json', textOf(merkleVectors()));
  files.set('commands.json', textOf(commandVectors()));
  files.set('outcomes.json', textOf(outcomeVectors()));
  return files;
}

const textOf = (vector: object): string => `${JSON.stringify(vector, undefined, 2)}\n`;
