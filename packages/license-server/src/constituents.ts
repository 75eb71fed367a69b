import type { Container } from '@trefoil/container';
import type { Ledger } from '@trefoil/core';
import type { Member } from '@trefoil/license';

/**
 * Keeps this container's constituents in the container's own file, beside the keys that they were made for. The ledger holds
 * all three of each license; this is the copy that moves with the container. Done in the background: nothing waits for it.
 */
export class ConstituentKeeper {
  readonly #container: Container;
  readonly #member: Member;
  #working = false;

  constructor(container: Container, member: Member) {
    this.#container = container;
    this.#member = member;
  }

  /** Rejects with the container's own error when it can't be written. */
  async keep(ledger: Ledger): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      const there = new Map(this.#container.constituents.map((one) => [one.license, one.version]));
      const missing = [...ledger.licenses.values()].flatMap(({ license, constituents }) => {
        if ((there.get(license.id) ?? 0) >= license.version) return [];
        return constituents.filter((one) => one.member === this.#member);
      });
      if (missing.length === 0) return;
      await this.#container.putConstituents(
        missing.map((one) => ({ license: one.license, version: one.version, document: one.text })),
      );
    } finally {
      this.#working = false;
    }
  }
}
