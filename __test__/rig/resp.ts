/** The part of the Redis protocol (RESP2) that a test needs to talk to a server without any client library. */
import { connect, type Socket } from 'node:net';

export type Reply = string | number | null | Reply[];

export class RespError extends Error {}

/** One connection; replies come in the order of the commands. */
export class RespConnection {
  #buffer = Buffer.alloc(0);
  #waiting: { resolve: (reply: Reply) => void; reject: (cause: Error) => void }[] = [];

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => this.#receive(chunk));
    const fail = (cause: Error): void => this.#waiting.splice(0).forEach(({ reject }) => reject(cause));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('connection closed')));
  }

  static open(port: number, host = '127.0.0.1'): Promise<RespConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RespConnection(socket));
      });
    });
  }

  command(...words: readonly (string | Buffer | number)[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.socket.write(encodeCommand(words));
    });
  }

  close(): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const parsed = parseReply(this.#buffer, 0);
      if (parsed === undefined) return;
      this.#buffer = this.#buffer.subarray(parsed.end);
      const waiter = this.#waiting.shift();
      if (parsed.reply instanceof RespError) waiter?.reject(parsed.reply);
      else waiter?.resolve(parsed.reply);
    }
  }
}

export function encodeCommand(words: readonly (string | Buffer | number)[]): Buffer {
  const parts = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))));
  const framed = parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from('\r\n')]);
  return Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...framed]);
}

/** The reply that starts at `start` and where it ends; `undefined` while bytes are missing. Bulk strings become latin1, so that no byte is lost. */
export function parseReply(bytes: Buffer, start: number): { reply: Reply | RespError; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd < 0) return undefined;
  const kind = String.fromCharCode(bytes[start] ?? 0);
  const line = bytes.toString('latin1', start + 1, lineEnd);
  const next = lineEnd + 2;
  if (kind === '+') return { reply: line, end: next };
  if (kind === '-') return { reply: new RespError(line), end: next };
  if (kind === ':') return { reply: Number(line), end: next };
  const length = Number(line);
  if (length < 0) return { reply: null, end: next };
  if (kind === '$') {
    if (bytes.length < next + length + 2) return undefined;
    return { reply: bytes.toString('latin1', next, next + length), end: next + length + 2 };
  }
  if (kind !== '*') throw new Error(`not RESP2: ${JSON.stringify(line)}`);
  const items: Reply[] = [];
  let end = next;
  for (let index = 0; index < length; index++) {
    const item = parseReply(bytes, end);
    if (item === undefined) return undefined;
    items.push(item.reply instanceof RespError ? item.reply.message : item.reply);
    end = item.end;
  }
  return { reply: items, end };
}
