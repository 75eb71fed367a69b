import { bytesKey, type Command, type Outcome, type SessionSigned } from '@trefoil/license';

/** By the session's key (PROTOCOL §5.12). */
export function isSigned(command: Command): command is SessionSigned {
  return command.kind === 'consume' || command.kind === 'borrow' || command.kind === 'extend';
}

/** PROTOCOL §5.11: what carries authority is forgotten only by what carries it. */
export class Acknowledged {
  /** By session: below this the client has said, with its own authority, that it has all answers. */
  readonly #below = new Map<string, number>();

  /** What is wrong with it; undefined = nothing. */
  heard(command: Command, outcome: Outcome): string | undefined {
    if (!['open', 'close'].includes(command.kind) && !isSigned(command)) return undefined;
    const session = bytesKey(outcome.session);
    const below = this.#below.get(session) ?? 0;
    // Both are found out only behind the signature.
    const proven = outcome.kind !== 'refused' || ['evicted', 'unknown-hold'].includes(outcome.code);
    if (proven && isSigned(command)) this.#below.set(session, Math.max(below, command.lowestUnanswered));
    const isForgotten = outcome.kind === 'refused' && outcome.code === 'forgotten' && outcome.requestId >= below;
    return isForgotten ? `has forgotten a ${command.kind} whose answer nobody has acknowledged` : undefined;
  }
}
