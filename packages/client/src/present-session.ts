import type { Outcome } from '@trefoil/license';
import { ClientError } from './errors.ts';
import type { Group } from './group.ts';
import { type Answer, type Claims, Session } from './session.ts';
import { CLOSED } from './submission.ts';

/** The session that a client is in; a new one when the group has forgotten it. */
export class PresentSession {
  readonly group: Group;
  /** How long to wait for an answer, ms. */
  readonly patienceMs: number;
  readonly claims: Claims;
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;
  #closed = false;
  /** Told of each that is opened. */
  onOpened: (session: Session) => void = () => undefined;

  constructor(group: Group, claims: Claims, patienceMs: number) {
    this.group = group;
    this.claims = claims;
    this.patienceMs = patienceMs;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws ClientError `closed`, `not-reachable` */
  get(): Promise<Session> {
    if (this.#closed) return Promise.reject(new ClientError('closed', CLOSED));
    if (this.#session?.ended === false) return Promise.resolve(this.#session);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening.then((opened) => {
      if (this.#closed) throw new ClientError('closed', CLOSED);
      return opened;
    });
  }

  /** Goes on with one that was opened before. */
  adopt(session: Session): void {
    this.#session = session;
  }

  async #open(): Promise<Session> {
    const opened = await Session.open(this.group, this.claims, this.patienceMs);
    if (!(opened instanceof Session))
      throw new ClientError('not-reachable', `no session could be opened: ${why(opened)}`);
    this.#session = opened;
    this.onOpened(opened);
    return opened;
  }

  /** Whether a refusal means only that the group has forgotten this session: then what was asked is asked once more, in a new one. */
  goesOnAnew(session: Session, { code }: Outcome & { kind: 'refused' }, attempt = 0): boolean {
    if (code !== 'unknown-session') return false;
    session.ended = true;
    return attempt === 0;
  }

  /** No more requests. The group still has the session. */
  leave(): Session | undefined {
    this.#closed = true;
    return this.#session;
  }
}

function why(opened: Outcome | Extract<Answer, { kind: 'unknown' }>): string {
  if (opened.kind === 'unknown') return opened.reason;
  return opened.kind === 'refused' ? `refused: ${opened.code} ${opened.detail}` : opened.kind;
}
