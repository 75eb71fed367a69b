import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { open, readdir, readFile, rm } from 'node:fs/promises';
import { arch, cpus, hostname, platform, release, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { HostError, reasonOf } from '@trefoil/host';
import { pack } from 'tar-stream';

/** Of a program's words, the last so many bytes. */
const MOST_SAID = 4 * 1024 * 1024;
const PROGRAM_MS = 10_000;

/** What is in it: a name, and a text that has no secret. */
export interface SupportFile {
  readonly name: string;
  readonly text: string;
}

/**
 * What somebody who helps needs to see of this host, and nothing that opens anything: configurations, certificates and signed documents;
 * never a key, a container, a passphrase. What can not be had says why, in its place.
 */
export async function supportFiles(
  etc: string,
  ask: readonly (readonly [string, readonly string[]])[],
): Promise<SupportFile[]> {
  const machine = { host: hostname(), platform: platform(), release: release(), arch: arch(), cpus: cpus().length };
  const about = {
    ...machine,
    memoryMiB: Math.round(totalmem() / 1024 / 1024),
    uptimeS: Math.round(uptime()),
    node: process.version,
  };
  return [
    { name: 'host.json', text: `${JSON.stringify({ ...about, at: new Date().toISOString() }, undefined, 2)}\n` },
    ...(await configurationFiles(etc)),
    ...(await Promise.all(ask.map(async ([name, argv]) => ({ name, text: redacted(await saidBy(argv)) })))),
  ];
}

async function configurationFiles(etc: string): Promise<SupportFile[]> {
  const names = await readdir(etc).catch(() => undefined);
  if (names === undefined) return [{ name: 'etc.txt', text: `${etc} can not be read\n` }];
  return Promise.all(
    names.sort().map(async (name) => {
      const bytes = await readFile(join(etc, name)).catch((error: unknown) => reasonOf(error));
      if (typeof bytes === 'string') return { name: `etc/${name}.txt`, text: `left out: ${bytes}\n` };
      const text = bytes.toString('utf8');
      if (isShown(name, text)) return { name: `etc/${name}`, text: redacted(text) };
      // By its hash two copies can be compared without being shown.
      const hash = createHash('sha256').update(bytes).digest('hex');
      return {
        name: `etc/${name}.txt`,
        text: `left out: it may be a secret. ${bytes.length} bytes, SHA-256 ${hash.slice(0, 16)}…\n`,
      };
    }),
  );
}

/** Only what is known to be no secret. */
function isShown(name: string, text: string): boolean {
  if (/PRIVATE KEY/.test(text)) return false;
  return (
    /\.(yaml|yml|jws|pub|crt\.pem|json)$/.test(name) || (name.endsWith('.pem') && text.includes('BEGIN CERTIFICATE'))
  );
}

/** Private keys in PEM, and values of what sounds like a secret, wherever they came from. */
export function redacted(text: string): string {
  return text
    .replaceAll(
      /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
      '[a private key, left out]',
    )
    .replaceAll(
      /("?(?:pass(?:phrase|word)|secret|token|authorization|pin)"?\s*[:=]\s*)("[^"]*"|[^\s,}]+)/gi,
      '$1[left out]',
    );
}

async function saidBy([program, ...args]: readonly string[]): Promise<string> {
  try {
    const options = { timeout: PROGRAM_MS, maxBuffer: 64 * 1024 * 1024 };
    const { stdout, stderr } = await promisify(execFile)(program as string, args, options);
    return `${stdout}${stderr}`.slice(-MOST_SAID);
  } catch (error) {
    // Its exit code is a finding, too: what it said counts.
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return `${stdout}${stderr}`.slice(-MOST_SAID) || `not to be had: ${reasonOf(error)}\n`;
  }
}

/** One tarball, mode 0600. @throws HostError, with nothing left behind */
export async function writeSupportBundle(output: string, files: readonly SupportFile[]): Promise<void> {
  try {
    const out = (await open(output, 'wx', 0o600)).createWriteStream();
    out.on('error', () => undefined); // once more, when it is closed: the pipeline has said it
    const tar = pack();
    const written = pipeline(tar, createGzip(), out);
    for (const { name, text } of files) tar.entry({ name: `trefoil-support/${name}`, mode: 0o600 }, text);
    tar.finalize();
    await written;
  } catch (error) {
    const reason = reasonOf(error);
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(output, { force: true });
    throw new HostError('file-unwritable', `${output}: ${reason}`, { file: output, reason }, { cause: error });
  }
}
