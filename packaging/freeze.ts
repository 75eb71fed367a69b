// `sh scripts/with-node packaging/freeze.ts [--from CHECKOUT] --out FILE.tar.gz`: the `trefoil` command and all servers of a released
// version in one small file, for tests in which it works beside the program of today. To be made once, of each version that is given away.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { bundle, root } from './bundle.ts';

const run = promisify(execFile);
const MOST_BYTES = 2 ** 26;

const { values } = parseArgs({ options: { from: { type: 'string', default: root }, out: { type: 'string' } } });
if (values.out === undefined) {
  process.stderr.write('freeze: say with --out which file to write\n');
  process.exit(2);
}
const folder = await mkdtemp(join(tmpdir(), 'trefoil-freeze-'));
try {
  await bundle(folder, '/usr/bin/env node', { from: resolve(values.from), minify: true });
  await rm(join(folder, 'node_modules'), { recursive: true }); // the machine that it runs on has them
  // The same bytes, whoever makes it and when.
  const owner = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'];
  const { stdout } = await run('tar', [...owner, '-C', folder, '-cf', '-', '.'], {
    ...{ encoding: 'buffer', maxBuffer: MOST_BYTES },
  });
  await writeFile(values.out, gzipSync(stdout, { level: 9 }));
  process.stdout.write(`${values.out}: ${(await readFile(values.out)).length} bytes\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
