import { Command } from 'commander';
import { hints } from '../demo/hints.ts';
import { narrator } from '../demo/narrator.ts';

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'Five servers and eight users on this machine: kills, takeover, update, proof. Needs no rights and no network.',
    )
    .option('--once', 'end after the story instead of staying up for playing')
    .option('--json', 'print one object with the figures on stdout; the story goes to stderr')
    .action(async (options: { once?: boolean; json?: boolean }) => {
      await using stack = new AsyncDisposableStack();
      const stream = options.json ? process.stderr : process.stdout;
      const told = narrator((text) => void stream.write(text), stream);
      // Loaded when told: it brings a vendor, an authority and five servers along.
      const { runDemo } = await import('../demo/demo.ts');
      const { figures, group, makeRoom } = await runDemo(stack, told);
      if (options.json) process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
      if (options.once) return;
      await makeRoom();
      told.step('Now it is yours: three seats are free, three people work on. Ctrl-C ends it');
      for (const line of hints(group)) told.tell(line);
      await new Promise<void>((resolve) => {
        process.once('SIGINT', resolve);
        process.once('SIGTERM', resolve);
      });
    });
}
