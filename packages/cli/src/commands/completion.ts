import { Argument, Command } from 'commander';
import { bashCompletion } from '../command-tree/bash.ts';
import { fishCompletion } from '../command-tree/fish.ts';
import { manPage } from '../command-tree/man-page.ts';
import { commandTree } from '../command-tree/tree.ts';
import { zshCompletion } from '../command-tree/zsh.ts';

const generators = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

export function completionCommand(): Command {
  return new Command('completion')
    .description('Print what makes a shell complete the words of this command.')
    .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(Object.keys(generators)))
    .addHelpText('after', '\nExample:\n  trefoil completion bash > ~/.local/share/bash-completion/completions/trefoil')
    .action((shell: keyof typeof generators, _: unknown, command: Command) => {
      process.stdout.write(generators[shell](commandTree(rootOf(command))));
    });
}

export function manualCommand(): Command {
  return new Command('manual')
    .description('Print all of this as a page for man.')
    .addHelpText('after', '\nExample:\n  trefoil manual | man -l -')
    .action((_: unknown, command: Command) => {
      const root = rootOf(command);
      process.stdout.write(manPage(commandTree(root), root.version() ?? ''));
    });
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
