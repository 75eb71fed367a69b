import { allCommands, type CommandNode, type OptionNode, type Words } from './tree.ts';

export function fishCompletion(tree: CommandNode): string {
  const commands = allCommands(tree);
  return `# fish completion for ${tree.name}; made by \`${tree.name} completion fish\`
function __${tree.name}_is_at
  set -l path ${tree.name}
  for word in (commandline -opc)[2..]
    if test "$word" = --
      return 1
    end
    if contains -- "$path $word" ${commands
      .filter((one) => one !== tree)
      .map((one) => quoted(one.path))
      .join(' ')}
      set path "$path $word"
    end
  end
  test "$path" = "$argv[1]"
end
complete -c ${tree.name} -n 'not contains -- -- (commandline -opc)' -f
complete -c ${tree.name} -n 'contains -- -- (commandline -opc)' -a '(__fish_complete_command)'
${commands.flatMap((one) => linesOf(tree.name, one)).join('\n')}
`;
}

function linesOf(program: string, command: CommandNode): string[] {
  const here = `complete -c ${program} -n "__${program}_is_at '${command.path}'"`;
  return [
    ...command.commands.map((one) => `${here} -f -a ${one.name} -d ${quoted(one.description)}`),
    ...command.options.map((one) => `${here} ${optionFlags(one)} -d ${quoted(one.description)}`),
    ...(command.commands.length > 0 ? [] : argumentsOf(command.words).map((flags) => `${here} ${flags}`)),
  ];
}

function optionFlags({ names, value }: OptionNode): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');
  if (value === undefined) return flags;
  if (value === 'files') return `${flags} -r -F`;
  return Array.isArray(value) ? `${flags} -x -a ${quoted(value.join(' '))}` : `${flags} -x`;
}

function argumentsOf(words: Words): string[] {
  if (words === 'nothing') return [];
  if (words === 'files') return ['-F'];
  return words === 'a command' ? [] : [`-f -a ${quoted(words.join(' '))}`];
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}
