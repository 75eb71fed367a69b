import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';

const packaging = join(import.meta.dirname, '../../../packaging');
const read = (file: string) => readFileSync(join(packaging, file), 'utf8');

interface Service {
  readonly command: readonly string[];
  readonly volumes: readonly string[];
  readonly stop_grace_period: string;
}

describe('the container image', () => {
  test('has a Dockerfile that a linter finds nothing wrong with', () => {
    assert.deepEqual(validate(read('container/Dockerfile')), []);
    assert.notDeepEqual(validate('FROM debian\nRUM true\n'), []);
  });

  test('runs what the services run, and gives a server as long to stop', () => {
    const { services } = parse(read('container/compose.yaml'), { merge: true }) as {
      services: Record<string, Service>;
    };
    assert.deepEqual(Object.keys(services), ['license-server', 'tmr-server']);
    const [, entryPoint] = /^ENTRYPOINT \["(.*)"\]$/m.exec(read('container/Dockerfile')) ?? [];
    for (const [name, service] of Object.entries(services)) {
      const unit = read(`systemd/trefoil-${name}.service`);
      assert.match(unit, new RegExp(`^ExecStart=${entryPoint} ${service.command.join(' ')}$`, 'm'));
      assert.match(unit, new RegExp(`^TimeoutStopSec=${service.stop_grace_period}$`, 'm'));
      assert.ok(service.volumes.some((volume) => volume.endsWith(':/var/lib/trefoil')));
    }
  });
});
