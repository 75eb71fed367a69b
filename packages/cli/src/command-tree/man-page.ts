import { allCommands, type CommandNode } from './tree.ts';

/** All commands on one page of section 1, in the man macros of troff. No date: the same program gives the same page. */
export function manPage(tree: CommandNode, version: string): string {
  const lines = [
    `.TH ${tree.name.toUpperCase()} 1 "" "Trefoil ${version}" "Trefoil"`,
    ...['.SH NAME', `${tree.name} \\- license management that does not fail`],
    ...['.SH SYNOPSIS', `.B ${tree.name}`, '.I command', '[\\fIoptions\\fR] [\\fIarguments\\fR]'],
    ...['.SH DESCRIPTION', escaped(tree.description)],
    'Three of its servers vote, two lead; any license server and any TMR server may die, and no user notices.',
    ...['.SH OPTIONS', ...described(tree)],
    ...['.SH COMMANDS', ...allCommands(tree).flatMap((one) => (one.commands.length > 0 ? [] : section(one)))],
    ...['.SH EXIT STATUS', escaped(exitCodesOf(tree))],
    '.SH FILES',
    ...term('/etc/trefoil/license-server.yaml, /etc/trefoil/tmr-server.yaml', 'what the two services run with'),
    ...term('/etc/trefoil/client.json', 'the group that applications on this computer use'),
    ...term('/var/lib/trefoil', 'logs and containers of the servers'),
  ];
  return `${lines.join('\n')}\n`;
}

function section(command: CommandNode): string[] {
  const { path, usage, description, afterHelp } = command;
  const after = afterHelp === '' ? [] : ['.PP', '.nf', ...afterHelp.split('\n').map(escaped), '.fi'];
  return [`.SS ${escaped(`${path} ${usage}`.trim())}`, escaped(description), ...described(command), ...after];
}

function described(command: CommandNode): string[] {
  const own = command.options.filter((one) => !one.names.includes('--help'));
  return [
    ...command.arguments.flatMap((one) => (one.description === '' ? [] : term(`<${one.name}>`, one.description))),
    ...own.flatMap((one) => term(one.flags, one.description)),
  ];
}

function term(name: string, description: string): string[] {
  return ['.TP', `.B ${escaped(name)}`, escaped(description)];
}

function exitCodesOf(tree: CommandNode): string {
  return /Exit codes: (.*)/.exec(tree.afterHelp)?.[1] ?? '';
}

/** A line that begins with a dot or an apostrophe would be an order; a bare hyphen is printed as a dash. */
function escaped(text: string): string {
  const inked = text.replaceAll('\\', String.raw`\e`).replaceAll('-', String.raw`\-`);
  return /^[.']/.test(inked) ? String.raw`\&${inked}` : inked;
}
