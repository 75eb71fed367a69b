import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csv } from './csv.ts';
import { dayCsv, dayRow } from './day-rows.ts';

test('cells are quoted where RFC 4180 wants it, and no cell is a formula', () => {
  const cells: readonly (readonly [string | number, string])[] = [
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "x"', '"say ""x"""'],
    ['two\nlines', '"two\nlines"'],
    ['=HYPERLINK("http://x")', '"\'=HYPERLINK(""http://x"")"'],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@cmd', "'@cmd"],
    ['\tx', "'\tx"],
    ['\r=1', '"\'\r=1"'],
    [-3, '-3'],
    ['', ''],
  ];
  for (const [value, written] of cells) assert.equal(csv(['h'], [[value]]), `h\r\n${written}\r\n`);
});

test('a day has an average over what is over of it, and a column for each code of a denial', () => {
  const counted = {
    ...{ license: 'cad-1', product: 'cad', quantity: 5, peak: 3, seatMs: 2 * 3_600_000, overdraft: 0, grants: 4 },
    ...{ denials: { seats: 2 }, queued: 1, unserved: 0, units: 0 },
  };
  const noon = dayRow(20_000, counted, 20_000.5 * 86_400_000);
  assert.deepEqual([noon.day, noon.average, noon.seatHours], ['2024-10-04', 0.167, 2]);
  assert.equal(dayRow(20_000, counted, 20_003 * 86_400_000).average, 0.083);
  const [headings = '', row = ''] = dayCsv([noon]).split('\r\n');
  assert.equal(headings.split(',').length, row.split(',').length);
  assert.match(headings, /^day,license,product,.*denied_unknown_product,.*denied_seats$/);
  assert.match(row, /^2024-10-04,cad-1,cad,5,3,0\.167,2,7200000,0,4,1,0,0,2,.*,2$/);
});
