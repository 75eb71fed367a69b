/** Default ports (docs: one table for firewall admins). */
export const PORTS = { clients: 7410, links: 7411, monitor: 7412, health: 7413, central: 7420 } as const;

/** Roles in certificates: who may be on the other end of a link. */
export const ROLES = {
  licenseServer: (member: 1 | 2 | 3): string => `license-server-${member}`,
  tmrServer: (id: 'A' | 'B'): string => `tmr-server-${id}`,
  client: 'client',
} as const;

/** `host:port`, `[v6]:port` or a host alone with the default port. Undefined if it is none of them. */
export function parseAddress(text: string, defaultPort: number): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) return undefined;
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  return port <= 65_535 ? { host, port } : undefined;
}

/** A snapshot fits one frame (PROTOCOL §8.3). */
const MAX_FRAME_BYTES = 256 * 1024 * 1024;

/**
 * What links between servers speak, the best first: both ends take the best that both know (PROTOCOL §1.3). The second form carries
 * ABOUT besides; the first is that of programs before it.
 */
export const LINK_PROTOCOLS = ['trefoil-link/2', 'trefoil/1'] as const;

/** Whether the other end of such a link knows what ABOUT is. */
export function hearsAbout(protocol: string): boolean {
  return protocol !== LINK_PROTOCOLS[1];
}

/**
 * Between servers. Both ends speak twenty times a second, so who is silent for some seconds is gone, whatever TCP believes: an address
 * that was taken away, or a firewall that has forgotten a connection, tells nobody.
 */
export const LINK_LIMITS = {
  maximumFrameBytes: MAX_FRAME_BYTES,
  maximumBufferedBytes: 2 * MAX_FRAME_BYTES,
  idleTimeoutMs: 5_000,
} as const;
