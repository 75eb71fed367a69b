import type { Site } from '../laboratory/site.ts';

/** Something that happens to a group, or that its admin does, while clients work. */
export interface Procedure {
  readonly name: string;
  /** As the guides call it. */
  readonly says: string;
  /** Longest time that a client should wait for an answer, ms: an aim (PROTOCOL §10 of the design); undefined: none is set. */
  readonly aimMs?: number;
  /** Nobody can be served meanwhile, so who asks is told so: what is not granted is no failure. */
  readonly stops?: boolean;
  readonly run: (site: Site) => Promise<void>;
}
