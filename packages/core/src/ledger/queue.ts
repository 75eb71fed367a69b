import type { CountingMode } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { allocate, type NotAllocated, type Part } from './allocate.ts';
import type { Wish } from './checks/ask.ts';
import { hasRoom, isDivisible, provisionallyAll } from './seats.ts';
import { itemsHeld, type Ledger, licensesOf, type Session, type Wait } from './state.ts';

/**
 * Who waits (PROTOCOL §5.15). There is one order for all: that of the log. A seat that somebody ahead could use is not free for those
 * behind him: so who wants three is not overtaken for ever by those who want one, and who wants seats of two products holds neither
 * while he waits.
 */

/** Products that a wait, or an acquire, asks for. */
function productsOf(items: readonly { readonly product: string }[]): string[] {
  return [...new Set(items.map((item) => item.product))];
}

/** What these seats would come from when those who wait for the same products have taken what there is for them. */
export function allocateBehind(
  ledger: Ledger,
  session: Session,
  items: Wait['items'],
  wish: { borrowing?: Wish } = {},
): ReturnType<typeof allocate> {
  const products = new Set(productsOf(items).filter((product) => ledger.queues.has(product)));
  if (products.size === 0) return allocate(ledger, session, items, wish);
  const behind = provisionallyAll(ledger, (claim) => {
    const inVain = new Vain(ledger, products);
    for (const wait of waitsFor(ledger, products)) {
      if (!roomIn(ledger, products)) break;
      if (!inVain.has(wait)) claim(wait.session, inVain.unless(wait, claimOf(ledger, wait)));
    }
    return allocate(ledger, session, items, wish);
  });
  if (!('code' in behind) || behind.code !== 'seats' || behind.detail !== '') return behind;
  // Nobody has those yet who are ahead: what is free is spoken for, not taken.
  return isMoreWithoutClaims(behind, allocate(ledger, session, items, wish))
    ? { ...behind, detail: 'waiting' }
    : behind;
}

function isMoreWithoutClaims(behind: NotAllocated, alone: ReturnType<typeof allocate>): boolean {
  return !('code' in alone) || (alone.seats?.free ?? 0) > (behind.seats?.free ?? 0);
}

function claimOf(ledger: Ledger, wait: Wait): readonly Part[] {
  const claim = allocate(ledger, wait.session, wait.items, { asMuchAsThereIs: true });
  return 'code' in claim || exceeds(wait, claim) ? [] : claim;
}

/** For whom nothing is left in one walk: then for nobody behind him who wants the same, and there may be thousands. */
class Vain {
  readonly #shapes = new Set<string>();
  readonly #isAlike: boolean;

  constructor(ledger: Ledger, products: ReadonlySet<string>) {
    this.#isAlike = !dependsOnSession(ledger, products);
  }

  has({ shape }: Wait): boolean {
    return this.#shapes.has(shape);
  }

  unless<T>({ shape }: Wait, claim: readonly T[]): readonly T[] {
    if (claim.length === 0 && this.#isAlike) this.#shapes.add(shape);
    return claim;
  }
}

/** What there is for somebody is not the same for everybody. */
export function dependsOnSession(ledger: Ledger, products: Iterable<string>): boolean {
  if (ledger.policy !== undefined) return true;
  for (const product of products)
    for (const { license } of licensesOf(ledger, product))
      if (license.terms.named !== undefined || license.terms.minimum.client > 0 || isSharing(license.terms.counting))
        return true;
  return false;
}

function isSharing(counting: readonly CountingMode[]): boolean {
  return counting.some((mode) => !isDivisible(mode));
}

/** Of what is asked for, but for how much of it. */
export function shapeOf(items: Wait['items']): string {
  return items
    .map(({ product, feature, mode = '', version = '', releasedAt = '' }) =>
      [product, feature, mode, version, releasedAt].join('\0'),
    )
    .join('\u0001');
}

export interface Served {
  readonly wait: Wait;
  readonly parts: readonly Part[];
}

/** Whose turn it is, in order, at most so many, with seats of at most so many licenses. Nothing is changed. */
export function nextServed(
  ledger: Ledger,
  most: { readonly waits: number; readonly parts: number },
): { readonly served: readonly Served[]; readonly isAll: boolean } {
  const products = connected(ledger, ledger.stirred);
  if (products.size === 0) return { served: [], isAll: true };
  const shared = new Set([...products].filter((product) => isShared(ledger, product)));
  return provisionallyAll(ledger, (claim) => {
    const served: Served[] = [];
    const inVain = new Vain(ledger, products);
    // Beyond what it waited for: how much more each session will hold.
    const perSession = new Map<Session, number>();
    let partsServed = 0;
    let isAll = true;
    for (const wait of waitsFor(ledger, products)) {
      if (served.length >= most.waits || partsServed >= most.parts) {
        isAll = false;
        break;
      }
      // Who shares a seat that is there takes none; where nobody can, the first whom nothing is left for is the last to look at.
      if (shared.size === 0 && !roomIn(ledger, products)) break;
      const mayShare = wait.items.some(({ product, mode }) =>
        mode === undefined ? shared.has(product) : !isDivisible(mode),
      );
      if (!mayShare && !roomIn(ledger, products)) continue;
      if (inVain.has(wait)) continue;
      const parts = allocate(ledger, wait.session, wait.items);
      const given = perSession.get(wait.session) ?? 0;
      if ('code' in parts || exceeds(wait, parts, given))
        claim(wait.session, inVain.unless(wait, claimOf(ledger, wait)));
      else {
        perSession.set(wait.session, given + parts.length - wait.items.length);
        claim(wait.session, parts);
        served.push({ wait, parts });
        partsServed += parts.length;
      }
    }
    return { served, isAll };
  });
}

/** Its seats would come from more licenses than its session may hold: it waits on, and claims nothing. */
function exceeds({ session, items }: Wait, parts: readonly Part[], given = 0): boolean {
  return itemsHeld(session) + given - items.length + parts.length > LIMITS.itemsPerSession;
}

/** 1 = the next; of several products the worst of its places. */
export function placeOf(ledger: Ledger, wait: Wait): number {
  return Math.max(...productsOf(wait.items).map((product) => 1 + indexOf(ledger.queues.get(product) ?? [], wait.seq)));
}

export function enqueue(ledger: Ledger, wait: Wait): void {
  for (const product of productsOf(wait.items)) {
    let queue = ledger.queues.get(product);
    if (queue === undefined) {
      queue = [];
      ledger.journal.put(ledger.queues, product, queue);
    }
    insert(ledger, queue, wait);
    countTogether(ledger, product, wait, 1);
  }
}

export function dequeue(ledger: Ledger, wait: Wait): void {
  for (const product of productsOf(wait.items)) {
    const queue = ledger.queues.get(product) as Wait[];
    const at = indexOf(queue, wait.seq);
    queue.splice(at, 1);
    ledger.journal.onUndo(() => queue.splice(at, 0, wait));
    countTogether(ledger, product, wait, -1);
    if (queue.length === 0) {
      ledger.journal.remove(ledger.queues, product);
      ledger.journal.delete(ledger.stirred, product);
    } else ledger.journal.add(ledger.stirred, product); // what it had a claim on is free for the next
  }
}

function countTogether({ together, journal }: Ledger, product: string, wait: Wait, change: 1 | -1): void {
  if (wait.items.length > 1) journal.put(together, product, (together.get(product) ?? 0) + change);
}

function insert(ledger: Ledger, queue: Wait[], wait: Wait): void {
  const at = indexOf(queue, wait.seq);
  queue.splice(at, 0, wait);
  ledger.journal.onUndo(() => queue.splice(at, 1));
}

/** Of the first that is not before `seq`. */
function indexOf(queue: readonly Wait[], seq: number): number {
  let [low, high] = [0, queue.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((queue[middle] as Wait).seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** With those that somebody waits for together with one of them: who is served in one decides what is left in the other. */
function connected(ledger: Ledger, from: Iterable<string>): Set<string> {
  const found = new Set<string>();
  const open = [...from].filter((product) => ledger.queues.has(product));
  for (let product = open.pop(); product !== undefined; product = open.pop()) {
    if (found.has(product)) continue;
    found.add(product);
    if ((ledger.together.get(product) ?? 0) === 0) continue;
    for (const wait of ledger.queues.get(product) ?? [])
      if (wait.items.length > 1) open.push(...productsOf(wait.items).filter((one) => !found.has(one)));
  }
  return found;
}

/** In the order of the log, each once. */
function waitsFor(ledger: Ledger, products: ReadonlySet<string>): Iterable<Wait> {
  const [only] = products;
  if (products.size === 1) return ledger.queues.get(only as string) ?? [];
  const queues = [...products].flatMap((product) => ledger.queues.get(product) ?? []);
  return [...new Set(queues)].sort((a, b) => a.seq - b.seq);
}

/** Some of its licenses let sessions share a seat. */
function isShared(ledger: Ledger, product: string): boolean {
  for (const { license } of licensesOf(ledger, product)) if (isSharing(license.terms.counting)) return true;
  return false;
}

function roomIn(ledger: Ledger, products: ReadonlySet<string>): boolean {
  for (const product of products) for (const state of licensesOf(ledger, product)) if (hasRoom(state)) return true;
  return false;
}
