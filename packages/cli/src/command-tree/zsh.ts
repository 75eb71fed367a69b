import { allCommands, type CommandNode, type OptionNode, type Words } from './tree.ts';

export function zshCompletion(tree: CommandNode): string {
  return `#compdef ${tree.name}
# zsh completion for ${tree.name}; made by \`${tree.name} completion zsh\`
${allCommands(tree).map(functionOf).join('\n')}
if [ "$funcstack[1]" = _${tree.name} ]; then _${tree.name} "$@"; else compdef _${tree.name} ${tree.name}; fi
`;
}

function functionOf(command: CommandNode): string {
  const name = functionName(command);
  const options = command.options.map(optionSpec);
  if (command.commands.length === 0) {
    return `${name}() {\n  _arguments -S ${[...options, ...argumentSpecs(command)].join(' \\\n    ')}\n}`;
  }
  // Not "commands": that is zsh's own table of all commands, which the words after -- are taken from.
  return `${name}() {
  local state curcontext="$curcontext"
  local -a below=(
    ${command.commands.map((one) => quoted(`${one.name}:${one.description.replaceAll(/[\\:]/g, String.raw`\$&`)}`)).join('\n    ')}
  )
  _arguments -C ${options.join(' ')} '1: :->command' '*:: :->words'
  case $state in
    command) _describe command below ;;
    words) case $words[1] in
      ${command.commands.map((one) => `${one.name}) ${functionName(one)} ;;`).join('\n      ')}
    esac ;;
  esac
}`;
}

function functionName({ path }: CommandNode): string {
  return `_${path.replaceAll(/\W/g, '_')}`;
}

function optionSpec({ names, description, value }: OptionNode): string {
  const text = description.replaceAll(/[[\]\\]/g, String.raw`\$&`);
  const after = value === undefined ? '' : `: :${action(value)}`;
  return names.map((name) => quoted(`${name}[${text}]${after}`)).join(' ');
}

function argumentSpecs({ words, arguments: [first] }: CommandNode): string[] {
  if (first === undefined) return [];
  return [words === 'a command' ? "'*:: :_normal'" : quoted(`*: :${action(words)}`)];
}

function action(words: Words): string {
  if (words === 'files') return '_files';
  return Array.isArray(words) ? `(${words.join(' ')})` : ' ';
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
