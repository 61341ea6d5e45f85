/** The borders of messages in a stream of RESP2 or RESP3, and as much of their content as a fault needs to choose by. */

/** Cuts a stream into whole messages; keeps what is still incomplete. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    let start = 0;
    for (;;) {
      const end = frameEnd(bytes, start);
      if (end === undefined) break;
      frames.push(bytes.subarray(start, end));
      start = end;
    }
    this.#rest = bytes.subarray(start);
    return frames;
  }
}

/** Where the message that begins at `start` ends; `undefined` while bytes are missing. Fails for bytes that are no RESP. */
export function frameEnd(bytes: Buffer, start: number): number | undefined {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd < 0) return undefined;
  const kind = String.fromCharCode(bytes[start]!);
  const next = lineEnd + 2;
  if ('+-:_,#('.includes(kind)) return next;
  const count = Number(bytes.toString('latin1', start + 1, lineEnd));
  if ('$!='.includes(kind)) {
    if (count < 0) return next;
    return bytes.length < next + count + 2 ? undefined : next + count + 2;
  }
  if (!'*~>%|'.includes(kind)) throw new Error(`no RESP: ${JSON.stringify(bytes.toString('latin1', start, next))}`);
  // An attribute stands in front of the reply that it belongs to.
  const items = kind === '%' ? count * 2 : kind === '|' ? count * 2 + 1 : count;
  let end: number | undefined = next;
  for (let index = 0; index < items && end !== undefined; index++) end = frameEnd(bytes, end);
  return end;
}

/** The texts in a message, nested ones too, in their order; bytes as latin1. Numbers and the like are left out. */
export function wordsOf(frame: Buffer): string[] {
  const words: string[] = [];
  let at = 0;
  while (at < frame.length) {
    const lineEnd = frame.indexOf('\r\n', at);
    const kind = frame[at];
    const line = frame.toString('latin1', at + 1, lineEnd);
    at = lineEnd + 2;
    if (kind === 0x2b || kind === 0x2d) words.push(line); // + and -
    if (kind !== 0x24 && kind !== 0x21 && kind !== 0x3d) continue; // $, ! and =
    const length = Number(line);
    if (length < 0) continue;
    words.push(frame.toString('latin1', at, at + length));
    at += length + 2;
  }
  return words;
}
