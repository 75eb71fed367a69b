// `sh scripts/with-node vectors/generate.ts`: writes the vectors anew; a changed file is a changed format.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { vectorFiles } from './vector-files.ts';

for (const folder of ['grants', 'documents'])
  rmSync(join(import.meta.dirname, folder), { recursive: true, force: true });
for (const [path, text] of vectorFiles()) {
  const file = join(import.meta.dirname, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
