import {
  create,
  GetRulesReplySchema,
  GetRulesRequestSchema,
  TryRulesReplySchema,
  TryRulesRequestSchema,
} from '@trefoil/api';
import type { Group } from '@trefoil/client';
import { systemRandom } from '@trefoil/host';
import {
  encodeCommand,
  keyIdBytes,
  parseAdminRules,
  type RulesCommand,
  signCommand,
  type UnnameCommand,
} from '@trefoil/license';
import { Command, Option } from 'commander';
import { type ClientOptions, findGroup, read, withClientOptions } from '../connection.ts';
import { readKey } from '../files.ts';
import { readRules, rulesAsFile } from '../rules-file.ts';
import { CliError, counted, EXIT, print, printable, printJson, table, time } from '../terminal.ts';
import { submitOutside } from './apply-update.ts';

const PATIENCE_MS = 10_000;

const EXAMPLE = `
A rules file (YAML):
  groups:
    design: { users: [anna, "ben*"], subnets: [10.1.0.0/16] }
  rules:
    - { rule: reserve, product: cad, seats: 2, for: { groups: [design] } }
    - { rule: limit, product: cad, seats: 1, each: user }
    - { rule: deny, product: cad, feature: mill, for: { hosts: ["lab-*"] } }
    - { rule: allow, product: sim, for: { groups: [design] } }`;

export function rulesCommand(): Command {
  return new Command('rules')
    .description('Your own rules: reserve seats, limit, allow or deny users, hosts, subnets and groups.')
    .addCommand(checkCommand())
    .addCommand(tryCommand())
    .addCommand(applyCommand())
    .addCommand(showCommand())
    .addHelpText(
      'after',
      `${EXAMPLE}\n\nExample:\n  trefoil rules try plant.rules.yaml\n  trefoil rules apply plant.rules.yaml --admin-key admin.key.pem`,
    );
}

function checkCommand(): Command {
  return new Command('check')
    .description('Say whether a rules file is well-formed, with the line of what is not. Needs no group.')
    .argument('<file>')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  trefoil rules check plant.rules.yaml')
    .action((file: string, options: { json?: boolean }) => {
      const { rules } = readRules(file, 1);
      if (options.json) printJson({ kind: 'well-formed', rules: rules.rules.map(({ words }) => words) });
      else if (rules.rules.length === 0) print('0 rules: takes all rules away');
      else for (const [i, { words }] of rules.rules.entries()) print(`${i + 1}. ${printable(words)}`);
    });
}

function tryCommand(): Command {
  return withClientOptions(new Command('try'))
    .description('Show who holds a seat now that these rules would deny him. Changes nothing.')
    .argument('<file>')
    .addHelpText('after', '\nExample:\n  trefoil rules try plant.rules.yaml')
    .action(async (file: string, options: ClientOptions) => {
      const { document } = readRules(file, 1);
      const group = await findGroup(options);
      try {
        const request = create(TryRulesRequestSchema, { set: group.configuration.set, document });
        const schemas = { request: TryRulesRequestSchema, reply: TryRulesReplySchema };
        const reply = await read(group, 'tryRules', schemas, request);
        if (options.json) return printJson(reply);
        const rows = reply.denied.map((one) => [
          one.user,
          one.host,
          `${one.seats} × ${one.product}${one.feature === '' ? '' : `/${one.feature}`}`,
          one.rule,
        ]);
        print(table(['user', 'host', 'holds', 'denied by'], rows, 'Nobody who holds a seat now would be denied it.'));
        for (const remark of reply.remarks) print(`! ${printable(remark)}`);
      } finally {
        group.close();
      }
    });
}

interface AdminOptions extends ClientOptions {
  readonly adminKey: string;
  readonly passphraseFile?: string;
}

function withAdminKey(command: Command): Command {
  return withClientOptions(command)
    .requiredOption('--admin-key <file>', 'PEM of an admin key that the group document names')
    .option('--passphrase-file <file>', 'passphrase of the admin key');
}

function applyCommand(): Command {
  return withAdminKey(new Command('apply'))
    .description('Put a rules file into force, in place of the rules before. Nobody loses a seat that he holds.')
    .argument('<file>')
    .addHelpText('after', '\nExample:\n  trefoil rules apply plant.rules.yaml --admin-key admin.key.pem')
    .action(async (file: string, options: AdminOptions) => {
      readRules(file, 1); // what is wrong with it comes before any question for keys
      const key = await readKey(options.adminKey, options.passphraseFile);
      const group = await findGroup(options);
      try {
        const standing = await rulesInForce(group);
        const { document } = readRules(file, standing.version + 1);
        const command = signCommand<RulesCommand>(
          group.configuration.set,
          { kind: 'rules', ...(await byAdmin(group, key.publicKey)), document },
          key,
        );
        const outcome = await submitOutside(group, encodeCommand(command), PATIENCE_MS);
        if (outcome.kind === 'unknown') throw new CliError(EXIT.notReachable, outcome.reason, outcome);
        if (outcome.kind !== 'ruled') throw new CliError(EXIT.denied, `refused: ${refusalOf(outcome)}`, outcome);
        if (options.json) printJson(outcome);
        else print(`in force: version ${outcome.version}, ${counted(outcome.rules, 'rule')}`);
      } finally {
        group.close();
      }
    });
}

function showCommand(): Command {
  return withClientOptions(new Command('show'))
    .description('The rules that are in force.')
    .addOption(new Option('--yaml', 'print a rules file, as "rules apply" takes it').conflicts('json'))
    .addHelpText('after', '\nExamples:\n  trefoil rules show\n  trefoil rules show --yaml > plant.rules.yaml')
    .action(async (options: ClientOptions & { yaml?: boolean }) => {
      const group = await findGroup(options);
      try {
        const { document, version, admin, sinceUtc } = await rulesInForce(group);
        if (options.json)
          return printJson({
            version,
            admin,
            sinceUtc,
            document: document === '' ? null : (JSON.parse(document) as unknown),
          });
        if (options.yaml) return print(rulesAsFile(document));
        if (document === '') return print('There are none: licenses alone decide.');
        print(`version ${version}, by ${printable(admin)}, since ${time(sinceUtc)}`);
        for (const [i, { words }] of parseAdminRules(document).rules.entries()) print(`${i + 1}. ${printable(words)}`);
      } finally {
        group.close();
      }
    });
}

export function unnameCommand(): Command {
  return withAdminKey(new Command('unname'))
    .description('Take a user or device off a license whose seats belong to names, so that another can have the seat.')
    .argument('<license>', 'its id from "trefoil licenses"')
    .argument('<name>', 'the user or host')
    .addHelpText('after', '\nExample:\n  trefoil unname cad-2026-0042 anna --admin-key admin.key.pem')
    .action(async (license: string, name: string, options: AdminOptions) => {
      const key = await readKey(options.adminKey, options.passphraseFile);
      const group = await findGroup(options);
      try {
        const command = signCommand<UnnameCommand>(
          group.configuration.set,
          { kind: 'unname', ...(await byAdmin(group, key.publicKey)), license, name },
          key,
        );
        const outcome = await submitOutside(group, encodeCommand(command), PATIENCE_MS);
        if (outcome.kind === 'unknown') throw new CliError(EXIT.notReachable, outcome.reason, outcome);
        if (outcome.kind !== 'unnamed') throw new CliError(EXIT.denied, `refused: ${refusalOf(outcome)}`, outcome);
        if (options.json) printJson(outcome);
        else print(printable(`${outcome.name} has no seat of ${outcome.license} any more`));
      } finally {
        group.close();
      }
    });
}

async function byAdmin(group: Group, key: Parameters<typeof keyIdBytes>[1]) {
  return {
    admin: keyIdBytes(group.crypto, key),
    nonce: systemRandom.bytes(16),
    atLogTime: await group.certifiedLogTime(),
  };
}

function rulesInForce(group: Group) {
  const request = create(GetRulesRequestSchema, { set: group.configuration.set });
  return read(group, 'getRules', { request: GetRulesRequestSchema, reply: GetRulesReplySchema }, request);
}

const WORDS: Readonly<Record<string, string>> = {
  'unknown-admin': "this key is not an admin's of this group (unknown-admin)",
  'unknown-name': 'no seat of this license belongs to that name (unknown-name); see "trefoil licenses --json"',
  'in-use': 'the name holds a seat right now (in-use); evict its session first',
};

function refusalOf(outcome: { readonly kind: string; readonly code?: string; readonly detail?: string }): string {
  const { kind, code = kind, detail = '' } = outcome;
  return WORDS[code] ?? `${code}${detail === '' ? '' : `: ${printable(detail)}`}`;
}
