import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { build } from 'esbuild';
import { createAuthority, issueCertificate } from './authority.ts';
import { listen } from './listen.ts';

const node20 = join(import.meta.dirname, '../../../node_modules/node-20/bin/node');

/** What runs on Node 20: connects, sends a frame, prints the answer and what it knows of the other end. */
const caller = `
  import { dial } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
  const [, , port, authorityPem] = process.argv;
  const options = { host: '127.0.0.1', port: Number(port), authorityPem, expectRole: 'tmr-server-A', timeoutMs: 5000 };
  const connection = await dial(options);
  connection.onFrame((frame) => {
    console.log(process.versions.node.split('.')[0], connection.peer.role, new TextDecoder().decode(frame));
    connection.close();
  });
  connection.send(new TextEncoder().encode('hello'));
  console.log(await connection.closed);`;

test('the part of the link that the client SDK carries runs on Node 20', async (t) => {
  assert.ok(existsSync(node20), 'node-20 is installed for this test');
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const outfile = join(directory, 'caller.mjs');
  const stdin = { contents: caller, resolveDir: import.meta.dirname, loader: 'ts' as const };
  await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20' });

  const authority = await createAuthority({ name: 'ours' });
  const certificate = { commonName: 'a', role: 'tmr-server-A', hosts: [], days: 1 };
  await using listener = await listen({
    host: '127.0.0.1',
    port: 0,
    identity: await issueCertificate(authority, certificate),
    onConnection: (connection) => connection.onFrame((frame) => connection.send(frame.slice())),
  });
  const child = spawn(node20, [outfile, String(listener.port), authority.certificatePem], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.equal(await text(child.stdout), '20 tmr-server-A hello\nundefined\n');
});
