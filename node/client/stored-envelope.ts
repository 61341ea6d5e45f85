/**
 * How bytes are kept in stores that may only know JSON (Keyv, Cacheable): base64, and the absolute time at which they are
 * gone. That time is of this machine's clock, because such a store tells no remaining life of its own: machines that
 * share one must agree about the time as closely as their shortest ttl demands. Redis through `redis` needs no such care.
 */
import type { AdapterEntry } from '../../index';

export interface StoredEnvelope {
  /** Bytes in base64. */
  readonly v: string;
  /** Milliseconds since 1970 at which it is gone; `null` = never. */
  readonly e: number | null;
}

export function pack(value: Uint8Array, ttl: number | null): StoredEnvelope {
  const bytes = Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  return { v: bytes.toString('base64'), e: ttl === null ? null : Date.now() + ttl };
}

/** `undefined` for what is expired, and for what is not ours. */
export function unpack(stored: unknown): AdapterEntry | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  const { v, e } = stored as Partial<StoredEnvelope>;
  if (typeof v !== 'string' || (e !== null && typeof e !== 'number')) return undefined;
  const ttl = e === null ? null : e - Date.now();
  return ttl !== null && ttl <= 0 ? undefined : { value: Buffer.from(v, 'base64'), ttl };
}

/** Whole milliseconds, as such stores want them; `undefined` = never. */
export function storeTtl(ttl: number | null): number | undefined {
  return ttl === null ? undefined : Math.max(1, Math.ceil(ttl));
}
