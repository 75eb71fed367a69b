import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import { writeFileAtomically } from '@trefoil/host';
import { pack } from 'tar-stream';
import type { HostFolder } from './host-files.ts';

/** Everything before is a folder of the system, with rights that are not ours to change. */
const OWN_FOLDER = 'etc/trefoil/';

/** For each host NAME.tar.gz, with keys in it: nobody else may read it. */
export async function writeHostArchives(folder: string, hosts: readonly HostFolder[]): Promise<void> {
  const now = new Date();
  for (const host of hosts)
    await writeFileAtomically(archiveOf(folder, host), await hostArchive(host, now), { mode: 0o600 });
}

/** What to run for a server that is there already, and has to read its files anew. */
export function unpackStep(folder: string, host: HostFolder): string {
  const unit = host.name.startsWith('tmr') ? 'trefoil-tmr-server' : 'trefoil-license-server';
  return `   ssh root@${host.host} "tar -C / -xzf - && systemctl restart ${unit}" < ${archiveOf(folder, host)}`;
}

function archiveOf(folder: string, { name }: HostFolder): string {
  return join(folder, `${name}.tar.gz`);
}

/** What is unpacked on the host with `tar -C / -xzf`: paths, owners and rights are those of the installed files. */
export async function hostArchive({ files }: HostFolder, mtime: Date): Promise<Buffer> {
  const tar = pack();
  const root = { uname: 'root', gname: 'root', uid: 0, gid: 0, mtime };
  tar.entry({ name: OWN_FOLDER, type: 'directory', mode: 0o755, ...root });
  // Of the user that the package makes, who alone may read them; unpacked before it is there, they are root's.
  for (const { path, text, secret } of files)
    tar.entry(
      {
        name: path.slice(1),
        ...root,
        ...(secret ? { uname: 'trefoil', gname: 'trefoil', mode: 0o600 } : { mode: 0o644 }),
      },
      text,
    );
  tar.finalize();
  return buffer(tar.pipe(createGzip()));
}
