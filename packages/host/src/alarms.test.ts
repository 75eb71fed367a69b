import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { clockAlarm, diskAlarm, expiryAlarm } from './alarm-limits.ts';
import { type AlarmChange, Alarms, ALARMS } from './alarms.ts';
import { type LogFields, silentLog } from './log.ts';

/** Alarms by a clock that stands until it is moved; what was logged, and what was told. */
function testAlarms() {
  const clock = { ms: 1_000, monotonicMs: () => clock.ms, wallMs: () => clock.ms };
  const logged: string[] = [];
  const say =
    (level: string) =>
    (fields: LogFields, message: string): void =>
      void logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const alarms = new Alarms({ clock, log: { ...silentLog, info: say('info'), warn: say('warn') } });
  const changes: AlarmChange[] = [];
  alarms.onChange((change) => changes.push(change));
  return { alarms, clock, logged, changes };
}

describe('alarms', () => {
  test('are logged when they begin and when they end, however often they are raised', () => {
    const { alarms, clock, logged, changes } = testAlarms();
    for (const free of [3, 2, 1]) alarms.raise('disk-filling', `only ${free}`, { lasting: true });
    assert.deepEqual(alarms.current(), [{ code: 'disk-filling', detail: 'only 1', about: '' }]);
    clock.ms += 1e9;
    assert.equal(alarms.current().length, 1);
    for (let i = 0; i < 2; i++) alarms.clear('disk-filling');
    assert.deepEqual(alarms.current(), []);
    assert.deepEqual(logged, [
      'warn alarm {"alarm":"disk-filling","detail":"only 3"}',
      'info alarm ended {"alarm":"disk-filling","detail":"only 1"}',
    ]);
    assert.deepEqual(
      changes.map(({ state, detail, atWallMs }) => [state, detail, atWallMs]),
      [
        ['raised', 'only 3', 1_000],
        ['cleared', 'only 1', 1e9 + 1_000],
      ],
    );
  });

  test('end by themselves a minute after they were last raised', () => {
    const { alarms, clock, changes } = testAlarms();
    alarms.raise('odd-vote', 'at entry 7');
    clock.ms += 59_000;
    alarms.raise('odd-vote', 'at entry 8');
    clock.ms += 59_999;
    assert.equal(alarms.current()[0]?.detail, 'at entry 8');
    clock.ms += 1;
    assert.deepEqual(alarms.current(), []);
    alarms.raise('odd-vote', 'at entry 9');
    assert.deepEqual(
      changes.map(({ state }) => state),
      ['raised', 'cleared', 'raised'],
    );
  });

  test('of one virtual container are none of another, and those of the server are everybody’s', () => {
    const { alarms, logged } = testAlarms();
    alarms.keep('no-quorum', 'one votes', 'cad');
    alarms.keep('disk-filling', 'full');
    const codes = (about?: string) => alarms.current(about).map(({ code }) => code);
    assert.deepEqual(
      [codes('cad'), codes('cam'), codes().length],
      [['no-quorum', 'disk-filling'], ['disk-filling'], 2],
    );
    assert.match(logged[0] ?? '', /"virtualContainer":"cad"/);
    alarms.keep('no-quorum', undefined, 'cam');
    assert.equal(codes('cad').length, 2);
    alarms.keep('no-quorum', undefined, 'cad');
    assert.deepEqual(codes('cad'), ['disk-filling']);
  });

  test('have codes of one form and a meaning in one sentence', () => {
    for (const [code, meaning] of Object.entries(ALARMS)) {
      assert.match(code, /^[a-z]+(-[a-z]+)*$/);
      assert.match(meaning, /^[A-Z].*\.$/);
    }
  });
});

describe('limits', () => {
  const DAY_MS = 86_400_000;
  const end = Date.UTC(2027, 0, 31);

  test('what expires is an alarm thirty days before', () => {
    const at = (days: number): string | undefined => expiryAlarm('the link certificate', end, end - days * DAY_MS);
    assert.equal(at(30.001), undefined);
    assert.equal(at(30), 'the link certificate expires on 2027-01-31, in 30 days');
    assert.equal(at(1.5), 'the link certificate expires on 2027-01-31, in 1 day');
    assert.equal(at(0.001), 'the link certificate expires on 2027-01-31, in 0 days');
    assert.equal(at(0), 'the link certificate expired on 2027-01-31');
  });

  test('a disk: below 2 GiB, below a twentieth, and nearly full', () => {
    const gib = 2 ** 30;
    const at = (freeBytes: number, sizeBytes: number) => diskAlarm('/data', { freeBytes, sizeBytes });
    assert.equal(at(2 * gib, 40 * gib), undefined);
    assert.equal(at(2 * gib - 1, 10 * gib), 'only 2047 MiB (19 %) are free on the disk of /data');
    assert.equal(at(49 * gib, 1_000 * gib), 'only 50176 MiB (4 %) are free on the disk of /data');
    assert.match(at(gib / 4, 10 * gib) ?? '', /^only 256 MiB/);
    assert.match(
      at(gib / 4 - 1, 10 * gib) ?? '',
      /^nearly full: only 255 MiB \(2 %\) .*; when it is full, this server stops$/,
    );
  });

  test('a clock: whoever is more than two seconds off the median', () => {
    const at = (...offsets: number[]) => clockAlarm(offsets.map((ms, i) => ({ name: `${i}`, wallMs: 1e12 + ms })));
    assert.equal(at(), undefined);
    assert.equal(at(9_000), undefined);
    assert.equal(at(0, 2_000, 10, -1_990), undefined);
    assert.equal(at(0, 10, 3_510, 20), 'the clock of 2 is 3.5 s fast');
    assert.equal(at(-60_000, 0, 5), 'the clock of 0 is 60.0 s slow');
    assert.equal(at(0, 5_000), 'the clock of 0 is 2.5 s slow; the clock of 1 is 2.5 s fast');
  });
});
