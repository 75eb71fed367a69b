import { test } from 'node:test';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { z } from 'zod';
import { parseConfiguration } from './configuration.ts';

const schema = z.strictObject({
  member: z.union([z.literal(1), z.literal(2)]),
  listen: z.string().default('127.0.0.1:7411'),
  link: z.strictObject({ key: z.string().min(1) }),
  many: z.array(z.strictObject({ name: z.string(), size: z.int().min(0).max(9).optional() })).min(1),
  level: z.enum(['info', 'debug']).default('info'),
});

const TEXT = `member: 1
listen: "[::1]:7411" # where
link: { key: link.key }
many:
  - name: one
    size: 3
  - &other
    name: two
`;

test('configurations: what is in them, or one sentence with file and line', () =>
  fuzz({
    valid: [TEXT, TEXT.replaceAll('\n', '\r\n')].map((one) => new TextEncoder().encode(one)),
    refuses: (error) => errorsOf('HostError')(error) && /^x\.yaml:\d+: [^\n]+$/.test((error as Error).message),
    read: (bytes) => void parseConfiguration(new TextDecoder().decode(bytes), 'x.yaml', schema),
  }));
