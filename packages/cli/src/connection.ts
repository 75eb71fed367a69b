import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import {
  type Client,
  ClientError,
  type ClientFile,
  connect,
  Group,
  readClientFile,
  systemMachine,
  Verifier,
} from '@trefoil/client';
import {
  create,
  fromBinary,
  type Method,
  parseAddress,
  PORTS,
  type StatusReply,
  StatusReplySchema,
  StatusRequestSchema,
  toBinary,
} from '@trefoil/api';
import type { Command } from 'commander';
import { CliError, EXIT } from './terminal.ts';

export interface ClientOptions {
  readonly client?: string;
  readonly vendorRoot?: string;
  readonly json?: boolean;
}

export function withClientOptions(command: Command): Command {
  return command
    .option(
      '--client <file>',
      'client file; default: TREFOIL_CLIENT, then ~/.config/trefoil/client.json, /etc/trefoil/client.json',
    )
    .option('--vendor-root <key>', "the vendor's root public key, base64url; default: the one in the client file")
    .option('--json', 'print JSON');
}

const PATIENCE_MS = 5_000;

/** Whom to ask, and by whose key to believe it. */
export async function trust(options: ClientOptions): Promise<{ clientFile: ClientFile; verifier: Verifier }> {
  const clientFile = await readClientFile(options.client);
  const root = options.vendorRoot ?? clientFile.vendorRoot;
  if (root === undefined)
    throw new CliError(EXIT.usage, "the client file doesn't name the vendor's root key: give it with --vendor-root");
  try {
    return { clientFile, verifier: new Verifier(root) };
  } catch (error) {
    if (error instanceof ClientError && options.vendorRoot !== undefined)
      throw new CliError(EXIT.usage, `--vendor-root: ${error.message}`);
    throw error;
  }
}

/** With a session: for what takes seats. */
export async function connectClient(options: ClientOptions, program: string): Promise<Client> {
  const { clientFile, verifier } = await trust(options);
  return connect({ clientFile, vendor: verifier, program, patienceMs: PATIENCE_MS });
}

/** Without a session: for reading, and for what admins and vendors send. */
export async function findGroup(options: ClientOptions): Promise<Group> {
  const { clientFile, verifier } = await trust(options);
  return Group.find({ file: clientFile, verifier, machine: systemMachine, patienceMs: PATIENCE_MS });
}

const REACH_MS = 2_000;

/** Whether a TMR server answers at this address, with a certificate of the group. */
export async function reaches({ authority, certificate, key }: ClientFile, address: string): Promise<boolean> {
  const place = parseAddress(address, PORTS.clients);
  if (place === undefined) return false;
  const socket = connectTls({ ...place, ca: authority, ALPNProtocols: ['trefoil/1'], cert: certificate, key });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(REACH_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** One read of the service, in and out of protobuf. */
export async function read<Q extends Parameters<typeof toBinary>[0], A extends Parameters<typeof fromBinary>[0]>(
  group: Group,
  method: Exclude<Method, 'submit' | 'watch'>,
  schemas: { request: Q; reply: A },
  request: Parameters<typeof toBinary<Q>>[1],
): Promise<ReturnType<typeof fromBinary<A>>> {
  const body = toBinary(schemas.request, request);
  return await group.servers.call(method, body, (reply) => fromBinary(schemas.reply, reply), PATIENCE_MS);
}

/** What a TMR server knows of the five. */
export function statusOf(group: Group): Promise<StatusReply> {
  const request = create(StatusRequestSchema, { set: group.configuration.set });
  return read(group, 'status', { request: StatusRequestSchema, reply: StatusReplySchema }, request);
}
