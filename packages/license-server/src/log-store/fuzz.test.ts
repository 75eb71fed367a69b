import { test } from 'node:test';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { segmentName } from './segment.ts';
import { open, seededRandom, writtenLog } from './test-log.ts';

const ALL = 'abcdefghi';

test('files of a log: suspect, or the records as they were; nothing is invented or reordered', async () => {
  const log = await writtenLog();
  for (const segment of [1, 2, 3]) {
    const name = segmentName(segment);
    await fuzz({
      valid: [new Uint8Array(log.bytes(name))],
      refuses: errorsOf('StoreError'),
      read: async (bytes) => {
        const disk = log.clone(seededRandom(1));
        disk.damage(name, () => Buffer.from(bytes));
        const { opened, texts } = await open(disk, { ifMissing: 'suspect' });
        if (opened.kind === 'open') await opened.store.close();
        if (!ALL.startsWith(texts.join(''))) throw new Error(`records ${texts.join()}`);
        if (opened.kind === 'open' && texts.length < ALL.length - 1) throw new Error('a confirmed record was cut');
        return undefined;
      },
    });
  }
});
