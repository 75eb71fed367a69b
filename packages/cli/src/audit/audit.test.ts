import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { toBase64url } from '@trefoil/license';
import { seedKey } from '@trefoil/license/fixtures';
import { runProgram } from '../program.ts';
import { MAX_BLOCK_BYTES, readBlocks } from './blocks.ts';
import { type BundleItem, BundleWriter, readBundle } from './bundle.ts';
import { TestDirectory } from './test-log.ts';

describe('an audit, offline and with the vendor’s public key only', () => {
  let place: string;
  let vendor: string;
  let data: string;
  let handle = '';
  before(async () => {
    place = await mkdtemp(join(tmpdir(), 'trefoil-audit-'));
    vendor = join(place, 'vendor-root.pub');
    data = join(place, 'data');
    const log = await TestDirectory.create(data);
    await writeFile(vendor, toBase64url(log.fixture.root.publicKey.bytes));
    await log.sell(3);
    const [anna, bert] = [await log.open('anna'), await log.open('bert')];
    await log.entry([log.acquire(anna, 2)]); // hold 1
    await log.entry([log.acquire(bert), log.acquire(bert)]); // the second is denied
    await log.entry([], { isRoot: true });
    await log.entry([], { afterMs: 60_000 }); // over midnight
    await log.entry([log.release(anna, 1)], { afterMs: 60_000 });
    await log.entry([], { isRoot: true });
    await log.entry([log.evict(bert)]);
    handle = Buffer.from([...log.ledger.handles.values()].find(({ user }) => user === 'bert')?.handle ?? []).toString(
      'hex',
    );
    await log.entry([], { isRoot: true });
    await log.entry([]);
    await log.close();
  });
  after(() => rm(place, { recursive: true, force: true }));

  /** The command, in this process: what it prints, and its exit code. */
  async function trefoil(...args: string[]): Promise<{ code: number; out: string }> {
    let out = '';
    const [stdout, stderr] = [process.stdout.write.bind(process.stdout), process.stderr.write.bind(process.stderr)];
    // What the test runner itself writes are no strings.
    const say = (text: string | Uint8Array): boolean => {
      if (typeof text !== 'string') return stdout(text);
      out += text;
      return true;
    };
    Object.assign(process.stdout, { write: say });
    Object.assign(process.stderr, { write: say });
    try {
      return { code: await runProgram(['node', 'trefoil', ...args]), out };
    } finally {
      Object.assign(process.stdout, { write: stdout });
      Object.assign(process.stderr, { write: stderr });
      process.exitCode = 0;
    }
  }
  const verify = (path: string, ...more: string[]) => trefoil('audit', 'verify', path, '--vendor', vendor, ...more);
  const bundle = (out: string, ...more: string[]) =>
    trefoil('audit', 'bundle', '--data', data, '--vendor', vendor, '--out', out, ...more);

  interface Line {
    readonly license: string;
    readonly peak: number;
    readonly seatHours: number;
    readonly grants: number;
  }
  interface Report {
    readonly kind: string;
    readonly entries: number;
    readonly from: { readonly index: number; readonly isBeginning: boolean };
    readonly licenses: readonly Line[];
    readonly acts: readonly { readonly kind: string; readonly by: string; readonly what: string }[];
  }
  async function report(path: string, ...more: string[]): Promise<Report> {
    const { code, out } = await verify(path, '--json', ...more);
    assert.equal(code, 0, out);
    return JSON.parse(out) as Report;
  }
  /** Exit code 1, and one sentence. */
  async function refused(path: string): Promise<string> {
    const { code, out } = await verify(path);
    assert.equal(code, 1, out);
    assert.match(out, /^trefoil: [^\n]+\n$/);
    return out;
  }

  test('a data directory is sound, and says who did what and what was used', async () => {
    const { kind, entries, from, licenses, acts } = await report(data);
    assert.deepEqual([kind, entries, from.index, from.isBeginning], ['sound', 13, 1, true]);
    // Two seats for 122 s, from entry 5 to entry 9; one for 128 s, from entry 6 to entry 13.
    const seatHours = Number(((2 * (1 + 1 + 60 + 60) + (1 + 60 + 60 + 1 + 1 + 1 + 1)) / 3_600).toFixed(3));
    assert.deepEqual(licenses, [
      {
        license: 'cad-1',
        product: 'cad',
        quantity: 3,
        peak: 3,
        overdraft: 0,
        seatHours,
        grants: 2,
        units: 0,
        denials: { seats: 1 },
      },
    ]);
    assert.deepEqual(
      acts.map(({ kind: what, by }) => [what, by]),
      [
        ['update', 'vendor acme'],
        ['evict', 'admin'],
      ],
    );
    assert.equal(acts[1]?.what, `session ${handle}: needed`);
    assert.match((await verify(data)).out, /^SOUND: .*\nfrom +2026-11-24 23:59:00Z, entry 1: where the log begins\n/);
    assert.match((await verify(data)).out, /\nto .*, entry 13; later entries may exist\n/);
  });

  test('a bundle says the same, wherever it lies', async () => {
    const [file, moved] = [join(place, 'whole.audit'), join(place, 'elsewhere')];
    assert.equal((await bundle(file)).code, 0);
    assert.match((await bundle(file)).out, /already exists/);
    await mkdir(moved);
    await rename(file, join(moved, 'x'));
    assert.deepEqual(await report(join(moved, 'x')), await report(data));
  });

  test('from a later day, it begins at a snapshot', async () => {
    const file = join(place, 'later.audit');
    assert.equal((await bundle(file, '--from', '2026-11-26')).code, 0);
    const { from, entries, licenses } = await report(file);
    assert.deepEqual([from.index, from.isBeginning, entries], [12, false, 2]);
    assert.deepEqual(
      licenses.map(({ peak }) => peak),
      [3],
    );
    assert.deepEqual((await report(data, '--from', '2026-11-26')).from, from);
  });

  test('without names, the chain and the usage are proved, and it says what is not', async () => {
    const file = join(place, 'nameless.audit');
    assert.equal((await bundle(file, '--without-names')).code, 0);
    const { kind, entries, licenses } = await report(file);
    assert.deepEqual([kind, entries], ['sound-without-names', 13]);
    const whole = (await report(data)).licenses;
    // Up to the last root: two seconds before the end.
    assert.deepEqual(
      licenses.map(({ peak, grants }) => [peak, grants]),
      whole.map(({ peak, grants }) => [peak, grants]),
    );
    assert.match((await verify(file)).out, /NOT checked: what is in the entries/);
    const bytes = Buffer.concat((await unpacked(file)).map((block) => block.bytes)).toString('latin1');
    for (const name of ['anna', 'bert', 'desk', '10.1.2.3', 'admin', 'needed', handle])
      assert.ok(!bytes.includes(name), name);
    assert.ok(bytes.includes('cad-1'));
    assert.match(
      (await trefoil('usage', '--by', 'user', '--audit', file, '--vendor', vendor)).out,
      /it was made without names/,
    );
  });

  test('usage by user, with names or pseudonyms', async () => {
    const byUser = (...more: string[]) =>
      trefoil('usage', '--by', 'user', '--audit', data, '--vendor', vendor, ...more);
    const rows = (out: string) => (JSON.parse(out) as { users: { user: string }[] }).users;
    assert.deepEqual(rows((await byUser('--json')).out), [
      { user: 'anna', product: 'cad', seatHours: 0.068, grants: 1, denials: 0 },
      { user: 'bert', product: 'cad', seatHours: 0.035, grants: 1, denials: 1 },
    ]);
    // Of the second day only: anna's two seats for 66 s, bert's for 70 s.
    const second = await byUser('--csv', '--from', '2026-11-25');
    assert.equal(second.out, 'user,product,seat_hours,grants,denials\r\nanna,cad,0.037,0,0\r\nbert,cad,0.019,0,0\r\n');
    const key = join(place, 'names.key');
    const made = await byUser('--jsonl', '--pseudonyms', key);
    assert.match(made.out, /^made .*names\.key/);
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    const again = await byUser('--jsonl', '--pseudonyms', key);
    assert.ok(made.out.endsWith(again.out) && !again.out.includes('anna'));
    assert.equal((await byUser('--license', 'cad-1')).code, 2);
    assert.equal((await trefoil('usage', '--by', 'user')).code, 2);
  });

  test('a flipped bit, a missing end, something behind it: refused with a sentence', async () => {
    const [file, bent] = [join(place, 'flips.audit'), join(place, 'bent.audit')];
    await bundle(file);
    const bytes = await readFile(file);
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 97)) {
      const altered = Buffer.from(bytes);
      altered[at] = (altered[at] as number) ^ (1 << (at % 8));
      await writeFile(bent, altered);
      assert.match(await refused(bent), /bent\.audit: (the block at byte|it does not begin like|the file ends at)/);
      await writeFile(bent, bytes.subarray(0, at));
      assert.match(await refused(bent), /the file ends at byte/);
    }
    await writeFile(bent, Buffer.concat([bytes, Buffer.alloc(1)]));
    assert.match(await refused(bent), /something stands behind its end/);
    await writeFile(bent, 'no bundle at all');
    assert.match(await refused(bent), /does not begin like a bundle/);
  });

  test('a well-made bundle with other content is not sound, and the entry is named', async () => {
    const file = join(place, 'genuine.audit');
    await bundle(file);
    const entryOf = (item: BundleItem): number => (item.kind === 'entries' ? item.entries.from : 0);
    const bend = (change: (item: BundleItem) => BundleItem[]) => rewritten(file, join(place, 'bent'), change);
    const cases: Readonly<Record<string, readonly [(item: BundleItem) => BundleItem[], RegExp]>> = {
      'an altered entry': [
        (item) => (item.kind === 'entries' && entryOf(item) === 5 ? [withEntry(item, flipped)] : [item]),
        /NOT SOUND: entry 5: it is not what was certified, or does not follow/,
      ],
      'an entry left out': [
        (item) => (entryOf(item) === 6 ? [] : [item]),
        /NOT SOUND: entry 6: it is missing; the next one that is there is 7/,
      ],
      'an entry twice': [(item) => (entryOf(item) === 6 ? [item, item] : [item]), /NOT SOUND: entry 7: it is missing/],
      'an altered vote': [
        (item) =>
          item.kind === 'entries' && entryOf(item) === 9
            ? [{ ...item, entries: { ...item.entries, certificate: flipped(item.entries.certificate) } }]
            : [item],
        /NOT SOUND: entry 9: its certificate: the vote of license server 3 is not valid/,
      ],
      'no entries': [
        (item) => (item.kind === 'entries' ? [] : [item]),
        /NOT SOUND: entry 1: it is missing, and so is all behind it/,
      ],
    };
    for (const [name, [change, sentence]] of Object.entries(cases))
      assert.match(await refused(await bend(change)), sentence, name);
    const other = await bend((item) =>
      item.kind === 'documents' ? [{ ...item, documents: { ...item.documents, configuration: 'x.y.z' } }] : [item],
    );
    assert.match(await refused(other), /the configuration: /);
    const stranger = join(place, 'stranger.pub');
    await writeFile(stranger, toBase64url(seedKey('stranger').publicKey.bytes));
    assert.match((await trefoil('audit', 'verify', file, '--vendor', stranger)).out, /the issuing key: /);
  });

  test('without names nothing can be held back, and no other usage shown', async () => {
    const file = join(place, 'held.audit');
    await bundle(file, '--without-names');
    const bend = (change: (item: BundleItem) => BundleItem[]) => rewritten(file, join(place, 'bent'), change);
    const altered = await bend((item) =>
      item.kind === 'records' ? [{ ...item, proof: flipped(item.proof) }] : [item],
    );
    assert.match(await refused(altered), /entry 14: /);
    const atAnother = await bend((item) => (item.kind === 'records' ? [{ ...item, index: 7 }] : [item]));
    assert.match(await refused(atAnother), /entry 7: its records are shown, and it names no root/);
    const shorter = await bend((item) => (item.kind === 'hashes' && item.entries.from === 4 ? [] : [item]));
    assert.match(await refused(shorter), /entry 4: it is missing; the next one that is there is 5/);
    const mixed = await bend((item) =>
      item.kind === 'hashes'
        ? [{ kind: 'entries', entries: { ...item.entries, entries: [new Uint8Array(1)] } }]
        : [item],
    );
    assert.match(await refused(mixed), /a part of another kind of bundle/);
  });

  test('two who write the same bundle at once do not write into each other', async () => {
    const folder = join(place, 'at-once');
    await mkdir(folder);
    const file = join(folder, 'x.audit');
    const written = async (name: string, size: number): Promise<void> => {
      const writer = await BundleWriter.create(file);
      await writer.write({ kind: 'documents', documents: { issuingKey: name, configuration: 'b', group: 'c' } });
      await writer.write({ kind: 'snapshot', index: 7, bytes: new Uint8Array(size) });
      await writer.finish();
    };
    await Promise.all([written('one', 3_000_000), written('two', 10)]);
    let parts = 0;
    for await (const item of readBundle(file)) parts += item.kind === 'documents' || item.kind === 'snapshot' ? 1 : 0;
    assert.equal(parts, 2);
    await (await BundleWriter.create(file)).abandon();
    assert.deepEqual(await readdir(folder), ['x.audit']);
  });

  test('what is not there, or not what it takes, is a sentence', async () => {
    const [nowhere, nameless] = [join(place, 'nowhere', 'x'), join(place, 'without.audit')];
    assert.equal(await refused(nowhere), `trefoil: ${nowhere}: there is no such file or folder\n`);
    assert.match((await bundle(nowhere)).out, /^trefoil: [^\n]*nowhere[^\n]*: there is no such file or folder\n$/);
    await bundle(nameless, '--without-names');
    for (const more of [[], ['--without-names']]) {
      const again = ['audit', 'bundle', '--data', nameless, '--vendor', vendor, '--out', join(place, 'again'), ...more];
      const { code, out } = await trefoil(...again);
      assert.equal(code, 1, out);
      assert.match(out, /^trefoil: [^\n]*without\.audit: it was made without names: [^\n]+\n$/);
    }
  });

  test('a key for pseudonyms is one', async () => {
    const key = join(place, 'bad.key');
    for (const [text, sentence] of [
      ['abc', /bad\.key: it is no key for pseudonyms/],
      ['', /bad\.key: it is no key for pseudonyms/],
      [`${toBase64url(new Uint8Array(31))}\n`, /32 bytes in base64url/],
    ] as const) {
      await writeFile(key, text, { mode: 0o600 });
      const { code, out } = await trefoil(
        ...['usage', '--by', 'user', '--audit', data, '--vendor', vendor, '--pseudonyms', key],
      );
      assert.equal(code, 1);
      assert.match(out, sentence);
    }
  });

  test('days that end before they begin are refused', async () => {
    const days = ['--from', '2026-11-26', '--to', '2026-11-25'];
    for (const by of [[], ['--by', 'user', '--audit', data, '--vendor', vendor]])
      assert.deepEqual(await trefoil('usage', ...by, ...days), {
        code: 2,
        out: 'trefoil: --from 2026-11-26 is after --to 2026-11-25\n',
      });
  });

  test('a file that lies about its sizes takes no memory', async () => {
    const file = join(place, 'bomb.audit');
    const bomb = await promisify(zstdCompress)(Buffer.alloc(64 * 1024 * 1024));
    for (const [says, packed] of [
      [100, bomb],
      [MAX_BLOCK_BYTES, bomb],
      [0xffff_ffff, bomb],
    ] as const) {
      const head = Buffer.alloc(9);
      head.writeUInt8(1, 0);
      head.writeUInt32BE(says, 1);
      head.writeUInt32BE(packed.length, 5);
      const magic = Buffer.from('trefoil audit 1\n');
      const chain = sha256(Buffer.concat([sha256(magic), head, packed]));
      await writeFile(file, Buffer.concat([magic, head, packed, chain]));
      assert.match(await refused(file), /the block at byte 16 (has another length than it says|is damaged)/);
    }
  });

  test('a log file that is missing is a gap with a name; without the oldest it begins later', async () => {
    const copy = join(place, 'copy');
    await cp(data, copy, { recursive: true });
    await rm(join(copy, 'archive', 'log-0000000002.seg.zst'));
    assert.match(
      await refused(copy),
      /NOT SOUND: entry 8: it is missing, and so are those behind it up to 9: .* --from with a day after 2026-11-24/,
    );
    await rm(join(copy, 'archive', 'log-0000000001.seg.zst'));
    assert.deepEqual((await report(copy)).from.index, 10);
    await writeFile(join(copy, 'archive', 'log-0000000003.seg.zst'), 'no zstd');
    assert.match(await refused(copy), /log-0000000003\.seg\.zst: it can't be unpacked/);
  });

  test('a crash between archive and removal leaves both, and nothing is counted twice', async () => {
    const copy = join(place, 'both');
    await cp(data, copy, { recursive: true });
    const packed = await readFile(join(copy, 'archive', 'log-0000000003.seg.zst'));
    await writeFile(join(copy, 'log-0000000003.seg'), await promisify(zstdDecompress)(packed));
    assert.deepEqual(await report(copy), await report(data));
  });

  test('what is no evidence says so', async () => {
    assert.match(await refused(join(place, 'nowhere')), /nowhere: /);
    assert.match(await refused(place), /not the data directory of a license server/);
    assert.equal((await trefoil('audit', 'verify', data)).code, 2);
  });
});

function flipped(bytes: Uint8Array): Uint8Array {
  const altered = new Uint8Array(bytes);
  altered[altered.length - 1] = (altered.at(-1) as number) ^ 1;
  return altered;
}

function withEntry(
  item: Extract<BundleItem, { kind: 'entries' }>,
  change: (entry: Uint8Array) => Uint8Array,
): BundleItem {
  return { ...item, entries: { ...item.entries, entries: item.entries.entries.map(change) } };
}

/** By somebody who knows the format. */
async function rewritten(from: string, to: string, change: (item: BundleItem) => BundleItem[]): Promise<string> {
  const writer = await BundleWriter.create(to);
  for await (const item of readBundle(from)) for (const one of change(item)) await writer.write(one);
  await writer.finish();
  return to;
}

async function unpacked(file: string) {
  const blocks = [];
  for await (const block of readBlocks(file)) blocks.push(block);
  return blocks;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
