import { spawn } from 'node:child_process';
import { resolve as resolvePath } from 'node:path';

export interface CommandResult {
  readonly exitCode: number;
  readonly output: string;
  readonly elapsedMs: number;
}

/** Runs a program to its end and keeps what it said; a program that cannot be started counts as failed. */
export function runCommand(command: readonly string[]): Promise<CommandResult> {
  const [program = '', ...args] = command;
  const startedMs = Date.now();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    // Tools that cache in the user's home are shown a place below the clone.
    const env = { ...process.env, XDG_CACHE_HOME: resolvePath('node_modules/.cache') };
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const finish = (exitCode: number, note: string) =>
      resolve({ exitCode, output: Buffer.concat(chunks).toString() + note, elapsedMs: Date.now() - startedMs });
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => finish(127, `${error.message}\n`));
    child.on('close', (code, signal) => finish(code ?? 1, signal === null ? '' : `ended by ${signal}\n`));
  });
}

/** Runs the tasks, at most `width` at a time, and returns their results in the order given. */
export async function inParallel<T>(width: number, tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < tasks.length; index = next++) {
      const task = tasks[index];
      if (task !== undefined) results[index] = await task();
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
