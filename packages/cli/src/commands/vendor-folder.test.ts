import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tmrIdOf } from './vendor-folder.ts';

test('a license gets a TMR ID of its own for a set of three containers, and none for a single server', () => {
  const [cad, cam] = ['cad-1', 'cam-1'].map((license) => tmrIdOf(license, { threshold: 2 }));
  assert.ok(cad !== undefined && cad > 0 && cam !== undefined && cam > 0 && cad !== cam);
  assert.equal(tmrIdOf('cad-1', { threshold: 1 }), 0);
});
