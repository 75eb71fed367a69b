import type { Command, Option } from 'commander';

/** What may stand in a place of the command line. */
export type Words = 'nothing' | 'files' | 'a command' | readonly string[];

export interface OptionNode {
  /** `--json`, or `-h` and `--help`. */
  readonly names: readonly string[];
  /** `--client <file>`, as help shows it. */
  readonly flags: string;
  readonly description: string;
  /** What its value may be; absent when it takes none. */
  readonly value?: Words;
}

/** One command as a person meets it, read off the program itself: what is generated from it can't fall behind. */
export interface CommandNode {
  /** `trefoil audit verify` */
  readonly path: string;
  readonly name: string;
  readonly description: string;
  /** `[options] <file>` */
  readonly usage: string;
  readonly options: readonly OptionNode[];
  readonly arguments: readonly { readonly name: string; readonly description: string }[];
  /** What its first argument may be, and all others. */
  readonly words: Words;
  readonly commands: readonly CommandNode[];
  /** What its help says after the options: examples, exit codes. */
  readonly afterHelp: string;
}

export function commandTree(command: Command, parent = ''): CommandNode {
  const help = command.createHelp();
  const path = `${parent} ${command.name()}`.trim();
  const [first] = command.registeredArguments;
  return {
    path,
    name: command.name(),
    description: command.description(),
    usage: command.usage(),
    options: help.visibleOptions(command).map(optionNode),
    arguments: command.registeredArguments.map((one) => ({ name: one.name(), description: one.description })),
    words: first === undefined ? 'nothing' : wordsOf(first.name(), first.argChoices),
    commands: help
      .visibleCommands(command)
      .filter((child) => child.name() !== 'help')
      .map((child) => commandTree(child, path)),
    afterHelp: afterHelpOf(command),
  };
}

/** A command and all below it, the outermost first. */
export function allCommands(tree: CommandNode): CommandNode[] {
  return [tree, ...tree.commands.flatMap(allCommands)];
}

function optionNode(option: Option): OptionNode {
  const { flags, description, required, optional, argChoices, short, long } = option;
  const names = [short, long].filter((name) => name !== undefined);
  if (!required && !optional) return { names, flags, description };
  return { names, flags, description, value: wordsOf(/[<[]([^\].>]+)/.exec(flags)?.[1] ?? '', argChoices) };
}

/** The names of values say what they are. */
function wordsOf(name: string, choices: readonly string[] | undefined): Words {
  if (choices !== undefined) return choices;
  if (name === 'command') return 'a command';
  return /^(file|path|directory|folder|request|update)$/.test(name) ? 'files' : 'nothing';
}

/** The program only prints such texts; so they are printed into a string. */
function afterHelpOf(command: Command): string {
  let text = '';
  const before = command.configureOutput();
  command.configureOutput({ ...before, writeOut: (part) => void (text += part) });
  command.outputHelp();
  command.configureOutput(before);
  return text.slice(command.helpInformation().length).trim();
}
