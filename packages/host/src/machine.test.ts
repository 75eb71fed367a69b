import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { machineTraits, type MachineSource } from './machine.ts';

const texts: Readonly<Record<string, string>> = {
  '/etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  '/sys/class/net/eth0/address': '52:54:00:12:34:56\n',
  '/sys/class/net/veth1/address': '00:00:00:00:00:01\n',
  '/proc/self/mountinfo': '21 1 0:20 / /proc rw - proc proc rw\n22 1 254:1 / / rw - ext4 /dev/vda1 rw\n',
};
const links: Readonly<Record<string, string>> = {
  '/sys/class/net/eth0/device': '../../../virtio0',
  '/sys/dev/block/254:1': '../../devices/virtio1/block/vda/vda1',
  '/dev/disk/by-uuid/aaaa-bbbb': '../../vda1',
  '/dev/disk/by-uuid/cccc-dddd': '../../vda2',
};
const lists: Readonly<Record<string, readonly string[]>> = {
  '/sys/class/net': ['lo', 'veth1', 'eth0'],
  '/dev/disk/by-uuid': ['cccc-dddd', 'aaaa-bbbb'],
};

const machine = (change: Partial<MachineSource> = {}): MachineSource => ({
  readText: (path) => texts[path],
  readLink: (path) => links[path],
  list: (directory) => lists[directory] ?? [],
  hostname: () => 'ls-1',
  cpuModel: () => 'A CPU',
  ...change,
});

describe('the traits of a machine', () => {
  test('are those that can be read, in a fixed order', () => {
    const names = machineTraits('test', machine()).map(({ name }) => name);
    assert.deepEqual(names, ['machine-id', 'network-address', 'root-filesystem', 'host-name', 'processor']);
  });

  test('do not contain what they come from', () => {
    const text = JSON.stringify(machineTraits('test', machine()));
    for (const raw of ['0123456789abcdef', '52:54', 'aaaa-bbbb', 'ls-1"', 'A CPU']) assert.ok(!text.includes(raw), raw);
  });

  test('stay the same, except the one that changed, and differ by purpose', () => {
    const before = machineTraits('test', machine());
    assert.deepEqual(machineTraits('test', machine()), before);
    const after = machineTraits('test', machine({ hostname: () => 'ls-2' }));
    assert.deepEqual(
      after.filter(({ value }) => !before.some((trait) => trait.value === value)).map(({ name }) => name),
      ['host-name'],
    );
    assert.notEqual(machineTraits('other', machine())[0]?.value, before[0]?.value);
  });

  test('of this machine can be read', () => {
    const traits = machineTraits('test');
    assert.ok(traits.length >= 2);
    for (const { value } of traits) assert.match(value, /^[0-9a-f]{64}$/);
  });
});
