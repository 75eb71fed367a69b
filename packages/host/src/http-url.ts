import { z } from 'zod';

/** The address of somebody else's HTTP server, in a configuration. */
export function httpUrl(example: string) {
  return z
    .string()
    .refine((text) => addressOf(text) !== undefined, `is not an address like ${example}`)
    .refine((text) => (addressOf(text)?.password ?? '') === '', 'may not hold a password');
}

function addressOf(text: string): URL | undefined {
  const url = URL.parse(text);
  return url !== null && ['http:', 'https:'].includes(url.protocol) ? url : undefined;
}
