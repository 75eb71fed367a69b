import { allCommands, type CommandNode, type Words } from './tree.ts';

/** For bash alone: needs nothing of the package bash-completion. */
export function bashCompletion(tree: CommandNode): string {
  const commands = allCommands(tree);
  const paths = commands.filter((one) => one !== tree).map((one) => `'${one.path}'`);
  return `# bash completion for ${tree.name}; made by \`${tree.name} completion bash\`
_${tree.name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} path=${tree.name} i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      *' --')
        if ((i + 1 == COMP_CWORD)); then mapfile -t COMPREPLY < <(compgen -c -- "$current"); else compopt -o default; fi
        return ;;
      ${paths.join('|')}) path="$path \${COMP_WORDS[i]}" ;;
    esac
  done
  # Bash takes "--option=value" for three words.
  if [ "$current" = = ]; then current=; fi
  if [ "$previous" = = ]; then previous=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  case "$path $previous" in
${valueCases(commands)}
  esac
  case "$path" in
${commands.map(commandCase).join('\n')}
  esac
}
complete -F _${tree.name} ${tree.name}
`;
}

function valueCases(commands: readonly CommandNode[]): string {
  return commands
    .flatMap((one) =>
      one.options.flatMap(({ names, value }) =>
        value === undefined
          ? []
          : [`    ${names.map((name) => `'${one.path} ${name}'`).join('|')}) ${reply(value)}; return ;;`],
      ),
    )
    .join('\n');
}

function commandCase(command: CommandNode): string {
  const options = command.options.flatMap((one) => one.names.filter((name) => name.startsWith('--')));
  const words = command.commands.length > 0 ? command.commands.map((one) => one.name) : command.words;
  return `    '${command.path}') if [[ $current == -* ]]; then ${reply(options)}; else ${reply(words)}; fi ;;`;
}

function reply(words: Words): string {
  if (words === 'nothing') return ':';
  if (words === 'files') return 'compopt -o default';
  const generated = words === 'a command' ? '-c' : `-W '${words.join(' ')}'`;
  return `mapfile -t COMPREPLY < <(compgen ${generated} -- "$current")`;
}
