import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createSoftwareContainer, openSoftwareContainer } from './index.ts';
import { FakeDelay, temporaryFile, TRAITS } from './test-container.ts';

test('it only rises: by epoch, then by index; a lower statement is refused at once', async (t) => {
  const file = await temporaryFile(t);
  await using container = (await createSoftwareContainer({ file, traits: TRAITS })).container;
  assert.deepEqual(container.watermark, { epoch: 0, index: 0 });
  for (const mark of [
    { epoch: 2, index: 7 },
    { epoch: 2, index: 7 },
    { epoch: 2, index: 8 },
    { epoch: 5, index: 1 },
  ]) {
    container.raiseWatermark(mark);
    assert.deepEqual(container.watermark, mark);
  }
  for (const mark of [
    { epoch: 5, index: 0 },
    { epoch: 4, index: 99 },
  ]) {
    assert.throws(() => container.raiseWatermark(mark), {
      code: 'watermark-falls',
      message: /signed at epoch 5, index 1/,
    });
  }
  assert.deepEqual(container.watermark, { epoch: 5, index: 1 });
});

test('closing stores it', async (t) => {
  const file = await temporaryFile(t);
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  container.raiseWatermark({ epoch: 3, index: 4 });
  await container[Symbol.asyncDispose]();
  await using again = await openSoftwareContainer({ file, traits: TRAITS });
  assert.deepEqual([again.watermark, again.watermarkFault], [{ epoch: 3, index: 4 }, undefined]);
});

test('while it changes it is stored once a second; a crash loses at most what came since', async (t) => {
  const file = await temporaryFile(t);
  const time = new FakeDelay();
  await using container = (await createSoftwareContainer({ file, traits: TRAITS, delay: time.delay })).container;
  for (let index = 1; index <= 100; index++) container.raiseWatermark({ epoch: 2, index });
  assert.deepEqual(time.waitingMs, [1000], 'one write, however many changes');
  time.pass();
  await settled(`${file}.mark`);
  container.raiseWatermark({ epoch: 2, index: 101 });
  assert.deepEqual(time.waitingMs, [1000]);
  const crashed = `${file}.crashed`;
  await copyFile(file, crashed);
  await copyFile(`${file}.mark`, `${crashed}.mark`);
  await using again = await openSoftwareContainer({ file: crashed, traits: TRAITS });
  assert.deepEqual(again.watermark, { epoch: 2, index: 100 });
});

test('killed right after an update was stored: the container is sound, however much it had signed before', async (t) => {
  const file = await temporaryFile(t);
  const time = new FakeDelay();
  await using container = (await createSoftwareContainer({ file, traits: TRAITS, delay: time.delay })).container;
  const crashed = `${file}.crashed`;
  for (let index = 1; index <= 5; index++) {
    container.raiseWatermark({ epoch: 4 * index, index });
    const stored = container.putConstituent({ license: 'cad', version: index, document: 'd' });
    container.raiseWatermark({ epoch: 4 * index + 1, index }); // it goes on signing meanwhile
    await stored;
    await copyFile(file, crashed);
    await copyFile(`${file}.mark`, `${crashed}.mark`);
    await using again = await openSoftwareContainer({ file: crashed, traits: TRAITS });
    assert.equal(again.watermarkFault, undefined);
    assert.equal(again.constituents.length, index);
  }
});

/** The write runs in the background: wait until the file says index 100. */
async function settled(file: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if ((await readFile(file)).readBigUInt64BE(40) === 100n) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.fail('the watermark was not stored');
}

test('removed, edited, from another container, or older than the container itself: undefined, and why', async (t) => {
  const file = await temporaryFile(t);
  const other = `${file}.other`;
  await (await createSoftwareContainer({ file: other, traits: TRAITS })).container[Symbol.asyncDispose]();
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  container.raiseWatermark({ epoch: 2, index: 5 });
  await container[Symbol.asyncDispose]();
  const old = await readFile(`${file}.mark`);
  const faultOf = async (): Promise<unknown> => {
    await using opened = await openSoftwareContainer({ file, traits: TRAITS });
    assert.equal(opened.watermark, opened.watermarkFault === undefined ? opened.watermark : undefined);
    return opened.watermarkFault;
  };
  assert.equal(await faultOf(), undefined);
  for (let byte = 0; byte < old.length; byte++) {
    const altered = Buffer.from(old);
    altered[byte] = (altered[byte] ?? 0) ^ 1;
    await writeFile(`${file}.mark`, altered);
    assert.equal(await faultOf(), 'damaged');
  }
  await copyFile(`${other}.mark`, `${file}.mark`);
  assert.equal(await faultOf(), 'damaged');
  await rm(`${file}.mark`);
  assert.equal(await faultOf(), 'missing');

  await writeFile(`${file}.mark`, old, { mode: 0o600 });
  const newer = await openSoftwareContainer({ file, traits: TRAITS });
  newer.raiseWatermark({ epoch: 2, index: 6 });
  await newer.putConstituent({ license: 'cad', version: 1, document: 'd' });
  await newer[Symbol.asyncDispose]();
  await writeFile(`${file}.mark`, old);
  assert.equal(await faultOf(), 'fallen');
});

test('after a loss the next statement sets it again', async (t) => {
  const file = await temporaryFile(t);
  await (await createSoftwareContainer({ file, traits: TRAITS })).container[Symbol.asyncDispose]();
  await rm(`${file}.mark`);
  const opened = await openSoftwareContainer({ file, traits: TRAITS });
  opened.raiseWatermark({ epoch: 8, index: 1 });
  assert.deepEqual([opened.watermark, opened.watermarkFault], [{ epoch: 8, index: 1 }, undefined]);
  await opened[Symbol.asyncDispose]();
  await using again = await openSoftwareContainer({ file, traits: TRAITS });
  assert.deepEqual(again.watermark, { epoch: 8, index: 1 });
});

test('once it can’t be stored, nothing more is signed, and closing says so', async (t) => {
  const file = await temporaryFile(t);
  const time = new FakeDelay();
  const { container } = await createSoftwareContainer({ file, traits: TRAITS, delay: time.delay });
  await rename(`${file}.mark`, `${file}.aside`);
  await mkdir(`${file}.mark`);
  container.raiseWatermark({ epoch: 2, index: 1 });
  time.pass();
  await container.putConstituent({ license: 'cad', version: 1, document: 'd' });
  await assert.rejects(async () => container[Symbol.asyncDispose](), { code: 'unwritable' });
  await rm(`${file}.mark`, { recursive: true });
  await using again = await openSoftwareContainer({ file, traits: TRAITS });
  assert.equal(again.watermarkFault, 'missing');
});
