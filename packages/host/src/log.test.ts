import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HostError } from './errors.ts';
import { createLog, silentLog, type LogLevel } from './log.ts';

function linesOf(level: LogLevel, write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLog({ name: 'test', level, destination: { write: (line) => void lines.push(line) } }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('a log', () => {
  test('writes JSON lines with time, level and process', () => {
    const [line] = linesOf('info', (log) => log.child({ link: 'a' }).info({ epoch: 7 }, 'follows'));
    assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual(
      { ...line, time: '' },
      { level: 'info', time: '', process: 'test', pid: process.pid, link: 'a', epoch: 7, msg: 'follows' },
    );
  });

  test('keeps to its level', () => {
    const lines = linesOf('warn', (log) => {
      log.info({}, 'no');
      log.error({}, 'yes');
    });
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['yes'],
    );
  });

  test('leaves secrets out, however deep', () => {
    const [line] = linesOf('info', (log) =>
      log.info({ passphrase: 'x', a: { privateKeyPem: 'x', b: { token: 'x' } } }, 'm'),
    );
    assert.equal(JSON.stringify(line).includes('"x"'), false);
  });

  test('writes an error with its code and details', () => {
    const error = new HostError('port-in-use', 'port 1 is in use', { host: 'h', port: 1 });
    const [line] = linesOf('info', (log) => log.error({ err: error }, 'm'));
    const { code, details } = (line?.['err'] ?? {}) as Record<string, unknown>;
    assert.deepEqual([code, details], ['port-in-use', { host: 'h', port: 1 }]);
  });

  test('can be silent', () => silentLog.child({}).error({}, 'nobody hears'));
});
