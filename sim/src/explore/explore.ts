import { equalBytes } from '@trefoil/license';
import { quickFixture } from '../crypto.ts';
import { Adversary, type Bounds, type Known } from './adversary.ts';
import { type Local, Locals } from './local.ts';
import { type Renaming, renamings, Teller } from './renaming.ts';

interface State {
  readonly locals: readonly [Local, Local, Local];
  readonly before: State | undefined;
  readonly step: string;
  readonly depth: number;
}

export interface Explored {
  readonly states: number;
  readonly steps: number;
  readonly depth: number;
  /** All states within the bounds were seen. */
  readonly exhausted: boolean;
  /** The shortest way to what must not be: two certificates for one index, or an old start named again. */
  readonly counterexample: { readonly what: string; readonly way: readonly string[] } | undefined;
}

/**
 * Goes through everything that can happen within these bounds, breadth first, with the shipped step function of the license
 * server. What one of them does depends on its own history only; so each of its steps is run once and then remembered.
 */
export function explore(bounds: Bounds, mostStates: number, progress: (states: number) => void): Explored {
  const fixture = quickFixture();
  const { crypto, root, configuration, group, issuingKey } = fixture;
  const context = { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text };
  const adversary = new Adversary(fixture, bounds);
  const teller = new Teller(fixture, (head) => adversary.log(head));
  const servers = ([1, 2, 3] as const).map(
    (member) => new Locals({ fixture, context, teller }, member, bounds.alone === true),
  );
  const orders = renamings(bounds.contents);
  const mayBePutBack = (locals: State['locals']): boolean =>
    locals.filter((one) => one.putBack).length < bounds.rollbacks;
  const keyOf = (locals: State['locals']): string => leastName(locals, orders, mayBePutBack(locals));
  const first: State = {
    locals: servers.map((one) => one.first) as unknown as State['locals'],
    before: undefined,
    step: '',
    depth: 0,
  };
  const seen = new Set([keyOf(first.locals)]);
  const queue: State[] = [first];
  let steps = 0;
  let depth = 0;
  for (let at = 0; at < queue.length; at++) {
    const state = queue[at] as State;
    queue[at] = first; // what is behind needs no memory
    depth = state.depth;
    if (at % 1_000 === 0) progress(at);
    const known = adversary.known(state.locals);
    const what = isForked(known.certificates)
      ? 'a fork'
      : namesOldStart(known.promises, teller)
        ? 'an old start'
        : undefined;
    if (what !== undefined)
      return { states: seen.size, steps, depth, exhausted: false, counterexample: { what, way: wayTo(state) } };
    if (seen.size > mostStates) return { states: seen.size, steps, depth, exhausted: false, counterexample: undefined };
    const rollbacksLeft = mayBePutBack(state.locals);
    servers.forEach((server, i) => {
      const local = state.locals[i] as Local;
      for (const step of adversary.steps(known, local, rollbacksLeft)) {
        steps++;
        const next = server.after(local, step);
        if (next === local || next.key === local.key) continue;
        const locals = state.locals.with(i, next) as unknown as State['locals'];
        const key = keyOf(locals);
        if (seen.has(key)) continue;
        seen.add(key);
        queue.push({ locals, before: state, step: `L${server.member} ${inWords(step.name)}`, depth: state.depth + 1 });
      }
    });
  }
  return { states: seen.size, steps, depth, exhausted: true, counterexample: undefined };
}

function isForked(certificates: Known['certificates']): boolean {
  return certificates.some((a) =>
    certificates.some((b) => a.accept.index === b.accept.index && !equalBytes(a.accept.head, b.accept.head)),
  );
}

/**
 * What makes promises from before a rollback worthless (PROTOCOL §11.4): when both peers have named one start of a server in
 * their promises for one epoch, neither names an earlier one later.
 */
function namesOldStart(promises: Known['promises'], teller: Teller): boolean {
  return ([1, 2, 3] as const).some((member) => {
    const peers = promises.filter((one) => one.promise.member !== member);
    const named = peers.map(({ promise }) => ({
      ...{ by: promise.member, epoch: promise.epoch },
      start: teller.startOf(promise.incarnations[member - 1] as Uint8Array),
    }));
    return named.some((a) => {
      const both = named.some((b) => b.by > a.by && b.epoch === a.epoch && b.start === a.start);
      return both && named.some((later) => later.epoch > a.epoch && later.start > 0 && later.start < a.start);
    });
  });
}

/** Of all its renamings the first by name: states that differ in names only are one. */
function leastName(locals: State['locals'], orders: readonly Renaming[], mayBePutBack: boolean): string {
  let least = '';
  for (const order of orders) {
    const names = ['', '', ''];
    locals.forEach((local, i) => {
      names[order.places[i] as number] = local.nameIn(order, mayBePutBack);
    });
    const name = names.join('');
    if (least === '' || name < least) least = name;
  }
  return least;
}

function inWords(name: string): string {
  return name.replaceAll(/#[0-9a-f]{12}/g, '');
}

function wayTo(state: State): string[] {
  const way: string[] = [];
  for (let one: State | undefined = state; one?.before !== undefined; one = one.before) way.unshift(`> ${one.step}`);
  return way;
}
