import { constants } from 'node:os';
import { Command } from 'commander';
import { hints } from '../demo/hints.ts';
import { narrator } from '../demo/narrator.ts';
import { CliError } from '../terminal.ts';

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'Five servers and eight users on this machine: kills, takeover, update, proof. Needs no rights and no network.',
    )
    .option('--once', 'end after the story instead of staying up for playing')
    .option('--json', 'print one object with the figures on stdout; the story goes to stderr')
    .action(async (options: { once?: boolean; json?: boolean }) => {
      const ended = new Ended();
      await using stack = new AsyncDisposableStack();
      const stream = options.json ? process.stderr : process.stdout;
      const told = narrator((text) => void stream.write(text), stream);
      // Loaded when told: it brings a vendor, an authority and five servers along.
      const { runDemo } = await import('../demo/demo.ts');
      const story = runDemo(stack, told);
      const { figures, group, makeRoom } = await Promise.race([story, ended.inTheStory]);
      if (options.json) process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
      if (options.once) return;
      await makeRoom();
      told.step('Now it is yours: three seats are free, three people work on. Ctrl-C ends it');
      for (const line of hints(group)) told.tell(line);
      await ended.bySignal;
    });
}

/** Whenever it is told to end: servers and clients are stopped, and the folder with their keys is removed. */
class Ended {
  readonly bySignal: Promise<NodeJS.Signals>;
  /** Rejects then: the story is not told to its end. */
  readonly inTheStory: Promise<never>;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
    this.bySignal = promise;
    this.inTheStory = promise.then((signal) => {
      throw new CliError(
        128 + constants.signals[signal],
        'ended before the story was over; all is stopped and removed',
      );
    });
    this.inTheStory.catch(() => undefined);
  }
}
