import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { trefoilMain } from '../running-group.ts';

const folder = mkdtempSync(join(tmpdir(), 'trefoil-'));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'a-folder'));
writeFileSync(join(folder, 'a-file.json'), '');

const trefoil = (...words: string[]) => execFileSync(process.execPath, [trefoilMain, ...words], { encoding: 'utf8' });

/** The completion files, as the package installs them. */
const files = { bash: join(folder, 'trefoil'), fish: join(folder, 'trefoil.fish'), zsh: join(folder, '_trefoil') };
for (const [shell, file] of Object.entries(files)) writeFileSync(file, trefoil('completion', shell));

function run(program: string, args: readonly string[], input = ''): string {
  const options = { cwd: folder, input, encoding: 'utf8' } as const;
  return execFileSync(program, args, { ...options, env: { PATH: '/usr/bin:/bin', HOME: folder, TERM: 'dumb' } });
}

/** What is typed, and what is offered then; each shell has its own way to show it. */
const cases: readonly { readonly line: string; readonly offered: readonly string[] }[] = [
  { line: 'trefoil give', offered: ['give-back'] },
  { line: 'trefoil audit ', offered: ['bundle', 'verify'] },
  { line: 'trefoil audit verify --v', offered: ['--vendor'] },
  { line: 'trefoil usage --by ', offered: ['user'] },
  { line: 'trefoil completion ', offered: ['bash', 'fish', 'zsh'] },
  { line: 'trefoil run --product cad --wai', offered: ['--wait'] },
  { line: 'trefoil acquire ', offered: [] },
  { line: 'trefoil verify a-', offered: ['a-file.json', 'a-folder/'] },
  { line: 'trefoil status --client a-fi', offered: ['a-file.json'] },
];

describe('a shell completes', () => {
  test('bash', () => {
    for (const { line, offered } of cases) {
      const words = line.split(' ').map((word) => `'${word}'`);
      const script = `. ${files.bash}
        compopt() { mapfile -t COMPREPLY < <(compgen -f -- "$current" | sed 's,folder$,folder/,'); }
        COMP_WORDS=(${words.join(' ')}) COMP_CWORD=${words.length - 1}; _trefoil; printf '%s\\n' "\${COMPREPLY[@]}" | sort`;
      assert.deepEqual(run('bash', ['--norc', '-c', script]).split('\n').filter(Boolean), offered, line);
    }
  });

  test('bash, with a value after an equals sign, and a command after --', () => {
    const script = (words: string) => `. ${files.bash}
      COMP_WORDS=(${words}) COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _trefoil; echo "\${COMPREPLY[@]}"`;
    assert.equal(run('bash', ['--norc', '-c', script("trefoil usage --by = 'u'")]), 'user\n');
    assert.equal(run('bash', ['--norc', '-c', script("trefoil usage --by '='")]), 'user\n');
    assert.match(run('bash', ['--norc', '-c', script("trefoil run --product cad -- 'mkfif'")]), /mkfifo/);
  });

  test('fish', () => {
    for (const { line, offered } of cases) {
      const said = run('fish', ['--no-config', '-c', `source ${files.fish}; complete -C '${line}'`]);
      const words = said.split('\n').map((one) => one.split('\t')[0] ?? '');
      assert.deepEqual(words.filter(Boolean).sort(), offered, line);
    }
    const command = run('fish', [
      '--no-config',
      '-c',
      `source ${files.fish}; complete -C 'trefoil run --product cad -- mkfif'`,
    ]);
    assert.match(command, /^mkfifo\t/);
  });

  test('zsh', () => {
    for (const { line, offered } of cases) assert.deepEqual(offeredByZsh(line), offered, line);
    assert.deepEqual(offeredByZsh('trefoil run --product cad -- mkfif'), ['mkfifo']);
  });
});

describe('man', () => {
  test('shows every command, and finds nothing to complain about', () => {
    const page = join(folder, 'trefoil.1');
    writeFileSync(page, trefoil('manual'));
    const shown = spawnSync('man', ['--warnings', '-l', page], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', MANWIDTH: '100' },
    });
    assert.deepEqual([shown.status, shown.stderr], [0, '']);
    const commands = trefoil('--help').matchAll(/^ {2}([a-z-]+) [[<A-Z]/gm);
    const names = [...commands].map(([, name]) => name as string).filter((name) => name !== 'help');
    assert.ok(names.length > 20);
    for (const name of names) assert.match(shown.stdout, new RegExp(`trefoil ${name}`), name);
    assert.match(shown.stdout, /trefoil audit verify \[options\] <path>/);
    assert.match(shown.stdout, /EXIT STATUS\n +0 ok, 1 failure/);
  });
});

/** zsh completes in a terminal only: one of its own gets the line and a Tab, and prints what it would have offered. */
function offeredByZsh(line: string): string[] {
  const inner = `
    PROMPT= fpath=(${folder} $fpath)
    autoload -Uz compinit && compinit -u -d ${folder}/dump
    compadd() {
      local -a found
      if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
      builtin compadd -A found "$@"
      for one in $found; do print -r -- "offered $one"; done
    }
    complete-and-end() { zle complete-word; print -r -- "end of offers"; exit; }
    zle -C complete-word complete-word _main_complete
    zle -N complete-and-end
    bindkey "^I" complete-and-end
    print -r -- "ready for input"`;
  writeFileSync(join(folder, 'inner.zsh'), inner);
  const outer = `
    zmodload zsh/zpty
    zpty shell "zsh -f -i"
    zpty -w shell "source ${folder}/inner.zsh"
    zpty -r -m shell line "*ready for input*"
    zpty -n -w shell ${JSON.stringify(line)}$'\\t'
    zpty -r -m shell line "*end of offers*"
    print -r -- "$line"`;
  const offers = [...run('zsh', ['-f', '-c', outer]).matchAll(/offered (\S+)/g)].map(([, word]) => word as string);
  return [...new Set(offers)].map((word) => (word === 'a-folder' ? 'a-folder/' : word)).sort();
}
