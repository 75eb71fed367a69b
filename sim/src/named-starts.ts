import { bytesKey, type LogPromise, type Member, type Rejoin } from '@trefoil/license';

/**
 * Which start of the others each promise names. When both peers have named one start of a server in their promises for one
 * epoch, neither names an earlier one later, or what was promised before a rollback would count again (PROTOCOL §11.4).
 */
export class NamedStarts {
  /** By incarnation: the how manieth start it is, from 1. */
  readonly #starts = new Map<string, number>();
  /** By whose start, epoch and who named it. */
  readonly #named = new Map<string, number>();
  /** The latest start of each that both have named, and the epoch. */
  readonly #agreed = new Map<Member, { readonly start: number; readonly epoch: number }>();

  started({ incarnation }: Rejoin): void {
    const key = bytesKey(incarnation);
    if (!this.#starts.has(key)) this.#starts.set(key, this.#starts.size + 1);
  }

  /** Of whom this promise names a start that is too old. */
  promised({ member, epoch, incarnations }: LogPromise): Member | undefined {
    for (const other of ([1, 2, 3] as const).filter((one) => one !== member)) {
      const start = this.#starts.get(bytesKey(incarnations[other - 1] as Uint8Array)) ?? 0;
      const agreed = this.#agreed.get(other);
      if (agreed !== undefined && epoch > agreed.epoch && start > 0 && start < agreed.start) return other;
      const peer = 6 - member - other;
      this.#named.set(`${other}/${epoch}/${member}`, start);
      const both = this.#named.get(`${other}/${epoch}/${peer}`) === start && start > 0;
      if (both && start >= (agreed?.start ?? 0)) this.#agreed.set(other, { start, epoch });
    }
    return undefined;
  }
}
