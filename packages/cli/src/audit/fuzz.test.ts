import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openUsageProof } from '@trefoil/core';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { BundleWriter, readBundle } from './bundle.ts';
import { TestDirectory } from './test-log.ts';

let place: string;
before(async () => void (place = await mkdtemp(join(tmpdir(), 'trefoil-bundle-'))));
after(() => rm(place, { recursive: true, force: true }));

test('a bundle is read as it was written, or refused by a sentence; a bit of it that is another is noticed', async () => {
  const [file, bent] = [join(place, 'valid'), join(place, 'bent')];
  const writer = await BundleWriter.create(file);
  await writer.write({ kind: 'documents', documents: { issuingKey: 'a', configuration: 'b', group: 'c' } });
  await writer.write({ kind: 'snapshot', index: 7, bytes: new Uint8Array(3_000_000).fill(7) });
  const entries = { from: 8, entries: [new Uint8Array(900), new Uint8Array(2)], certificate: new Uint8Array(300) };
  for (let i = 0; i < 3; i++) await writer.write({ kind: 'entries', entries });
  await writer.finish();
  await fuzz({
    valid: [new Uint8Array(await readFile(file))],
    refuses: errorsOf('BlockFault'),
    seals: true,
    read: async (bytes) => {
      await writeFile(bent, bytes);
      let items = 0;
      for await (const item of readBundle(bent)) items += item.kind === 'documents' ? 0 : 1;
      if (items !== 4) throw new Error(`${items} parts`);
      return undefined;
    },
  });
});

test('records shown without names: those of the certified root, or refused', async () => {
  const log = await TestDirectory.create(join(place, 'data'));
  await log.sell(3);
  const session = await log.open('anna');
  await log.entry([log.acquire(session)]);
  const { proof, root } = log.usageProof();
  await log.close();
  const { group: _group, ...context } = log.context;
  await fuzz({
    valid: [proof],
    refuses: errorsOf('LicenseError'),
    seals: true,
    read: (bytes) => {
      openUsageProof(context, bytes, root);
      return undefined;
    },
  });
});
