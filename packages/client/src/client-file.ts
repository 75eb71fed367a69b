import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseAddress, PORTS } from '@trefoil/api';
import { platform } from '@trefoil/host';
import { encodeUtf8, fromBase64url, LicenseError, parseStrictJson, type JsonObject } from '@trefoil/license';
import { ClientError } from './errors.ts';

/** How an application finds its group; written by `trefoil client add` (FORMATS §7). */
export interface ClientFile {
  readonly group: string;
  /** Base64url of the container set; left out where the group has one virtual container. */
  readonly set?: string;
  /** Virtual IP and both TMR servers, `host:port`; tried in this order. */
  readonly addresses: readonly string[];
  /** PEM of the authority that the TMR servers' certificates come from. */
  readonly authority: string;
  /** Where the group asks clients for one. */
  readonly certificate?: string;
  readonly key?: string;
  /** The vendor's root public key, base64url: for tools. An application pins its vendor's key itself. */
  readonly vendorRoot?: string;
}

const FORMAT = 'trefoil-client-1';
const MAX_BYTES = 256 * 1024;

export function encodeClientFile(file: ClientFile): string {
  return `${JSON.stringify({ format: FORMAT, ...file }, undefined, 2)}\n`;
}

/** @throws ClientError `bad-client-file` */
export function decodeClientFile(text: string, name: string): ClientFile {
  const bad = (why: string): ClientError => new ClientError('bad-client-file', `${name}: ${why}`);
  let json: JsonObject;
  try {
    json = parseStrictJson(encodeUtf8(text), MAX_BYTES) as JsonObject;
  } catch (error) {
    throw bad(error instanceof LicenseError ? error.message : String(error));
  }
  if (json === null || typeof json !== 'object' || json['format'] !== FORMAT) throw bad('not a Trefoil client file');
  for (const key of Object.keys(json)) if (!KNOWN.has(key)) throw bad(`unknown field "${key}"`);
  const { addresses } = json;
  if (!Array.isArray(addresses) || addresses.length === 0) throw bad('"addresses" is not a list of host:port');
  for (const address of addresses)
    if (typeof address !== 'string' || parseAddress(address, PORTS.clients) === undefined)
      throw bad(`"${String(address)}" is not an address like 10.0.0.8:${PORTS.clients}`);
  for (const key of ['group', 'authority'] as const)
    if (typeof json[key] !== 'string') throw bad(`"${key}" is missing`);
  for (const key of ['set', 'certificate', 'key', 'vendorRoot'] as const)
    if (json[key] !== undefined && typeof json[key] !== 'string') throw bad(`"${key}" is not a text`);
  if (json['set'] !== undefined && !isSet(json['set'] as string))
    throw bad(`"set" is not the id of a container set: ${SET_BYTES} bytes in base64url`);
  const { format: _format, ...file } = json;
  return file as unknown as ClientFile;
}

const SET_BYTES = 16;

function isSet(text: string): boolean {
  try {
    return fromBase64url(text).length === SET_BYTES;
  } catch {
    return false;
  }
}

const KNOWN = new Set(['format', 'group', 'set', 'addresses', 'authority', 'certificate', 'key', 'vendorRoot']);

/** In order: the path given, TREFOIL_CLIENT, the user's configuration folder, the machine's. */
function clientFilePlaces(given: string | undefined, env: NodeJS.ProcessEnv = process.env): string[] {
  if (given !== undefined) return [given];
  if (env['TREFOIL_CLIENT'] !== undefined && env['TREFOIL_CLIENT'] !== '') return [env['TREFOIL_CLIENT']];
  const own =
    env['XDG_CONFIG_HOME'] ?? (process.platform === 'win32' ? env['APPDATA'] : undefined) ?? join(homedir(), '.config');
  const machine = platform.folders.configuration;
  return [join(own, 'trefoil', 'client.json'), join(machine, 'client.json')];
}

const WHY_UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'no permission',
  EISDIR: 'it is a directory',
};

const origins = new WeakMap<ClientFile, string>();

/** As it is now, where it was read from; undefined: it was put together by hand, or can't be read any more. Never rejects. */
export async function readAgain(file: ClientFile): Promise<ClientFile | undefined> {
  const place = origins.get(file);
  return place === undefined ? undefined : readClientFile(place).catch(() => undefined);
}

/** Finds and reads the client file. @throws ClientError `no-client-file`, `bad-client-file` */
export async function readClientFile(given?: string): Promise<ClientFile> {
  const places = clientFilePlaces(given);
  for (const place of places) {
    let text: string;
    try {
      text = await readFile(place, 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' && places.length > 1) continue;
      const why = WHY_UNREADABLE[code ?? ''] ?? String(error);
      throw new ClientError('no-client-file', `cannot read ${place}: ${why}`);
    }
    const file = decodeClientFile(text, place);
    origins.set(file, place);
    return file;
  }
  throw new ClientError(
    'no-client-file',
    `no client file found (looked at ${places.join(', ')}); make one with "trefoil client add", or name it in TREFOIL_CLIENT`,
  );
}
