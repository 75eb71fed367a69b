import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A small Debian 12 in a folder. What runs in it has mounts and processes of its own, which end with it. */
export class DebianRoot {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** mmdebstrap and only what the package depends on: half of the time that debootstrap needs for its smallest. */
  static async create(folder: string): Promise<DebianRoot> {
    const packages = 'libstdc++6,systemd-standalone-sysusers,systemd-standalone-tmpfiles';
    const quick = [
      '--variant=essential',
      '--mode=root',
      '--dpkgopt=force-unsafe-io',
      '--aptopt=Acquire::Languages "none"',
    ];
    const from = ['bookworm', folder, 'http://deb.debian.org/debian'];
    await execute('mmdebstrap', [...quick, `--include=${packages}`, ...from]);
    return new DebianRoot(folder);
  }

  /** Runs to its end; rejects when it fails. */
  async run(program: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
    return execute('unshare', this.#words('root', program, args), { maxBuffer: 2 ** 24 });
  }

  start(user: string, environment: Readonly<Record<string, string>>, program: string, ...args: string[]): ChildProcess {
    const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', ...environment };
    return spawn('unshare', this.#words(user, program, args), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  /** What would be left of it: mounts, and processes whose root it is. */
  async remains(): Promise<string[]> {
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').filter((line) => line.includes(this.folder));
    const roots = (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => [pid, await readlink(`/proc/${pid}/root`).catch(() => '')] as const);
    const processes = (await Promise.all(roots)).filter(([, root]) => root.startsWith(this.folder));
    return [...mounts, ...processes.map(([pid]) => `process ${pid}`)];
  }

  #words(user: string, program: string, args: readonly string[]): string[] {
    const alone = ['--mount', '--pid', '--fork', '--kill-child', `--mount-proc=${this.path('proc')}`];
    return [...alone, 'chroot', `--userspec=${user}:${user}`, this.folder, program, ...args];
  }
}

/** What systemd is to a service: reads its messages, and knows from the kernel which process has sent them. */
export class NotifySocket implements AsyncDisposable {
  readonly heard: { readonly pid: number; readonly uid: number; readonly text: string }[] = [];
  readonly #listener: ChildProcess;

  private constructor(listener: ChildProcess) {
    this.#listener = listener;
    let rest = '';
    listener.stdout?.on('data', (data: Buffer) => {
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.heard.push(JSON.parse(line) as (typeof this.heard)[0]);
    });
  }

  static async listen(file: string): Promise<NotifySocket> {
    await mkdir(join(file, '..'), { recursive: true });
    const script = `import json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
print('{"pid": 0, "uid": 0, "text": "listening"}', flush=True)
while True:
    data, about, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(12))
    pid, uid, _ = struct.unpack('3i', about[0][2][:12])
    print(json.dumps({'pid': pid, 'uid': uid, 'text': data.decode()}), flush=True)`;
    const socket = new NotifySocket(spawn('python3', ['-c', script, file], { stdio: ['ignore', 'pipe', 'inherit'] }));
    await socket.waitFor(1);
    return socket;
  }

  /** Waits until so many messages have come. */
  async waitFor(count: number, withinMs = 30_000): Promise<void> {
    const signal = AbortSignal.timeout(withinMs);
    while (this.heard.length < count) await once(this.#listener.stdout as Readable, 'data', { signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#listener, 'exit');
    this.#listener.kill();
    await ended;
  }
}
