// `npm run -s pack-sdk -- FOLDER`: the client SDK as a package that any Node ≥ 20 runs: one JavaScript file, declarations, and
// what both need. An application installs it with `npm install trefoil-client-0.2.0.tgz`.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..');
/** The rooms whose types an application may meet; their code is bundled. */
const ROOMS = ['client', 'link', 'api', 'license'];
const EXTERNAL = '@bufbuild/protobuf';

const README = `# Trefoil client

Holds seats of counted licenses, renews them by itself, and verifies every grant from the vendor's root key down.

\`\`\`ts
import { connect } from '@trefoil/client';

await using client = await connect({ vendor: VENDOR_ROOT_KEY });
const result = await client.acquire('cad');
if (result.kind === 'granted') await work(result.seat);          // given back with \`await result.seat.release()\`
else if (result.kind === 'denied') console.log(result.sentence); // who has the seats, and since when
\`\`\`

The computer finds its group by a client file: \`trefoil client add --help\`. Without \`await using\`, call \`client.close()\`.
`;

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write('usage: npm run -s pack-sdk -- FOLDER\n');
  process.exit(2);
}
const staging = await mkdtemp(join(tmpdir(), 'trefoil-sdk-'));
try {
  await writeCode();
  await writeTypes();
  await writeManifest();
  await mkdir(folder, { recursive: true });
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', resolve(folder)], { cwd: staging });
  process.stdout.write(`${join(folder, stdout.trim())}\n`);
} finally {
  await rm(staging, { recursive: true, force: true });
}

async function writeCode(): Promise<void> {
  await build({
    entryPoints: [join(root, 'packages/client/src/index.ts')],
    outfile: join(staging, 'index.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: [EXTERNAL],
    logLevel: 'error',
  });
}

/** As the compiler writes them, a folder for each room; rooms find each other by relative paths instead of by name. */
async function writeTypes(): Promise<void> {
  const configuration = join(staging, 'tsconfig.json');
  const types = join(staging, 'types');
  const files = ROOMS.map((room) => join(root, 'packages', room, 'src/index.ts'));
  const emit = { noEmit: false, emitDeclarationOnly: true, declaration: true, stripInternal: true };
  const places = { rootDir: join(root, 'packages'), outDir: types, typeRoots: [join(root, 'node_modules/@types')] };
  const compilerOptions = { ...emit, ...places };
  await writeFile(
    configuration,
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: [], files }),
  );
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', configuration]);
  await rm(configuration);
  for (const name of await readdir(types, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const file = join(types, name);
    const text = await readFile(file, 'utf8');
    const named = text.replaceAll(/(['"])@trefoil\/([a-z-]+)\1/g, (_, quote: string, room: string) => {
      const path = relative(join(file, '..'), join(types, room, 'src/index.js')).replaceAll('\\', '/');
      return `${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`;
    });
    await writeFile(file, named.replaceAll(/(from ['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'));
  }
}

async function writeManifest(): Promise<void> {
  const client = JSON.parse(await readFile(join(root, 'packages/client/package.json'), 'utf8')) as { version: string };
  const api = JSON.parse(await readFile(join(root, 'packages/api/package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const manifest = {
    ...{ name: '@trefoil/client', version: client.version, license: 'Apache-2.0', type: 'module' },
    description: 'Seats of counted licenses, held through the death of servers',
    engines: { node: '>=20' },
    exports: { '.': { types: './types/client/src/index.d.ts', default: './index.js' } },
    dependencies: { [EXTERNAL]: api.dependencies[EXTERNAL] },
    // Comes along: a computer that has no registry can install it, too.
    bundledDependencies: [EXTERNAL],
  };
  await writeFile(join(staging, 'package.json'), JSON.stringify(manifest, undefined, 2));
  const path = join('node_modules', EXTERNAL);
  await cp(join(root, path), join(staging, path), { recursive: true });
  await cp(join(root, 'LICENSE'), join(staging, 'LICENSE'));
  await writeFile(join(staging, 'README.md'), README);
}
