import type { Member, TmrServer } from '@trefoil/license';
import type { ToProposer } from '../messages.ts';
import type { VoterStatus } from '../voter-status.ts';
import { type Bench, context, group, one, START } from '../voter/bench.ts';
import { statusTo } from '../voter/status.ts';
import { newProposer, type Proposer, type ProposerEffect, type ProposerEvent } from './state.ts';
import { stepProposer } from './step.ts';

/** One TMR server, and license servers that are asked only when a test passes on what is for them. */
export class ProposerBench {
  readonly proposer: Proposer;
  readonly voters: readonly [Bench, Bench, Bench];
  readonly id: TmrServer;
  now = 0;
  effects: ProposerEffect[] = [];
  #random = 0;

  constructor(
    id: TmrServer = 'A',
    voters: readonly [Bench, Bench, Bench] = group(),
    options: { readonly epochStretch?: number } = {},
  ) {
    this.id = id;
    this.voters = voters;
    const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(++this.#random);
    this.proposer = newProposer({ context, id, key: one.tmrKeys[id], random, ...options }, this.clock);
    for (const member of [1, 2, 3] as const) {
      this.step({ kind: 'linkUp', member, hearsAbout: false });
      this.hears(member, this.status(member));
    }
  }

  get clock() {
    return { monotonicMs: this.now, wallMs: START + this.now };
  }

  /** What it does at once. */
  step(event: ProposerEvent): ProposerEffect[] {
    const effects = stepProposer(this.proposer, event, this.clock);
    this.effects.push(...effects);
    return effects;
  }

  hears(member: Member, message: ToProposer): ProposerEffect[] {
    return this.step({ kind: 'message', member, message });
  }

  tick(now: number): ProposerEffect[] {
    this.now = now;
    for (const voter of this.voters) voter.now = now;
    return this.step({ kind: 'tick' });
  }

  /** What that license server says of itself, but for what is changed. */
  status(member: Member, change: Partial<VoterStatus> = {}): VoterStatus {
    const effect = statusTo((this.voters[member - 1] as Bench).voter, this.id, this.clock);
    if (effect.kind !== 'send' || effect.message.kind !== 'status') throw new Error('no status');
    return { ...effect.message, ...change };
  }

  /** What it says to these is answered, and the answers too, until nobody says anything. */
  passOn(effects: readonly ProposerEffect[], to: readonly Member[] = [1, 2, 3]): void {
    for (const effect of effects) {
      if (effect.kind !== 'send' || !to.includes(effect.member)) continue;
      const answers = (this.voters[effect.member - 1] as Bench).say(this.id, effect.message);
      for (const answer of answers) this.passOn(this.hears(effect.member, answer), to);
    }
  }

  get alarms(): string[] {
    return this.effects.flatMap((effect) => (effect.kind === 'alarm' ? [effect.alarm] : []));
  }
}

/** To whom, and what. */
export const sent = (effects: readonly ProposerEffect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'send' ? [`${effect.message.kind} to L${effect.member}`] : []));
