import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { fromBase64url, toBase64url } from './bytes.ts';
import { decodeCommand, encodeCommand } from './command-bytes.ts';
import { type Command, sessionHandleOf, sessionIdOf } from './commands.ts';
import type { Algorithm, PublicKey } from './crypto.ts';
import {
  verifyConfiguration,
  verifyConstituent,
  verifyIssuingKey,
  verifyLicense,
  verifyReconfiguration,
  verifyUpdate,
} from './documents.ts';
import type { DocumentType } from './envelope.ts';
import { decodeGrantBundle, verifyGrant } from './grant-bundle.ts';
import { verifyContainerRequest, verifyGroupDocument, verifyHandOver } from './group.ts';
import { merklePath, merkleTree, verifyMerklePath } from './merkle.ts';
import { nodeCrypto } from './node-crypto.ts';
import { decodeOutcome, encodeOutcome } from './outcomes.ts';
import {
  decodeAccept,
  decodePrepare,
  decodePromise,
  decodeRejoin,
  encodeAccept,
  encodePrepare,
  encodePromise,
  encodeRejoin,
} from './statements.ts';

const crypto = nodeCrypto();
const folder = join(import.meta.dirname, '../../../vectors');

interface RootJson {
  readonly alg: Algorithm;
  readonly key: string;
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(folder, path), 'utf8')) as T;
}

function eachFile<T>(path: string): [string, T][] {
  const names = globSync('*.json', { cwd: join(folder, path) }).sort();
  assert.ok(names.length > 0, `no vectors in ${path}`);
  return names.map((name) => [basename(name, '.json'), readJson<T>(`${path}/${name}`)]);
}

const keyOf = (root: RootJson): PublicKey => ({ alg: root.alg, bytes: fromBase64url(root.key) });

interface GrantVector {
  readonly root: RootJson;
  readonly at?: number;
  readonly sessionKey?: string;
  readonly validUntilUtc?: number;
  readonly why?: string;
  readonly bundle: string;
}

function verifyVector(vector: GrantVector) {
  return verifyGrant(crypto, keyOf(vector.root), decodeGrantBundle(vector.bundle), {
    ...(vector.at !== undefined && { at: vector.at }),
    ...(vector.sessionKey !== undefined && { sessionKey: fromBase64url(vector.sessionKey) }),
  });
}

describe('grants', () => {
  for (const [name, vector] of eachFile<GrantVector>('grants/valid'))
    test(`valid: ${name}`, () => assert.equal(verifyVector(vector).validUntilUtc, vector.validUntilUtc));
  for (const [name, vector] of eachFile<GrantVector>('grants/invalid'))
    test(`invalid: ${name}`, () =>
      assert.throws(() => verifyVector(vector), { name: 'LicenseError', code: vector.why }));
});

interface DocumentVector {
  readonly type: DocumentType;
  readonly root?: RootJson;
  readonly issuingKey?: string;
  readonly group?: string;
  readonly why?: string;
  readonly document: string;
}

function verifyDocument({ type, root, issuingKey, group, document }: DocumentVector): { readonly text: string } {
  const rootKey = (): PublicKey => keyOf(root as RootJson);
  const issuing = () => verifyIssuingKey(crypto, rootKey(), issuingKey as string);
  switch (type) {
    case 'trefoil-issuing-key':
      return verifyIssuingKey(crypto, rootKey(), document);
    case 'trefoil-configuration':
      return verifyConfiguration(crypto, issuing(), document);
    case 'trefoil-license':
      return verifyLicense(crypto, issuing(), document);
    case 'trefoil-constituent':
      return verifyConstituent(crypto, issuing(), document);
    case 'trefoil-update':
      return verifyUpdate(crypto, rootKey(), document);
    case 'trefoil-reconfiguration':
      return verifyReconfiguration(crypto, rootKey(), document);
    case 'trefoil-group':
      return verifyGroupDocument(crypto, document);
    case 'trefoil-request':
      return verifyContainerRequest(crypto, document);
    case 'trefoil-hand-over':
      return verifyHandOver(crypto, verifyGroupDocument(crypto, group as string), document);
  }
}

describe('documents', () => {
  for (const [name, vector] of eachFile<DocumentVector>('documents/valid'))
    test(`valid: ${name}`, () => assert.equal(verifyDocument(vector).text, vector.document));
  for (const [name, vector] of eachFile<DocumentVector>('documents/invalid'))
    test(`invalid: ${name}`, () =>
      assert.throws(() => verifyDocument(vector), { name: 'LicenseError', code: vector.why }));
});

interface EncodingVectors {
  readonly valid: readonly { readonly name: string; readonly value: { kind: string }; readonly bytes: string }[];
  readonly invalid: readonly {
    readonly name: string;
    readonly kind?: string;
    readonly why: string;
    readonly bytes: string;
  }[];
}

/** As the vectors write values: bytes in base64url. */
function jsonOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64url(value);
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, jsonOf(one)]));
}

const statements: Record<string, { decode: (bytes: Uint8Array) => object; again: (bytes: Uint8Array) => Uint8Array }> =
  {
    accept: { decode: decodeAccept, again: (bytes) => encodeAccept(decodeAccept(bytes)) },
    promise: { decode: decodePromise, again: (bytes) => encodePromise(decodePromise(bytes)) },
    prepare: { decode: decodePrepare, again: (bytes) => encodePrepare(decodePrepare(bytes)) },
    rejoin: { decode: decodeRejoin, again: (bytes) => encodeRejoin(decodeRejoin(bytes)) },
  };

describe('encodings', () => {
  const malformed = { name: 'LicenseError', code: 'malformed' };

  test('statements', () => {
    const { valid, invalid } = readJson<EncodingVectors>('statements.json');
    for (const { value, bytes } of valid) {
      const codec = statements[value.kind];
      if (codec === undefined) continue; // PROPOSE is only ever signed and verified, never read
      assert.deepEqual(jsonOf({ kind: value.kind, ...codec.decode(fromBase64url(bytes)) }), value);
      assert.equal(toBase64url(codec.again(fromBase64url(bytes))), bytes);
    }
    for (const { name, kind, bytes } of invalid)
      assert.throws(() => statements[kind as string]?.decode(fromBase64url(bytes)), malformed, name);
  });

  test('commands', () => {
    const vectors = readJson<EncodingVectors & { set: string; sessionId: string; sessionHandle: string }>(
      'commands.json',
    );
    for (const { value, bytes } of vectors.valid) {
      const command = decodeCommand(fromBase64url(bytes));
      assert.deepEqual(jsonOf(command), value);
      assert.equal(toBase64url(encodeCommand(command)), bytes);
    }
    for (const { name, bytes } of vectors.invalid)
      assert.throws(() => decodeCommand(fromBase64url(bytes)), malformed, name);
    const open = decodeCommand(fromBase64url(vectors.valid[0]?.bytes ?? '')) as Extract<Command, { kind: 'open' }>;
    const id = sessionIdOf(crypto, fromBase64url(vectors.set), open);
    assert.equal(toBase64url(id), vectors.sessionId);
    assert.equal(toBase64url(sessionHandleOf(crypto, id)), vectors.sessionHandle);
  });

  test('outcomes', () => {
    const { valid, invalid } = readJson<EncodingVectors>('outcomes.json');
    for (const { value, bytes } of valid) {
      const outcome = decodeOutcome(fromBase64url(bytes));
      assert.deepEqual(jsonOf(outcome), value);
      assert.equal(toBase64url(encodeOutcome(outcome)), bytes);
    }
    for (const { name, bytes } of invalid) assert.throws(() => decodeOutcome(fromBase64url(bytes)), malformed, name);
  });

  test('Merkle trees', () => {
    const { trees } = readJson<{ trees: { leaves: string[]; root: string; paths: string[][] }[] }>('merkle.json');
    for (const { leaves, root, paths } of trees) {
      const tree = merkleTree(crypto, leaves.map(fromBase64url));
      assert.equal(toBase64url(tree.root), root);
      leaves.forEach((leaf, index) => {
        const path = (paths[index] ?? []).map(fromBase64url);
        assert.deepEqual(merklePath(tree, index).map(toBase64url), paths[index]);
        const proof = { data: fromBase64url(leaf), index, leafCount: leaves.length, path, root: tree.root };
        assert.ok(verifyMerklePath(crypto, proof));
      });
    }
  });
});
