/** IPv4 or IPv6 network in CIDR form (RFC 4632, RFC 4291). */
export interface Subnet {
  readonly bytes: readonly number[];
  readonly prefix: number;
}

/** undefined = not one. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', length = '', ...rest] = text.split('/');
  const bytes = parseAddressBytes(address);
  if (bytes === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  return Number(length) <= 8 * bytes.length ? { bytes, prefix: Number(length) } : undefined;
}

/** False for what is no address, and across the two families. */
export function isWithinOne(address: string, subnets: readonly Subnet[]): boolean {
  const bytes = subnets.length === 0 ? undefined : parseAddressBytes(address);
  return bytes !== undefined && subnets.some((subnet) => isWithin(bytes, subnet));
}

function isWithin(address: readonly number[], { bytes, prefix }: Subnet): boolean {
  if (address.length !== bytes.length) return false;
  return address.every((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefix - 8 * i));
    const mask = (0xff << (8 - bits)) & 0xff;
    return (byte & mask) === ((bytes[i] as number) & mask);
  });
}

function parseAddressBytes(text: string): readonly number[] | undefined {
  // As a machine with both families says its IPv4 address.
  const mapped = /^::ffff:(?=\d+\.)/i.exec(text)?.[0];
  if (mapped !== undefined) return parseIpv4(text.slice(mapped.length));
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): readonly number[] | undefined {
  const parts = text.split('.');
  const isAddress = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return isAddress ? parts.map(Number) : undefined;
}

function parseIpv6(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return all.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
