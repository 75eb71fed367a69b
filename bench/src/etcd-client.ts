import { type ClientHttp2Session, connect, constants } from 'node:http2';

/** As much of etcd's gRPC as the comparison needs: Put, and Txn with one comparison. One HTTP/2 connection each. */
export class EtcdClient {
  readonly #session: ClientHttp2Session;

  constructor(url: string) {
    this.#session = connect(url);
    this.#session.on('error', () => undefined);
  }

  async put(key: string, value: string): Promise<void> {
    await this.#call('/etcdserverpb.KV/Put', putRequest(key, value));
  }

  /** Puts if the key has never been written (its create revision is 0). */
  createIfAbsent(key: string, value: string): Promise<boolean> {
    return this.#txn(compare(key, TARGET.create, 0), opPut(key, value));
  }

  /** Deletes if the key exists. */
  deleteIfPresent(key: string): Promise<boolean> {
    return this.#txn(message([varint(1, 1), varint(2, TARGET.create), bytes(3, key), varint(5, 0)]), opDelete(key));
  }

  /** Puts if the key was last written in that revision. */
  async swap(key: string, modRevision: number, value: string): Promise<boolean> {
    return this.#txn(compare(key, TARGET.mod, modRevision), opPut(key, value));
  }

  /** Revision of the key's last write; 0 = absent. */
  async modRevision(key: string): Promise<number> {
    const reply = await this.#call('/etcdserverpb.KV/Range', message([bytes(1, key)]));
    const kv = field(reply, 2);
    return kv === undefined ? 0 : (numberField(kv, 3) ?? 0);
  }

  async #txn(comparison: Buffer, success: Buffer): Promise<boolean> {
    const reply = await this.#call('/etcdserverpb.KV/Txn', message([nested(1, comparison), nested(2, success)]));
    return numberField(reply, 2) === 1;
  }

  #call(path: string, body: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: path,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('error', reject);
      stream.on('trailers', (trailers) => {
        if (trailers['grpc-status'] !== '0') reject(new Error(String(trailers['grpc-message'])));
      });
      stream.on('end', () => resolve(Buffer.concat(parts).subarray(5)));
      const head = Buffer.alloc(5);
      head.writeUInt32BE(body.length, 1);
      stream.end(Buffer.concat([head, body]));
    });
  }

  close(): void {
    this.#session.close();
  }
}

const TARGET = { create: 1, mod: 2 } as const;

function compare(key: string, target: number, revision: number): Buffer {
  // result EQUAL = 0; the revision is field 5 (create) or 6 (mod).
  return message([varint(2, target), bytes(3, key), varint(target === TARGET.create ? 5 : 6, revision)]);
}

function putRequest(key: string, value: string): Buffer {
  return message([bytes(1, key), bytes(2, value)]);
}

function opPut(key: string, value: string): Buffer {
  return nested(2, putRequest(key, value));
}

function opDelete(key: string): Buffer {
  return nested(3, message([bytes(1, key)]));
}

function message(fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields);
}

function nested(number: number, body: Buffer): Buffer {
  return Buffer.concat([number_((number << 3) | 2), number_(body.length), body]);
}

function bytes(number: number, text: string): Buffer {
  return nested(number, Buffer.from(text));
}

function varint(number: number, value: number): Buffer {
  return Buffer.concat([number_(number << 3), number_(value)]);
}

function number_(value: number): Buffer {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      out.push(rest);
      return Buffer.from(out);
    }
    out.push((rest % 128) + 128);
  }
}

function* fields(buffer: Buffer): Generator<{ number: number; value: number | Buffer }> {
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = buffer[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < buffer.length) {
    const tag = read();
    const value = read();
    if ((tag & 7) === 0) yield { number: tag >> 3, value };
    else {
      yield { number: tag >> 3, value: buffer.subarray(at, at + value) };
      at += value;
    }
  }
}

function field(buffer: Buffer, number: number): Buffer | undefined {
  for (const one of fields(buffer)) if (one.number === number && typeof one.value !== 'number') return one.value;
  return undefined;
}

function numberField(buffer: Buffer, number: number): number | undefined {
  for (const one of fields(buffer)) if (one.number === number && typeof one.value === 'number') return one.value;
  return undefined;
}
