import { cp, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

export const root = resolve(import.meta.dirname, '..');

/** Every file that is started as a process; what they share is in files beside them. */
const ENTRY_POINTS = {
  main: 'packages/cli/src/main.ts',
  'license-server': 'packages/license-server/src/main.ts',
  'tmr-server': 'packages/tmr-server/src/main.ts',
  'client-process': 'packages/cli/src/demo/client-process.ts',
  'end-with-parent': 'packages/cli/src/group/end-with-parent.ts',
};
/** Brings a binary along, so it stays a package; only these files of it are needed to run. */
const ADDON_FILES = [
  ...['package.json', 'index.js', 'src/koffi/index.js', 'src/koffi/src/static.js'].map((name) => `koffi/${name}`),
  ...['package.json', 'index.js', 'linux_x64'].map((name) => `@koromix/koffi-linux-x64/${name}`),
];
/** Some of what is bundled is CommonJS and asks for Node's own modules by `require`. */
const BANNER =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

/**
 * The `trefoil` command and all servers as JavaScript that needs nothing but Node, started by `interpreter`. Not made small: a stack
 * trace has to say something. Returns the folders of the packages from which code came in.
 */
export async function bundle(
  folder: string,
  interpreter: string,
  /** `from`: a checkout with what it depends on. */
  { from = root, minify = false } = {},
): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: from,
    minify,
    entryPoints: Object.entries(ENTRY_POINTS).map(([out, file]) => ({ in: file, out })),
    outdir: folder,
    bundle: true,
    splitting: true,
    chunkNames: 'part-[hash]',
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: ['koffi'],
    banner: { js: BANNER },
    legalComments: 'none', // all licences are in one file
    metafile: true,
    logLevel: 'error',
  });
  const main = join(folder, 'main.js');
  await writeFile(main, (await readFile(main, 'utf8')).replace(/^#!.*/, `#!${interpreter}`), { mode: 0o755 });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }\n');
  for (const file of ADDON_FILES)
    await cp(join(from, 'node_modules', file), join(folder, 'node_modules', file), { recursive: true });
  const used = Object.keys(metafile.inputs).map((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  return [...new Set([...used.filter((one) => one !== undefined), 'node_modules/koffi'])].sort();
}
