import {
  type CountingMode,
  COUNTING_MODES,
  LIMITS as FORMAT,
  type Reader,
  readAcquireItems,
  sessionHandleOf,
  writeAcquireItems,
  Writer,
} from '@trefoil/license';
import { shapeOf } from './queue.ts';
import {
  type Answered,
  emptyWindow,
  type HeldItem,
  type Hold,
  type Ledger,
  type RequestWindow,
  type Session,
  type Wait,
} from './state.ts';

/** A session with what it holds, waits for and was answered, as one record (PROTOCOL §8.1). */
export function encodeSession(session: Session): Uint8Array {
  const writer = new Writer()
    .raw(session.id)
    .raw(session.key)
    .raw(session.closeHash)
    .text(session.user)
    .text(session.host)
    .text(session.program)
    .text(session.address)
    .u16(session.client)
    .u64(session.openedUtc)
    .u64(session.idleSince)
    .u64(session.deadline)
    .text(session.evicted)
    .u8(session.closed ? 1 : 0)
    .u32(session.holds.size);
  for (const id of ascending(session.holds)) writeHold(writer, session.holds.get(id) as Hold);
  writer.u32(session.waits.size);
  for (const id of ascending(session.waits)) writeWait(writer, session.waits.get(id) as Wait);
  writeWindow(writer, session.proven);
  writeWindow(writer, session.free);
  return writer.done();
}

function writeWindow(writer: Writer, { lowestUnanswered, answered }: RequestWindow): void {
  writer.u64(lowestUnanswered).u32(answered.size);
  for (const id of ascending(answered)) {
    const { commandHash, outcome, consume } = answered.get(id) as Answered;
    writer
      .u64(id)
      .raw(commandHash)
      .bytes(outcome)
      .u8(consume ? 1 : 0);
  }
}

function ascending(map: ReadonlyMap<number, unknown>): number[] {
  return [...map.keys()].sort((a, b) => a - b);
}

function writeHold(writer: Writer, hold: Hold): void {
  writer
    .u64(hold.id)
    .raw(hold.releaseHash)
    .u64(hold.sinceLogTime)
    .u64(hold.sinceUtc)
    .u64(hold.lifeMs)
    .u64(hold.timeoutMs)
    .u64(hold.issuedLogTime)
    .u64(hold.freeAt)
    .u8(hold.lingering ? 1 : 0)
    .u8(hold.waited ? 1 : 0)
    .u8(hold.borrowed ? 1 : 0)
    .u16(hold.extended)
    .u16(hold.items.length);
  for (const item of hold.items) writeHeldItem(writer, item);
}

function writeHeldItem(writer: Writer, item: HeldItem): void {
  writer.u8(item.item).text(item.license).text(item.feature).u8(item.chain.length);
  for (const name of item.chain) writer.text(name);
  writer
    .u32(item.seats)
    .u8(COUNTING_MODES.indexOf(item.mode))
    .u32(item.tokens)
    .u8(item.overdraft ? 1 : 0)
    .u64(item.times);
}

/** Its items as in the command that asked for them. */
function writeWait(
  writer: Writer,
  { id, seq, commandHash, releaseHash, items, untilLogTime, timeoutMs, keptUntil }: Wait,
): void {
  writer.u64(id).u64(seq).raw(commandHash).raw(releaseHash).u64(untilLogTime).u32(timeoutMs).u64(keptUntil);
  writeAcquireItems(writer, items);
}

export function readSession({ context }: Ledger, reader: Reader): Session {
  const id = new Uint8Array(reader.raw(16));
  const session: Session = {
    id,
    handle: new Uint8Array(sessionHandleOf(context.crypto, id)),
    key: new Uint8Array(reader.raw(32)),
    closeHash: new Uint8Array(reader.raw(32)),
    user: reader.text(FORMAT.nameBytes),
    host: reader.text(FORMAT.nameBytes),
    program: reader.text(FORMAT.nameBytes),
    address: reader.text(FORMAT.addressBytes),
    client: reader.u16(),
    openedUtc: reader.u64(),
    idleSince: reader.u64(),
    deadline: reader.u64(),
    evicted: reader.text(FORMAT.reasonBytes),
    closed: reader.code(0, 1, 'flag') === 1,
    holds: new Map(),
    waits: new Map(),
    proven: emptyWindow(),
    free: emptyWindow(),
  };
  for (let i = reader.u32(); i > 0; i--) {
    const hold = readHold(reader);
    session.holds.set(hold.id, hold);
  }
  for (let i = reader.u32(); i > 0; i--) {
    const wait = readWait(session, reader);
    session.waits.set(wait.id, wait);
  }
  readWindow(reader, session.proven);
  readWindow(reader, session.free);
  return session;
}

function readWindow(reader: Reader, window: RequestWindow): void {
  window.lowestUnanswered = reader.u64();
  for (let i = reader.u32(); i > 0; i--)
    window.answered.set(reader.u64(), {
      commandHash: new Uint8Array(reader.raw(32)),
      outcome: new Uint8Array(reader.bytes(FORMAT.documentBytes)),
      consume: reader.code(0, 1, 'flag') === 1,
    });
}

function readHold(reader: Reader): Hold {
  const fields = {
    id: reader.u64(),
    releaseHash: new Uint8Array(reader.raw(32)),
    sinceLogTime: reader.u64(),
    sinceUtc: reader.u64(),
    lifeMs: reader.u64(),
    timeoutMs: reader.u64(),
    issuedLogTime: reader.u64(),
    freeAt: reader.u64(),
    lingering: reader.code(0, 1, 'flag') === 1,
    waited: reader.code(0, 1, 'flag') === 1,
    borrowed: reader.code(0, 1, 'flag') === 1,
    extended: reader.u16(),
  };
  return { ...fields, items: Array.from({ length: reader.u16() }, () => readHeldItem(reader)) };
}

function readHeldItem(reader: Reader): HeldItem {
  return {
    item: reader.u8(),
    license: reader.text(FORMAT.codeBytes),
    feature: reader.text(FORMAT.codeBytes),
    chain: Array.from({ length: reader.u8() }, () => reader.text(FORMAT.codeBytes)),
    seats: reader.u32(),
    mode: COUNTING_MODES[reader.code(0, COUNTING_MODES.length - 1, 'counting mode')] as CountingMode,
    tokens: reader.u32(),
    overdraft: reader.code(0, 1, 'flag') === 1,
    times: reader.u64(),
  };
}

function readWait(session: Session, reader: Reader): Wait {
  const wait = {
    session,
    id: reader.u64(),
    seq: reader.u64(),
    commandHash: new Uint8Array(reader.raw(32)),
    releaseHash: new Uint8Array(reader.raw(32)),
    untilLogTime: reader.u64(),
    timeoutMs: reader.u32(),
    keptUntil: reader.u64(),
    items: readAcquireItems(reader),
  };
  return { ...wait, shape: shapeOf(wait.items) };
}
